/**
 * A cluster that a roll-out works on, for tests: a bus, units with pods, gateways, machines that can be cut off, and an
 * operator that can be killed between any two actions.
 *
 * Owns: what each part does by itself, one small event at a time, and the promises that must hold at each action. It knows
 * nothing of how `step` decides.
 */
import assert from 'node:assert/strict';
import { CONTRACT_VERSION, GATEWAY_CALLER } from '@sinter/contract';
import type { Announcement, EntryRecord, Observation, RouteEdge, RouteRecord } from '@sinter/contract';
import { NO_MARKS, heardKey, step, targetsOf, unitsIn } from './index.ts';
import type { Action, Marks, Outcome, RouteDraft, Target, UnitState, Wanted, World } from './index.ts';

export const W = { namespace: 'ns', workflow: 'wf' } as const;
export const TIMEOUT_SECONDS = 2;
const MACHINES = ['m0', 'm1', 'm2'] as const;

/** A target of units `a`, `b` …, each with one function `f-<unit>`; each calls the next one. */
export function targetOf(hash: string, units: readonly string[], instances = 1): Target {
  const fn = (unit: string) => ({
    name: `f-${unit}`,
    served: true,
    async: true,
    concurrency: 1,
    timeoutSeconds: TIMEOUT_SECONDS,
    memoryBytes: 1,
    artifacts: [],
  });
  const edges = units
    .slice(1)
    .map((to, i): RouteEdge => ({ from: `f-${units[i] ?? ''}`, to: `f-${to}`, call: 'Sync' }));
  return {
    hash,
    revision: { units: units.map((name) => ({ name, functions: [fn(name)] })), edges },
    entry: {
      ...W,
      version: CONTRACT_VERSION,
      expose: 'All',
      suspended: false,
      functions: units.map((u) => `f-${u}`),
      triggers: [],
    },
    units: units.map((name) => ({ name, instances })),
    modules: [`code-of-${hash}`],
  };
}

/** A root call that runs. */
interface Root {
  readonly hash: string;
  readonly startedMs: number;
  /** It began while its process was within reach: the promises are made to it. */
  readonly promised: boolean;
}

/** A process that goes by the route: an instance of a unit, or a gateway. */
interface Process {
  readonly unit: string;
  readonly instance: string;
  readonly machine: string;
  running: boolean;
  ending: boolean;
  view: RouteRecord | undefined;
  listening: readonly string[];
  roots: Root[];
  saidMs: number;
}

interface Unit {
  exists: boolean;
  desired: number;
}

export class Cluster {
  nowMs = 0;
  wanted: Wanted = { is: 'Keep', suspended: false, candidate: 'Stays' };
  route: RouteRecord | undefined;
  entry: EntryRecord | undefined;
  released = false;
  streams: readonly string[] = [];
  readonly units = new Map<string, Unit>();
  readonly revoked: string[] = [];
  /** Units whose process fails at its start. */
  readonly broken = new Set<string>();
  readonly cutOff = new Set<string>();
  processes: Process[] = [];
  /** Every action that was carried out, for those who count. */
  readonly done: Action[] = [];
  /** Units that were told to end and have not come back. */
  readonly #ended = new Set<string>();
  #generation = 0;
  #writtenMs = 0;
  #names = 0;
  #marks: Marks = NO_MARKS;
  #prepared = '';
  #announcements = new Map<string, Announcement>();
  #observations = new Map<string, Observation>();

