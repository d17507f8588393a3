/**
 * One trial: a candidate beside the current revision, from its start to the verdict (D3).
 *
 *   Starting ──all serve──▶ WarmingUp ──10 calls, 10 s──▶ Comparing ──verdict, or time is up──▶ end: Promote | Withdraw
 *      │ cannot, or not in time     │ 5 %                    │ 5 → 20 → 50 %, back to 5 % where it looks worse
 *      └────────▶ Withdraw ◀────────┴── calls fail, units go ┘
 *
 * A _plan_ that the planner wants is judged by the policy's objective. _Code_, that is what the user declared anew, is
 * judged by its failures alone, at each weight for some seconds, and then taken; where it fails more, `onRegression` says what
 * then: Hold (it stays, and no call enters it), Revert (it goes), Ignore (nobody looks).
 *
 * Owns: the states, the weights and what ends a trial. `judge.ts` compares, `memory.ts` says what may be tried at all, `step.ts`
 * brings the weight about. State is plain data that survives JSON: who keeps it goes on with it after a restart.
 * Invariants:
 *  1. More than the first weight is only for a candidate that is no worse as far as it looks; and only while what losing
 *     candidates cost is within its budget, or the candidate looks clearly better.
 *  2. No time counts that a clock lost by going back.
 *  3. A step taken twice with the same sight changes nothing.
 */
import { NOTHING_SEEN, armsOf, callsOf, plus, since } from './evidence.ts';
import type { Arms, Evidence, RevisionTally } from './evidence.ts';
import { NO_SCORES, judged, seemsMuchSlower, withBlock, withSlice } from './judge.ts';
import type { Judgement, Objective, Scores, Verdict } from './judge.ts';
import { leaning } from './sequence.ts';
import { NO_TOTALS, withCalls } from './totals.ts';
import type { Totals } from './totals.ts';
import type { Problem } from './world.ts';

/** A plan, as much of it as is needed to know it again. */
export interface TriedPlan {
  readonly hash: string;
  readonly units: readonly {
    readonly functions: readonly string[];
    readonly resources?: { readonly cpuMillis: number; readonly memoryBytes: number } | undefined;
  }[];
}

export interface TrialTerms {
  readonly objective: Objective;
  /** 0 to 1. */
  readonly minimumGain: number;
  readonly maximumMs: number;
  readonly onRegression: 'Hold' | 'Revert' | 'Ignore';
  readonly pace: Pace;
}

/** How long things take at least; a laptop has less time than a cluster. */
export interface Pace {
  /** Calls of a candidate's first moments are not compared: after so long, and so many of them … */
  readonly warmUpMs: number;
  readonly warmUpCalls: number;
  /** … or after so long. */
  readonly warmUpLimitMs: number;
  /** Calls are compared in blocks of at least so long: slow moments of one plan alone are to even out. */
  readonly blockMs: number;
  /** New code is looked at for so long at each weight. */
  readonly codeStepMs: number;
  /** A candidate that does not serve by then is given up … */
  readonly startLimitMs: number;
  /** … one for which there is no machine, … */
  readonly roomLimitMs: number;
  /** … and one that no longer serves. */
  readonly downLimitMs: number;
}

export const PACE: Pace = {
  warmUpMs: 10_000,
  warmUpCalls: 10,
  warmUpLimitMs: 300_000,
  blockMs: 10_000,
  codeStepMs: 4_000,
  startLimitMs: 300_000,
  roomLimitMs: 60_000,
  downLimitMs: 30_000,
};

export type Phase = 'Starting' | 'WarmingUp' | 'Comparing' | 'Held';

export interface Trial {
  readonly of: 'Plan' | 'Code';
  readonly plan: TriedPlan;
  /** Hash of the revision beside which it runs. */
  readonly current: string;
  readonly phase: Phase;
  readonly weightPercent: number;
  /** By the clock of whoever steps, in milliseconds; and what has passed since the start, the last phase or weight, the last block. */
  readonly atMs: number;
  readonly elapsedMs: number;
  readonly phaseMs: number;
  readonly blockMs: number;
  /** How long it has not served. */
  readonly downMs: number;
  /** The last look. */
  readonly epoch: string;
  readonly seen: Arms;
  /** What came since the last block, and since failures and slow calls were last laid to somebody. */
  readonly block: Arms;
  readonly slice: Arms;
  readonly scores: Scores;
  /** Since it is compared. */
  readonly totals: Readonly<Record<keyof Arms, Totals>>;
  /** Root calls since the start: of both, and of the candidate alone. */
  readonly calls: number;
  readonly candidateCalls: number;
  /** What keeps it from going on. */
  readonly problem?: Problem;
}

