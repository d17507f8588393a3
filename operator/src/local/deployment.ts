/**
 * One workflow on this machine: which revisions of it are live, and the step from one to the next without losing a call.
 *
 * Owns: the order of that step (D3). `planner/` decided what should run, `fleet.ts` runs it, `reports.ts` hears of it.
 *
 *   start new units ─▶ they serve the new revision, nobody enters it ─▶ 250 ms overlap ─▶ entries switch
 *        │ one fails: withdrawn, nothing changed       │                        ▲              │
 *        ▼                                             └─▶ tried: a share of ───┘ promoted     ▼
 *   what ran goes on                                         the entries        the old revision is fully served until
 *                                                            │ withdrawn        no root runs under it, then its units end
 *                                                            └────────────────▶ (the same for the one that was tried)
 *
 * Whether what is tried is better is not for here: `trial.ts` asks for weights.
 *
 * Invariants:
 *  1. Entries only ever see a current revision whose every unit serves it, and give no share to a candidate before that.
 *  2. A unit that is in a live revision is never ended; one that is in both plans is not restarted.
 *  3. One change at a time; a drain goes on beside the next change.
 *  4. A unit that ends has as long as its longest call may take: work that it had asked of a queue may come after the
 *     last root of its revision has ended.
 *  5. A change that fails, be it by the bus, leaves nothing of itself.
 */
import { CONTRACT_VERSION } from '@sinter/contract';
import type {
  EntryRecord,
  InstanceKey,
  RouteRecord,
  RouteRevision,
  UnitScope,
  WorkflowKey,
} from '@sinter/contract';
import { callersFirst } from '../model/graph.ts';
import { grantsMore } from '../bus/grants.ts';
import type { Fleet, Place } from './fleet.ts';
import type { Reports } from '../bus/reports.ts';
import type { LogRecord } from './run.ts';

/** A unit as it is to run. */
export interface UnitTarget {
  readonly scope: UnitScope;
  /** What each instance requests of a machine, in thousandths of a core. */
  readonly cpuMillis: number;
  readonly places: readonly Place[];
  readonly environments: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** What the host itself is given, beside its functions' environments. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** A revision as it is to run. */
export interface Target {
  readonly hash: string;
  readonly revision: RouteRevision;
  readonly units: readonly UnitTarget[];
  readonly entry: EntryRecord;
  /** Code by its sha256. */
  readonly modules: ReadonlyMap<string, Uint8Array>;
}

/** What a deployment does to the bus and to processes; the run provides it. */
export interface DeploymentPorts {
  readonly reports: Reports;
  readonly putModule: (namespace: string, bytes: Uint8Array) => Promise<void>;
  readonly provide: (workflow: WorkflowKey, functions: readonly string[]) => Promise<void>;
  readonly writeRoute: (route: RouteRecord) => Promise<void>;
  readonly writeEntry: (entry: EntryRecord) => Promise<void>;
  readonly remove: (workflow: WorkflowKey) => Promise<void>;
  readonly newFleet: (unit: UnitTarget) => Fleet;
  /** A unit has ended; does its credential grant more than the graph still declares? */
  readonly retire: (fleet: Fleet, grants: 'WhatIsDeclared' | 'More') => void;
  /** Instances that start root calls: the gateways. */
  readonly entries: () => readonly InstanceKey[];
  readonly onLog: (line: LogRecord) => void;
}

export interface Deployed {
  readonly ok: boolean;
  readonly problem?: string;
  readonly started: readonly string[];
  readonly kept: readonly string[];
  readonly drained: readonly string[];
}

/** New interest has reached the hub by then. */
const OVERLAP_MS = 250;
const READY_LIMIT_MS = 30_000;
/** A unit whose instances end so often before they serve is not worth waiting for. */
const START_FAILURES = 3;
/** Beyond the longest timeout: to be heard of, and to end. */
const DRAIN_SLACK_MS = 10_000;

const REFUSED = { ok: false, problem: 'the run is ending', started: [], kept: [], drained: [] } as const;

export class Deployment {
  readonly #workflow: WorkflowKey;
  readonly #ports: DeploymentPorts;
  readonly #live = new Map<string, Target>();
  readonly #fleets = new Map<string, Fleet>();
  /** Fleets that were told to end and finish what they had accepted. */
  readonly #ending = new Set<Fleet>();
  /** Generation of the route since which a revision drains: a revision may drain, be current again and drain anew. */
  readonly #draining = new Map<string, number>();
  readonly #drains = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  #current = '';
  #candidate: string | undefined;
  /** Share of the entries' calls that the candidate gets, in percent. */
  #weight = 0;
  #generation = 0;
  /** The last route was not taken by the bus, or is not yet. */
  #unwritten = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(workflow: WorkflowKey, ports: DeploymentPorts, generation = 0) {
    this.#workflow = workflow;
    this.#ports = ports;
    this.#generation = generation;
  }

