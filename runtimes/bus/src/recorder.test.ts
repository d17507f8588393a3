import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HISTOGRAM_BOUNDS_MS, QUIET_MS } from '@sinter/contract';
import { Recorder, bucketOf } from './recorder.ts';
import type { Execution, ThreadUse } from './recorder.ts';

const KEY = { namespace: 'n', workflow: 'w', unit: 'u', instance: 'i' };
const AT = { machine: 'm', architecture: 'amd64', routeGeneration: 4, memoryBytes: 1 };
const RUN: Execution = {
  ok: true,
  ms: 1,
  calleesMs: 0,
  repeated: false,
  requestBytes: 10,
  responseBytes: 20,
};
const USE: ThreadUse = { queuedMs: 0, cpuMs: 0, busyMs: 0, occupiedMs: 0, memoryBytes: 0 };
const answer = { ok: true, payload: { bytes: new Uint8Array(7) }, tookMs: 3 };

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
    r.executions('f', 'r1', 'js').add(RUN);
    r.executions('f', 'r1', 'js').add({ ...RUN, ok: false, ms: 2, calleesMs: 1.5, repeated: true });
    r.executions('f', 'r2', 'js').add({ ...RUN, ms: 3 });
    const o = r.take(KEY, AT, 1_000);
    assert.deepEqual([o.windowMs, o.routeGeneration, o.memoryBytes], [1_000, 4, 1]);
    const [first, second] = o.functions;
    assert.deepEqual([first?.executions, first?.failures, first?.repeated, first?.runMs.sumMs], [2, 1, 1, 3]);
    assert.deepEqual([first?.calleesMs, first?.requestBytes, first?.responseBytes], [1.5, 20, 40]);
    assert.deepEqual([second?.revision, second?.executions], ['r2', 1]);
    assert.equal(
      first?.runMs.counts.reduce((a, b) => a + b),
      2,
    );
  });

  it('counts calls by edge, revision and channel, and what they took beyond their callees', () => {
    const r = new Recorder(0);
    r.calls('f', 'g', 'r1', 'Node').add(5, answer, 100, true);
    r.calls('f', 'g', 'r1', 'Node').add(9, { ok: false }, 50);
    r.calls('f', 'g', 'r1', 'Queue').add(1, { ok: true }, 3);
    const [node, queue] = r.take(KEY, AT, 1).edges;
    assert.deepEqual([node?.calls, node?.failures, node?.parallel], [2, 1, 1]);
    assert.deepEqual([node?.requestBytes, node?.responseBytes], [150, 7]);
    assert.deepEqual([node?.answered, node?.overheadMs], [1, 2]);
    assert.deepEqual([queue?.channel, queue?.calls, queue?.answered], ['Queue', 1, 0]);
  });

  it('counts root calls by entry, and sums the logarithms of those that succeeded', () => {
    const r = new Recorder(0);
    for (const ms of [Math.E, Math.E ** 3]) r.entries('f', 'r1', 'Sync').add(ms, true);
    r.entries('f', 'r1', 'Sync').add(1e6, false);
    r.entries('f', 'r2', 'Sync').fellBack();
    r.entries('g', 'r1', 'Async').add(1, true, true);
    r.entries('g', 'r1', 'Async').add(1, true);
    const { entries = [] } = r.take(KEY, AT, 1);
    const [ran, fell, pulled] = entries;
    assert.deepEqual([ran?.outside, pulled?.calls, pulled?.outside], [undefined, 2, 1]);
    assert.deepEqual([ran?.calls, ran?.failures], [3, 1]);
    assert.equal(
      ran?.latencyMs.counts.reduce((a, b) => a + b),
      2,
    );
    assert.ok(Math.abs(ran.logSum - 4) < 1e-9 && Math.abs(ran.logSquares - 10) < 1e-9);
    assert.deepEqual([fell?.revision, fell?.calls, fell?.fellBack], ['r2', 0, 1]);
  });

  it('shares out what threads used by the time that executions took of their own', () => {
    const r = new Recorder(0);
    r.executions('f', 'r1', 'js').add({ ...RUN, ms: 40, calleesMs: 10 });
    r.executions('f', 'r2', 'js').add({ ...RUN, ms: 10 });
    r.used('f', { ...USE, cpuMs: 15, queuedMs: 4, memoryBytes: 5 });
    r.used('f', { ...USE, cpuMs: 5, memoryBytes: 3 });
    const { functions } = r.take(KEY, AT, 1);
    assert.deepEqual(
      functions.map((f) => [f.cpuMs, f.queuedMs, f.memoryBytes]),
      [
        [15, 3, 5],
        [5, 1, 5],
      ],
    );
    r.executions('f', 'r1', 'js').add(RUN);
    assert.equal(r.take(KEY, AT, 2).functions[0]?.cpuMs, undefined, 'nothing is told twice');
  });

  it('keeps what was used for an execution that has not ended yet', () => {
    const r = new Recorder(0);
    r.used('f', { ...USE, cpuMs: 900 });
    r.executions('f', 'r1', 'js').started(80);
    const [start] = r.take(KEY, AT, 1).functions;
    assert.deepEqual([start?.executions, start?.starts, start?.startMs, start?.cpuMs], [0, 1, 80, undefined]);
    r.used('f', { ...USE, cpuMs: 100 });
    r.executions('f', 'r1', 'js').add(RUN);
    const [ended] = r.take(KEY, AT, 2).functions;
    assert.deepEqual([ended?.executions, ended?.starts, ended?.cpuMs], [1, undefined, 1000]);
  });

  it('leaves out the empty end of a histogram', () => {
    const r = new Recorder(0);
    r.executions('f', 'r1', 'js').add({ ...RUN, ms: 0.06 });
    assert.deepEqual(r.take(KEY, AT, 1).functions[0]?.runMs.counts, [0, 1]);
  });

  it('counts anew after it was asked, but keeps what runs', () => {
    const r = new Recorder(0);
    r.executions('f', 'r1', 'js').add(RUN);
    r.rootBegins('r1');
    r.rootBegins('r1');
    r.take(KEY, AT, 10);
    r.rootEnds('r1');
    const o = r.take(KEY, AT, 25);
    assert.deepEqual([o.functions, o.windowMs, o.roots, r.running], [[], 15, { r1: 1 }, 1]);
    r.rootEnds('r1');
    r.rootEnds('r1');
    assert.deepEqual([r.take(KEY, AT, 30).roots, r.running], [{}, 0]);
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
    const changes: readonly (() => void)[] = [
      () => {
        r.rootBegins('r1');
      },
      () => {
        r.rootEnds('r1');
      },
      () => {
        r.executions('f', 'r1', 'js').add(RUN);
      },
      () => {
        r.calls('f', 'g', 'r1', 'Node').add(5, answer, 1);
      },
      () => {
        r.entries('f', 'r1', 'Sync').add(5, true);
      },
    ];
    for (const change of changes) {
      change();
      assert.deepEqual([told(2 * QUIET_MS), told(2 * QUIET_MS)], [true, false]);
    }
  });
});
