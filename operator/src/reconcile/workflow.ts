/**
 * The controller of Workflows: from what is declared to what runs.
 *
 *   gather ─▶ judge and plan ─▶ what is to run ─▶ WorkflowPlan ─▶ one step of the roll-out ─▶ carry out ─▶ status
 *
 * Owns: the order of these, the finalizer, and what is remembered of a workflow between two looks. It decides nothing by itself:
 * `proposals.ts` plans, `rollout/` says what is to run and what to do, `units.ts` and the bus do it, `workflowStatus.ts` finds the
 * words.
 * Invariants:
 *  1. What is wrong with the objects never disturbs what runs.
 *  2. At a fixed point a reconcile writes nothing, also the first after a restart.
 *  3. It may end between any two writes; the next reconcile goes on from what it finds.
 */
import type { InstanceKey, WorkflowKey } from '@sinter/contract';
import type { BusState, ClusterBus } from '../bus/cluster.ts';
import { BusAway } from '../bus/cluster.ts';
import { grantsMore } from '../bus/grants.ts';
import { applyStatus } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';
import { again, settled } from '../kube/controller.ts';
import type { Result } from '../kube/controller.ts';
import { ApiError, isAlreadyExists, isNotFound } from '../kube/errors.ts';
import type { Recorder } from '../kube/events.ts';
import { controlledBy, keyOf } from '../kube/objects.ts';
import type { Finding } from '../model/finding.ts';
import { error, isError, notice } from '../model/finding.ts';
import { configMapsOf } from '../model/configMaps.ts';
import { placeIn } from '../model/directory.ts';
import type { WorkflowObject } from '../model/nouns.ts';
import type { WorkflowObservations } from '../observations/index.ts';
import { planName, planShape } from '../resources/index.ts';
import { channelsSummary, runtimesSummary, unitsSummary } from '../resources/summaries.ts';
import { NO_OBSERVATIONS } from '../snapshot/index.ts';
import type { PlanShape } from '../snapshot/index.ts';
import { NO_EVIDENCE, NO_MARKS, NO_MEMORY, conduct, step, trialsOf } from '../rollout/index.ts';
import type {
  Action,
  Conducted,
  Marks,
  Memory as TrialMemory,
  Outcome,
  Problem,
  RolloutStatus,
  Wanted,
} from '../rollout/index.ts';
import { workflowEvents } from './workflowEvents.ts';
import type { Attention } from './attention.ts';
import { fieldsOf, storedConditions } from './conditions.ts';
import type { Contents } from './contents.ts';
import { reading } from './declared.ts';
import type { FaultPoint } from './faults.ts';
import { KEYS_HOLD_MS } from './keys.ts';
import type { KeyReader, TriggerKeys } from './keys.ts';
import { FINALIZER, MANAGER, SINTER } from './kinds.ts';
import type { StoredObject } from './kinds.ts';
import { observe } from './observe.ts';
import type { Observed } from './observe.ts';
import { workflowKey } from './proposals.ts';
import type { Circumstances, Planned, Proposals } from './proposals.ts';
import type { Leftovers } from './leftovers.ts';
import type { RolloutBook } from './rolloutBook.ts';
import type { OnBus, RouteCache } from './routeCache.ts';
import type { Running } from './running.ts';
import type { Stores } from './stores.ts';
import { codeOf, scopeIn } from './target.ts';
import type { Followed } from './target.ts';
import { comparisonsOf } from './comparison.ts';
import { orderedBy, pricingFor, sightOf, termsOf } from './trials.ts';
import type { Ordered } from './trials.ts';
import { trialNews } from './trialNews.ts';
import { NameTaken } from './units.ts';
import type { Renewals, Units, UnitSite } from './units.ts';
import { workflowStatus } from './workflowStatus.ts';
import type { Summary } from './workflowStatus.ts';

export interface WorkflowOptions {
  readonly client: KubeClient;
  readonly stores: Stores;
  readonly contents: Contents;
  readonly proposals: Proposals;
  readonly units: Units;
  readonly routes: RouteCache;
  readonly leftovers: Pick<Leftovers, 'isLeftover' | 'needs'>;
  readonly rollouts: RolloutBook;
  /** What was seen of calls. */
  readonly sight: {
    of(workflow: WorkflowKey): Pick<WorkflowObservations, 'figures' | 'evidence' | 'calls' | 'kills'>;
  };
  readonly bus: Pick<ClusterBus, 'store' | 'state' | 'reports'>;
  readonly keys: KeyReader;
  readonly running: Running;
  readonly attention: Attention;
  readonly events: Recorder;
  readonly gatewayUrl: string;
  readonly fault: FaultPoint;
  /** Milliseconds of a clock that never goes back. */
  readonly clock: () => number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** RFC 3339, in whole seconds. */
  readonly date: () => string;
  readonly onChange?: (workflow: string, kind: Outcome['changes'][number]['kind']) => void;
}

