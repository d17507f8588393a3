/** What a workflow remembers of its trials. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HISTOGRAM_BOUNDS_MS } from '@sinter/contract';
import type { Evidence } from './evidence.ts';
import { NO_MEMORY, afterTrial, budgetOf, counted, refusalOf, trialsOf } from './memory.ts';
import type { Memory } from './memory.ts';
import { NO_TOTALS } from './totals.ts';
import { startTrial } from './trial.ts';
import type { Trial, TrialEnd } from './trial.ts';

const NOW_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const COOLDOWN_MS = 120_000;
const plan = (hash: string) => ({ hash, units: [{ functions: ['f'] }] });
const trial = (hash: string, candidateCalls = 0): Trial => ({
  ...startTrial('Plan', plan(hash), 'old', NOW_MS),
  candidateCalls,
});
const WORSE: TrialEnd = { outcome: 'Withdraw', verdict: 'Worse', reason: 'LossMeasured', message: '' };
const TIME: TrialEnd = { outcome: 'Withdraw', verdict: 'Undecided', reason: 'TimeIsUp', message: '' };
const BETTER: TrialEnd = { outcome: 'Promote', verdict: 'Better', reason: 'GainMeasured', message: '' };

const after = (memory: Memory, hash: string, end: TrialEnd, nowMs = NOW_MS, calls = 0): Memory =>
  afterTrial(memory, trial(hash, calls), end, nowMs, COOLDOWN_MS);
const seen = (epoch: string, calls: Readonly<Record<string, number>>): Evidence => ({
  epoch,
  revisions: Object.fromEntries(
    Object.entries(calls).map(([hash, n]) => [
      hash,
      {
        roots: [{ entry: 'f', machineClass: '', calls: n, failures: 0, fellBack: 0, counts: [], sumLog: 0 }],
        functions: [],
      },
    ]),
  ),
});

describe('after a trial', () => {
  it('nothing is tried while it cools down', () => {
    const memory = after(NO_MEMORY, 'a', BETTER);
    assert.equal(refusalOf(memory, 'b', NOW_MS + COOLDOWN_MS - 1)?.reason, 'CoolingDown');
    assert.equal(refusalOf(memory, 'b', NOW_MS + COOLDOWN_MS), undefined);
  });

  it('the plan that lost is not tried again before another one was', () => {
    const lost = after(NO_MEMORY, 'a', WORSE);
    assert.equal(refusalOf(lost, 'a', NOW_MS + 100 * HOUR_MS)?.reason, 'LostBefore');
    assert.equal(refusalOf(lost, 'b', NOW_MS + 100 * HOUR_MS), undefined);
    const other = after(lost, 'b', WORSE, NOW_MS + 2 * HOUR_MS);
    assert.equal(refusalOf(other, 'a', NOW_MS + 3 * HOUR_MS), undefined);
    assert.equal(refusalOf(other, 'b', NOW_MS + 3 * HOUR_MS)?.reason, 'LostBefore');
  });

  it('one that nobody could judge waits, longer each time', () => {
    let memory = after(NO_MEMORY, 'a', TIME);
    assert.equal(refusalOf(memory, 'a', NOW_MS + HOUR_MS - 1)?.untilMs, NOW_MS + HOUR_MS);
    assert.equal(refusalOf(memory, 'a', NOW_MS + HOUR_MS), undefined);
    memory = after(memory, 'a', TIME, NOW_MS + HOUR_MS);
    assert.equal(refusalOf(memory, 'a', NOW_MS + 3 * HOUR_MS - 1)?.reason, 'LostBefore');
    assert.equal(refusalOf(memory, 'a', NOW_MS + 3 * HOUR_MS), undefined);
  });

  it('a plan that wins has never lost', () => {
    assert.deepEqual(after(after(NO_MEMORY, 'a', WORSE), 'a', BETTER).lost, []);
  });

  it('few are remembered, and no trial any more', () => {
    let memory: Memory = { ...NO_MEMORY, trial: trial('a') };
    for (let i = 0; i < 50; i++) memory = after(memory, `p${String(i)}`, WORSE);
    assert.equal(memory.lost.length, 20);
    assert.equal(memory.trial, undefined);
    assert.deepEqual(JSON.parse(JSON.stringify(memory)), memory);
  });

  it('the planner is told, while one is tried and after', () => {
    const trying = trialsOf({ ...NO_MEMORY, trial: trial('a') });
    assert.deepEqual(trying, { coolingUntilMs: null, candidate: plan('a'), lost: [] });
    const told = trialsOf(after(NO_MEMORY, 'a', TIME));
    assert.deepEqual(told.lost, [{ ...plan('a'), untilMs: NOW_MS + HOUR_MS, reason: 'TimeIsUp' }]);
    assert.deepEqual([told.coolingUntilMs, told.candidate], [NOW_MS + COOLDOWN_MS, null]);
  });
});

describe('what was measured of a plan that lost', () => {
  const bucket = (ms: number): readonly number[] =>
    HISTOGRAM_BOUNDS_MS.map((bound, i) => (ms <= bound && ms > (HISTOGRAM_BOUNDS_MS[i - 1] ?? 0) ? 50 : 0));
  const totals = (ms: number) => ({ ...NO_TOTALS, calls: 50, counts: bucket(ms) });

  it('is told to the planner, with the plan that it was measured beside', () => {
    const tried = { ...trial('a', 50), totals: { current: totals(10), candidate: totals(80) } };
    const memory = afterTrial(NO_MEMORY, tried, WORSE, NOW_MS, 0);
    const [lost] = trialsOf(memory).lost;
    assert.deepEqual([lost?.measured?.beside, lost?.measured?.calls], ['old', 50]);
    assert.ok(Math.abs((lost?.measured?.latencyRatio ?? 0) - 8) < 1.5, JSON.stringify(lost?.measured));
    assert.equal(lost?.measured?.costRatio, undefined);
    assert.deepEqual(JSON.parse(JSON.stringify(memory)), memory);
  });
});

describe('the budget of losers', () => {
  it('is a twentieth of all calls, whatever revision ran them', () => {
    let memory = counted(NO_MEMORY, seen('1', { a: 500 }));
    assert.equal(budgetOf(memory), 0, 'what was before counting began is not ours');
    memory = counted(memory, seen('1', { a: 1_000, b: 500 }));
    assert.equal(memory.ledger.calls, 1_000);
    assert.equal(budgetOf(memory), 50);
    assert.equal(counted(memory, seen('1', { a: 1_000, b: 500 })), memory, 'nothing is new');
    memory = counted(memory, seen('2', { a: 300 }));
    assert.equal(memory.ledger.calls, 1_000, 'a counter that started anew says nothing of before');
    assert.equal(counted(memory, seen('2', { a: 400 })).ledger.calls, 1_100);
  });

  it('is spent by those that lost, and then nothing is tried until it is earned', () => {
    const memory = counted(counted(NO_MEMORY, seen('1', {})), seen('1', { a: 1_000 }));
    assert.equal(budgetOf(after(memory, 'b', BETTER, NOW_MS, 400)), 50);
    const spent = after(memory, 'b', WORSE, NOW_MS, 60);
    assert.equal(budgetOf(spent), -10);
    assert.equal(refusalOf(spent, 'c', NOW_MS + HOUR_MS)?.reason, 'LosersCostTooMuch');
    const earned = counted(spent, seen('1', { a: 1_200 }));
    assert.equal(refusalOf(earned, 'c', NOW_MS + HOUR_MS), undefined);
  });
});