  /** Of the route that was written last. */
  get generation(): number {
    return this.#generation;
  }

  get current(): Target | undefined {
    return this.#live.get(this.#current);
  }

  /** What is tried beside the current revision. */
  get candidate(): Target | undefined {
    return this.#live.get(this.#candidate ?? '');
  }

  /** Every unit of the candidate serves. */
  get candidateServes(): boolean {
    const { candidate } = this;
    if (!candidate) return false;
    return candidate.units.every(({ scope }) => {
      const fleet = this.#fleets.get(scope.unit);
      return fleet !== undefined && this.#serves(fleet, candidate.hash);
    });
  }

  get weightPercent(): number {
    return this.#weight;
  }

  get fleets(): readonly Fleet[] {
    return [...this.#fleets.values()];
  }

  /**
   * Makes this revision the current one, at once; another one that is tried is withdrawn. As of all that changes what runs:
   * not to be called before the last call has ended.
   */
  async deploy(target: Target): Promise<Deployed> {
    if (this.#current === target.hash) return await this.#refresh(target);
    if (this.#candidate === target.hash) {
      await this.#prepare(target);
      this.#live.set(target.hash, target);
      return await this.promote();
    }
    await this.withdraw();
    const before = this.#current;
    const started = await this.#start(target);
    if (!started.ok || before === '') return started;
    await this.#pause(OVERLAP_MS);
    await this.#switch(target, before);
    return started;
  }

  /** Starts this revision beside the current one, without a share. One that was tried before is withdrawn. */
  async tryOut(target: Target): Promise<Deployed> {
    if (this.#current === '' || this.#current === target.hash)
      throw new Error(`revision ${target.hash} cannot be tried beside '${this.#current}'`);
    await this.withdraw();
    const started = await this.#start(target);
    if (started.ok) await this.#pause(OVERLAP_MS);
    return started;
  }

  /** Gives the candidate this share of the entries' calls; nothing where there is none. */
  async setWeight(percent: number): Promise<void> {
    if (this.#candidate === undefined || (this.#weight === percent && !this.#unwritten)) return;
    this.#weight = percent;
    await this.#write();
  }

  /** Makes the candidate the current revision. */
  async promote(): Promise<Deployed> {
    const { candidate, current } = this;
    if (!candidate || !current) throw new Error('there is no candidate to promote');
    await this.#switch(candidate, current.hash);
    const before = new Set(current.units.map((u) => u.scope.unit));
    return outcome(
      candidate,
      current,
      candidate.units.filter((u) => !before.has(u.scope.unit)),
    );
  }

  /** Takes the candidate away, where there is one: calls that it has begun are finished. */
  async withdraw(): Promise<void> {
    const { candidate } = this;
    if (!candidate) return;
    this.#stand(undefined);
    await this.#startDraining(candidate.hash);
  }

  /** Starts a revision beside the current one, or as the first; where it does not come up, nothing of it is left. */
  async #start(target: Target): Promise<Deployed> {
    const before = this.#current;
    const old = this.current; // what is drained may be gone by the time that it is told of
    await this.#prepare(target);
    if (this.#abort.signal.aborted) return REFUSED;
    // In one step with taking the revision up, and not before: a drain may have ended units of it in the meantime.
    const fresh = target.units.filter((u) => !this.#fleets.has(u.scope.unit));
    this.#live.set(target.hash, target);
    const wasDraining = this.#draining.delete(target.hash);
    for (const unit of fresh) this.#fleets.set(unit.scope.unit, this.#ports.newFleet(unit));
    const problem = await this.#bringUp(target, before, fresh).catch(async (cause: unknown) => {
      // The bus does not take it. Should it not take the way back either, the next route that it takes says what holds.
      await this.#takeBack(target, before, fresh, wasDraining).catch(() => undefined);
      throw cause;
    });
    if (problem !== undefined) {
      await this.#takeBack(target, before, fresh, wasDraining);
      return { ok: false, problem, started: [], kept: [], drained: [] };
    }
    return outcome(target, old, fresh);
  }

  /** Starts what is new and waits until all serve; gives the problem where they do not. */
  async #bringUp(target: Target, before: string, fresh: readonly UnitTarget[]): Promise<string | undefined> {
    if (before === '') {
      this.#current = target.hash;
      await this.#ports.writeEntry(target.entry);
    } else this.#stand(target.hash);
    await this.#write();
    for (const unit of fresh) this.#fleets.get(unit.scope.unit)?.start();
    return await this.#untilServing(target);
  }

  /** Takes the workflow away: nobody enters it any more, what runs is finished, its units end. */
  async remove(): Promise<void> {
    await this.withdraw();
    const before = this.#current;
    this.#current = '';
    if (before !== '') await this.#retire(before);
    await Promise.all(this.#drains);
    await this.#ports.remove(this.#workflow);
  }

  /** Ends everything now: the run is over. */
  async stop(graceMs: number): Promise<void> {
    this.#abort.abort();
    await Promise.all([...this.fleets, ...this.#ending].map((fleet) => fleet.stop(graceMs)));
    await Promise.allSettled(this.#drains);
  }

  /**
   * The same revision again. Triggers are no part of it, and what listens on the bus follows from them: the entry is
   * written anew, and the route where it differs.
   */
  async #refresh(target: Target): Promise<Deployed> {
    const before = this.current;
    await this.#prepare(target);
    this.#live.set(target.hash, target);
    const changed = JSON.stringify(before?.revision) !== JSON.stringify(target.revision);
    if (changed || this.#unwritten) await this.#write();
    await this.#ports.writeEntry(target.entry);
    return { ok: true, started: [], kept: target.units.map((u) => u.scope.unit), drained: [] };
  }

  /** Streams and code are there before anything runs that needs them. */
  async #prepare(target: Target): Promise<void> {
    const kept = [...this.#live.values(), target].flatMap((t) =>
      t.units.flatMap((u) => u.scope.asyncFunctions),
    );
    await this.#ports.provide(this.#workflow, [...new Set(kept)].sort());
    for (const bytes of target.modules.values()) await this.#ports.putModule(this.#workflow.namespace, bytes);
  }

  /** Waits until every instance of the target serves it; gives the problem where one cannot. */
  async #untilServing(target: Target): Promise<string | undefined> {
    // What a unit that goes on has been through before is not this change's failure.
    const fleets = target.units.flatMap((u) => {
      const fleet = this.#fleets.get(u.scope.unit);
      return fleet ? [{ fleet, failuresBefore: fleet.failures }] : [];
    });
    let problem: string | undefined;
    const late = (): Fleet | undefined =>
      fleets.find(({ fleet }) => !this.#serves(fleet, target.hash))?.fleet;
    const decided = (): boolean => {
      problem ??= fleets
        .filter(({ fleet }) => !this.#serves(fleet, target.hash))
        .map(({ fleet, failuresBefore }) => this.#problemOf(fleet, failuresBefore))
        .find((p) => p !== undefined);
      return problem !== undefined || late() === undefined;
    };
    await this.#ports.reports.until(decided, READY_LIMIT_MS, this.#abort.signal);
    if (this.#abort.signal.aborted) return REFUSED.problem;
    const unit = late()?.scope.unit;
    if (problem !== undefined || unit === undefined) return problem;
    return `unit ${unit} did not serve within ${String(READY_LIMIT_MS / 1000)} s`;
  }

  #serves(fleet: Fleet, hash: string): boolean {
    const { instances } = fleet;
    if (instances.length < fleet.size) return false;
    const silent = !this.#live
      .get(hash)
      ?.revision.units.find((u) => u.name === fleet.scope.unit)
      ?.functions.some((f) => f.served);
    return instances.every((key) => {
      const said = this.#ports.reports.announcement(key);
      return said?.state === 'Serving' && (silent || said.revisions.includes(hash));
    });
  }

  #problemOf(fleet: Fleet, failuresBefore: number): string | undefined {
    const { unit } = fleet.scope;
    for (const key of fleet.instances) {
      const said = this.#ports.reports.announcement(key);
      if (said?.state === 'Failed') return `unit ${unit}: ${said.problem ?? 'failed to start'}`;
    }
    const ends = fleet.failures - failuresBefore;
    if (ends >= START_FAILURES) return `unit ${unit} ended ${String(ends)} times while starting`;
    return undefined;
  }

  /** As it was before, also where the target was draining: calls may still run under it. */
  async #takeBack(
    target: Target,
    before: string,
    fresh: readonly UnitTarget[],
    wasDraining: boolean,
  ): Promise<void> {
    this.#stand(undefined);
    this.#current = before;
    if (wasDraining) {
      await this.#startDraining(target.hash);
      return;
    }
    this.#live.delete(target.hash);
    try {
      await this.#write();
    } finally {
      await Promise.all(fresh.map((unit) => this.#end(unit.scope.unit, 2_000)));
    }
  }

  /** The candidate from now on; it has no share yet. */
  #stand(candidate: string | undefined): void {
    this.#candidate = candidate;
    this.#weight = 0;
  }

  async #switch(target: Target, before: string): Promise<void> {
    this.#stand(undefined);
    this.#current = target.hash;
    await this.#startDraining(before);
    await this.#ports.writeEntry(target.entry);
  }

  /** Nobody enters the revision any more; it goes when nothing runs under it. */
  async #startDraining(hash: string): Promise<void> {
    const drain = this.#retire(hash).catch((cause: unknown) => {
      this.#say('error', `revision ${hash} was not drained: ${String(cause)}`);
    });
    this.#drains.add(drain);
    void drain.then(() => this.#drains.delete(drain));
    await this.#writing;
  }

  /** Waits until no root runs under the revision, then ends the units that are in no live one. */
  async #retire(hash: string): Promise<void> {
    const since = this.#generation + 1;
    this.#draining.set(hash, since);
    await this.#write();
    const target = this.#live.get(hash);
    if (!target) return;
    const overtaken = (): boolean => this.#draining.get(hash) !== since; // current again, perhaps draining anew
    const ended = (): boolean => this.#ports.reports.rootsEnded(this.#expected(), hash, since);
    const limitMs = longestMs(target) + DRAIN_SLACK_MS;
    const done = await this.#ports.reports.until(() => overtaken() || ended(), limitMs, this.#abort.signal);
    if (this.#abort.signal.aborted || overtaken()) return;
    if (!done)
      this.#say(
        'warn',
        `revision ${hash}: calls still ran after the longest timeout; its units end all the same`,
      );
    this.#draining.delete(hash);
    this.#live.delete(hash);
    await this.#write();
    // Each is looked at again: while one ends, a next plan may have taken up another.
    for (const unit of this.#callersFirst(target)) if (!this.#isUsed(unit)) await this.#end(unit, limitMs);
  }

  #isUsed(unit: string): boolean {
    return [...this.#live.values()].some((t) => t.units.some((u) => u.scope.unit === unit));
  }

  #expected(): readonly InstanceKey[] {
    const gateways = this.#ports.entries().map((key) => ({ ...key, ...this.#workflow }));
    return [...gateways, ...this.fleets.flatMap((fleet) => fleet.instances)];
  }

  #callersFirst(target: Target): readonly string[] {
    const unitOf = new Map(
      target.units.flatMap((u) => u.scope.functions.map((fn) => [fn, u.scope.unit] as const)),
    );
    const order = callersFirst([...unitOf.keys()].sort(), target.revision.edges);
    return [...new Set(order.map((fn) => unitOf.get(fn) ?? ''))];
  }

  async #end(unit: string, graceMs: number): Promise<void> {
    const fleet = this.#fleets.get(unit);
    if (!fleet) return;
    this.#fleets.delete(unit);
    this.#ending.add(fleet);
    await fleet.stop(graceMs);
    this.#ending.delete(fleet);
    const declared = this.current?.units.map((u) => u.scope) ?? [];
    this.#ports.retire(fleet, grantsMore(fleet.scope, declared) ? 'More' : 'WhatIsDeclared');
  }