/** What is remembered of a workflow; all of it may be lost. */
interface Memory {
  marks: Marks;
  prepared: string;
  provided: boolean;
  /** What the last step came to. */
  status: RolloutStatus | undefined;
  /** What was told last of a trial. */
  compared: Compared | undefined;
  /** What was planned last, and since when it has been that. */
  settling: { readonly hash: string; readonly sinceMs: number } | undefined;
}

interface Compared {
  readonly state: string;
  readonly atMs: number;
  readonly comparisons: ReturnType<typeof comparisonsOf>;
}

/** All that one reconcile knows. */
interface Sight {
  readonly key: string;
  readonly w: WorkflowKey;
  readonly stored: StoredObject;
  readonly deleting: boolean;
  /** Undefined: the bus cannot be asked. */
  readonly onBus: OnBus | undefined;
  readonly bus: BusState;
  readonly planned: Planned;
  /** What the roll-outs come to with this look; undefined: nothing of what is declared can be followed. */
  readonly conducted: Conducted | undefined;
  /** What they had come to before. */
  readonly memory: TrialMemory;
  readonly keys: TriggerKeys;
  readonly findings: readonly Finding[];
  readonly wanted: Wanted;
  /** What of it is to run. */
  readonly target: Ordered | undefined;
  readonly observed: Observed;
}

/** What actions are carried out on. */
interface Work {
  readonly sight: Sight;
  readonly onBus: OnBus;
  /** Undefined: nothing can be made. */
  readonly site: UnitSite | undefined;
  readonly memory: Memory;
  readonly signal: AbortSignal;
}

interface Failure {
  readonly cause: unknown;
  /** Undefined: it passes by itself. */
  readonly problem: Problem | undefined;
}

const NOTHING_DUE: Renewals = { againInMs: Infinity, failed: [] };
const NOTHING_ON_BUS: Pick<Sight, 'onBus' | 'memory'> = { onBus: undefined, memory: NO_MEMORY };
const NO_KEYS: TriggerKeys = { digests: {}, findings: [], unreadable: [], any: false };
const NO_PLAN: Planned = {
  workflow: undefined,
  findings: [],
  proposal: undefined,
  configMaps: () => undefined,
};
/** After something was done: what it led to is looked at, even where nobody tells of it. */
const AFTER_ACTION_MS = 250;
const AWAY_AGAIN_MS = 5_000;
/** So long after its start an operator takes the bus's silence for its own lateness. */
const PATIENCE_MS = 20_000;
/** So long something new has to be declared before it is begun. */
const SETTLE_MS = 500;
/** A trial is looked at so often while calls enter the candidate, and else. */
const TRIAL_MS = { entered: 1_000, waits: 5_000 };
const COMPARISON_MS = 30_000;

export class WorkflowReconciler {
  readonly #options: WorkflowOptions;
  readonly #memories = new Map<string, Memory>();
  /** Namespaces whose bucket of code is being deleted. */
  readonly #discarding = new Map<string, Promise<void>>();
  /** Until when nobody is told that the bus is away: we have only just begun to ask it. */
  #patientUntilMs: number;

  constructor(options: WorkflowOptions) {
    this.#options = options;
    this.#patientUntilMs = options.clock() + PATIENCE_MS;
  }