export interface Readiness {
  /** Every unit of the candidate serves. */
  readonly serves: boolean;
  readonly problem?: Problem;
}

export interface TrialSight {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly evidence: Evidence;
  readonly readiness: Readiness;
  /** Calls that losing candidates may still have before their share is exceeded; below zero: it is. */
  readonly budgetCalls: number;
}

export interface TrialEnd {
  readonly outcome: 'Promote' | 'Withdraw';
  /** Absent: code was taken, and nobody asked whether it is better. */
  readonly verdict?: Exclude<Verdict, 'Pending'>;
  /** One word in PascalCase. */
  readonly reason: string;
  /** A sentence. */
  readonly message: string;
}

export interface TrialStep {
  readonly trial: Trial;
  readonly end?: TrialEnd;
}

const NO_ARMS: Arms = { current: NOTHING_SEEN, candidate: NOTHING_SEEN };

export const startTrial = (of: Trial['of'], plan: TriedPlan, current: string, nowMs: number): Trial => ({
  of,
  plan,
  current,
  phase: 'Starting',
  weightPercent: 0,
  atMs: nowMs,
  elapsedMs: 0,
  phaseMs: 0,
  blockMs: 0,
  downMs: 0,
  epoch: '',
  seen: NO_ARMS,
  block: NO_ARMS,
  slice: NO_ARMS,
  scores: NO_SCORES,
  totals: { current: NO_TOTALS, candidate: NO_TOTALS },
  calls: 0,
  candidateCalls: 0,
});

/** To be called again and again, with whatever is known at the moment. */
export function trialStep(before: Trial, sight: TrialSight, terms: TrialTerms): TrialStep {
  const trial = looked(later(before, sight), sight, terms);
  const end = endOf(trial, sight, terms);
  if (end) return { trial, end };
  return { trial: weighed(moved(trial, sight.readiness, terms), sight, terms) };
}

function later(trial: Trial, { nowMs, readiness: { serves, problem } }: TrialSight): Trial {
  const passedMs = Math.max(0, nowMs - trial.atMs);
  const { problem: _, ...rest } = trial;
  return {
    ...rest,
    atMs: nowMs,
    elapsedMs: trial.elapsedMs + passedMs,
    phaseMs: trial.phaseMs + passedMs,
    blockMs: trial.blockMs + passedMs,
    downMs: serves ? 0 : trial.downMs + passedMs,
    ...(problem ? { problem } : {}),
  };
}

/** Takes up what was seen since the last look. */
function looked(trial: Trial, { evidence }: TrialSight, terms: TrialTerms): Trial {
  const seen = armsOf(evidence, trial.current, trial.plan.hash);
  const known = { ...trial, epoch: evidence.epoch, seen };
  const current = since(trial.seen.current, seen.current);
  const candidate = since(trial.seen.candidate, seen.candidate);
  // What was seen before the trial, or by another counter, is none of it.
  if (trial.phase === 'Starting' || trial.epoch !== evidence.epoch || !current || !candidate) return known;
  const fresh = { current, candidate };
  const isCompared = trial.phase === 'Comparing' && trial.of === 'Plan';
  const counted = {
    ...known,
    slice: both(trial.slice, {
      current: sliceOf(current, isCompared),
      candidate: sliceOf(candidate, isCompared),
    }),
    calls: trial.calls + callsOf(current) + callsOf(candidate),
    candidateCalls: trial.candidateCalls + callsOf(candidate),
  };
  return scored(trial.phase === 'Comparing' ? compared(counted, fresh) : counted, terms);
}

const both = (a: Arms, b: Arms): Arms => ({
  current: plus(a.current, b.current),
  candidate: plus(a.candidate, b.candidate),
});

/** Failures count from the first call on; how slow calls are only where that is compared. */
const sliceOf = ({ roots }: RevisionTally, isCompared: boolean): RevisionTally => ({
  roots: isCompared ? roots : roots.map((root) => ({ ...root, counts: [], sumLog: 0 })),
  functions: [],
});

