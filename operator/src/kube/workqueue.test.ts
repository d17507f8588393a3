import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock, settle } from './testClock.ts';
import { workqueue, type Workqueue } from './workqueue.ts';

const nothing = 'nothing is ready';

/** The next key, or `nothing` when a worker would have to wait. The worker stays waiting: use it last. */
async function ready(queue: Workqueue): Promise<string | undefined> {
  return Promise.race([queue.take(), settle().then(() => nothing)]);
}

/** Takes and finishes everything that is ready. */
async function all(queue: Workqueue): Promise<readonly string[]> {
  const keys: string[] = [];
  while (queue.state().depth > 0) {
    const key = await queue.take();
    assert.ok(key !== undefined);
    keys.push(key);
    queue.done(key);
  }
  return keys;
}

test('a key waits once, however often it is added', async () => {
  const queue = workqueue({ clock: new ManualClock() });
  for (const key of ['a', 'b', 'a', 'a', 'b']) queue.add(key);
  assert.equal(queue.state().depth, 2);
  assert.deepEqual(await all(queue), ['a', 'b']);
});

test('a key that is added while in work comes once more, after it', async () => {
  const queue = workqueue({ clock: new ManualClock() });
  queue.add('a');
  assert.equal(await queue.take(), 'a');
  queue.add('a');
  queue.add('a');
  assert.equal(queue.state().depth, 0);
  queue.done('a');
  assert.deepEqual(await all(queue), ['a']);
});

test('live keys go first; a live add lifts a background key', async () => {
  const queue = workqueue({ clock: new ManualClock() });
  for (const key of ['start-1', 'start-2', 'start-3']) queue.add(key, 'Background');
  queue.add('edit');
  queue.add('start-3');
  queue.add('edit', 'Background');
  assert.deepEqual(await all(queue), ['edit', 'start-3', 'start-1', 'start-2']);
});

test('a flood of live keys does not starve the background', async () => {
  const queue = workqueue({ clock: new ManualClock() });
  queue.add('background', 'Background');
  for (let index = 0; index < 50; index += 1) queue.add(`live-${index}`);
  const order = await all(queue);
  assert.ok(order.indexOf('background') < 10, order.slice(0, 12).join());
});

test('of several delays the earliest counts', async () => {
  const clock = new ManualClock();
  const queue = workqueue({ clock });
  queue.addAfter('a', 5000);
  queue.addAfter('a', 1000);
  queue.addAfter('a', 3000);
  await clock.run(999);
  assert.equal(queue.state().depth, 0);
  await clock.run(1);
  assert.deepEqual(await all(queue), ['a']);
  await clock.run(10_000);
  assert.equal(queue.state().depth, 0);
});

test('work at once does not cancel an appointment', async () => {
  const clock = new ManualClock();
  const queue = workqueue({ clock });
  queue.addAfter('a', 1000);
  queue.add('a');
  assert.deepEqual(await all(queue), ['a']);
  await clock.run(1000);
  assert.deepEqual(await all(queue), ['a']);
});

test('a wait that is no number is no wait', async () => {
  const queue = workqueue({ clock: new ManualClock() });
  queue.addAfter('a', Number.NaN);
  queue.addAfter('b', -5);
  assert.deepEqual(await all(queue), ['a', 'b']);
});

test('failures wait twice as long each time, up to the longest, until forgotten', () => {
  const queue = workqueue({ clock: new ManualClock(), backoff: { firstMs: 100, longestMs: 1000 } });
  const waits = Array.from({ length: 6 }, () => queue.addBackoff('a'));
  assert.deepEqual(waits, [100, 200, 400, 800, 1000, 1000]);
  assert.equal(queue.failures('a'), 6);
  queue.forget('a');
  assert.equal(queue.addBackoff('a'), 100);
  assert.equal(queue.addBackoff('b', 5000), 5000, 'the server may ask for more');
  for (let turn = 0; turn < 5000; turn += 1) queue.addBackoff('c');
  assert.equal(queue.addBackoff('c'), 1000, 'no overflow');
});