  constructor(gateways = 1) {
    for (let i = 0; i < gateways; i++)
      this.processes.push(this.#newProcess(GATEWAY_CALLER, `m${String(i % 3)}`, true));
  }

  get world(): World {
    const { wanted, route, entry, nowMs } = this;
    return {
      workflow: W,
      nowMs,
      wanted,
      route,
      entry,
      units: this.#unitStates(),
      stale: this.#wantedUnits.filter((u) => this.#isStale(u)).map((u) => u.name),
      gateways: this.processes
        .filter((p) => p.unit === GATEWAY_CALLER && this.#isWithinReach(p))
        .map((p) => p.instance),
      announcements: this.#announcements,
      observations: this.#observations,
      marks: this.#marks,
      prepared: this.#prepared,
    };
  }

  /** One step of the operator; killed after `survives` actions, where that is fewer than there are. */
  reconcile(survives = Infinity): Outcome {
    const outcome = step(this.world);
    this.#assertBounded(outcome);
    for (const action of outcome.actions.slice(0, survives)) this.#carryOut(action);
    if (survives < outcome.actions.length) this.killOperator();
    else this.#marks = outcome.marks;
    return outcome;
  }

  killOperator(): void {
    this.#marks = NO_MARKS;
    this.#prepared = '';
    this.#announcements = new Map();
    this.#observations = new Map();
  }

  /** No message is under way for longer than a second, no call longer than its timeout, nobody silent for two seconds. */
  advance(ms: number): void {
    this.nowMs += ms;
    for (const p of this.processes) {
      p.roots = p.roots.filter((r) => this.nowMs - r.startedMs < TIMEOUT_SECONDS * 1000);
      if (this.nowMs - this.#writtenMs > 1_000) this.deliver(p);
      if (this.nowMs - p.saidMs > 2_000) this.report(p);
    }
  }

  /** The process hears the route as it now is. */
  deliver(p: Process): void {
    if (!p.running || !this.#isWithinReach(p)) return;
    if (this.route && this.route.generation <= (p.view?.generation ?? 0)) return;
    p.view = this.route;
    p.listening = revisionsOf(p);
  }

  /** The operator hears the process. */
  report(p: Process): void {
    if (!p.running || !this.#isWithinReach(p)) return;
    p.saidMs = this.nowMs;
    const who = { ...W, unit: p.unit, instance: p.instance, version: CONTRACT_VERSION };
    const at = { machine: p.machine, architecture: 'amd64' };
    const key = heardKey(p.unit, p.instance);
    if (p.unit !== GATEWAY_CALLER)
      this.#announcements.set(key, {
        ...who,
        ...at,
        state: p.ending ? 'Draining' : 'Serving',
        revisions: p.listening,
        routeGeneration: p.view?.generation ?? 0,
      });
    const roots: Record<string, number> = {};
    for (const { hash } of p.roots) roots[hash] = (roots[hash] ?? 0) + 1;
    const seen = { windowMs: 1, functions: [], edges: [], memoryBytes: 1 };
    this.#observations.set(key, {
      ...who,
      ...at,
      ...seen,
      roots,
      routeGeneration: p.view?.generation ?? 0,
    });
  }

  /** A pod's process starts, or fails to. */
  start(p: Process): void {
    if (p.running || p.ending || !this.#isWithinReach(p)) return;
    if (this.broken.has(p.unit)) {
      const who = { ...W, unit: p.unit, instance: p.instance, version: CONTRACT_VERSION };
      const failed = { state: 'Failed' as const, revisions: [], problem: 'the module does not load' };
      this.#announcements.set(heardKey(p.unit, p.instance), {
        ...who,
        machine: p.machine,
        architecture: 'amd64',
        ...failed,
      });
      return;
    }
    p.running = true;
    this.deliver(p);
  }

  /** Who may start a root starts one; `drawn` (0 to 99) is what its id gives. */
  call(p: Process, drawn = 99): void {
    if (!p.running || p.ending) return;
    const hash = startingRevision(p, drawn);
    if (hash === undefined || hash === '') return;
    const promised = this.#isWithinReach(p);
    for (const unit of this.everyTarget.get(hash)?.units ?? [])
      assert.ok(!promised || !this.#ended.has(unit.name), `${unit.name} was ended, and ${hash} is entered`);
    p.roots.push({ hash, startedMs: this.nowMs, promised });
  }

  endCall(p: Process): void {
    p.roots.shift();
  }

  /** A pod that was told to end is gone. */
  end(p: Process): void {
    if (!p.ending || !this.#isWithinReach(p) || p.roots.length > 0) return;
    this.processes = this.processes.filter((other) => other !== p);
  }

  cut(machine: string): void {
    this.cutOff.add(machine);
  }

  heal(machine: string): void {
    this.cutOff.delete(machine);
    for (const p of this.processes) {
      if (p.machine !== machine) continue;
      p.roots = p.roots.map((r) => ({ ...r, promised: false }));
      this.deliver(p);
    }
  }

  /** Everything does what it would do by itself, until nothing changes any more. */
  settle(): void {
    for (const machine of MACHINES) this.heal(machine);
    let quiet = 0;
    for (let round = 0; round < 200; round++) {
      const { actions, againAfterMs } = this.reconcile();
      quiet = actions.length === 0 && againAfterMs === undefined ? quiet + 1 : 0;
      if (this.released || quiet > 2) return;
      for (const p of [...this.processes]) {
        this.start(p);
        this.deliver(p);
        p.roots = [];
        this.report(p);
        this.end(p);
      }
      this.advance(100);
    }
    assert.fail(`it does not come to rest: ${JSON.stringify(this.reconcile())}`);
  }

  /** What must be the same whatever happened on the way. */
  get rest(): object {
    const { current = '', candidate, weightPercent, draining = [], revisions = {} } = this.route ?? {};
    return {
      route: { current, candidate, weightPercent, draining, revisions: Object.keys(revisions).sort() },
      entry: this.entry,
      units: [...this.units]
        .filter(([, u]) => u.exists)
        .map(([name, u]) => `${name} ${String(u.desired)}`)
        .sort(),
      pods: this.processes
        .filter((p) => p.unit !== GATEWAY_CALLER)
        .map((p) => p.unit)
        .sort(),
      streams: this.streams,
      released: this.released,
    };
  }

  #newProcess(unit: string, machine: string, running: boolean): Process {
    const instance = `i${String(this.#names++)}`;
    return {
      unit,
      instance,
      machine,
      running,
      ending: false,
      view: undefined,
      listening: [],
      roots: [],
      saidMs: 0,
    };
  }

  #isWithinReach(p: Process): boolean {
    return !this.cutOff.has(p.machine);
  }