  async reconcile(key: string, signal: AbortSignal): Promise<Result> {
    const stored = this.#options.stores.workflows.get(key);
    const deleting = stored?.metadata.deletionTimestamp !== undefined;
    if (!stored || (deleting && !hasFinalizer(stored))) {
      this.#forget(key);
      if (!stored && this.#options.leftovers.isLeftover(key)) await this.#discard(workflowKey(key));
      return settled;
    }
    if (this.#isPatient()) return again(AFTER_ACTION_MS);
    if (!deleting && !hasFinalizer(stored)) await this.#hold(stored, signal);
    const sight = await this.#look(key, stored, deleting, signal);
    const waitMs = this.#stillChanging(sight);
    if (waitMs > 0) return again(waitMs);
    const refused = await failureOf(() => this.#keepPlans(sight, signal));
    if (!sight.onBus) {
      await this.#report(sight, undefined, undefined, signal);
      if (refused) throw refused.cause;
      // The bus tells when it is back; not, when it was there and merely did not answer this time.
      return sight.deleting || sight.bus.ready ? again(AWAY_AGAIN_MS) : settled;
    }
    return await this.#advance(sight, sight.onBus, refused, signal);
  }

  #isPatient(): boolean {
    const { bus, clock } = this.#options;
    if (bus.state().ready) this.#patientUntilMs = 0;
    return clock() < this.#patientUntilMs;
  }

  /** What was provided, and what stands there, need not be so any more. */
  forgetBus(): void {
    this.#options.routes.clear();
    this.#options.rollouts.clear();
    for (const memory of this.#memories.values()) {
      memory.prepared = '';
      memory.provided = false;
    }
  }

  /** Code of this namespace was removed from the bus: what was prepared need not be there any more. */
  forgetCode(namespace: string): void {
    for (const [key, memory] of this.#memories)
      if (workflowKey(key).namespace === namespace) memory.prepared = '';
  }

  async #look(key: string, stored: StoredObject, deleting: boolean, signal: AbortSignal): Promise<Sight> {
    const { bus, proposals, keys, stores } = this.#options;
    const w = workflowKey(key);
    const state = bus.state();
    const { onBus, memory } = state.ready ? await this.#onBus(w) : NOTHING_ON_BUS;
    const planned = deleting
      ? NO_PLAN
      : await proposals.of(stored, this.#circumstances(stored, w, onBus, memory), signal);
    const found = planned.workflow ? await keys.keysOf(planned.workflow, signal) : NO_KEYS;
    const judged = [...planned.findings, ...found.findings];
    const pin = planned.workflow && this.#pin(planned, onBus?.route.record?.current ?? '', judged);
    const findings = pin ? [...judged, pin] : judged;
    const { workflow, proposal } = planned;
    const conducted =
      workflow && proposal && onBus && !pin && !findings.some(isError)
        ? this.#conduct(key, { workflow, proposal, planned, onBus, memory, w })
        : undefined;
    const target = workflow && conducted && orderedBy(conducted.order, workflow, planned, found.digests);
    const candidate = staysFor(memory, pin, conducted);
    const wanted = deleting
      ? ({ is: 'Remove' } as const)
      : (target?.wanted ?? { is: 'Keep' as const, suspended: isSuspended(stored), candidate });
    const observed = observe(w, stores, bus.reports);
    return {
      key,
      w,
      stored,
      deleting,
      onBus,
      bus: state,
      planned,
      conducted,
      memory,
      keys: found,
      findings,
      wanted,
      target,
      observed,
    };
  }

  #circumstances(
    stored: StoredObject,
    w: WorkflowKey,
    onBus: OnBus | undefined,
    memory: TrialMemory,
  ): Circumstances {
    const { sight, now } = this.#options;
    const seen = sight.of(w);
    const current = this.#currentPlan(w, onBus);
    const chosen = planRefOf(stored);
    return {
      current,
      trials: trialsOf(memory),
      observations: () => (current ? seen.figures(current.hash, now()) : NO_OBSERVATIONS),
      calls: seen.calls,
      kills: seen.kills,
      chosen: chosen === '' ? undefined : this.#shapeOf(w, chosen),
    };
  }

  /** What runs, as much of it as a plan may depend on. */
  #currentPlan(w: WorkflowKey, onBus: OnBus | undefined): Circumstances['current'] {
    const { current = '', revisions = {} } = onBus?.route.record ?? {};
    const revision = revisions[current];
    if (!revision) return null;
    const units = revision.units.map((u) => ({ functions: u.functions.map((f) => f.name) }));
    return this.#shapeOf(w, current) ?? { hash: current, units };
  }

  /** Of a plan that is there as an object. */
  #shapeOf({ namespace, workflow }: WorkflowKey, hash: string): PlanShape | undefined {
    const stored = this.#options.stores.plans.get(keyOf({ namespace, name: planName(workflow, hash) }));
    const read = stored && reading('WorkflowPlan', stored);
    return read?.ok ? planShape(read.declared.object) : undefined;
  }

