/**
 * Is the candidate better than the current plan? A verdict that may be asked for at any moment.
 *
 *   looks ─▶ block: enough calls of both ─▶ one difference ─▶ `sequence.ts` ─▶ interval ─▶ Better | Worse | Undecided | Pending
 *
 * Owns: what is compared. Both plans are compared within a block of time, at one entry, on machines of one class, and only
 * then is anything added up: what changes for both alike (load, a slow network) cancels out. Entries draw the plan of a call by
 * lot, so that within a block nothing else tells the two apart.
 *
 *  - `Latency`: the mean of log latency, so of ratios: 0.9 of 10 ms counts as much as 0.9 of 1 s. What lies beyond two standard
 *    deviations of the block's middle counts as if it lay there (Huber, 1964): a cold start in twenty calls, or a
 *    heavy tail, would hide a gain of all the others. Both plans are cut at the same place, which their calls together give.
 *  - `Cost`: of one execution, function by function, in the proportion in which both plans together executed them.
 *  - `Balanced`: half of each. Where nothing is known of cost, latency alone.
 *
 * What nobody waits for, work from a queue, is no part of the latency that is to become less, unless there is nothing else: the
 * planner predicts that of calls alone. It must not become much slower for it: QUEUE_SLOWER.
 *
 * A gain has to show in pairs of blocks: what is rare and slow is at first more likely to be missing among the candidate's few
 * calls than to be among them, which looks like a gain.
 *
 * Whatever the objective, a candidate is Worse that fails more calls; and, but for `Cost`, one that makes any single entry slower
 * by more than ENTRY_SLOWER: a gain at the others does not make up for it. One that is many times slower is known by the share
 * of slow calls that are its own, after a handful of calls, long before there are blocks enough.
 */
import { HISTOGRAM_BOUNDS_MS } from '@sinter/contract';
import { callsOf, isWaitedFor, plusRoot } from './evidence.ts';
import type { Arms, FunctionTally, RootTally } from './evidence.ts';
import { NO_ODDS, NO_SUMS, added, intervalOf, logEvidence, withHits } from './sequence.ts';
import type { Difference, Hits, Interval, Odds, Sums } from './sequence.ts';

export type Objective = 'Latency' | 'Cost' | 'Balanced';
export type Verdict = 'Pending' | 'Better' | 'Worse' | 'Undecided';

export interface Terms {
  readonly objective: Objective;
  /** 0 to 1: a candidate that surely gains less is not worth the change. */
  readonly minimumGain: number;
}

/** All that is remembered of the calls so far. Plain data. */
export interface Scores {
  readonly objective: Sums;
  /** Latency by entry. */
  readonly entries: Readonly<Record<string, Sums>>;
  readonly failures: Odds;
  /** Slow calls by entry. */
  readonly slow: Readonly<Record<string, Odds>>;
}

export const NO_SCORES: Scores = { objective: NO_SUMS, entries: {}, failures: NO_ODDS, slow: {} };

export interface Judgement {
  readonly verdict: Verdict;
  readonly reason:
    | 'CallsFail'
    | 'MuchSlower'
    | 'EntrySlower'
    | 'GainMeasured'
    | 'LossMeasured'
    | 'GainTooSmall'
    | 'NotEnoughCalls';
  /** Where one decides. */
  readonly entry?: string;
  /** Of the objective, as the logarithm of the ratio of candidate to current: −0.1 is a tenth less. */
  readonly interval: Interval;
}

/** Of 100 roll-outs in which nothing differs so many are called better or worse at most, by each of the tests. */
const ALPHA = { objective: 0.025, entries: 0.01, failures: 0.01, slow: 0.005 };
/** No entry may become slower by more than this: the logarithm of 1.1. */
const ENTRY_SLOWER = Math.log(1.1);
/** Nor an execution of work from a queue by more than this, or calls would soon wait behind it. */
const QUEUE_SLOWER = Math.log(1.5);
/** What looks as bad as this is worth the few calls more that make sure of it. */
const CLEARLY_SLOWER = Math.log(1.1);

