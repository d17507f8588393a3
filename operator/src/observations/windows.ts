/**
 * What was heard of one workflow, as windows that fade: by function, artifact, architecture and revision; by edge, channel and
 * revision; by entry, revision and class of machine; by unit (D14).
 *
 * Owns: the windows, their two clocks, and what becomes of a revision that is gone. `scope.ts` says what is taken in,
 * `figures.ts` reads means out of it, `checkpoint.ts` keeps it.
 *
 *   listened   grows while somebody listens; a rate is per second of it
 *   known      grows while calls come in besides: a night without calls makes nothing that was known older
 *
 * Invariants:
 *  1. The names in it are those of the workflow's route: no instance can make it grow beyond them.
 *  2. What a function and an edge were seen to do outlives the revision under which it was seen; how long root calls took does
 *     not, because it is a property of the plan.
 */
import type {
  EdgeObservation,
  EntryObservation,
  FunctionObservation,
  Observation,
  RouteRecord,
} from '@sinter/contract';
import { Fading } from './fading.ts';
import type { FadingData } from './fading.ts';
import type { Heard } from './scope.ts';

/** So long after a call time still counts as time in which calls come in. */
const QUIET_AFTER_MS = 60_000;
/** The revision under which is kept what was seen under those that are gone. */
export const PAST = '';

export interface FunctionKey {
  readonly function: string;
  readonly artifact: string;
  readonly architecture: string;
  readonly revision: string;
}
/** `measured`: executions of hosts that tell more than how long they took; the sums after it are over these. */
export type FunctionSum =
  | 'executions'
  | 'failures'
  | 'runMs'
  | 'measured'
  | 'measuredRunMs'
  | 'calleesMs'
  | 'queuedMs'
  | 'cpuMs'
  | 'cpuSquares'
  | 'cpuWindows'
  | 'busyMs'
  | 'sleptMs'
  | 'occupiedMs'
  | 'windowMs'
  | 'starts'
  | 'startMs';

export interface EdgeKey {
  readonly from: string;
  readonly to: string;
  readonly channel: EdgeObservation['channel'];
  readonly revision: string;
}
export type EdgeSum =
  | 'calls'
  | 'failures'
  | 'roundTripMs'
  | 'measured'
  | 'parallel'
  | 'requestBytes'
  | 'responseBytes'
  | 'answered'
  | 'overheadMs';

export interface EntryKey {
  readonly function: string;
  readonly call: EntryObservation['call'];
  readonly revision: string;
  readonly machineClass: string;
}
export type EntrySum = 'calls' | 'failures' | 'latencyMs';

/** Root calls per second are counted by the other clock, and whatever their revision. */
export interface RateKey {
  readonly function: string;
  readonly call: EntryObservation['call'];
}
export type RateSum = 'calls';

export interface UnitKey {
  readonly unit: string;
}
export type UnitSum = 'reports' | 'windowMs' | 'cpuMs' | 'occupiedMs';

export interface Item<Key, Sum extends string> {
  readonly key: Key;
  readonly fading: Fading<Sum>;
}

export interface ItemData {
  readonly key: Readonly<Record<string, string>>;
  readonly fading: FadingData;
}

/** Windows of one kind, by what tells them apart. */
export class Shelf<Key extends object, Sum extends string> {
  #items = new Map<string, Item<Key, Sum>>();

  /** The window of this key; begun where there was none. */
  of(key: Key, atMs: number): Fading<Sum> {
    const id = Object.values(key).join('\n');
    let item = this.#items.get(id);
    if (!item) this.#items.set(id, (item = { key, fading: new Fading(atMs) }));
    return item.fading;
  }

  /** All, as they are at this time. */
  at(atMs: number): readonly Item<Key, Sum>[] {
    return [...this.#items.values()].map(({ key, fading }) => ({ key, fading: fading.at(atMs) }));
  }

  /** Puts each window under another key, together with what comes to lie there; undefined: it is dropped. */
  move(to: (key: Key) => Key | undefined): void {
    const before = this.#items;
    this.#items = new Map();
    for (const { key, fading } of before.values()) {
      const target = to(key);
      if (target) this.of(target, 0).merge(fading);
    }
  }

  toData(): readonly ItemData[] {
    return [...this.#items.values()].map(({ key, fading }) => ({
      key: { ...key } as Record<string, string>,
      fading: fading.toData(),
    }));
  }

  /** What was kept; what is not (any more) in this form is left out. */
  restore(items: readonly ItemData[], isKey: (key: ItemData['key']) => key is ItemData['key'] & Key): void {
    for (const { key, fading } of items) if (isKey(key)) this.of(key, fading.atMs).merge(Fading.from(fading));
  }
}

export class Windows {
  readonly functions = new Shelf<FunctionKey, FunctionSum>();
  readonly edges = new Shelf<EdgeKey, EdgeSum>();
  readonly entries = new Shelf<EntryKey, EntrySum>();
  readonly rates = new Shelf<RateKey, RateSum>();
  readonly units = new Shelf<UnitKey, UnitSum>();
  #listenedMs: number;
  #knownMs: number;
  #nowMs: number | undefined;
  #calledAtMs = -Infinity;
  #route: RouteRecord | undefined;
  /** Instances that were ended for lack of memory since the current revision became that, by unit. */
  readonly #kills = new Map<string, number>();

  constructor(
    clocks: { readonly listenedMs: number; readonly knownMs: number } = { listenedMs: 0, knownMs: 0 },
  ) {
    this.#listenedMs = clocks.listenedMs;
    this.#knownMs = clocks.knownMs;
  }

  get listenedMs(): number {
    return this.#listenedMs;
  }
  get knownMs(): number {
    return this.#knownMs;
  }
  get route(): RouteRecord | undefined {
    return this.#route;
  }