const compared = (trial: Trial, fresh: Arms): Trial => ({
  ...trial,
  block: both(trial.block, fresh),
  totals: {
    current: withCalls(trial.totals.current, fresh.current),
    candidate: withCalls(trial.totals.candidate, fresh.candidate),
  },
});

function scored(trial: Trial, terms: TrialTerms): Trial {
  const sliced = withSlice(trial.scores, trial.slice, terms);
  const told = sliced ? { ...trial, scores: sliced, slice: NO_ARMS } : trial;
  if (trial.blockMs < terms.pace.blockMs) return told;
  const scores = withBlock(told.scores, told.block, terms);
  return scores ? { ...told, scores, block: NO_ARMS, blockMs: 0 } : told;
}

/** What does not pass by waiting. */
const FATAL: ReadonlySet<string> = new Set([
  'UnitFailed',
  'CrashLoopBackOff',
  'OutOfMemory',
  'InvalidImageName',
  'ErrImageNeverPull',
  'QuotaExceeded',
  'NameTaken',
]);

function endOf(trial: Trial, { readiness }: TrialSight, terms: TrialTerms): TrialEnd | undefined {
  if (trial.of === 'Code') return endOfCode(trial, readiness, terms);
  return faultOf(trial, readiness, terms) ?? verdictOf(trial, terms);
}

/** A plan that cannot run is given up; code is the user's: it stays to be looked at, unless it is to go. */
function faultOf(
  { phase, downMs, elapsedMs }: Trial,
  { serves, problem }: Readiness,
  { pace, maximumMs }: TrialTerms,
): TrialEnd | undefined {
  if (serves) return undefined;
  const why = problem ? `: ${problem.message}` : '';
  if (problem && FATAL.has(problem.reason)) return worse(problem.reason, problem.message);
  if (problem?.reason === 'Unschedulable' && downMs >= pace.roomLimitMs)
    return undecided('NoRoomForCandidate', `no machine has room for it beside the current plan${why}`);
  const limitMs = phase === 'Starting' ? Math.min(pace.startLimitMs, maximumMs) : pace.downLimitMs;
  if ((phase === 'Starting' ? elapsedMs : downMs) < limitMs) return undefined;
  return phase === 'Starting'
    ? worse('NeverReady', `it did not serve within ${seconds(limitMs)}${why}`)
    : worse('NotServing', `it has not served for ${seconds(limitMs)}${why}`);
}

const worse = (reason: string, message: string): TrialEnd => ({
  outcome: 'Withdraw',
  verdict: 'Worse',
  reason,
  message,
});
const undecided = (reason: string, message: string): TrialEnd => ({
  ...worse(reason, message),
  verdict: 'Undecided',
});
const seconds = (ms: number): string => `${String(Math.round(ms / 1000))} s`;

function verdictOf(trial: Trial, terms: TrialTerms): TrialEnd | undefined {
  const { verdict, reason, entry, interval } = judged(trial.scores, terms);
  switch (verdict) {
    case 'Better':
      return { outcome: 'Promote', verdict, reason, message: `it is better: ${between(interval)}` };
    case 'Worse':
      return worse(reason, WORSE[reason]?.(entry) ?? `${entry ?? 'it'} is worse: ${between(interval)}`);
    case 'Undecided':
      return undecided(reason, `it gains less than is asked for: ${between(interval)}`);
    case 'Pending':
      return trial.elapsedMs < terms.maximumMs
        ? undefined
        : undecided('TimeIsUp', `the calls of ${seconds(terms.maximumMs)} do not tell: ${between(interval)}`);
  }
}

const WORSE: Readonly<Record<string, (entry?: string) => string>> = {
  CallsFail: () => 'more of its calls fail',
  MuchSlower: (entry = 'it') => `slow calls of ${entry} are nearly all its own`,
};

/** What is known of the difference, in percent of the current plan. */
function between({ low, high }: Judgement['interval']): string {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return 'too few calls to compare';
  const percent = (log: number): string =>
    `${log < 0 ? '−' : '+'}${Math.abs(100 * Math.expm1(log)).toFixed(1)} %`;
  return `between ${percent(low)} and ${percent(high)}`;
}

