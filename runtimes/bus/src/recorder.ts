/**
 * What an instance has seen since it last said so: executions, edges, entries, roots (D14).
 *
 * Owns: counting, and the observation that it becomes. Recording costs a few additions and no allocation once a series
 * exists. Every execution is counted, a function called several times in one root call several times.
 * What is measured of a function's threads belongs to no single execution: it is shared out, when it is told, over the
 * revisions under which the function ran, by the time that they ran outside of their callees.
 */
import { CONTRACT_VERSION, HISTOGRAM_BOUNDS_MS, QUIET_MS, seenSubject } from '@sinter/contract';
import type {
  EdgeObservation,
  EntryObservation,
  FunctionObservation,
  Histogram,
  InstanceKey,
  Observation,
} from '@sinter/contract';
import type { Link } from './link.ts';

const LOG_STEP = Math.log(1.25);
const FIRST = HISTOGRAM_BOUNDS_MS[0] ?? 0.05;

/** Index of the histogram's bucket for a duration in milliseconds; the last bucket takes what is above all bounds. */
export function bucketOf(ms: number): number {
  if (!(ms > FIRST)) return 0;
  return Math.min(HISTOGRAM_BOUNDS_MS.length, Math.ceil(Math.log(ms / FIRST) / LOG_STEP - 1e-9));
}

class Counts {
  readonly #counts = new Array<number>(HISTOGRAM_BOUNDS_MS.length + 1).fill(0);
  #used = 0;
  sumMs = 0;