  #conduct(
    key: string,
    of: {
      readonly workflow: WorkflowObject;
      readonly proposal: Followed;
      readonly planned: Planned;
      readonly onBus: OnBus;
      readonly memory: TrialMemory;
      readonly w: WorkflowKey;
    },
  ): Conducted {
    const { sight, now } = this.#options;
    const pricing = pricingFor(of.planned);
    const evidence = pricing ? sight.of(of.w).evidence(pricing, now()) : NO_EVIDENCE;
    const current = of.onBus.route.record?.current ?? '';
    const before = this.#memory(key).status;
    return conduct(of.memory, sightOf({ ...of, current, evidence, before, nowMs: now() }));
  }

  /** Objects that are applied together come one by one: what would replace a plan that runs is waited for a moment. */
  #stillChanging({ key, planned, onBus }: Sight): number {
    const memory = this.#memory(key);
    const hash = planned.proposal?.named.hash;
    const { current = '', candidate } = onBus?.route.record ?? {};
    if (hash === undefined || current === '' || hash === current || hash === candidate) return 0;
    const nowMs = this.#options.clock();
    if (memory.settling?.hash !== hash) memory.settling = { hash, sinceMs: nowMs };
    return memory.settling.sinceMs + SETTLE_MS - nowMs;
  }

  async #onBus(w: WorkflowKey): Promise<Pick<Sight, 'onBus' | 'memory'>> {
    const { routes, rollouts } = this.#options;
    try {
      const [onBus, memory] = await Promise.all([routes.read(w), rollouts.read(w)]);
      return { onBus, memory };
    } catch (cause) {
      if (cause instanceof BusAway) return NOTHING_ON_BUS;
      throw cause;
    }
  }

  /** `planRef` names another plan than the one that the objects give: what runs stays, and why is said (D12). */
  #pin(
    { workflow, proposal, chosen }: Planned,
    running: string,
    findings: readonly Finding[],
  ): Finding | undefined {
    const hash = workflow?.spec.planRef.hash ?? '';
    if (!workflow || !proposal || chosen || hash === '' || findings.some(isError)) return undefined;
    const given = proposal.named.hash;
    if (hash === given) return undefined;
    const place = placeIn(workflow, 'spec.planRef.hash', hash);
    const remedy = `to go on to the plan that these objects give, write ${given} there or leave it empty`;
    if (hash === running) return notice('PlanPinned', place, `is the plan that runs, and stays; ${remedy}`);
    const says = `is a plan of objects as they were: bring those back, as they were when it was made, to run it; ${remedy}`;
    return error('PlanOutdated', place, says);
  }

  async #keepPlans(sight: Sight, signal: AbortSignal): Promise<void> {
    for (const plan of plansToKeep(sight)) await this.#keepPlan(plan, sight, signal);
  }

  /** The plan as an object; one that is there already keeps its decisions. */
  async #keepPlan(proposal: Followed, { key, stored, w }: Sight, signal: AbortSignal): Promise<void> {
    const { client, stores, running, events, fault } = this.#options;
    const { object, hash } = proposal.named;
    if (stores.plans.get(keyOf({ namespace: w.namespace, name: object.metadata.name }))) return;
    await fault('WorkflowPlan');
    running.offers(key, hash);
    const metadata = { ...object.metadata, ownerReferences: [controlledBy(stored)] };
    try {
      await client.create(SINTER.plans, { ...object, metadata }, { fieldManager: MANAGER.workflow, signal });
    } catch (cause) {
      if (isAlreadyExists(cause)) return;
      throw cause;
    }
    const note = `plan ${hash}: units ${unitsSummary(proposal.plan)}; ${runtimesSummary(proposal.plan, proposal.snapshot)}`;
    events.record({ regarding: stored, type: 'Normal', reason: 'Planned', action: 'Plan', note });
  }

  /** `refused`: what went wrong already. Then nothing new is begun, what ran goes on, and it is told. */
  async #advance(
    sight: Sight,
    onBus: OnBus,
    refused: Failure | undefined,
    signal: AbortSignal,
  ): Promise<Result> {
    const memory = this.#memory(sight.key);
    const site = this.#site(sight);
    const renewals = await this.#renew(sight, onBus, signal);
    const blocked =
      refused ??
      (await failureOf(() => this.#remember(sight))) ??
      (await failureOf(() => this.#guard(sight, signal)));
    const stale =
      !blocked && site && sight.target ? this.#options.units.stale(sight.target.units.values(), site) : [];
    const outcome = step({
      workflow: sight.w,
      nowMs: this.#options.clock(),
      wanted: blocked && sight.target ? keptAs(sight) : sight.wanted,
      route: onBus.route.record,
      entry: onBus.entry.record,
      stale,
      marks: memory.marks,
      prepared: memory.prepared,
      ...sight.observed,
    });
    const work = { sight, onBus, site, memory, signal };
    const failed = await failureOf(() => this.#carryOut(outcome.actions, work));
    const failure = blocked ?? failed;
    if (!failed) {
      memory.marks = outcome.marks;
      memory.status = outcome.status;
      this.#tell(outcome, sight);
    }
    if (outcome.actions.some((a) => a.do === 'Release') && !failed) {
      this.#forget(sight.key);
      return settled;
    }
    await this.#report(sight, outcome.status, failure?.problem, signal, renewals);
    this.#note(sight, outcome.status, onBus);
    if (failure) throw failure.cause;
    const trialMs = lookAgainMs(sight.conducted?.memory);
    const result = resultOf(outcome, sight.keys.any, Math.min(renewals.againInMs, trialMs));
    // Tried again with whatever is due next; where nothing is, by itself.
    if (renewals.failed[0] && result === settled) throw renewals.failed[0].cause;
    return result;
  }

  /** What the roll-outs have come to is kept before anybody acts on it; then it is told. */
  async #remember({ conducted, planned, stored, w }: Sight): Promise<void> {
    if (!conducted) return;
    const { rollouts, events, fault } = this.#options;
    if (conducted.started !== undefined || conducted.ended) await fault('Rollout');
    await rollouts.keep(w, conducted.memory);
    for (const event of trialNews(stored, conducted, planned.better)) events.record(event);
  }

  /** Before anything of it runs: no connections to its pods. */
  async #guard({ target, stored }: Sight, signal: AbortSignal): Promise<void> {
    if (target) await this.#options.units.guard(ownerOf(stored), signal);
  }

  /** What waits for no roll-out, and holds none up: credentials that are due. */
  async #renew(
    { deleting, stored, w, target, observed }: Sight,
    onBus: OnBus,
    signal: AbortSignal,
  ): Promise<Renewals> {
    if (deleting) return NOTHING_DUE;
    const revisions = Object.values(onBus.route.record?.revisions ?? {});
    const scopes = observed.units.flatMap(
      ({ name }) => target?.units.get(name)?.scope ?? scopeIn(revisions, w, name) ?? [],
    );
    return await this.#options.units.renewAll(scopes, ownerOf(stored), signal);
  }

  #site({ planned: { proposal, configMaps }, stored }: Sight): UnitSite | undefined {
    return proposal && { owner: ownerOf(stored), snapshot: proposal.snapshot, configMaps };
  }

  async #carryOut(actions: readonly Action[], work: Work): Promise<void> {
    for (const group of inGroups(actions)) {
      work.signal.throwIfAborted();
      await allOf(group.map((action) => () => this.#do(action, work)));
    }
  }

  async #do(action: Action, { sight, onBus, site, memory, signal }: Work): Promise<void> {
    const { routes, units, fault } = this.#options;
    const { w, target } = sight;
    switch (action.do) {
      case 'Prepare':
        await this.#prepare(action.functions, sight, memory, signal);
        memory.prepared = action.key;
        return;
      case 'WriteEntry':
        await fault('Entry');
        await routes.writeEntry(w, action.entry);
        return;
      case 'WriteRoute':
        await fault('Route');
        await routes.writeRoute(w, action.route, highestHeard(sight.observed));
        return;
      case 'ApplyUnit': {
        const unit = target?.units.get(action.unit);
        if (unit && site) await units.apply(unit, site, signal);
        return;
      }
      case 'EndUnit':
        await units.end(w, action.unit, signal);
        return;
      case 'DeleteUnit':
        await units.remove(w, action.unit, grantsTooMuch(sight, onBus, action.unit), signal);
        return;
      case 'RemoveFromBus':
        await this.#removeFromBus(sight);
        return;
      case 'Release':
        await fault('Release');
        await this.#release(sight.stored, signal);
    }
  }

  /** Streams and code, before anything runs that needs them. */
  async #prepare(
    functions: readonly string[],
    { w, planned }: Sight,
    memory: Memory,
    signal: AbortSignal,
  ): Promise<void> {
    const { bus, contents, leftovers, fault } = this.#options;
    await fault('Streams');
    await this.#discarding.get(w.namespace);
    if (!memory.provided) await bus.store.provideNamespace(w.namespace);
    memory.provided = true;
    await bus.store.provideAsync(
      w,
      functions.map((fn) => ({ fn })),
    );
    const specs = (planned.proposal?.snapshot.functions ?? []).map(({ spec }) => spec);
    const names = [...new Set(specs.flatMap((spec) => configMapsOf({ spec })))];
    const maps = await Promise.all(
      names.map((name) => contents.get({ namespace: w.namespace, name }, signal)),
    );
    const byName = new Map(maps.flatMap((map) => (map ? [[map.metadata.name, map] as const] : [])));
    const code = codeOf(specs, (name) => byName.get(name));
    leftovers.needs(w.namespace, code.keys());
    for (const bytes of code.values()) {
      await fault('Module');
      await bus.store.putModule(w.namespace, bytes);
    }
  }

  async #removeFromBus({ w, stored }: Sight): Promise<void> {
    const { events, fault } = this.#options;
    await fault('RemoveFromBus');
    const lost = await this.#discard(w);
    if (lost > 0) {
      const note = `${String(lost)} async calls that had not run, or had failed for good, went with the workflow`;
      events.record({ regarding: stored, type: 'Warning', reason: 'WorkDiscarded', action: 'Delete', note });
    }
  }

  /** All that the bus has of a workflow. Gives how many messages went with its streams. */
  async #discard(w: WorkflowKey): Promise<number> {
    const { bus, routes, rollouts } = this.#options;
    const changes = await bus.store.discardAsync(w);
    await rollouts.remove(w);
    await routes.remove(w);
    await this.discardNamespace(w.namespace);
    return changes.reduce((n, c) => n + (c.messages ?? 0), 0);
  }

  /** The bucket of code goes with the last workflow of its namespace. Whoever comes meanwhile waits, and makes it anew. */
  async discardNamespace(namespace: string): Promise<void> {
    const { stores, bus } = this.#options;
    if (stores.workflows.list(namespace).some((o) => o.metadata.deletionTimestamp === undefined)) return;
    const done = bus.store.discardNamespace(namespace).then(() => undefined);
    this.#discarding.set(
      namespace,
      done.catch(() => undefined),
    );
    try {
      await done;
    } finally {
      this.#discarding.delete(namespace);
    }
  }

  async #hold(stored: StoredObject, signal: AbortSignal): Promise<void> {
    await this.#options.fault('Finalizer');
    await this.#setFinalizers(stored, [...(stored.metadata.finalizers ?? []), FINALIZER], signal);
  }

  async #release(stored: StoredObject, signal: AbortSignal): Promise<void> {
    const left = (stored.metadata.finalizers ?? []).filter((f) => f !== FINALIZER);
    await this.#setFinalizers(stored, left, signal);
  }

  /** Only over the version that was seen: the list is everybody's. */
  async #setFinalizers(
    stored: StoredObject,
    finalizers: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const { resourceVersion, uid } = stored.metadata;
    const patch = { metadata: { resourceVersion, uid, finalizers } };
    try {
      const options = { fieldManager: MANAGER.workflow, signal };
      await this.#options.client.merge(SINTER.workflows, stored.metadata, patch, options);
    } catch (cause) {
      if (!isNotFound(cause)) throw cause;
    }
  }

  async #report(
    sight: Sight,
    rollout: RolloutStatus | undefined,
    failure: Problem | undefined,
    signal: AbortSignal,
    { failed }: Renewals = NOTHING_DUE,
  ): Promise<void> {
    const { client, date, events, gatewayUrl } = this.#options;
    const { stored, planned, keys } = sight;
    // The store may be behind our own last write: of the finalizer, not of the status.
    const before = storedConditions(stored.status);
    const status = workflowStatus({
      workflow: planned.workflow,
      generation: stored.metadata.generation ?? 0,
      deleting: sight.deleting,
      findings: sight.findings,
      planned: (planned.chosen ?? planned.proposal)?.named.hash,
      bus: sight.bus,
      rollout,
      trial: sight.conducted?.memory.trial,
      withdrawnCode:
        sight.conducted?.order.run === 'Current' ? sight.conducted.memory.withdrawnCode : undefined,
      failure,
      notRenewed: failed.flatMap(({ unit, cause }) => renewalProblem(unit, cause) ?? []),
      unreadableKeys: keys.unreadable,
      summary: summaryOf(planned, rollout),
      gatewayUrl,
      before,
      statusBefore: fieldsOf(stored.status),
      now: date(),
    });
    const current = stored;
    try {
      await applyStatus({
        client,
        kind: SINTER.workflows,
        current,
        status,
        manager: MANAGER.workflow,
        signal,
      });
    } catch (cause) {
      if (isNotFound(cause)) return;
      throw cause;
    }
    for (const event of workflowEvents(stored, before, storedConditions(status))) events.record(event);
  }

  #tell({ changes }: Outcome, { key, stored }: Sight): void {
    const { events, onChange } = this.#options;
    for (const { kind, hash } of changes) {
      onChange?.(key, kind);
      const type = kind === 'DrainedLate' ? 'Warning' : 'Normal';
      events.record({ regarding: stored, type, reason: kind, action: 'RollOut', note: CHANGES[kind](hash) });
    }
  }

  #note(sight: Sight, status: RolloutStatus, onBus: OnBus): void {
    const { key, observed, planned, w } = sight;
    const { running, attention, routes } = this.#options;
    attention.set(key, !status.settled || status.down.length > 0);
    const route = (routes.known(w) ?? onBus).route.record;
    running.set(key, {
      current: status.current,
      candidate: status.candidate,
      draining: status.draining,
      planned: planned.proposal?.named.hash,
      offered: planned.better?.named.hash,
      comparisons: this.#comparisons(sight),
      units: (route?.revisions[status.current]?.units ?? []).map(({ name, functions }) => {
        const pods = observed.units.find((u) => u.name === name)?.pods.filter((p) => !p.ending) ?? [];
        return {
          name,
          functions: functions.map((f) => f.name),
          instances: pods.length,
          ready: pods.filter((p) => p.ready).length,
        };
      }),
    });
  }

  /** While a plan is tried its figures change with every call: they are told anew now and then. */
  #comparisons({ key, planned, conducted, memory }: Sight): ReturnType<typeof comparisonsOf> {
    const now = conducted?.memory ?? memory;
    const { trial, last } = now;
    const state = JSON.stringify([
      trial?.plan.hash,
      trial?.phase,
      trial?.weightPercent,
      last?.hash,
      last?.end,
    ]);
    const own = this.#memory(key);
    const nowMs = this.#options.clock();
    const known = own.compared;
    if (known?.state === state && (!trial || nowMs - known.atMs < COMPARISON_MS)) return known.comparisons;
    const terms = planned.proposal && termsOf(planned.proposal.snapshot.policy.spec);
    const comparisons = comparisonsOf(now, terms);
    own.compared = { state, atMs: nowMs, comparisons };
    return comparisons;
  }

  #memory(key: string): Memory {
    const known = this.#memories.get(key);
    if (known) return known;
    const fresh: Memory = {
      marks: NO_MARKS,
      prepared: '',
      provided: false,
      status: undefined,
      compared: undefined,
      settling: undefined,
    };
    this.#memories.set(key, fresh);
    return fresh;
  }

  #forget(key: string): void {
    const { proposals, running, attention, routes, rollouts, units, bus } = this.#options;
    this.#memories.delete(key);
    proposals.forget(key);
    running.forget(key);
    attention.set(key, false);
    const w = workflowKey(key);
    routes.forget(w);
    units.forget(w);
    rollouts.forget(w);
    const isOfIt = (i: InstanceKey): boolean => i.namespace === w.namespace && i.workflow === w.workflow;
    bus.reports.forget((i) => !isOfIt(i));
  }
}