  /** Writes the route as it now is, one write after the other. */
  #write(): Promise<void> {
    this.#generation += 1;
    const route: RouteRecord = {
      ...this.#workflow,
      version: CONTRACT_VERSION,
      generation: this.#generation,
      current: this.#current,
      ...(this.#candidate === undefined ? {} : { candidate: this.#candidate, weightPercent: this.#weight }),
      draining: [...this.#draining.keys()].sort(),
      revisions: Object.fromEntries([...this.#live].map(([hash, target]) => [hash, target.revision])),
    };
    this.#unwritten = true;
    const writeIt = async (): Promise<void> => {
      await this.#ports.writeRoute(route);
      if (route.generation === this.#generation) this.#unwritten = false;
    };
    this.#writing = this.#writing.then(writeIt, writeIt);
    return this.#writing;
  }

  async #pause(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
  }

  #say(level: LogRecord['level'], message: string): void {
    this.#ports.onLog({ level, source: `${this.#workflow.namespace}/${this.#workflow.workflow}`, message });
  }
}

function outcome(target: Target, old: Target | undefined, fresh: readonly UnitTarget[]): Deployed {
  const names = target.units.map((u) => u.scope.unit);
  const started = fresh.map((u) => u.scope.unit);
  return {
    ok: true,
    started,
    kept: names.filter((n) => !started.includes(n)),
    drained: (old?.units ?? []).map((u) => u.scope.unit).filter((n) => !names.includes(n)),
  };
}

/** No call of this revision runs longer, in milliseconds. */
const longestMs = (target: Target): number =>
  Math.max(
    0,
    ...target.revision.units.flatMap((u) => u.functions.map((f) => f.timeoutSeconds)),
    ...target.revision.edges.map((e) => e.timeoutSeconds ?? 0),
  ) * 1000;
