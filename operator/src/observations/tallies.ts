/**
 * What a roll-out is judged by: sums over what was heard since counting began, by revision (D3).
 *
 * Owns: the counting, and what executions cost. The form is `rollout/evidence.ts`, which also says what becomes of sums that
 * start anew. Nothing fades here, and nothing outlives its revision.
 *
 * Cost, by the policy's price model. `BusyTime`: the memory of the process for as long as any of its executions is under way,
 * and the CPU time used; shared out over the functions by how long they ran. `Provisioned`: what the plan reserves, for as long as
 * it does, over all executions of a function under any revision: a candidate with a twentieth of the calls is not twenty times
 * as dear for it.
 */
import type { EntryObservation, FunctionObservation, Observation } from '@sinter/contract';
import { queueEntry } from '../rollout/evidence.ts';
import type { Evidence, FunctionTally, RevisionTally, RootTally } from '../rollout/evidence.ts';
import type { Heard } from './scope.ts';

/** What resources cost; where a unit is shared by n functions, each has the n-th part of what it reserves. */
export interface Pricing {
  readonly model: 'BusyTime' | 'Provisioned';
  readonly perByteSecond: number;
  readonly perCoreSecond: number;
  /** What a plan reserves for a function on all instances together; undefined: not known. */
  readonly reserved: (
    revision: string,
    fn: string,
  ) => { readonly bytes: number; readonly cores: number } | undefined;
}

interface Root {
  readonly revision: string;
  readonly entry: string;
  readonly machineClass: string;
  calls: number;
  failures: number;
  fellBack: number;
  readonly counts: number[];
  sumLog: number;
}

interface Executions {
  readonly revision: string;
  readonly function: string;
  executions: number;
  cpuSeconds: number;
  busyByteSeconds: number;
  /** Seconds of the whole traffic that this revision had, and the executions until which they are counted. */
  provisionedSeconds: number;
  counted: number;
}

/** Work from a queue is compared apart from calls that somebody waits for. */
const entryName = ({ function: fn, call }: EntryObservation): string =>
  call === 'Sync' ? fn : queueEntry(fn);

export class Tallies {
  readonly #epoch: string;
  readonly #roots = new Map<string, Root>();
  readonly #functions = new Map<string, Executions>();
  #countedAtMs: number | undefined;

  /** `epoch` tells this counting from every other one. */
  constructor(epoch: string) {
    this.#epoch = epoch;
  }

  heard({ functions, entries }: Heard, o: Observation, machineClass: string): void {
    for (const e of entries) this.#entered(e, machineClass);
    const runMs = functions.reduce((ms, f) => ms + f.runMs.sumMs, 0);
    // A host of an earlier version does not say how much of their time executions had in common: none, then.
    const occupiedMs = o.occupiedMs ?? Math.min(o.windowMs, runMs);
    const byteSeconds = (occupiedMs / 1000) * o.memoryBytes;
    for (const f of functions) this.#executed(f, runMs > 0 ? (byteSeconds * f.runMs.sumMs) / runMs : 0);
  }

  /** Forgets what is no longer live. */
  keep(revisions: ReadonlySet<string>): void {
    for (const [key, { revision }] of this.#roots) if (!revisions.has(revision)) this.#roots.delete(key);
    for (const [key, { revision }] of this.#functions)
      if (!revisions.has(revision)) this.#functions.delete(key);
  }

  evidence(pricing: Pricing, nowMs: number): Evidence {
    this.#provision(nowMs);
    const revisions = new Set([...this.#roots.values(), ...this.#functions.values()].map((s) => s.revision));
    return {
      epoch: this.#epoch,
      revisions: Object.fromEntries([...revisions].sort().map((r) => [r, this.#tallyOf(r, pricing)])),
    };
  }

  #tallyOf(revision: string, pricing: Pricing): RevisionTally {
    const roots = [...this.#roots.values()].filter((r) => r.revision === revision);
    const functions = [...this.#functions.values()].filter((f) => f.revision === revision);
    return { roots: roots.map(rootTally), functions: functions.map((f) => functionTally(f, pricing)) };
  }

  #entered(e: EntryObservation, machineClass: string): void {
    const { revision, calls, failures, fellBack } = e;
    const entry = entryName(e);
    const key = `${revision}\n${entry}\n${machineClass}`;
    let root = this.#roots.get(key);
    if (!root) {
      root = { revision, entry, machineClass, calls: 0, failures: 0, fellBack: 0, counts: [], sumLog: 0 };
      this.#roots.set(key, root);
    }
    root.calls += calls;
    root.failures += failures;
    root.fellBack += fellBack;
    root.sumLog += e.logSum;
    for (const [i, n] of e.latencyMs.counts.entries()) root.counts[i] = (root.counts[i] ?? 0) + n;
  }

  #executed(
    { revision, function: fn, executions, cpuMs = 0 }: FunctionObservation,
    byteSeconds: number,
  ): void {
    const key = `${revision}\n${fn}`;
    let sums = this.#functions.get(key);
    if (!sums) {
      const none = { executions: 0, cpuSeconds: 0, busyByteSeconds: 0, provisionedSeconds: 0, counted: 0 };
      this.#functions.set(key, (sums = { revision, function: fn, ...none }));
    }
    sums.executions += executions;
    sums.cpuSeconds += cpuMs / 1000;
    sums.busyByteSeconds += byteSeconds;
  }

  /** Shares out the time since the last look over the revisions, by their executions in it. */
  #provision(nowMs: number): void {
    const seconds = Math.max(0, nowMs - (this.#countedAtMs ?? nowMs)) / 1000;
    for (const of of Map.groupBy(this.#functions.values(), (f) => f.function).values()) {
      const all = of.reduce((n, f) => n + f.executions - f.counted, 0);
      if (all === 0) continue;
      for (const f of of) {
        f.provisionedSeconds += (seconds * (f.executions - f.counted)) / all;
        f.counted = f.executions;
      }
    }
    this.#countedAtMs = nowMs;
  }
}

const rootTally = ({ entry, machineClass, calls, failures, fellBack, counts, sumLog }: Root): RootTally => ({
  entry,
  machineClass,
  calls,
  failures,
  fellBack,
  counts: Array.from(counts, (n: number | undefined) => n ?? 0),
  sumLog,
});

const functionTally = (f: Executions, pricing: Pricing): FunctionTally => ({
  function: f.function,
  executions: f.executions,
  cost: costOf(f, pricing),
});

function costOf(f: Executions, { model, perByteSecond, perCoreSecond, reserved }: Pricing): number {
  if (model === 'BusyTime') return f.busyByteSeconds * perByteSecond + f.cpuSeconds * perCoreSecond;
  const { bytes, cores } = reserved(f.revision, f.function) ?? { bytes: 0, cores: 0 };
  return f.provisionedSeconds * (bytes * perByteSecond + cores * perCoreSecond);
}