/** Units are made, ended and removed beside each other; everything else in turn. */
function inGroups(actions: readonly Action[]): readonly (readonly Action[])[] {
  const groups: Action[][] = [];
  for (const action of actions) {
    const last = groups[groups.length - 1];
    if (last?.[0]?.do === action.do && 'unit' in action) last.push(action);
    else groups.push([action]);
  }
  return groups;
}

/** So many requests of one workflow may be under way. */
const AT_ONCE = 8;

/** Does them all, and then throws the first failure: what one unit is refused must not keep the others. */
async function allOf(tasks: readonly (() => Promise<void>)[]): Promise<void> {
  const waiting = [...tasks];
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (let task = waiting.shift(); task; task = waiting.shift())
      await task().catch((cause: unknown) => failures.push(cause));
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, tasks.length) }, work));
  if (failures.length > 0) throw failures[0];
}

const CHANGES: Readonly<Record<Outcome['changes'][number]['kind'], (hash: string) => string>> = {
  Started: (hash) => `plan ${hash} starts`,
  Entered: (hash) => `every unit of plan ${hash} serves: some calls enter it from now on`,
  Switched: (hash) => `every unit of plan ${hash} serves: calls enter it from now on`,
  Withdrawn: (hash) => `plan ${hash} is withdrawn: no call enters it from now on`,
  Drained: (hash) => `no call runs under plan ${hash} any more: its units end`,
  DrainedLate: (hash) =>
    `calls still ran under plan ${hash} after the longest timeout: its units end all the same`,
};

