/** The parts below the commands: load and its figures, the choice of a run, conventions of folders, watching. */
import assert from 'node:assert/strict';
import { once, EventEmitter } from 'node:events';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RunState } from '@sinter/operator/local/run';
import { folderWith, TRAFFIC } from '../test/sinter.ts';
import { Refusal } from './exit.ts';
import { offerLoad, quantile } from './load.ts';
import { executionsPerCall, recordedInputs, rootOf } from './root.ts';
import { chooseWorkflow } from './runs.ts';
import { plain } from './terminal.ts';
import { judgement, medianInterval } from './text/comparison.ts';
import { Watch } from './watch.ts';

const never = new AbortController().signal;

test('quantiles by nearest rank', () => {
  const ten = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  assert.deepEqual(
    [0, 0.5, 0.9, 0.99, 1].map((q) => quantile(ten, q)),
    [1, 5, 9, 10, 10],
  );
  assert.equal(quantile([], 0.5), 0);
});

test('medians are called different only where their intervals lie apart', () => {
  const near = Array.from({ length: 100 }, (_, i) => 10 + i / 10);
  const far = near.map((ms) => ms + 20);
  assert.match(judgement(near, far), /median is higher by more than chance/);
  assert.match(judgement(far, near), /median is lower by more than chance/);
  assert.match(judgement(near, near), /neither can be called faster/);
  const { low, high } = medianInterval(near);
  assert.ok(low < 15 && high > 15 && high - low < 3);
  assert.deepEqual(medianInterval([7]), { low: 7, high: 7 });
});

test('all calls are sent, failures are counted once a reason, and never too many run at once', async () => {
  let [underWay, most] = [0, 0];
  const send = async (index: number): Promise<string | undefined> => {
    underWay += 1;
    most = Math.max(most, underWay);
    await new Promise((resolve) => setTimeout(resolve, 2));
    underWay -= 1;
    return index % 10 === 0 ? 'Timeout' : undefined;
  };
  const result = await offerLoad({ calls: 100, perSecond: 10_000, concurrency: 3, send, signal: never });
  assert.deepEqual([result.sent, result.ok, result.failed, result.failures], [100, 90, 10, ['Timeout']]);
  assert.equal(most, 3);
  assert.deepEqual(
    result.tookMs,
    result.tookMs.toSorted((a, b) => a - b),
  );
});

test('a call that had to wait for others counts from when it was due', async () => {
  const send = () => new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 20));
  const { tookMs } = await offerLoad({ calls: 5, perSecond: 1e6, concurrency: 1, send, signal: never });
  assert.ok((tookMs[4] ?? 0) >= 5 * 19, String(tookMs));
});

test('an abort ends the sending, not what is under way', async () => {
  const controller = new AbortController();
  const send = (index: number): Promise<undefined> => {
    if (index === 2) controller.abort();
    return Promise.resolve(undefined);
  };
  const result = await offerLoad({
    calls: 1e6,
    perSecond: 1000,
    concurrency: 8,
    send,
    signal: controller.signal,
  });
  assert.deepEqual([result.sent, result.ok], [3, 3]);
});

const runState = (pid: number, workflows: readonly string[]): RunState => ({
  version: 1,
  pid,
  startedAt: `2026-01-01T00:00:0${String(pid)}Z`,
  gateway: { url: `http://127.0.0.1:${String(pid)}`, token: 't' },
  workflows: workflows.map((id) => {
    const [namespace = '', workflow = ''] = id.split('/');
    return { namespace, workflow, hash: 'h', planObject: undefined, findings: [] };
  }),
});

const wanted = (workflow: string, namespace?: string) => ({ workflow, namespace, run: undefined });

const refusal = (choose: () => unknown): Refusal => {
  try {
    choose();
  } catch (cause) {
    assert.ok(cause instanceof Refusal);
    return cause;
  }
  assert.fail('nothing was refused');
};

test('the one run that has the workflow is taken, whichever it is', () => {
  const runs = [runState(2, ['a/other']), runState(1, ['a/traffic'])];
  assert.equal(chooseWorkflow(runs, wanted('traffic')).run.pid, 1);
  assert.equal(chooseWorkflow(runs, wanted('traffic', 'a')).workflow.namespace, 'a');
});