export function judged(scores: Scores, { minimumGain }: Terms): Judgement {
  const interval = intervalOf(scores.objective, ALPHA.objective);
  const gain = intervalOf(scores.objective, ALPHA.objective, 'Pairs');
  const [slow, slower] = [muchSlowerEntry(scores, ALPHA.slow), slowerEntry(scores)];
  if (logEvidence(scores.failures) >= -Math.log(ALPHA.failures))
    return { verdict: 'Worse', reason: 'CallsFail', interval };
  if (slow !== undefined) return { verdict: 'Worse', reason: 'MuchSlower', entry: slow, interval };
  if (slower !== undefined) return { verdict: 'Worse', reason: 'EntrySlower', entry: slower, interval };
  if (interval.low > 0) return { verdict: 'Worse', reason: 'LossMeasured', interval };
  if (gain.high < 0) return { verdict: 'Better', reason: 'GainMeasured', interval };
  const tooSmall = interval.low > Math.log(1 - Math.min(minimumGain, 0.99));
  if (tooSmall && interval.mean < CLEARLY_SLOWER)
    return { verdict: 'Undecided', reason: 'GainTooSmall', interval };
  return { verdict: 'Pending', reason: 'NotEnoughCalls', interval };
}

/** Evidence at which no more calls than must should enter a candidate, without any guarantee. */
const SUSPECTED = Math.log(3);

export const seemsMuchSlower = ({ slow }: Scores): boolean =>
  Object.values(slow).some((odds) => logEvidence(odds) >= SUSPECTED);

function muchSlowerEntry({ slow }: Scores, alpha: number): string | undefined {
  const names = Object.keys(slow);
  return names.find((name) => logEvidence(slow[name] ?? NO_ODDS) >= Math.log(names.length / alpha));
}

function slowerEntry({ entries }: Scores): string | undefined {
  const names = Object.keys(entries);
  const alpha = ALPHA.entries / Math.max(1, names.length);
  const most = (name: string): number => (isWaitedFor(name) ? ENTRY_SLOWER : QUEUE_SLOWER);
  return names.find((name) => intervalOf(entries[name] ?? NO_SUMS, alpha).low > most(name));
}

/**
 * Weight of a block below which it is waited for: that of 16 calls of each, or of 8 beside very many. How long a block lasts at
 * least is for `trial.ts` to say: a plan has slow moments of its own, and calls of one moment say little, however many.
 */
const BLOCK_WEIGHT = 8;

/** Undefined: the block is too small to be told apart from chance, wait for more calls. */
export function withBlock(scores: Scores, arms: Arms, { objective }: Terms): Scores | undefined {
  const strata = strataOf(arms);
  const latency = pooled(isCalled(scores, arms) ? strata.filter((s) => isWaitedFor(s.entry)) : strata);
  if (latency.weight < BLOCK_WEIGHT) return undefined;
  const difference = differenceOf(objective, latency, costDifference(arms));
  const entries = objective === 'Cost' ? scores.entries : { ...scores.entries };
  if (objective !== 'Cost')
    for (const [entry, of] of Map.groupBy(strata, (s) => s.entry)) {
      const sums = scores.entries[entry] ?? NO_SUMS;
      Object.assign(entries, { [entry]: added(sums, pooled(of)) });
    }
  return {
    ...scores,
    objective: difference ? added(scores.objective, difference) : scores.objective,
    entries,
  };
}

/** Somebody waits, or once waited, for calls of this workflow. */
const isCalled = ({ entries }: Scores, { current }: Arms): boolean =>
  [...Object.keys(entries), ...current.roots.map((root) => root.entry)].some(isWaitedFor);

function differenceOf(
  objective: Objective,
  latency: Difference,
  cost: number | undefined,
): Difference | undefined {
  if (objective === 'Latency' || (objective === 'Balanced' && cost === undefined)) return latency;
  if (cost === undefined) return undefined;
  return { weight: latency.weight, mean: objective === 'Cost' ? cost : (latency.mean + cost) / 2 };
}

interface Stratum extends Difference {
  readonly entry: string;
}