const hasFinalizer = ({ metadata }: StoredObject): boolean =>
  metadata.finalizers?.includes(FINALIZER) ?? false;

const ownerOf = ({ metadata: { namespace = '', name, uid = '' } }: StoredObject) => ({
  namespace,
  name,
  uid,
});

/** Also of an object that is refused otherwise: who asks for a stop gets it. */
const isSuspended = ({ spec }: StoredObject): boolean => fieldsOf(spec)['suspend'] === true;

const planRefOf = ({ spec }: StoredObject): string => {
  const { hash } = fieldsOf(fieldsOf(spec)['planRef']);
  return typeof hash === 'string' ? hash : '';
};

/** Plans that become objects: what is declared, what is tried, and what waits for somebody to choose it. */
function plansToKeep({ planned, conducted }: Sight): readonly Followed[] {
  const { proposal, tried, better } = planned;
  if (!proposal) return [];
  const { mode, rollout } = proposal.snapshot.policy.spec;
  const isOffered = mode === 'Optimize' && rollout.mode === 'Manual';
  const isTried = conducted?.order.run === 'Beside' && conducted.order.what === 'Tried';
  return [proposal, isTried ? (tried ?? better) : undefined, isOffered ? better : undefined].filter(
    (plan) => plan !== undefined,
  );
}

