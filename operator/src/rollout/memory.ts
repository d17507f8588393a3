/**
 * What a workflow's roll-outs have come to: the trial that is under way, plans that lost, and what losing has cost.
 *
 * Owns: which plan may be tried now, and for how long one that lost is not. Plain data that survives JSON: in a cluster it is
 * kept in the bucket of records, one entry a workflow; a laptop forgets it with the run.
 * Invariants:
 *  1. A plan that lost is not tried again before another one was, or a week has passed: what it lost under may have changed. One
 *     that could not be judged waits for an hour, and ever longer.
 *  2. Losing candidates have had LOSERS_SHARE of all calls at most, but for what the last one needed.
 */
import type { WorkflowKey } from '@sinter/contract';
import type { Evidence } from './evidence.ts';
import { callsOf } from './evidence.ts';
import type { Objective } from './judge.ts';
import { figuresOf } from './totals.ts';
import type { Figures } from './totals.ts';
import type { Trial, TrialEnd, TriedPlan } from './trial.ts';

export interface Memory {
  readonly version: 2;
  readonly ledger: Ledger;
  /** The last one first. */
  readonly lost: readonly Lost[];
  /** In milliseconds since 1970: no plan is tried before. */
  readonly coolingUntilMs: number;
  readonly trial?: Trial;
  /** Won, and is to become the current one: what it was tried beside may still be that. */
  readonly taken?: TriedPlan;
  /** Code that was withdrawn: what was declared so is not run. */
  readonly withdrawnCode?: { readonly hash: string; readonly message: string };
  /** What the last trial came to. */
  readonly last?: Report;
}

/** What people are told of a trial that has ended. */
export interface Report {
  readonly of: Trial['of'];
  readonly hash: string;
  /** Of the plan beside which it was. */
  readonly current: string;
  readonly objective: Objective;
  readonly end: TrialEnd;
  /** Measured, of the objective: 0.1 is a tenth less. Absent: not known. */
  readonly gain?: number;
  readonly figures: Readonly<Record<'current' | 'candidate', Figures>>;
}

/** As it is kept. */
export interface RolloutRecord extends WorkflowKey {
  readonly memory: Memory;
}

/** Root calls, as far as they were counted. */
interface Ledger {
  readonly calls: number;
  /** Of candidates that were withdrawn. */
  readonly lost: number;
  /** Where counting is: root calls by revision. */
  readonly epoch: string;
  readonly seen: Readonly<Record<string, number>>;
}

export interface Lost {
  readonly plan: TriedPlan;
  readonly reason: string;
  readonly message: string;
  readonly atMs: number;
  readonly times: number;
  /** In milliseconds since 1970: it is not tried before. */
  readonly untilMs: number;
  /** Absent: it had no calls that could be compared. */
  readonly measured?: Measured;
}

/** What a trial showed of a plan, as its own figure over that of the other one; in the form of a snapshot. */
export interface Measured {
  /** Hash of the other one. */
  readonly beside: string;
  readonly atMs: number;
  /** Of the plan itself. */
  readonly calls: number;
  /** Absent: not known. */
  readonly latencyRatio?: number;
  readonly costRatio?: number;
}

export const NO_MEMORY: Memory = {
  version: 2,
  ledger: { calls: 0, lost: 0, epoch: '', seen: {} },
  lost: [],
  coolingUntilMs: 0,
};

/** Of all calls those that candidates may have which then lose. */
const LOSERS_SHARE = 0.05;
const LOST_KEPT = 20;
const HOUR_MS = 3_600_000;
/** Once an hour, twice two, and so on. */
const REST_MAX_MS = 24 * HOUR_MS;
const LAST_LOST_REST_MS = 7 * 24 * HOUR_MS;

/** Counts the calls since the last look. */
export function counted(memory: Memory, { epoch, revisions }: Evidence): Memory {
  const { ledger } = memory;
  const seen = Object.fromEntries(Object.entries(revisions).map(([hash, tally]) => [hash, callsOf(tally)]));
  const before = ledger.epoch === epoch ? ledger.seen : seen;
  const fresh = Object.entries(seen).reduce(
    (n, [hash, calls]) => n + Math.max(0, calls - (before[hash] ?? 0)),
    0,
  );
  if (fresh === 0 && ledger.epoch === epoch) return memory;
  return { ...memory, ledger: { ...ledger, epoch, seen, calls: ledger.calls + fresh } };
}

