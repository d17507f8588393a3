/**
 * What was seen of root calls under each live revision: the form in which a roll-out is told.
 *
 * Owns: the form, and the difference of two looks. Who counts is `observations/`; who judges is `judge.ts`.
 * Everything is a sum since counting began, so that a look that is missed or taken twice loses and doubles nothing. A counter
 * that starts anew has another `epoch`; what lies between the last look and its start is lost, not guessed.
 */

const FROM_QUEUE = ' (queue)';
/** The entry of work that a function takes from its queue: nobody waits for it. */
export const queueEntry = (fn: string): string => `${fn}${FROM_QUEUE}`;
export const isWaitedFor = (entry: string): boolean => !entry.endsWith(FROM_QUEUE);

/** Root calls of one revision through one entry, on machines of one class. */
export interface RootTally {
  /** The function that was called; work from a queue apart from calls that somebody waits for. */
  readonly entry: string;
  /** Architecture and tier of the machine at which the call came in: who is compared is of the same class. */
  readonly machineClass: string;
  /** That ended, failures included. */
  readonly calls: number;
  readonly failures: number;
  /** Drawn for this revision, found nobody there, and run under the current one; not among `calls`. */
  readonly fellBack: number;
  /** Latency of calls that did not fail: counts per bucket of HISTOGRAM_BOUNDS_MS. */
  readonly counts: readonly number[];
  /** Sum of the natural logarithm of their latency in milliseconds. */
  readonly sumLog: number;
}

/** Executions of one function under one revision, whoever called. */
export interface FunctionTally {
  readonly function: string;
  readonly executions: number;
  /** By the policy's prices, in its currency. */
  readonly cost: number;
}

export interface RevisionTally {
  readonly roots: readonly RootTally[];
  readonly functions: readonly FunctionTally[];
}

export interface Evidence {
  readonly epoch: string;
  /** By hash; a revision of which nothing was seen is not among them. */
  readonly revisions: Readonly<Record<string, RevisionTally>>;
}

/** The two that are compared. */
export interface Arms {
  readonly current: RevisionTally;
  readonly candidate: RevisionTally;
}

export const NOTHING_SEEN: RevisionTally = { roots: [], functions: [] };
export const NO_EVIDENCE: Evidence = { epoch: '', revisions: {} };

export const armsOf = ({ revisions }: Evidence, current: string, candidate: string): Arms => ({
  current: revisions[current] ?? NOTHING_SEEN,
  candidate: revisions[candidate] ?? NOTHING_SEEN,
});

const rootKey = ({ entry, machineClass }: RootTally): string => `${entry} ${machineClass}`;
const functionKey = (tally: FunctionTally): string => tally.function;

/** What came between two looks, and only that; undefined where a counter went back: it has started anew without saying so. */
export function since(before: RevisionTally, now: RevisionTally): RevisionTally | undefined {
  const roots = combined(now.roots, before.roots, rootKey, minusRoot);
  const functions = combined(now.functions, before.functions, functionKey, minusFunction);
  const grown =
    roots.every((r) => r.calls >= 0 && r.failures >= 0 && r.fellBack >= 0 && r.counts.every((n) => n >= 0)) &&
    functions.every((f) => f.executions >= 0);
  const complete = roots.length === now.roots.length && functions.length === now.functions.length;
  return grown && complete
    ? {
        roots: roots.filter((r) => r.calls + r.fellBack > 0),
        functions: functions.filter((f) => f.executions > 0),
      }
    : undefined;
}

export const plus = (a: RevisionTally, b: RevisionTally): RevisionTally => ({
  roots: combined(a.roots, b.roots, rootKey, plusRoot),
  functions: combined(a.functions, b.functions, functionKey, plusFunction),
});

/** By key; what only one of the lists has stands as it is. */
function combined<T>(
  first: readonly T[],
  second: readonly T[],
  keyOf: (item: T) => string,
  both: (a: T, b: T) => T,
): readonly T[] {
  const others = new Map(second.map((item) => [keyOf(item), item] as const));
  const joined = first.map((item) => {
    const other = others.get(keyOf(item));
    others.delete(keyOf(item));
    return other ? both(item, other) : item;
  });
  return [...joined, ...others.values()];
}

/** Bucket by bucket. */
export function countsWith(a: readonly number[], b: readonly number[], sign: 1 | -1): readonly number[] {
  const sums: number[] = [];
  const length = Math.max(a.length, b.length);
  for (let i = 0; i < length; i++) sums.push((a[i] ?? 0) + sign * (b[i] ?? 0));
  return sums;
}

const rootWith =
  (sign: 1 | -1) =>
  (a: RootTally, b: RootTally): RootTally => ({
    ...a,
    calls: a.calls + sign * b.calls,
    failures: a.failures + sign * b.failures,
    fellBack: a.fellBack + sign * b.fellBack,
    counts: countsWith(a.counts, b.counts, sign),
    sumLog: a.sumLog + sign * b.sumLog,
  });
export const plusRoot = rootWith(1);
const minusRoot = rootWith(-1);

const functionWith =
  (sign: 1 | -1) =>
  (a: FunctionTally, b: FunctionTally): FunctionTally => ({
    ...a,
    executions: a.executions + sign * b.executions,
    cost: a.cost + sign * b.cost,
  });
const plusFunction = functionWith(1);
const minusFunction = functionWith(-1);

/** Root calls that ended. */
export const callsOf = ({ roots }: RevisionTally): number => roots.reduce((n, r) => n + r.calls, 0);