function lookAgainMs(memory: TrialMemory | undefined): number {
  if (!memory?.trial) return Infinity;
  return memory.trial.weightPercent > 0 ? TRIAL_MS.entered : TRIAL_MS.waits;
}

/** Nothing of what is declared is begun: does a candidate stay as far as it has come? Not one that calls enter. */
function staysFor(
  { trial }: TrialMemory,
  pin: Finding | undefined,
  conducted: Conducted | undefined,
): 'Stays' | 'Goes' {
  const isPinned = pin !== undefined && !isError(pin);
  const isEntered = trial !== undefined && trial.phase !== 'Starting';
  return isPinned || isEntered || conducted?.order.run === 'Current' ? 'Goes' : 'Stays';
}

/** What is declared cannot be begun now. */
const keptAs = ({ deleting, stored }: Sight): Wanted =>
  deleting ? { is: 'Remove' } : { is: 'Keep', suspended: isSuspended(stored), candidate: 'Stays' };

/** Instances that remember a route of before the bus lost what it kept. */
const highestHeard = ({ observations }: Observed): number =>
  Math.max(0, ...[...observations.values()].map((o) => o.routeGeneration).filter((n) => n < 2 ** 48));

/** What nobody knows the rights of is revoked. */
function grantsTooMuch({ target, w }: Sight, onBus: OnBus, unit: string): boolean {
  const { current = '', revisions = {} } = onBus.route.record ?? {};
  const scope = scopeIn(Object.values(revisions), w, unit);
  if (!scope) return true;
  const runs = revisions[current];
  const declared = target
    ? [...target.units.values()].map((u) => u.scope)
    : (runs?.units ?? []).flatMap(({ name }) => (runs ? (scopeIn([runs], w, name) ?? []) : []));
  return grantsMore(scope, declared);
}

