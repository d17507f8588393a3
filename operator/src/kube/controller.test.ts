import assert from 'node:assert/strict';
import { test } from 'node:test';
import { again, controller, settled, source } from './controller.ts';
import type { Controller, ControllerOptions, ReconcileReport, Result } from './controller.ts';
import { ApiError, TerminalError } from './errors.ts';
import type { KubeObject } from './objects.ts';
import { newStore, ownerUids, type Partition, type WritableStore } from './store.ts';
import { ManualClock, settle } from './testClock.ts';
import { configMap } from './testServer.ts';

interface World extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly store: WritableStore<KubeObject>;
  readonly part: Partition<KubeObject>;
  readonly controller: Controller;
  readonly seen: string[];
  readonly reports: ReconcileReport[];
  sync(...objects: readonly KubeObject[]): Promise<void>;
  stop(): Promise<void>;
}

function world(
  reconcile: (key: string, signal: AbortSignal) => Promise<Result> | Result = () => settled,
  more: Partial<ControllerOptions> = {},
): World {
  const clock = new ManualClock();
  const store = newStore<KubeObject>({ indexes: { owner: ownerUids }, onError: () => undefined });
  const part = store.partitions.get(undefined);
  assert.ok(part);
  const seen: string[] = [];
  const reports: ReconcileReport[] = [];
  const made = controller({
    name: 'test',
    clock,
    sources: [source(store)],
    reconcile: async (key, signal) => {
      seen.push(key);
      return reconcile(key, signal);
    },
    hooks: { finished: (report) => reports.push(report) },
    backoff: { firstMs: 100, longestMs: 1000 },
    ...more,
  });
  const ending = new AbortController();
  const ended = made.run(ending.signal);
  const stop = async (): Promise<void> => {
    ending.abort();
    await ended;
  };
  return {
    clock,
    store,
    part,
    controller: made,
    seen,
    reports,
    sync: async (...objects) => {
      part.begin();
      part.gather(objects);
      part.swap();
      await settle();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

test('nothing is reconciled before every store has synced', async () => {
  const late = newStore<KubeObject>({ onError: () => undefined });
  await using run = world(undefined, {});
  const early = newStore<KubeObject>({ onError: () => undefined });
  const seen: string[] = [];
  const both = controller({
    name: 'both',
    clock: run.clock,
    sources: [source(early), source(late)],
    reconcile: (key) => {
      seen.push(key);
      return Promise.resolve(settled);
    },
  });
  const ending = new AbortController();
  const ended = both.run(ending.signal);
  const [first, second] = [early.partitions.get(undefined), late.partitions.get(undefined)];
  first?.begin();
  first?.gather([configMap('one', '1')]);
  first?.swap();
  both.enqueue('from/outside');
  await settle();
  assert.deepEqual(seen, []);
  second?.begin();
  second?.swap();
  await settle();
  assert.deepEqual([...seen].sort(), ['default/one', 'from/outside']);
  ending.abort();
  await ended;
});

test('a store that synced long ago is gone through at the start', async () => {
  await using run = world();
  await run.sync(configMap('one', '1'));
  const seen: string[] = [];
  const next = controller({
    name: 'next leader',
    clock: run.clock,
    sources: [source(run.store)],
    reconcile: (key) => {
      seen.push(key);
      return Promise.resolve(settled);
    },
  });
  const ending = new AbortController();
  const ended = next.run(ending.signal);
  await settle();
  assert.deepEqual(seen, ['default/one']);
  ending.abort();
  await ended;
});

test('a change brings its key; deletions too', async () => {
  await using run = world();
  await run.sync(configMap('one', '1'));
  run.part.put(configMap('one', '2'));
  await settle();
  run.part.remove(configMap('one', '3'));
  await settle();
  assert.deepEqual(run.seen, ['default/one', 'default/one', 'default/one']);
});

test('a child that moves wakes its old and its new owner; what does not matter wakes nobody', () => {
  const child = newStore<KubeObject>({ onError: () => undefined });
  const part = child.partitions.get(undefined);
  const ownerOf = (object: KubeObject): string[] => ownerUids(object).map((uid) => `owner/${uid}`);
  const heard = source(child, ownerOf, (change) => change.type !== 'updated' || change.old !== change.object);
  const quiet = source(child, ownerOf, () => false);
  const keys: string[] = [];
  heard.subscribe((key, priority) => keys.push(`${key} ${priority}`));
  quiet.subscribe((key, priority) => keys.push(`quiet ${key} ${priority}`));
  const owned = (version: string, uid: string): KubeObject => {
    const object = configMap('one', version);
    return { ...object, metadata: { ...object.metadata, ownerReferences: [{ uid }] } };
  };
  part?.begin();
  part?.gather([owned('1', 'a')]);
  part?.swap();
  part?.put(owned('2', 'b'));
  assert.deepEqual(keys, ['owner/a Background', 'quiet owner/a Background', 'owner/a Live', 'owner/b Live']);
  assert.deepEqual([...heard.keys()], ['owner/b']);
});

test('again comes after its time, settled does not', async () => {
  let turns = 0;
  await using run = world(() => ((turns += 1) === 1 ? again(5000) : settled));
  await run.sync(configMap('one', '1'));
  await run.clock.run(4999);
  assert.equal(turns, 1);
  await run.clock.run(1);
  assert.equal(turns, 2);
  await run.clock.run(60_000);
  assert.equal(turns, 2);
  assert.deepEqual(
    run.reports.map((report) => report.outcome),
    ['again', 'settled'],
  );
});

test('an error is tried again with growing waits, and a success forgets it', async () => {
  let failing = true;
  await using run = world(() => {
    if (failing) throw new Error('not yet');
    return settled;
  });
  await run.sync(configMap('one', '1'));
  await run.clock.run(100 + 200 + 400);
  assert.deepEqual(
    run.reports.map((report) => [report.outcome, report.againInMs, report.failures]),
    [
      ['error', 100, 1],
      ['error', 200, 2],
      ['error', 400, 3],
      ['error', 800, 4],
    ],
  );
  failing = false;
  await run.clock.run(800);
  assert.equal(run.reports.at(-1)?.outcome, 'settled');
  assert.equal(run.reports.at(-1)?.failures, 0);
});

test('the server may ask for a longer wait', async () => {
  const answer = { status: 429, reason: 'TooManyRequests', message: '', retryAfterMs: 7000 };
  await using run = world(() => {
    throw new ApiError('PATCH', answer);
  });
  await run.sync(configMap('one', '1'));
  assert.equal(run.reports[0]?.againInMs, 7000);
});

test('a terminal error is told once and not tried again until something changes', async () => {
  await using run = world(() => {
    throw new TerminalError('the graph has a cycle');
  });
  await run.sync(configMap('one', '1'));
  await run.clock.run(200_000);
  assert.deepEqual(
    run.reports.map((report) => report.outcome),
    ['terminal'],
  );
  run.part.put(configMap('one', '2'));
  await settle();
  assert.equal(run.reports.length, 2);
});

test('a reconcile that takes too long is told to end, and awaited before the key comes again', async () => {
  const running = { now: 0, most: 0 };
  let finish: (() => void) | undefined;
  await using run = world(
    async (_key, signal) => {
      running.now += 1;
      running.most = Math.max(running.most, running.now);
      await new Promise<void>((resolve) => (finish = resolve));
      running.now -= 1;
      signal.throwIfAborted();
      return settled;
    },
    { timeoutMs: 1000 },
  );
  await run.sync(configMap('one', '1'));
  run.part.put(configMap('one', '2'));
  await run.clock.run(10_000);
  assert.equal(run.seen.length, 1, 'it ignores its signal: nobody else takes the key');
  assert.equal(run.controller.state().longestRunningMs, 10_000);
  finish?.();
  await settle();
  assert.equal(run.reports[0]?.outcome, 'timeout');
  assert.match(String(run.reports[0].error), /longer than 1000 ms over 'default\/one'/);
  assert.equal(run.seen.length, 2);
  finish?.();
  await settle();
  assert.equal(running.most, 1);
});

test('every key comes again at least every safetyMs', async () => {
  await using run = world(undefined, { safetyMs: 60_000 });
  run.clock.chance = 0.999;
  await run.sync(configMap('one', '1'), configMap('two', '1'));
  for (let minute = 1; minute <= 5; minute += 1) {
    const before = run.seen.length;
    await run.clock.run(60_000);
    assert.ok(run.seen.length >= before + 2, `minute ${minute}`);
  }
});

test('live edits go before a start-up list', async () => {
  const order: string[] = [];
  const hold: (() => void)[] = [];
  await using run = world(
    async (key) => {
      order.push(key);
      await new Promise<void>((resolve) => hold.push(resolve));
      return settled;
    },
    { workers: 1 },
  );
  await run.sync(...Array.from({ length: 20 }, (_, index) => configMap(`start-${index}`, '1')));
  run.part.put(configMap('edited', '2'));
  hold.shift()?.();
  await settle();
  assert.equal(order[1], 'default/edited');
  const stopped = run.stop();
  for (const finish of hold) finish();
  await stopped;
});

test('the end waits for work under way, tells it, and counts it as no failure', async () => {
  let told = false;
  await using run = world(async (_key, signal) => {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    told = true;
    throw new Error('interrupted');
  });
  await run.sync(configMap('one', '1'));
  await run.stop();
  assert.equal(told, true);
  assert.deepEqual(run.reports, []);
  assert.deepEqual(run.clock.pendingMs, []);
});

test('a wait that is no number is an error, not a hot loop', async () => {
  await using run = world(() => again(Number.NaN));
  await run.sync(configMap('one', '1'));
  assert.equal(run.reports[0]?.outcome, 'error');
  assert.equal(run.seen.length, 1);
});

test('a mapper that throws for one object stops nobody', async () => {
  const store = newStore<KubeObject>({ onError: () => undefined });
  const from = source(store, (object) => {
    if (object.metadata.name === 'bad') throw new Error('cannot map');
    return [object.metadata.name];
  });
  const part = store.partitions.get(undefined);
  part?.put(configMap('bad', '1'));
  part?.put(configMap('good', '1'));
  assert.deepEqual([...from.keys()], ['good']);
  await Promise.resolve();
});