/** Calls that losing candidates may have altogether from now on. */
export const budgetOf = ({ ledger: { calls, lost } }: Memory): number => LOSERS_SHARE * calls - lost;

/** Why this plan is not to be tried now; undefined: it may be. */
export function refusalOf(memory: Memory, hash: string, nowMs: number): Refusal | undefined {
  const lost = memory.lost.find((l) => l.plan.hash === hash);
  if (lost && nowMs < lost.untilMs) return { reason: 'LostBefore', untilMs: lost.untilMs };
  if (nowMs < memory.coolingUntilMs) return { reason: 'CoolingDown', untilMs: memory.coolingUntilMs };
  return budgetOf(memory) < 0 ? { reason: 'LosersCostTooMuch', untilMs: undefined } : undefined;
}

export interface Refusal {
  readonly reason: 'CoolingDown' | 'LostBefore' | 'LosersCostTooMuch';
  /** In milliseconds since 1970; undefined: not by time alone. */
  readonly untilMs: number | undefined;
}

/** Without its trial, which came to this. */
export function afterTrial(
  memory: Memory,
  trial: Trial,
  end: TrialEnd,
  nowMs: number,
  cooldownMs: number,
): Memory {
  const { trial: _, ...rest } = memory;
  const rested = { ...rest, coolingUntilMs: nowMs + cooldownMs };
  const others = memory.lost
    .filter((l) => l.plan.hash !== trial.plan.hash)
    .map((l) => ({ ...l, untilMs: Math.min(l.untilMs, l.atMs + restMs(l.times)) }));
  if (end.outcome === 'Promote') return { ...rested, lost: others };
  const times = 1 + (memory.lost.find((l) => l.plan.hash === trial.plan.hash)?.times ?? 0);
  const { reason, message } = end;
  const untilMs = nowMs + (hasLost(end) ? LAST_LOST_REST_MS : restMs(times));
  return {
    ...rested,
    ledger: { ...rest.ledger, lost: rest.ledger.lost + trial.candidateCalls },
    lost: [
      { plan: trial.plan, reason, message, atMs: nowMs, times, untilMs, ...measuredIn(trial, nowMs) },
      ...others,
    ].slice(0, LOST_KEPT),
  };
}

function measuredIn({ current: beside, totals }: Trial, atMs: number): { readonly measured?: Measured } {
  const own = figuresOf(totals.candidate, totals.current);
  const other = figuresOf(totals.current, totals.candidate);
  const latencyRatio = ratioOf(own.p50Ms, other.p50Ms);
  const costRatio = ratioOf(own.costPerCall, other.costPerCall);
  if (latencyRatio === undefined && costRatio === undefined) return {};
  const ratios = {
    ...(latencyRatio === undefined ? {} : { latencyRatio }),
    ...(costRatio === undefined ? {} : { costRatio }),
  };
  return { measured: { beside, atMs, calls: own.calls, ...ratios } };
}

const ratioOf = (own: number | undefined, other: number | undefined): number | undefined =>
  own !== undefined && other !== undefined && own > 0 && other > 0 ? own / other : undefined;

/** Beaten by its figures or its failures; not by a lack of calls or of room. */
const hasLost = ({ verdict, reason }: TrialEnd): boolean => verdict === 'Worse' || reason === 'GainTooSmall';

const restMs = (times: number): number => Math.min(REST_MAX_MS, HOUR_MS * 2 ** (times - 1));

/** What a plan may follow from; in the form of a snapshot. */
export function trialsOf({ trial, taken, lost, coolingUntilMs }: Memory): {
  readonly coolingUntilMs: number | null;
  readonly candidate: TriedPlan | null;
  readonly lost: readonly (TriedPlan & Pick<Lost, 'untilMs' | 'reason' | 'measured'>)[];
} {
  return {
    coolingUntilMs: coolingUntilMs === 0 ? null : coolingUntilMs,
    candidate: trial?.of === 'Plan' ? trial.plan : (taken ?? null),
    lost: lost.map(({ plan, untilMs, reason, measured }) => ({
      ...plan,
      untilMs,
      reason,
      ...(measured ? { measured } : {}),
    })),
  };
}