test('several runs or namespaces are listed, not guessed', () => {
  const twoRuns = refusal(() => chooseWorkflow([runState(1, ['a/w']), runState(2, ['a/w'])], wanted('w')));
  assert.equal(twoRuns.exitCode, 4);
  assert.match(twoRuns.message, /--run 1 .*\n.*--run 2 /);
  const twoNamespaces = refusal(() => chooseWorkflow([runState(1, ['b/w', 'a/w'])], wanted('w')));
  assert.equal(twoNamespaces.exitCode, 1);
  assert.match(twoNamespaces.message, /several namespaces: a, b; choose one with -n/);
  const none = refusal(() => chooseWorkflow([runState(1, ['b/w'])], wanted('w', 'c')));
  assert.match(
    none.message,
    /'w' in namespace 'c' does not run on this machine; there are b\/w; --cluster asks/,
  );
});

test('the root of the example: its open trigger, its sample and its readings', () => {
  const http = { path: '/traffic', methods: ['POST'], auth: { type: 'None' } };
  const workflow = {
    kind: 'Workflow',
    metadata: { name: 'w' },
    spec: {
      functions: [{ name: 'b' }, { name: 'a' }],
      triggers: [{ name: 't', to: 'a', type: 'Http', http }],
    },
  };
  assert.deepEqual(rootOf([workflow], TRAFFIC), {
    ...{ namespace: 'default', workflow: 'w', function: 'a' },
    ...{ path: '/traffic', method: 'POST', sample: 'reading.json' },
  });
  const closed = { ...workflow, spec: { functions: [{ name: 'b' }] } };
  assert.deepEqual([rootOf([closed])?.path, rootOf([closed])?.function], [undefined, 'b']);
  assert.equal(rootOf([]), undefined);
  assert.equal(recordedInputs(TRAFFIC).length, 200);
  assert.deepEqual(recordedInputs('/nowhere'), []);
});

test('executions of a call: every edge once by each execution of its caller, also in a cycle', () => {
  const edges = [
    { from: 'a', to: 'b' },
    { from: 'a', to: 'c' },
    { from: 'b', to: 'd' },
    { from: 'c', to: 'd' },
    { from: 'x', to: 'd' },
  ];
  assert.deepEqual(
    [...executionsPerCall('a', edges)],
    [
      ['a', 1],
      ['b', 1],
      ['c', 1],
      ['d', 2],
    ],
  );
  assert.ok((executionsPerCall('a', [{ from: 'a', to: 'a' }]).get('a') ?? 0) > 1);
});

test('text from elsewhere keeps its lines and loses what steers a terminal', () => {
  assert.equal(plain('a\u001b[31mb\r\n\tc\u009b'), 'a\u00b7[31mb\u00b7\n\tc\u00b7');
});

/** Resolves at the next change that a Watch tells. */
async function toldBy(
  watched: { readonly files: readonly string[]; readonly folders: readonly string[] },
  change: () => Promise<void>,
): Promise<void> {
  const told = new EventEmitter();
  const watch = new Watch(() => told.emit('told'));
  try {
    watch.set(watched.files, watched.folders);
    const event = once(told, 'told', { signal: AbortSignal.timeout(5_000) });
    await change();
    await event;
  } finally {
    watch.close();
  }
}

test('a file is seen to change: written, renamed over, removed, and made where there was none', async () => {
  await using folder = await folderWith({ 'a.mjs': '1', 'deep/b.mjs': '1' });
  const file = join(folder.path, 'a.mjs');
  const at = { files: [file, join(folder.path, 'new/deep/c.mjs')], folders: [] };
  await toldBy(at, () => folder.write('a.mjs', '2'));
  await folder.write('a.mjs.tmp', '3');
  await toldBy(at, () => rename(`${file}.tmp`, file));
  await toldBy(at, () => rm(file));
  await toldBy(at, () => folder.write('new/deep/c.mjs', '1'));
  await toldBy({ files: [], folders: [folder.path] }, () => folder.write('any.yaml', '1'));
});