/** One difference of latency for each entry and class of machine that both plans were served on. */
const strataOf = (arms: Arms): readonly Stratum[] =>
  pairsOf(arms).flatMap(({ entry, classes }) =>
    classes.map(([own, other]) => {
      const cut = cutOf(own.counts.map((n, i) => n + (other.counts[i] ?? 0)));
      const [n, m] = [answeredOf(own), answeredOf(other)];
      return { entry, mean: meanLog(own, cut) - meanLog(other, cut), weight: (n * m) / (n + m) };
    }),
  );

/** Candidate and current at one entry, as far as both answered there. */
interface Pairs {
  readonly entry: string;
  readonly classes: readonly (readonly [candidate: RootTally, current: RootTally])[];
}

/** A plan that runs an entry where the other one does not is compared with it as a whole: that is what it changes. */
function pairsOf({ current, candidate }: Arms): readonly Pairs[] {
  const answered = candidate.roots.filter((root) => answeredOf(root) > 0);
  return [...Map.groupBy(answered, (root) => root.entry)].flatMap(([entry, own]): readonly Pairs[] => {
    const others = current.roots.filter((root) => root.entry === entry && answeredOf(root) > 0);
    const classes = own.flatMap((root) => {
      const other = others.find((o) => o.machineClass === root.machineClass);
      return other ? [[root, other] as const] : [];
    });
    const alike = classes.reduce((n, [root]) => n + answeredOf(root), 0);
    if (alike * 2 >= own.reduce((n, root) => n + answeredOf(root), 0)) return [{ entry, classes }];
    const [all, rest] = [own, others].map((roots) => joined(roots));
    return all && rest ? [{ entry, classes: [[all, rest]] }] : [];
  });
}

const joined = (roots: readonly RootTally[]): RootTally | undefined =>
  roots.length === 0 ? undefined : roots.reduce(plusRoot);

const pooled = (differences: readonly Difference[]): Difference => {
  const weight = differences.reduce((sum, d) => sum + d.weight, 0);
  const sum = differences.reduce((total, d) => total + d.weight * d.mean, 0);
  return { weight, mean: weight === 0 ? 0 : sum / weight };
};

const answeredOf = ({ counts }: RootTally): number => counts.reduce((a, b) => a + b, 0);

/** Buckets beyond which latency counts as if it lay in them. */
interface Cut {
  readonly lowest: number;
  readonly highest: number;
}

const LOG_BUCKET = Math.log(1.25);
/** A normal distribution has so many standard deviations between its quartiles. */
const QUARTILES_APART = 1.349;
const CUT_DEVIATIONS = 2;

function cutOf(counts: readonly number[]): Cut {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((q) => bucketAt(counts, q)) as [number, number, number];
  const reach = Math.ceil((CUT_DEVIATIONS * (high - low + 1)) / QUARTILES_APART);
  return { lowest: Math.max(0, middle - reach), highest: Math.min(LAST_BOUND, middle + reach) };
}

function bucketAt(counts: readonly number[], quantile: number): number {
  let left = quantile * counts.reduce((a, b) => a + b, 0);
  return counts.findIndex((n) => (left -= n) <= 0);
}

const LOG_BOUNDS = HISTOGRAM_BOUNDS_MS.map(Math.log);
const LAST_BOUND = LOG_BOUNDS.length - 1;
const logBound = (bucket: number): number => LOG_BOUNDS[Math.min(bucket, LAST_BOUND)] ?? 0;
/** Of what lies in a bucket, where no more is known of it. */
const logMiddle = (bucket: number): number =>
  bucket > LAST_BOUND ? logBound(LAST_BOUND) + LOG_BUCKET / 2 : logBound(bucket) - LOG_BUCKET / 2;

/** Within the cut it is exact; beyond it each call is moved from its bucket's middle to the edge. */
function meanLog({ counts, sumLog }: RootTally, { lowest, highest }: Cut): number {
  let sum = sumLog;
  let calls = 0;
  for (const [bucket, n] of counts.entries()) {
    calls += n;
    if (bucket > highest) sum += n * (logBound(highest) - logMiddle(bucket));
    else if (bucket < lowest) sum += n * (logBound(lowest) - LOG_BUCKET - logMiddle(bucket));
  }
  return sum / calls;
}

