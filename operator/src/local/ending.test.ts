/** The end of a run, whenever it comes: nothing of it is left. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { startLocalRun } from './main.ts';
import type { RawObject } from './run.ts';

const apiVersion = 'sinter.dev/v1alpha1';

/** A workflow with one function, both of that name. */
function workflow(name: string): readonly RawObject[] {
  const metadata = { name, namespace: 'lab' };
  const module = { inline: 'export default (x) => x;' };
  const http = { path: `/${name}`, auth: { type: 'None' } };
  return [
    {
      ...{ apiVersion, kind: 'Function', metadata },
      spec: { artifacts: [{ name: 'js', type: 'JavaScript', module }] },
    },
    {
      ...{ apiVersion, kind: 'Workflow', metadata },
      spec: { functions: [{ name }], triggers: [{ name: 't', type: 'Http', to: name, http }] },
    },
  ];
}

/** Command lines of this process's children. */
async function children(): Promise<readonly string[]> {
  const task = `/proc/self/task/${String(process.pid)}/children`;
  const pids = (await readFile(task, 'utf8')).split(' ').filter((pid) => pid !== '');
  return await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
}

it('a run that ends while several workflows are applied leaves no process, and takes nothing on any more', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sinter-test-'));
  const before = process.env.XDG_RUNTIME_DIR;
  process.env.XDG_RUNTIME_DIR = folder;
  try {
    const serving = Promise.withResolvers<undefined>();
    const onLog = ({ message }: { readonly message: string }): void => {
      if (message === 'serving') serving.resolve(undefined);
    };
    const run = await startLocalRun({ machines: 0, onLog, onProgress: () => undefined });
    const objects = ['a', 'b', 'c', 'd'].flatMap(workflow);
    const applied = run.apply(objects).then(
      (report) => report.findings,
      () => [],
    );
    await serving.promise;
    await run.stop();
    assert.deepEqual(await applied, []);
    assert.deepEqual(
      (await children()).filter((line) => /nats-server|dist.main/.test(line)),
      [],
    );
    assert.deepEqual(
      await readdir(folder),
      [],
      'its state file has gone, and the folder that was made for it',
    );
    await assert.rejects(run.apply(objects), /the run is ending/);
  } finally {
    if (before === undefined) Reflect.deleteProperty(process.env, 'XDG_RUNTIME_DIR');
    else process.env.XDG_RUNTIME_DIR = before;
    await rm(folder, { recursive: true });
  }
});
