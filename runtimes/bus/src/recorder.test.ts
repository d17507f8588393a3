import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HISTOGRAM_BOUNDS_MS, QUIET_MS } from '@sinter/contract';
import { Recorder, bucketOf } from './recorder.ts';

const KEY = { namespace: 'n', workflow: 'w', unit: 'u', instance: 'i' };
const AT = { machine: 'm', architecture: 'amd64', routeGeneration: 4 };

describe('the bucket of a duration', () => {
  it('is the first whose bound is not below it', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 100_000, noNaN: true }), (ms) => {
        const at = bucketOf(ms);
        assert.ok(ms <= (HISTOGRAM_BOUNDS_MS[at] ?? Infinity) * (1 + 1e-9));
        if (at > 0) assert.ok(ms >= (HISTOGRAM_BOUNDS_MS[at - 1] ?? 0) * (1 - 1e-9));
      }),
      { numRuns: 1000 },
    );
    for (const [i, bound] of HISTOGRAM_BOUNDS_MS.entries()) assert.equal(bucketOf(bound), i);
  });
  it('exists for whatever a clock gives', () => {
    for (const ms of [0, -1, NaN, Infinity, Number.MAX_VALUE]) {
      const at = bucketOf(ms);
      assert.ok(at >= 0 && at <= HISTOGRAM_BOUNDS_MS.length, String(ms));
    }
  });
});

describe('a recorder', () => {
  it('counts every execution, by function, revision and artifact', () => {
    const r = new Recorder(0);
    r.executed('f', 'r1', 'js', 1, true);
    r.executed('f', 'r1', 'js', 2, false, true);
    r.executed('f', 'r2', 'js', 3, true);
    r.called('f', 'g', 'r1', 'Node', 5, true);
    const o = r.take(KEY, AT, 1_000);
    assert.equal(o.windowMs, 1_000);
    assert.equal(o.routeGeneration, 4);
    const [first, second] = o.functions;
    assert.deepEqual([first?.executions, first?.failures, first?.repeated, first?.runMs.sumMs], [2, 1, 1, 3]);
    assert.deepEqual([second?.revision, second?.executions], ['r2', 1]);
    assert.equal(
      first?.runMs.counts.reduce((a, b) => a + b),
      2,
    );
    assert.deepEqual([o.edges[0]?.calls, o.edges[0]?.channel], [1, 'Node']);
  });
  it('counts anew after it was asked, but keeps what runs', () => {
    const r = new Recorder(0);
    r.executed('f', 'r1', 'js', 1, true);
    r.rootBegins('r1');
    r.rootBegins('r1');
    r.take(KEY, AT, 10);
    r.rootEnds('r1');
    const o = r.take(KEY, AT, 25);
    assert.deepEqual([o.functions, o.windowMs, o.roots], [[], 15, { r1: 1 }]);
    r.rootEnds('r1');
    r.rootEnds('r1');
    assert.deepEqual(r.take(KEY, AT, 30).roots, {});
  });

  it('has something to say after each change, and else now and then', () => {
    const r = new Recorder(0);
    const told = (nowMs: number): boolean => {
      const due = r.isDue(nowMs);
      if (due) r.take(KEY, AT, nowMs);
      return due;
    };
    const times = [0, QUIET_MS - 1, QUIET_MS, 2 * QUIET_MS - 1, 2 * QUIET_MS];
    assert.deepEqual(times.map(told), [false, false, true, false, true]);
    const t = 2 * QUIET_MS;
    r.rootBegins('r1');
    assert.deepEqual([told(t + 1), told(t + 2)], [true, false]);
    r.rootEnds('r1');
    assert.deepEqual([told(t + 3), told(t + 4)], [true, false]);
    r.executed('f', 'r1', 'js', 1, true);
    assert.deepEqual([told(t + 5), told(t + 6)], [true, false]);
    r.called('f', 'g', 'r1', 'Node', 5, true);
    assert.deepEqual([told(t + 7), told(t + 8)], [true, false]);
  });
});