/** What went wrong; undefined: nothing did. What the API server refuses is a problem to be told. */
async function failureOf(work: () => Promise<void>): Promise<Failure | undefined> {
  try {
    await work();
    return undefined;
  } catch (cause) {
    return { cause, problem: refusal(cause) };
  }
}

/** What the API server says no to, in its own words; undefined for what passes by itself. */
function refusal(cause: unknown): Problem | undefined {
  if (cause instanceof NameTaken) return { reason: 'NameTaken', message: cause.message };
  if (!(cause instanceof ApiError) || cause.status < 400 || cause.status >= 500) return undefined;
  if (cause.status === 409 || cause.status === 429) return undefined;
  // The namespace goes, and the workflow with it.
  if (cause.causes.some((c) => c.reason === 'NamespaceTerminating')) return undefined;
  const reason = cause.message.includes('exceeded quota') ? 'QuotaExceeded' : cause.reason || 'Refused';
  return { reason, message: cause.message };
}

/** The bus that is away is told by itself, and whoever was not told of a renewal says so. */
const renewalProblem = (unit: string, cause: unknown): Problem | undefined =>
  cause instanceof BusAway
    ? undefined
    : {
        reason: refusal(cause)?.reason ?? 'RenewalFailed',
        message: `unit ${unit}: ${cause instanceof Error ? cause.message : String(cause)}`,
      };

/** Of the plan that runs; while another one does, what was said of it stays. */
function summaryOf({ proposal }: Planned, rollout: RolloutStatus | undefined): Summary | undefined {
  if (!proposal || !rollout || proposal.named.hash !== rollout.current) return undefined;
  const { plan, snapshot } = proposal;
  return {
    units: unitsSummary(plan).slice(0, 128),
    runtimes: runtimesSummary(plan, snapshot).slice(0, 128),
    channels: channelsSummary(plan).slice(0, 128),
  };
}

function resultOf({ actions, againAfterMs }: Outcome, hasKeys: boolean, renewInMs: number): Result {
  const due = [
    ...(againAfterMs === undefined ? [] : [againAfterMs]),
    ...(actions.length > 0 ? [AFTER_ACTION_MS] : []),
    ...(hasKeys ? [KEYS_HOLD_MS] : []),
    ...(renewInMs === Infinity ? [] : [renewInMs]),
  ];
  return due.length === 0 ? settled : again(Math.min(...due));
}
