/** The files of a run that ended without being able to remove them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { sweepAfter } from './sweeper.ts';

const LIMIT_MS = 10_000;
const SWEEPER = new URL('./sweeper.ts', import.meta.url).href;

let temporary: string;
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'sinter-test-'));
});
afterEach(async () => {
  await rm(temporary, { recursive: true });
});

async function gone(path: string): Promise<void> {
  for (const end = performance.now() + LIMIT_MS; existsSync(path);) {
    assert.ok(performance.now() < end, `${path} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('a sweeper', () => {
  it('removes what is left by a process that is killed with -9', async () => {
    const [folder, file, empty] = ["a folder's", '-f', 'empty'].map((name) => join(temporary, name)) as [
      string,
      string,
      string,
    ];
    await mkdir(empty);
    await mkdir(join(folder, 'deep'), { recursive: true });
    await writeFile(file, '');
    const code = `
      const { sweepAfter } = await import(${JSON.stringify(SWEEPER)});
      sweepAfter(${JSON.stringify([folder, file])}, ${JSON.stringify(empty)});
      process.kill(process.pid, 'SIGKILL');`;
    const child = execFile(process.execPath, ['--input-type=module', '-e', code]);
    await new Promise((resolve) => child.once('close', resolve));
    assert.equal(child.signalCode, 'SIGKILL');
    await Promise.all([folder, file, empty].map(gone));
    assert.ok(existsSync(temporary));
  });

  it('leaves the folder of others that is not empty', async () => {
    const [file, others] = [join(temporary, 'mine'), join(temporary, 'others')];
    await Promise.all([file, others].map((path) => writeFile(path, '')));
    const code = `
      const { sweepAfter } = await import(${JSON.stringify(SWEEPER)});
      sweepAfter(${JSON.stringify([file])}, ${JSON.stringify(temporary)});`;
    const child = execFile(process.execPath, ['--input-type=module', '-e', `${code} process.exit();`]);
    await new Promise((resolve) => child.once('close', resolve));
    await gone(file);
    assert.ok(existsSync(others));
  });

  it('that is dismissed removes nothing, and is gone', async () => {
    const file = join(temporary, 'kept');
    await writeFile(file, '');
    const sweeper = sweepAfter([file], temporary);
    await sweeper.dismiss();
    await sweeper.dismiss();
    assert.ok(existsSync(file));
  });
});