  /** Moves the clocks on. A time that lies in the past moves nothing. */
  tick(nowMs: number): void {
    const ms = Math.max(0, nowMs - (this.#nowMs ?? nowMs));
    if (ms > 0 || this.#nowMs === undefined) this.#nowMs = nowMs;
    this.#listenedMs += ms;
    this.#knownMs += Math.max(0, Math.min(ms, this.#calledAtMs + QUIET_AFTER_MS - (nowMs - ms)));
  }

  /** Goes by this route from now on: what is known of revisions that are gone is put together, or dropped. */
  follow(route: RouteRecord): void {
    if (route.current !== this.#route?.current) this.#kills.clear();
    this.#route = route;
    const revisions = new Set(Object.keys(route.revisions));
    const past = <K extends { readonly revision: string }>(key: K): K =>
      revisions.has(key.revision) ? key : { ...key, revision: PAST };
    const units = new Set(Object.values(route.revisions).flatMap((r) => r.units.map((u) => u.name)));
    this.functions.move(past);
    this.edges.move(past);
    this.entries.move((key) => (revisions.has(key.revision) ? key : undefined));
    this.units.move((key) => (units.has(key.unit) ? key : undefined));
    const known = new Set(
      Object.values(route.revisions).flatMap((r) => r.units.flatMap((u) => u.functions.map((f) => f.name))),
    );
    this.functions.move((key) => (known.has(key.function) ? key : undefined));
    this.edges.move((key) => (known.has(key.to) ? key : undefined));
    this.rates.move((key) => (known.has(key.function) ? key : undefined));
  }

  /** An instance of this unit was ended for lack of memory. */
  killed(unit: string): void {
    this.#kills.set(unit, this.killsOf(unit) + 1);
  }

  killsOf(unit: string): number {
    return this.#kills.get(unit) ?? 0;
  }

  /** Takes in what an instance may say under the route. `machineClass` is that of the machine that it is on. */
  heard({ functions, edges, entries }: Heard, o: Observation, machineClass: string, nowMs: number): void {
    if (!this.#route) return;
    this.tick(nowMs);
    if (functions.length + edges.length + entries.length > 0) this.#calledAtMs = this.#nowMs ?? nowMs;
    for (const f of functions) this.#executed(f, o.architecture, o.windowMs * shareOf(f, functions));
    for (const e of edges) this.#called(e);
    for (const e of entries) this.#entered(e, machineClass);
    this.#ran(o, this.#route);
  }

  #executed(f: FunctionObservation, architecture: string, windowMs: number): void {
    const { function: fn, artifact, revision } = f;
    const isMeasured = f.calleesMs !== undefined;
    const hasCpu = f.cpuMs !== undefined && f.executions > 0;
    this.functions.of({ function: fn, artifact, architecture, revision }, this.#knownMs).add(
      this.#knownMs,
      {
        executions: f.executions,
        failures: f.failures,
        runMs: f.runMs.sumMs,
        measured: isMeasured ? f.executions : 0,
        measuredRunMs: isMeasured ? f.runMs.sumMs : 0,
        calleesMs: f.calleesMs,
        queuedMs: f.queuedMs,
        cpuMs: f.cpuMs,
        cpuSquares: hasCpu ? f.cpuMs ** 2 / f.executions : 0,
        cpuWindows: hasCpu ? 1 : 0,
        busyMs: f.busyMs,
        sleptMs: f.sleptMs,
        occupiedMs: f.occupiedMs,
        windowMs: isMeasured ? windowMs : 0,
        starts: f.starts,
        startMs: f.startMs,
      },
      f.runMs.counts,
      f.memoryBytes,
    );
  }

  #called(e: EdgeObservation): void {
    const { from, to, channel, revision } = e;
    this.edges.of({ from, to, channel, revision }, this.#knownMs).add(this.#knownMs, {
      calls: e.calls,
      failures: e.failures,
      roundTripMs: e.roundTripMs.sumMs,
      measured: e.parallel === undefined ? 0 : e.calls,
      parallel: e.parallel,
      requestBytes: e.requestBytes,
      responseBytes: e.responseBytes,
      answered: e.answered,
      overheadMs: e.overheadMs,
    });
  }

  #entered(e: EntryObservation, machineClass: string): void {
    const { function: fn, call, revision, calls, failures } = e;
    const sums = { calls, failures, latencyMs: e.latencyMs.sumMs };
    this.entries
      .of({ function: fn, call, revision, machineClass }, this.#knownMs)
      .add(this.#knownMs, sums, e.latencyMs.counts);
    // What comes along an edge is the edge's: it is no root of the graph.
    const came = call === 'Sync' ? calls : (e.outside ?? 0);
    if (came > 0)
      this.rates.of({ function: fn, call }, this.#listenedMs).add(this.#listenedMs, { calls: came });
  }

  #ran(o: Observation, { revisions }: RouteRecord): void {
    const isOurs = Object.values(revisions).some((r) => r.units.some((u) => u.name === o.unit));
    if (!isOurs) return;
    const sums = { reports: 1, windowMs: o.windowMs, cpuMs: o.cpuMs, occupiedMs: o.occupiedMs };
    this.units.of({ unit: o.unit }, this.#knownMs).add(this.#knownMs, sums, [], o.memoryBytes);
  }
}

/** The share of a function's executions that one of its revisions had in an observation. */
function shareOf(f: FunctionObservation, all: readonly FunctionObservation[]): number {
  const executions = all.reduce((n, other) => n + (other.function === f.function ? other.executions : 0), 0);
  return executions > 0 ? f.executions / executions : 0;
}
