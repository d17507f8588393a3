import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Gate } from './gate.ts';

const never = new AbortController().signal;

describe('a gate', () => {
  it('lets in as many as may run, and no more', async () => {
    const gate = new Gate(2, performance);
    assert.equal(gate.enter(never), true);
    assert.equal(gate.enter(never), true);
    const third = gate.enter(never);
    assert.ok(third instanceof Promise);
    assert.deepEqual([gate.running, gate.load, gate.room], [2, 3, 0]);
    gate.leave();
    assert.equal(await third, true);
    assert.deepEqual([gate.running, gate.load], [2, 2]);
  });

  it('knows for how long calls waited, and for how long any ran', async () => {
    let nowMs = 0;
    const gate = new Gate(1, { now: () => nowMs });
    nowMs = 10;
    gate.enter(never);
    nowMs = 15;
    const waiting = [gate.enter(never), gate.enter(never)];
    nowMs = 18;
    assert.deepEqual(gate.times, { queuedMs: 6, occupiedMs: 8 });
    gate.leave();
    nowMs = 20;
    gate.leave();
    for (const entered of waiting) await entered;
    gate.leave();
    nowMs = 100;
    assert.deepEqual(gate.times, { queuedMs: 8, occupiedMs: 10 });
  });

  it('serves who waits in order', async () => {
    const gate = new Gate(1, performance);
    gate.enter(never);
    const order: number[] = [];
    const waiting = [1, 2, 3].map(async (n) => {
      await gate.enter(never);
      order.push(n);
      gate.leave();
    });
    gate.leave();
    await Promise.all(waiting);
    assert.deepEqual(order, [1, 2, 3]);
    assert.equal(gate.load, 0);
  });

  it('lets nobody overtake who waits', async () => {
    const gate = new Gate(1, performance);
    gate.enter(never);
    const first = gate.enter(never);
    gate.leave();
    const second = gate.enter(never);
    assert.ok(second instanceof Promise);
    assert.equal(await first, true);
    gate.leave();
    assert.equal(await second, true);
  });

  it('lets who is cancelled leave the line, and only the line', async () => {
    const gate = new Gate(1, performance);
    gate.enter(never);
    const [a, b] = [new AbortController(), new AbortController()];
    const first = gate.enter(a.signal);
    const second = gate.enter(b.signal);
    a.abort();
    assert.equal(await first, false);
    assert.equal(gate.load, 2);
    gate.leave();
    assert.equal(await second, true);
    b.abort();
    assert.equal(gate.running, 1);
  });

  it('does not let in who is cancelled already, when it would have to wait', async () => {
    const gate = new Gate(1, performance);
    gate.enter(never);
    assert.equal(await gate.enter(AbortSignal.abort()), false);
    assert.equal(gate.load, 1);
  });

  const fullness: readonly (readonly [number, number])[] = [
    [1, 2],
    [2, 3],
    [3, 5],
    [8, 12],
    [64, 96],
  ];
  for (const [concurrency, fullAt] of fullness)
    it(`of ${String(concurrency)} is full at ${String(fullAt)}, eased again at ${String(concurrency)}`, () => {
      const gate = new Gate(concurrency, performance);
      for (let load = 1; load <= fullAt; load++) {
        assert.equal(gate.full, false);
        void gate.enter(never);
        assert.equal(gate.eased, load <= concurrency);
      }
      assert.equal(gate.full, true);
    });

  it('is overfull when the line is long', () => {
    const gate = new Gate(1, performance);
    for (let i = 0; i < 64; i++) void gate.enter(never);
    assert.equal(gate.overfull, false);
    void gate.enter(never);
    assert.equal(gate.overfull, true);
  });

  it('tells of every change', () => {
    const gate = new Gate(1, performance);
    let told = 0;
    gate.onChange(() => (told += 1));
    gate.enter(never);
    void gate.enter(never);
    gate.leave();
    gate.leave();
    assert.equal(told, 4);
  });

  it('never runs more than it may, and empties, whatever happens', async () => {
    const step = fc.constantFrom('enter', 'leave', 'abort');
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(step, { maxLength: 60 }),
        async (n, steps) => {
          const gate = new Gate(n, performance);
          const aborts: AbortController[] = [];
          let inside = 0;
          const asked: Promise<unknown>[] = [];
          for (const s of steps) {
            if (s === 'enter') {
              const abort = new AbortController();
              aborts.push(abort);
              asked.push(
                Promise.resolve(gate.enter(abort.signal)).then((let_in) => (inside += let_in ? 1 : 0)),
              );
            } else if (s === 'abort') aborts.shift()?.abort();
            else if (inside > 0) {
              inside -= 1;
              gate.leave();
            }
            await Promise.resolve();
            assert.ok(gate.running <= n);
          }
          for (const abort of aborts) abort.abort();
          await Promise.all(asked);
          for (; inside > 0; inside--) gate.leave();
          assert.deepEqual([gate.running, gate.load], [0, 0]);
        },
      ),
    );
  });
});