  #isStale({ name, instances }: { readonly name: string; readonly instances: number }): boolean {
    const unit = this.units.get(name);
    return !unit?.exists || unit.desired !== instances;
  }

  #unitStates(): readonly UnitState[] {
    const named = new Set([
      ...[...this.units].filter(([, u]) => u.exists).map(([name]) => name),
      ...this.processes.map((p) => p.unit),
    ]);
    named.delete(GATEWAY_CALLER);
    return [...named].map((name) => ({
      name,
      exists: this.units.get(name)?.exists ?? false,
      desired: this.units.get(name)?.desired ?? 0,
      pods: this.processes
        .filter((p) => p.unit === name)
        .map((p) => ({
          instance: p.instance,
          machine: p.machine,
          reachable: this.#isWithinReach(p),
          running: p.running,
          ending: p.ending,
          ready: p.running && !p.ending,
        })),
    }));
  }

  #carryOut(action: Action): void {
    this.done.push(action);
    switch (action.do) {
      case 'Prepare':
        this.streams = action.functions;
        this.#prepared = action.key;
        return;
      case 'WriteEntry':
        this.entry = action.entry;
        return;
      case 'WriteRoute':
        this.#assertCurrent(action.route.current);
        this.#assertCandidate(action.route);
        this.#generation += 1;
        this.#writtenMs = this.nowMs;
        this.route = { ...W, version: CONTRACT_VERSION, generation: this.#generation, ...action.route };
        return;
      case 'ApplyUnit':
        this.#apply(action.unit);
        return;
      case 'EndUnit':
        this.#assertNobodyNeeds(action.unit);
        this.#assertCallersAreGone(action.unit);
        this.#ended.add(action.unit);
        this.#scale(action.unit, 0);
        return;
      case 'DeleteUnit':
        this.#assertNobodyNeeds(action.unit);
        this.units.delete(action.unit);
        this.processes = this.processes.filter((p) => p.unit !== action.unit || this.cutOff.has(p.machine));
        return;
      case 'RemoveFromBus':
        this.route = undefined;
        this.entry = undefined;
        this.streams = [];
        return;
      case 'Release':
        this.released = true;
    }
  }

  #apply(unit: string): void {
    const target = this.#wantedUnits.find((u) => u.name === unit);
    assert.ok(target, `unit ${unit} is applied, but is not in the target`);
    this.#ended.delete(unit);
    this.units.set(unit, { exists: true, desired: target.instances });
    this.#scale(unit, target.instances);
  }

  /** As a Deployment would. */
  #scale(unit: string, desired: number): void {
    const known = this.units.get(unit);
    if (known) known.desired = desired;
    const pods = this.processes.filter((p) => p.unit === unit && !p.ending);
    for (const p of pods.slice(desired)) p.ending = true;
    for (let i = pods.length; i < desired; i++)
      this.processes.push(this.#newProcess(unit, `m${String(this.#names % 3)}`, false));
  }

  get #wantedUnits(): Target['units'] {
    return unitsIn(targetsOf(this.wanted));
  }

  /** Promise 1: what entries are switched to serves, but for the first; … */
  #assertCurrent(current: string): void {
    const before = this.route?.current ?? '';
    if (current === before || current === '' || before === '') return;
    this.#assertServes(current);
  }

  /** … and so does what they begin to try. */
  #assertCandidate({ candidate, weightPercent = 0 }: RouteDraft): void {
    if (candidate === undefined || weightPercent === 0) return;
    if (this.wanted.is === 'Try')
      assert.ok(weightPercent <= this.wanted.weightPercent, 'it has more weight than is wanted');
    const before = this.route?.candidate === candidate ? this.route.weightPercent : undefined;
    if (before === undefined) this.#assertServes(candidate);
  }

  #assertServes(hash: string): void {
    const target = targetsOf(this.wanted).find((t) => t.hash === hash);
    assert.ok(target, `${hash} is entered, and not wanted`);
    for (const { name } of target.units) {
      const pods = this.processes.filter((p) => p.unit === name && !p.ending && this.#isWithinReach(p));
      assert.ok(pods.length > 0, `${hash} is entered, and ${name} has no instance`);
      for (const p of pods)
        assert.ok(p.listening.includes(hash), `${hash} is entered, and ${p.instance} does not serve it`);
    }
  }

  /** Promise 2: no unit ends that a live revision has, or that a running call may still need. */
  #assertNobodyNeeds(unit: string): void {
    const { current = '', candidate = '', draining = [], revisions = {} } = this.route ?? {};
    const has = (hash: string): boolean => revisions[hash]?.units.some((u) => u.name === unit) ?? false;
    for (const hash of [current, candidate, ...draining])
      assert.ok(!has(hash), `${unit} is ended, and the route still has ${hash}`);
    assert.ok(!this.#wantedUnits.some((u) => u.name === unit), `${unit} is ended, and wanted`);
    for (const p of this.processes.filter((one) => this.#isWithinReach(one)))
      for (const root of p.roots.filter((r) => r.promised))
        assert.ok(!this.#needs(root, unit), `${unit} is ended while a call under ${root.hash} runs`);
  }

  /** Promise 3: of units that end, callers end before whom they call. */
  #assertCallersAreGone(unit: string): void {
    const {
      current = '',
      candidate = '',
      draining = [],
      revisions = {},
    }: Partial<RouteRecord> = this.route ?? {};
    const live = [current, candidate, ...draining].flatMap((hash) => revisions[hash]?.units ?? []);
    const stays = new Set([...live, ...this.#wantedUnits].map((u) => u.name));
    for (const { edges } of Object.values(revisions))
      for (const { from } of edges.filter((e) => e.to === `f-${unit}`)) {
        const caller = from.slice('f-'.length);
        const here = this.processes.some((p) => p.unit === caller && this.#isWithinReach(p));
        assert.ok(stays.has(caller) || !here, `${unit} is ended before ${caller}, which calls it`);
      }
  }

  #needs({ hash }: Root, unit: string): boolean {
    return this.everyTarget.get(hash)?.units.some((u) => u.name === unit) ?? false;
  }

  /** Targets by hash, so that the needs of a call are known when its revision is gone. */
  readonly everyTarget = new Map<string, Target>();

  run(target: Target): void {
    this.everyTarget.set(target.hash, target);
    this.wanted = { is: 'Run', target };
  }

  /** Beside what runs; where that is a target that is known, as its base if asked for. */
  try(target: Target, weightPercent: number, withBase: boolean): void {
    this.everyTarget.set(target.hash, target);
    const base = withBase ? this.everyTarget.get(this.route?.current ?? '') : undefined;
    this.wanted = { is: 'Try', target, weightPercent, ...(base ? { base } : {}) };
  }

  /** Promise 4: one candidate at most, and what is entered does not drain. */
  #assertBounded({ actions, status }: Outcome): void {
    for (const action of actions)
      if (action.do === 'WriteRoute') assert.notEqual(action.route.candidate ?? '-', action.route.current);
    assert.ok(!status.draining.includes(status.current));
  }
}

function revisionsOf(p: Process): readonly string[] {
  const { view } = p;
  if (!view) return [];
  return [...new Set([view.current, view.candidate ?? '', ...view.draining])].filter((hash) =>
    view.revisions[hash]?.units.some((u) => u.name === p.unit),
  );
}

/** A gateway draws; a host pulls work under a revision of its unit that is entered, the current one before the candidate. */
function startingRevision(p: Process, drawn: number): string | undefined {
  if (!p.view) return undefined;
  const { current, candidate, weightPercent = 0 } = p.view;
  if (p.unit === GATEWAY_CALLER)
    return candidate !== undefined && drawn < weightPercent ? candidate : current;
  const own = revisionsOf(p);
  if (own.includes(current)) return current;
  return candidate !== undefined && weightPercent > 0 && own.includes(candidate) ? candidate : undefined;
}