/** Of new code: it has been at every weight, or it fails. */
function endOfCode(trial: Trial, readiness: Readiness, terms: TrialTerms): TrialEnd | undefined {
  const { onRegression, pace } = terms;
  const { serves } = readiness;
  if (onRegression === 'Ignore' && serves)
    return { outcome: 'Promote', reason: 'Serving', message: 'it serves' };
  const fails = judged(trial.scores, terms).reason === 'CallsFail';
  if (onRegression === 'Revert')
    return fails ? worse('CallsFail', 'more of its calls fail') : faultOf(trial, readiness, terms);
  if (fails || !serves || trial.phase !== 'Comparing') return undefined;
  const isLast = trial.weightPercent === WEIGHTS[WEIGHTS.length - 1];
  const message = `no more of its calls fail than of the current plan's`;
  return isLast && trial.phaseMs >= pace.codeStepMs
    ? { outcome: 'Promote', reason: 'NoRegression', message }
    : undefined;
}

/** Into the next phase. */
function moved(trial: Trial, { serves }: Readiness, terms: TrialTerms): Trial {
  const { pace } = terms;
  const enter = (phase: Phase): Trial => ({ ...trial, phase, phaseMs: 0, blockMs: 0 });
  switch (trial.phase) {
    case 'Starting':
      if (!serves) return trial;
      return enter(trial.of === 'Plan' ? 'WarmingUp' : 'Comparing');
    case 'WarmingUp': {
      const isWarm = trial.phaseMs >= pace.warmUpMs && trial.candidateCalls >= pace.warmUpCalls;
      return isWarm || trial.phaseMs >= pace.warmUpLimitMs ? enter('Comparing') : trial;
    }
    case 'Comparing':
      return trial.of === 'Code' && judged(trial.scores, terms).reason === 'CallsFail'
        ? { ...enter('Held'), problem: { reason: 'CallsFail', message: 'more of its calls fail' } }
        : trial;
    case 'Held':
      return { ...trial, problem: { reason: 'CallsFail', message: 'more of its calls fail' } };
  }
}

/** Shares of calls, in percent, that a candidate gets one after the other. */
export const WEIGHTS = [5, 20, 50] as const;

function weighed(trial: Trial, sight: TrialSight, { pace }: TrialTerms): Trial {
  const at = (weightPercent: number): Trial =>
    weightPercent === trial.weightPercent ? trial : { ...trial, weightPercent, phaseMs: 0 };
  const [first] = WEIGHTS;
  switch (trial.phase) {
    case 'Starting':
    case 'Held':
      return at(0);
    case 'WarmingUp':
      return at(first);
    case 'Comparing':
      if (trial.of === 'Code')
        return trial.weightPercent === 0 || trial.phaseMs >= pace.codeStepMs ? at(above(trial)) : trial;
      return at(planWeight(trial, sight.budgetCalls));
  }
}

const above = ({ weightPercent }: Trial): number =>
  WEIGHTS.find((weight) => weight > weightPercent) ?? weightPercent;

/** Blocks before the first look at where it leads; before that a candidate keeps its weight. */
const LEANING_BLOCKS = 3;
/** In standard errors: it looks worse, so few calls are to enter it; it looks better, so that its calls are hardly lost. */
const LOOKS_WORSE = 1;
const LOOKS_BETTER = -1.645;
/** Of the first blocks, of which no spread is known: as good as nothing. */
const FIRST_BLOCKS_WORSE = Math.log(1.02);

function planWeight(trial: Trial, budgetCalls: number): number {
  const [first] = WEIGHTS;
  const [all] = trial.scores.objective.scales;
  if (!all) return first;
  const leans = leaning(trial.scores.objective);
  const looksWorse =
    all.blocks < LEANING_BLOCKS ? all.sum / all.weight > FIRST_BLOCKS_WORSE : leans > LOOKS_WORSE;
  if (looksWorse || seemsMuchSlower(trial.scores)) return first;
  const looksBetter = all.blocks >= LEANING_BLOCKS && leans < LOOKS_BETTER;
  if (!looksBetter && trial.candidateCalls >= budgetCalls) return first;
  // One weight at a time, after a block under the last one.
  return trial.blockMs < trial.phaseMs ? above(trial) : trial.weightPercent;
}