/** By how much the candidate's executions cost more, as a share of what both cost; undefined: nobody knows. */
function costDifference({ current, candidate }: Arms): number | undefined {
  let more = 0;
  let all = 0;
  for (const own of candidate.functions) {
    const other = current.functions.find((f) => f.function === own.function);
    if (!other || own.executions === 0 || other.executions === 0) continue;
    const executions = own.executions + other.executions;
    more += executions * (costEach(own) - costEach(other));
    all += own.cost + other.cost;
  }
  return all > 0 ? more / all : undefined;
}

const costEach = ({ cost, executions }: FunctionTally): number => cost / executions;

/** Calls below which failures and slow calls are not yet laid to anybody. */
const SLICE_CALLS = 20;

/** What few calls say: who of the two had those that failed, and those that were slow. Undefined: wait for more calls. */
export function withSlice(scores: Scores, arms: Arms, { objective }: Terms): Scores | undefined {
  const [own, others] = [drawn(arms.candidate.roots), callsOf(arms.current)];
  if (own === 0 || others === 0 || own + others < SLICE_CALLS) return undefined;
  const failures = failuresWith(scores, arms);
  return { ...scores, failures, slow: objective === 'Cost' ? scores.slow : slowWith(scores, arms) };
}

/** A call that found nobody counts as one that failed. */
function failuresWith(scores: Scores, arms: Arms): Odds {
  let { failures } = scores;
  for (const [entry, roots] of Map.groupBy(arms.candidate.roots, (root) => root.entry)) {
    const rest = arms.current.roots.filter((root) => root.entry === entry);
    const calls = drawn(roots);
    if (calls === 0) continue;
    failures = withHits(failures, {
      candidate: roots.reduce((n, r) => n + r.failures + r.fellBack, 0),
      current: rest.reduce((n, r) => n + r.failures, 0),
      share: calls / (calls + rest.reduce((n, r) => n + r.calls, 0)),
    });
  }
  return failures;
}

/**
 * One slice multiplies the odds by so much at most: a process that stands still for a moment has many slow calls at once, and they
 * are one event. Cut off above, a likelihood ratio is only smaller, so that what holds of it goes on to hold.
 */
const SLICE_FACTOR = 8;

function slowWith({ slow }: Scores, arms: Arms): Scores['slow'] {
  const told: Record<string, Odds> = { ...slow };
  for (const { entry, classes } of pairsOf(arms))
    for (const [own, other] of classes) {
      const odds = told[entry] ?? NO_ODDS;
      const more = withHits(NO_ODDS, slowOf(own, other));
      told[entry] = odds.map((log, i) => log + Math.min(more[i] ?? 0, Math.log(SLICE_FACTOR)));
    }
  return told;
}

/** A call is slow in the buckets above this one: the last that most calls of the current plan lie below, … */
const SLOW_QUANTILE = 0.9;
/** … and by so many above a quarter of all, which is twice as slow: what hardly varies is not slow where it varies a little. */
const SLOW_BUCKETS = 3;

/** Where the line lies follows from the calls of both together: whoever they belong to, it lies there. */
function slowOf(own: RootTally, other: RootTally): Hits {
  const counts = own.counts.map((n, i) => n + (other.counts[i] ?? 0));
  const [n, m] = [answeredOf(own), answeredOf(other)];
  const share = n / (n + m);
  const line = Math.max(bucketAt(counts, SLOW_QUANTILE * (1 - share)), bucketAt(counts, 0.25) + SLOW_BUCKETS);
  const above = ({ counts: of }: RootTally): number => of.slice(line + 1).reduce((a, b) => a + b, 0);
  return { candidate: above(own), current: above(other), share };
}

const drawn = (roots: readonly RootTally[]): number => roots.reduce((n, r) => n + r.calls + r.fellBack, 0);
