/**
 * What people are told of the two plans of a trial: figures, not judgements.
 *
 * Owns: the sums over all calls that were compared, and what is read from them.
 */
import { quantileOf } from '@sinter/contract';
import { callsOf, countsWith, isWaitedFor } from './evidence.ts';
import type { FunctionTally, RevisionTally } from './evidence.ts';

/** Plain data. */
export interface Totals {
  readonly calls: number;
  readonly failures: number;
  readonly fellBack: number;
  /** Latency of all entries that somebody waits for, and of the others. */
  readonly counts: readonly number[];
  readonly queueCounts: readonly number[];
  readonly functions: readonly FunctionTally[];
}

export const NO_TOTALS: Totals = {
  calls: 0,
  failures: 0,
  fellBack: 0,
  counts: [],
  queueCounts: [],
  functions: [],
};

export function withCalls(totals: Totals, fresh: RevisionTally): Totals {
  const withRoots = (sums: readonly number[], waitedFor: boolean): readonly number[] =>
    fresh.roots
      .filter((root) => isWaitedFor(root.entry) === waitedFor)
      .reduce((all, root) => countsWith(all, root.counts, 1), sums);
  const functions = new Map(totals.functions.map((f) => [f.function, f] as const));
  for (const f of fresh.functions) {
    const known = functions.get(f.function) ?? { executions: 0, cost: 0 };
    const executions = known.executions + f.executions;
    functions.set(f.function, { function: f.function, executions, cost: known.cost + f.cost });
  }
  return {
    calls: totals.calls + callsOf(fresh),
    failures: totals.failures + fresh.roots.reduce((n, r) => n + r.failures, 0),
    fellBack: totals.fellBack + fresh.roots.reduce((n, r) => n + r.fellBack, 0),
    counts: withRoots(totals.counts, true),
    queueCounts: withRoots(totals.queueCounts, false),
    functions: [...functions.values()],
  };
}

export interface Figures {
  readonly calls: number;
  /** Those that found nobody included. */
  readonly failures: number;
  /** Of calls that somebody waits for, unless there are none. Undefined: none was answered. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** Undefined: not known. */
  readonly costPerCall: number | undefined;
}

/** `beside`: the other plan. Cost is that of the executions which a call led to under both, each at its own price. */
export function figuresOf(totals: Totals, beside: Totals): Figures {
  const { calls, failures, fellBack } = totals;
  const ofCalls = [totals, beside].some(({ counts }) => counts.some((n) => n > 0));
  const counts = ofCalls ? totals.counts : totals.queueCounts;
  const answered = counts.some((n) => n > 0);
  return {
    calls: calls + fellBack,
    failures: failures + fellBack,
    p50Ms: answered ? quantileOf(counts, 0.5) : undefined,
    p99Ms: answered ? quantileOf(counts, 0.99) : undefined,
    costPerCall: costPerCall(totals, beside),
  };
}

function costPerCall(totals: Totals, beside: Totals): number | undefined {
  const calls = totals.calls + beside.calls;
  let cost = 0;
  for (const own of totals.functions) {
    if (own.executions === 0) continue;
    const other = beside.functions.find((f) => f.function === own.function);
    cost += (own.cost / own.executions) * (own.executions + (other?.executions ?? 0));
  }
  return calls === 0 || cost === 0 ? undefined : cost / calls;
}
