/** The host of contract version 1, as it stood when that was first whole (`e2e/fixtures`). */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const fixture = new URL('../fixtures/host-contract-1/', import.meta.url);

/** Unpacks the old host; gives its main file. */
export async function oldHost(): Promise<AsyncDisposable & { readonly bundle: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'sinter-host-'));
  await writeFile(join(folder, 'package.json'), '{"type": "module"}');
  for (const name of ['main.js', 'jsWorker.js', 'wasmWorker.js'])
    await writeFile(join(folder, name), gunzipSync(await readFile(new URL(`${name}.gz`, fixture))));
  return {
    bundle: join(folder, 'main.js'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
