import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from './testClock.ts';
import { tokenBucket } from './throttle.ts';

test('a burst leaves at once, the rest at the rate', async () => {
  const clock = new ManualClock();
  const bucket = tokenBucket({ perSecond: 10, burst: 3, clock });
  const left: number[] = [];
  for (let turn = 0; turn < 6; turn += 1) void bucket.take().then(() => left.push(clock.now()));
  await clock.run(1000);
  assert.deepEqual(left, [0, 0, 0, 100, 200, 300]);
});

test('a quiet time fills the bucket, but not beyond the burst', async () => {
  const clock = new ManualClock();
  const bucket = tokenBucket({ perSecond: 10, burst: 2, clock });
  clock.advance(3_600_000);
  const waits = [bucket.take(), bucket.take(), bucket.take()];
  await clock.run(100);
  assert.deepEqual(await Promise.all(waits), [0, 0, 100]);
});

test('who aborts while waiting does not leave', async () => {
  const clock = new ManualClock();
  const bucket = tokenBucket({ perSecond: 1, burst: 1, clock });
  await bucket.take();
  const stop = new AbortController();
  const refused = assert.rejects(bucket.take(stop.signal), { name: 'AbortError' });
  stop.abort();
  await refused;
  await assert.rejects(bucket.take(stop.signal), { name: 'AbortError' });
});

test('property: in any t seconds at most burst + t × rate leave, in the order in which they asked', async () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(
      gaps,
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 5 }),
      async (asks, perSecond, burst) => {
        const clock = new ManualClock();
        const bucket = tokenBucket({ perSecond, burst, clock });
        const left: (readonly [number, number])[] = [];
        for (const [index, gapMs] of asks.entries()) {
          await clock.run(gapMs);
          void bucket.take().then(() => left.push([index, clock.now()]));
        }
        await clock.run(60_000);
        assert.deepEqual(
          left.map(([index]) => index),
          asks.map((_, index) => index),
        );
        for (const [first, [, fromMs]] of left.entries())
          for (const [last, [, toMs]] of left.entries())
            if (last >= first)
              assert.ok(last - first + 1 <= burst + ((toMs - fromMs) / 1000) * perSecond + 1e-6);
      },
    ),
    { numRuns: 50 },
  );
});