  add(ms: number): void {
    const at = bucketOf(ms);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    if (at >= this.#used) this.#used = at + 1;
    this.sumMs += ms;
  }

  /** Without the empty buckets at its end. */
  toHistogram(): Histogram {
    return { counts: this.#counts.slice(0, this.#used), sumMs: this.sumMs };
  }
}

/** One execution, when it has ended; durations in milliseconds. */
export interface Execution {
  readonly ok: boolean;
  readonly ms: number;
  /** Part of `ms` in which a call of its own was open. */
  readonly calleesMs: number;
  /** The call id had been executed here or was redelivered. */
  readonly repeated: boolean;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** What was measured of the threads of one function since the last time; the fields are those of FunctionObservation. */
export interface ThreadUse {
  readonly queuedMs: number;
  readonly cpuMs: number;
  readonly busyMs: number;
  readonly occupiedMs: number;
  readonly sleptMs?: number;
  /** 0: not measured. */
  readonly memoryBytes: number;
}

const NO_USE: ThreadUse = { queuedMs: 0, cpuMs: 0, busyMs: 0, occupiedMs: 0, memoryBytes: 0 };

class FunctionSeries {
  readonly function: string;
  readonly revision: string;
  readonly artifact: string;
  readonly #runMs = new Counts();
  #executions = 0;
  #failures = 0;
  #repeated = 0;
  #calleesMs = 0;
  #requestBytes = 0;
  #responseBytes = 0;
  #start: { readonly starts: number; readonly startMs: number } | undefined;

  constructor(fn: string, revision: string, artifact: string) {
    this.function = fn;
    this.revision = revision;
    this.artifact = artifact;
  }

  /** Executions that have ended, and what they took outside of their callees. */
  get executions(): number {
    return this.#executions;
  }
  get ownMs(): number {
    return Math.max(0, this.#runMs.sumMs - this.#calleesMs);
  }

  add(e: Execution): void {
    this.#executions += 1;
    if (!e.ok) this.#failures += 1;
    if (e.repeated) this.#repeated += 1;
    this.#runMs.add(e.ms);
    this.#calleesMs += e.calleesMs;
    this.#requestBytes += e.requestBytes;
    this.#responseBytes += e.responseBytes;
  }

  /** The start of this instance, from exec to serving. */
  started(ms: number): void {
    this.#start = { starts: 1, startMs: ms };
  }

  /** With this share of what its function's threads used; where that was measured. */
  observed(use: ThreadUse | undefined, share: number): FunctionObservation {
    return {
      function: this.function,
      revision: this.revision,
      artifact: this.artifact,
      executions: this.#executions,
      failures: this.#failures,
      runMs: this.#runMs.toHistogram(),
      repeated: this.#repeated,
      calleesMs: this.#calleesMs,
      requestBytes: this.#requestBytes,
      responseBytes: this.#responseBytes,
      ...(use && {
        queuedMs: use.queuedMs * share,
        cpuMs: use.cpuMs * share,
        busyMs: use.busyMs * share,
        occupiedMs: use.occupiedMs * share,
        ...(use.sleptMs === undefined ? {} : { sleptMs: use.sleptMs * share }),
        ...(use.memoryBytes > 0 && { memoryBytes: use.memoryBytes }),
      }),
      ...this.#start,
    };
  }
}

type Channel = EdgeObservation['channel'];

/** As much of a call's outcome as is counted. */
export interface Ended {
  readonly ok: boolean;
  readonly payload?: { readonly bytes: Uint8Array };
  readonly tookMs?: number;
}

class EdgeSeries {
  readonly #from: string;
  readonly #to: string;
  readonly #revision: string;
  readonly #channel: Channel;
  readonly #roundTripMs = new Counts();
  #calls = 0;
  #failures = 0;
  #parallel = 0;
  #requestBytes = 0;
  #responseBytes = 0;
  #answered = 0;
  #overheadMs = 0;

  constructor(from: string, to: string, revision: string, channel: Channel) {
    this.#from = from;
    this.#to = to;
    this.#revision = revision;
    this.#channel = channel;
  }

  /** A call has ended. `parallel`: it overlapped another one of the same execution. */
  add(ms: number, { ok, payload, tookMs }: Ended, requestBytes: number, parallel = false): void {
    this.#calls += 1;
    if (!ok) this.#failures += 1;
    if (parallel) this.#parallel += 1;
    this.#roundTripMs.add(ms);
    this.#requestBytes += requestBytes;
    if (payload !== undefined) this.#responseBytes += payload.bytes.byteLength;
    if (tookMs === undefined) return;
    this.#answered += 1;
    this.#overheadMs += Math.max(0, ms - tookMs);
  }

  observed(): EdgeObservation {
    return {
      from: this.#from,
      to: this.#to,
      revision: this.#revision,
      channel: this.#channel,
      calls: this.#calls,
      failures: this.#failures,
      roundTripMs: this.#roundTripMs.toHistogram(),
      parallel: this.#parallel,
      requestBytes: this.#requestBytes,
      responseBytes: this.#responseBytes,
      answered: this.#answered,
      overheadMs: this.#overheadMs,
    };
  }
}

class EntrySeries {
  readonly #function: string;
  readonly #revision: string;
  readonly #call: EntryObservation['call'];
  readonly #latencyMs = new Counts();
  #calls = 0;
  #outside = 0;
  #failures = 0;
  #fellBack = 0;
  #logSum = 0;
  #logSquares = 0;

  constructor(fn: string, revision: string, call: EntryObservation['call']) {
    this.#function = fn;
    this.#revision = revision;
    this.#call = call;
  }

  /** A root call has ended. `outside`: it came from a queue, and into that from outside of the graph. */
  add(ms: number, ok: boolean, outside = false): void {
    this.#calls += 1;
    if (outside) this.#outside += 1;
    if (ok) this.#took(ms);
    else this.#failures += 1;
  }

  /** A root call found nobody under this revision, and runs under another. */
  fellBack(): void {
    this.#fellBack += 1;
  }

  #took(ms: number): void {
    this.#latencyMs.add(ms);
    const log = Math.log(Math.max(FIRST, ms));
    this.#logSum += log;
    this.#logSquares += log * log;
  }

  observed(): EntryObservation {
    return {
      function: this.#function,
      revision: this.#revision,
      call: this.#call,
      calls: this.#calls,
      ...(this.#outside > 0 && { outside: this.#outside }),
      failures: this.#failures,
      fellBack: this.#fellBack,
      latencyMs: this.#latencyMs.toHistogram(),
      logSum: this.#logSum,
      logSquares: this.#logSquares,
    };
  }
}

const encoder = new TextEncoder();

/** Where and how an instance is at the time of an observation. */
export type Circumstances = Pick<
  Observation,
  'machine' | 'architecture' | 'routeGeneration' | 'memoryBytes' | 'cpuMs' | 'occupiedMs'
>;

export class Recorder {
  readonly #functions = new Map<string, FunctionSeries>();
  readonly #edges = new Map<string, EdgeSeries>();
  readonly #entries = new Map<string, EntrySeries>();
  /** By function: used and not yet told. */
  readonly #uses = new Map<string, ThreadUse>();
  readonly #roots = new Map<string, number>();
  #sinceMs: number;
  #news = false;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** Executions of a function under a revision: what ends is added to it at once. */
  executions(fn: string, revision: string, artifact: string): FunctionSeries {
    this.#news = true;
    const key = `${fn}\n${revision}\n${artifact}`;
    let series = this.#functions.get(key);
    if (!series) this.#functions.set(key, (series = new FunctionSeries(fn, revision, artifact)));
    return series;
  }

  calls(from: string, to: string, revision: string, channel: Channel): EdgeSeries {
    this.#news = true;
    const key = `${from}\n${to}\n${revision}\n${channel}`;
    let series = this.#edges.get(key);
    if (!series) this.#edges.set(key, (series = new EdgeSeries(from, to, revision, channel)));
    return series;
  }

  entries(fn: string, revision: string, call: EntryObservation['call']): EntrySeries {
    this.#news = true;
    const key = `${fn}\n${revision}\n${call}`;
    let series = this.#entries.get(key);
    if (!series) this.#entries.set(key, (series = new EntrySeries(fn, revision, call)));
    return series;
  }

  /** What the threads of a function have used since the last time. It is told beside executions that have ended. */
  used(fn: string, use: ThreadUse): void {
    const before = this.#uses.get(fn) ?? NO_USE;
    this.#uses.set(fn, {
      queuedMs: before.queuedMs + use.queuedMs,
      cpuMs: before.cpuMs + use.cpuMs,
      busyMs: before.busyMs + use.busyMs,
      occupiedMs: before.occupiedMs + use.occupiedMs,
      memoryBytes: Math.max(before.memoryBytes, use.memoryBytes),
      ...(use.sleptMs === undefined ? {} : { sleptMs: (before.sleptMs ?? 0) + use.sleptMs }),
    });
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

  /** Root calls that run now. */
  get running(): number {
    let n = 0;
    for (const running of this.#roots.values()) n += running;
    return n;
  }

  /** Is there something to say: anything new since the last observation, or has nothing been said for a while? */
  isDue(nowMs: number): boolean {
    return this.#news || nowMs - this.#sinceMs >= QUIET_MS;
  }

  /** The observation since the last one; counting starts anew. */
  take(key: InstanceKey, at: Circumstances, nowMs: number): Observation {
    const observation: Observation = {
      ...key,
      ...at,
      version: CONTRACT_VERSION,
      windowMs: nowMs - this.#sinceMs,
      roots: Object.fromEntries(this.#roots),
      functions: this.#observedFunctions(),
      edges: [...this.#edges.values()].map((s) => s.observed()),
      entries: [...this.#entries.values()].map((s) => s.observed()),
    };
    this.#functions.clear();
    this.#edges.clear();
    this.#entries.clear();
    this.#sinceMs = nowMs;
    this.#news = false;
    return observation;
  }

  #observedFunctions(): readonly FunctionObservation[] {
    const all = [...this.#functions.values()];
    return [...Map.groupBy(all, (s) => s.function)].flatMap(([fn, series]) => {
      const executions = series.reduce((n, s) => n + s.executions, 0);
      const ownMs = series.reduce((ms, s) => ms + s.ownMs, 0);
      const share = (s: FunctionSeries): number =>
        ownMs > 0 ? s.ownMs / ownMs : s.executions / Math.max(1, executions);
      // Of a call that still runs: it is told when that has ended.
      const use = executions > 0 ? this.#uses.get(fn) : undefined;
      if (use) this.#uses.delete(fn);
      return series.map((s) => s.observed(use, share(s)));
    });
  }
}

/** Says what was seen; nobody waits for an answer. */
export function publishObservation(link: Link, observation: Observation): void {
  link.publish(seenSubject(observation), encoder.encode(JSON.stringify(observation)));
}
