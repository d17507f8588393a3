/**
 * Calls of two plans, drawn from a seed: what a roll-out would see of them, for tests and for `bench/src/rollout.ts`.
 *
 * Owns: the distributions. None of them is what a judgement assumes; each is one that services are known to have.
 */
import { HISTOGRAM_BOUNDS_MS } from '@sinter/contract';
import type { RevisionTally } from './evidence.ts';
import { PACE, startTrial, trialStep } from './trial.ts';
import type { Trial, TrialEnd, TrialTerms } from './trial.ts';

/** A generator of numbers in [0, 1) from a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Random = () => number;
const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** One call's latency in milliseconds; `atMs` since the start. */
type Latency = (random: Random) => number;

export const LATENCIES: Readonly<Record<string, Latency>> = {
  'log-normal, spread 0.5': (random) => 80 * Math.exp(0.5 * normal(random)),
  'almost constant': (random) => 100 * Math.exp(0.03 * normal(random)),
  'heavy tail, Pareto 1.5 in a tenth of the calls': (random) =>
    60 * Math.exp(0.3 * normal(random)) * (random() < 0.1 ? (1 - random()) ** (-1 / 1.5) : 1),
  'a cold start in twenty calls': (random) =>
    50 * Math.exp(0.4 * normal(random)) * (random() < 0.05 ? 12 : 1),
  'two kinds of input, one four times as slow': (random) =>
    40 * Math.exp(0.3 * normal(random)) * (random() < 0.3 ? 4 : 1),
};

/** What changes over time, as a factor: for both plans alike, and for one alone. */
export interface Drift {
  readonly both: number;
  readonly current: number;
  readonly candidate: number;
}

export type Weather = (random: Random) => (elapsedSeconds: number) => Drift;

/** A walk that returns to one: spread and time of its correlation. */
function walk(random: Random, spread: number, seconds: number): (dt: number) => number {
  let log = spread * normal(random);
  return (dt) => {
    const keep = Math.exp(-dt / seconds);
    log = keep * log + spread * Math.sqrt(1 - keep * keep) * normal(random);
    return Math.exp(log);
  };
}

export const WEATHERS: Readonly<Record<string, Weather>> = {
  calm: () => () => ({ both: 1, current: 1, candidate: 1 }),
  'drift of both, a third up and down over ten minutes': (random) => {
    const both = walk(random, 0.3, 600);
    return (dt) => ({ both: both(dt), current: 1, candidate: 1 });
  },
  'a jump of both to twice, and back': () => {
    let at = 0;
    return (dt) => {
      at += dt;
      return { both: Math.floor(at / 240) % 2 === 1 ? 2 : 1, current: 1, candidate: 1 };
    };
  },
  'slow moments of each alone, 5 % over ten seconds': (random) => {
    const [a, b] = [walk(random, 0.05, 10), walk(random, 0.05, 10)];
    return (dt) => ({ both: 1, current: a(dt), candidate: b(dt) });
  },
};

export interface Service {
  readonly latency: Latency;
  readonly weather: Weather;
  /** Calls a second. */
  readonly rate: number;
  /** Of the candidate's latency, and of what an execution costs beside it. */
  readonly factor: number;
  readonly failures: { readonly current: number; readonly candidate: number };
}

/** Root calls of both, since the start. */
export interface Seen {
  readonly current: RevisionTally;
  readonly candidate: RevisionTally;
}

interface Counter {
  calls: number;
  failures: number;
  readonly counts: number[];
  sumLog: number;
  cost: number;
}

const newCounter = (): Counter => ({
  calls: 0,
  failures: 0,
  counts: Array.from({ length: HISTOGRAM_BOUNDS_MS.length + 1 }, () => 0),
  sumLog: 0,
  cost: 0,
});

/** A service that runs; each look lets so many seconds pass, under so much weight. */
export function running(service: Service, random: Random) {
  const drift = service.weather(random);
  const counters = { current: newCounter(), candidate: newCounter() };
  let owed = 0;
  return {
    rate: service.rate,
    pass(seconds: number, weightPercent: number): Seen {
      const now = drift(seconds);
      owed += seconds * service.rate;
      for (; owed >= 1; owed--) {
        const arm = random() * 100 < weightPercent ? 'candidate' : 'current';
        const slower = now.both * now[arm] * (arm === 'candidate' ? service.factor : 1);
        count(counters[arm], service.latency(random) * slower, random() < service.failures[arm]);
      }
      return { current: tallyOf(counters.current), candidate: tallyOf(counters.candidate) };
    },
  };
}

function count(counter: Counter, latencyMs: number, fails: boolean): void {
  counter.calls += 1;
  counter.cost += latencyMs;
  if (fails) {
    counter.failures += 1;
    return;
  }
  const bucket = Math.ceil(Math.log(latencyMs / 0.05) / Math.log(1.25));
  const at = Math.min(Math.max(bucket, 0), counter.counts.length - 1);
  counter.counts[at] = (counter.counts[at] ?? 0) + 1;
  counter.sumLog += Math.log(latencyMs);
}

const tallyOf = ({ calls, failures, counts, sumLog, cost }: Counter): RevisionTally => ({
  roots: [
    { entry: 'f', machineClass: 'amd64 Cloud', calls, failures, fellBack: 0, counts: [...counts], sumLog },
  ],
  functions: [{ function: 'f', executions: calls, cost }],
});

/** Terms as the API has them by default. */
export const TERMS: TrialTerms = {
  objective: 'Latency',
  minimumGain: 0.05,
  maximumMs: 3_600_000,
  onRegression: 'Hold',
  pace: PACE,
};

export interface RolledOut extends TrialEnd {
  readonly trial: Trial;
}

/** Where hardly any calls come, a look every second would see nothing new: slices and blocks are the same with fewer. */
const lookSecondsOf = ({ rate }: Service): number => (rate < 4 ? 5 : 1);

/** A whole trial, looked at again and again. `before`: calls of the workflow before it, of which losers may have had a share. */
export function rolledOut(
  service: Service,
  seed: number,
  before: number,
  terms: TrialTerms = TERMS,
): RolledOut {
  const runs = running(service, randomFrom(seed));
  let trial = startTrial('Plan', { hash: 'new', units: [] }, 'old', 0);
  const seconds = lookSecondsOf(service);
  for (let nowMs = 0; ; nowMs += seconds * 1000) {
    const { current, candidate } = runs.pass(nowMs === 0 ? 0 : seconds, trial.weightPercent);
    const evidence = { epoch: '1', revisions: { old: current, new: candidate } };
    const budgetCalls = 0.05 * (before + trial.calls);
    const step = trialStep(trial, { nowMs, evidence, readiness: { serves: true }, budgetCalls }, terms);
    trial = step.trial;
    if (step.end) return { ...step.end, trial };
  }
}
