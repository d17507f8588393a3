/**
 * What an instance has seen since it last said so: executions, edges, roots (D14).
 *
 * Owns: counting, and the observation that it becomes. Recording costs a few additions and no allocation once a series
 * exists. Every execution is counted, a function called several times in one root call several times.
 */
import { CONTRACT_VERSION, HISTOGRAM_BOUNDS_MS, QUIET_MS, seenSubject } from '@sinter/contract';
import type { EdgeObservation, Histogram, InstanceKey, Observation } from '@sinter/contract';
import type { Link } from './link.ts';

const LOG_STEP = Math.log(1.25);
const FIRST = HISTOGRAM_BOUNDS_MS[0] ?? 0.05;

/** Index of the histogram's bucket for a duration in milliseconds; the last bucket takes what is above all bounds. */
export function bucketOf(ms: number): number {
  if (!(ms > FIRST)) return 0;
  return Math.min(HISTOGRAM_BOUNDS_MS.length, Math.ceil(Math.log(ms / FIRST) / LOG_STEP - 1e-9));
}

class Counts {
  readonly counts = new Array<number>(HISTOGRAM_BOUNDS_MS.length + 1).fill(0);
  sumMs = 0;

  add(ms: number): void {
    const at = bucketOf(ms);
    this.counts[at] = (this.counts[at] ?? 0) + 1;
    this.sumMs += ms;
  }

  toHistogram(): Histogram {
    return { counts: this.counts, sumMs: this.sumMs };
  }
}

interface FunctionSeries {
  readonly function: string;
  readonly revision: string;
  readonly artifact: string;
  executions: number;
  failures: number;
  repeated: number;
  readonly runMs: Counts;
}

interface EdgeSeries {
  readonly from: string;
  readonly to: string;
  readonly revision: string;
  readonly channel: EdgeObservation['channel'];
  calls: number;
  failures: number;
  readonly roundTripMs: Counts;
}

const encoder = new TextEncoder();

export class Recorder {
  readonly #functions = new Map<string, FunctionSeries>();
  readonly #edges = new Map<string, EdgeSeries>();
  readonly #roots = new Map<string, number>();
  #sinceMs: number;
  #news = false;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  executed(fn: string, revision: string, artifact: string, ms: number, ok: boolean, repeated = false): void {
    this.#news = true;
    const key = `${fn}\n${revision}\n${artifact}`;
    let s = this.#functions.get(key);
    if (!s) {
      s = { function: fn, revision, artifact, executions: 0, failures: 0, repeated: 0, runMs: new Counts() };
      this.#functions.set(key, s);
    }
    s.executions += 1;
    if (!ok) s.failures += 1;
    if (repeated) s.repeated += 1;
    s.runMs.add(ms);
  }

  called(
    from: string,
    to: string,
    revision: string,
    channel: EdgeObservation['channel'],
    ms: number,
    ok: boolean,
  ): void {
    this.#news = true;
    const key = `${from}\n${to}\n${revision}\n${channel}`;
    let s = this.#edges.get(key);
    if (!s) {
      s = { from, to, revision, channel, calls: 0, failures: 0, roundTripMs: new Counts() };
      this.#edges.set(key, s);
    }
    s.calls += 1;
    if (!ok) s.failures += 1;
    s.roundTripMs.add(ms);
  }

  /** A root call begins under this revision. Whoever begins one must end it. */
  rootBegins(revision: string): void {
    this.#news = true;
    this.#roots.set(revision, (this.#roots.get(revision) ?? 0) + 1);
  }

  rootEnds(revision: string): void {
    this.#news = true;
    const left = (this.#roots.get(revision) ?? 1) - 1;
    if (left > 0) this.#roots.set(revision, left);
    else this.#roots.delete(revision);
  }

  /** Is there something to say: anything new since the last observation, or has nothing been said for a while? */
  isDue(nowMs: number): boolean {
    return this.#news || nowMs - this.#sinceMs >= QUIET_MS;
  }

  /** The observation since the last one; counting starts anew. */
  take(
    key: InstanceKey,
    at: { readonly machine: string; readonly architecture: string; readonly routeGeneration: number },
    nowMs: number,
  ): Observation {
    const observation: Observation = {
      ...key,
      ...at,
      version: CONTRACT_VERSION,
      windowMs: nowMs - this.#sinceMs,
      roots: Object.fromEntries(this.#roots),
      functions: [...this.#functions.values()].map((s) => ({ ...s, runMs: s.runMs.toHistogram() })),
      edges: [...this.#edges.values()].map((s) => ({ ...s, roundTripMs: s.roundTripMs.toHistogram() })),
      memoryBytes: process.memoryUsage.rss(),
    };
    this.#functions.clear();
    this.#edges.clear();
    this.#sinceMs = nowMs;
    this.#news = false;
    return observation;
  }
}

/** Says what was seen; nobody waits for an answer. */
export function publishObservation(link: Link, observation: Observation): void {
  link.publish(seenSubject(observation), encoder.encode(JSON.stringify(observation)));
}