test('stop hands out nothing more and waits for what is in work', async () => {
  const clock = new ManualClock();
  const queue = workqueue({ clock });
  queue.add('a');
  assert.equal(await queue.take(), 'a');
  queue.add('a');
  queue.add('b');
  queue.addAfter('c', 10);
  let drained = false;
  const stopped = queue.stop().then(() => (drained = true));
  assert.equal(await queue.take(), undefined);
  queue.add('d');
  await clock.run(100);
  assert.equal(drained, false);
  queue.done('a');
  await stopped;
  assert.equal(await queue.take(), undefined);
  assert.deepEqual(queue.state(), {
    depth: 0,
    waitingForTime: 0,
    processing: 0,
    unfinishedMs: 0,
    longestRunningMs: 0,
  });
});

test('stop wakes the workers that wait', async () => {
  const queue = workqueue({ clock: new ManualClock() });
  const workers = [queue.take(), queue.take()];
  await queue.stop();
  assert.deepEqual(await Promise.all(workers), [undefined, undefined]);
});

test('hooks and state tell the times', async () => {
  const clock = new ManualClock();
  const told: string[] = [];
  const queue = workqueue({
    clock,
    hooks: {
      added: (key) => told.push(`added ${key}`),
      retried: (key) => told.push(`retried ${key}`),
      waited: (ms) => told.push(`waited ${ms}`),
      worked: (ms) => told.push(`worked ${ms}`),
    },
  });
  queue.add('a', 'Background');
  clock.advance(30);
  queue.add('a');
  clock.advance(10);
  await queue.take();
  clock.advance(70);
  assert.equal(queue.state().longestRunningMs, 70);
  assert.equal(queue.state().unfinishedMs, 70);
  queue.addBackoff('a');
  assert.equal(queue.state().waitingForTime, 1);
  queue.done('a');
  assert.deepEqual(told, ['added a', 'added a', 'waited 40', 'retried a', 'worked 70']);
});

test('a key that is not in work cannot be done', () => {
  const queue = workqueue({ clock: new ManualClock() });
  assert.throws(() => queue.done('a'), /'a' is not in work/);
});

test('an empty queue lets workers wait', async () => {
  assert.equal(await ready(workqueue({ clock: new ManualClock() })), nothing);
});

const key = fc.constantFrom('a', 'b', 'c', 'd');
const priority = fc.constantFrom('Live' as const, 'Background' as const);
const command = fc.oneof(
  fc.record({ do: fc.constant('add' as const), key, priority }),
  fc.record({ do: fc.constant('after' as const), key, priority, ms: fc.integer({ min: 1, max: 500 }) }),
  fc.record({ do: fc.constant('backoff' as const), key }),
  fc.record({ do: fc.constant('take' as const) }),
  fc.record({ do: fc.constant('done' as const), nth: fc.nat(3) }),
  fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 300 }) }),
);

test('property: no key is with two workers, and whatever was asked for is handed out afterwards', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 60 }), async (commands) => {
      const clock = new ManualClock();
      const queue = workqueue({ clock, backoff: { firstMs: 10, longestMs: 1000 } });
      const inWork: string[] = [];
      /** For each key the moment from which somebody wants it looked at, and has not been served since. */
      const owed = new Map<string, number>();
      const owe = (of: string, atMs: number): void =>
        void owed.set(of, Math.min(atMs, owed.get(of) ?? Infinity));
      const take = async (): Promise<void> => {
        if (queue.state().depth === 0) return;
        const taken = await queue.take();
        assert.ok(taken !== undefined);
        assert.ok(!inWork.includes(taken), `${taken} is in work already`);
        inWork.push(taken);
        if ((owed.get(taken) ?? Infinity) <= clock.now()) owed.delete(taken);
      };
      for (const one of commands) {
        if (one.do === 'add') queue.add(one.key, one.priority);
        if (one.do === 'add') owe(one.key, clock.now());
        if (one.do === 'after') queue.addAfter(one.key, one.ms, one.priority);
        if (one.do === 'after') owe(one.key, clock.now() + one.ms);
        if (one.do === 'backoff') owe(one.key, clock.now() + queue.addBackoff(one.key));
        if (one.do === 'take') await take();
        const [ended] = one.do === 'done' ? inWork.splice(one.nth, 1) : [];
        if (ended !== undefined) queue.done(ended);
        if (one.do === 'advance') await clock.run(one.ms);
      }
      for (const left of inWork.splice(0)) queue.done(left);
      await clock.run(100_000);
      for (const each of await all(queue)) owed.delete(each);
      assert.deepEqual([...owed.keys()], []);
      assert.deepEqual(queue.state().waitingForTime, 0);
    }),
    { numRuns: 300 },
  );
});
