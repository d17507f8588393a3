/**
 * The controllers of the operator, put together: what each looks at, and what wakes it.
 *
 * Owns: which change touches which key. A change that nobody could tell apart afterwards touches none: hundreds of pods and
 * heartbeats of machines must not cost anything.
 */
import { GATEWAY_CALLER } from '@sinter/contract';
import type { Announcement, InstanceKey } from '@sinter/contract';
import { BusAway } from '../bus/cluster.ts';
import type { ClusterBus } from '../bus/cluster.ts';
import { RecordKeeper } from '../bus/recordKeeper.ts';
import { Sight } from '../bus/sight.ts';
import type { KubeClient } from '../kube/client.ts';
import { pause } from '../kube/clock.ts';
import type { Clock } from '../kube/clock.ts';
import { again, controller, source } from '../kube/controller.ts';
import type { Controller, ControllerHooks, Source } from '../kube/controller.ts';
import type { Recorder } from '../kube/events.ts';
import { keyOf, placeOf } from '../kube/objects.ts';
import type { Deployment, KubeObject, Node, Pod } from '../kube/objects.ts';
import type { Change, Store } from '../kube/store.ts';
import { canonicalJson } from '../model/canonical.ts';
import type { PodSettings } from '../resources/index.ts';
import type { Outcome } from '../rollout/index.ts';
import { machineOf } from '../snapshot/machines.ts';
import { Attention } from './attention.ts';
import { Contents } from './contents.ts';
import type { FaultPoint } from './faults.ts';
import { FunctionReconciler } from './function.ts';
import type { AllowedHosts } from './hosts.ts';
import { KeyReader } from './keys.ts';
import type { StoredObject } from './kinds.ts';
import { Leftovers } from './leftovers.ts';
import type { Found } from './leftovers.ts';
import { isReady, podState } from './observe.ts';
import { PlanReconciler } from './plan.ts';
import { PolicyReconciler } from './policy.ts';
import { deploymentProblem, mainContainer } from './problems.ts';
import { Proposals, workflowKey } from './proposals.ts';
import { RolloutBook } from './rolloutBook.ts';
import { RouteCache } from './routeCache.ts';
import { Running } from './running.ts';
import { addressesOf, functionKeysOf, planWorkflow, unitOf, workflowKeyOf } from './stores.ts';
import type { Stores } from './stores.ts';
import { Units } from './units.ts';
import { WorkflowReconciler } from './workflow.ts';

export interface ControllersOptions {
  /** Writes nothing once we lead no longer. */
  readonly client: KubeClient;
  readonly stores: Stores;
  readonly bus: ClusterBus;
  readonly events: Recorder;
  readonly pods: () => PodSettings;
  readonly gatewayUrl: string;
  /** Which namespaces may answer at which hosts; undefined: all of them everywhere. */
  readonly hosts?: AllowedHosts | undefined;
  /** `<namespace>:<name>` of our own service account. */
  readonly account: string;
  readonly fault: FaultPoint;
  readonly clock: Clock;
  readonly hooks?: (controller: string, state: Controller['state']) => ControllerHooks;
  readonly onPlanned?: (durationMs: number) => void;
  /** What the bus keeps for nobody is removed, in these namespaces (none: everywhere); absent: it may be somebody else's. */
  readonly sweep?: { readonly namespaces: readonly string[] } | undefined;
  /** What was found on the bus for nobody. */
  readonly onSwept?: (found: Found) => void;
  readonly onRollout?: (kind: Outcome['changes'][number]['kind']) => void;
  readonly onProblem?: (problem: string) => void;
}

export interface Controllers {
  readonly running: Running;
  /** What was seen of every workflow since it is led here, and before. */
  readonly sight: Sight;
  /** What the roll-outs of each have come to. */
  readonly rollouts: Pick<RolloutBook, 'known'>;
  /** Works until the signal aborts; resolves when what was under way has ended. */
  run(signal: AbortSignal): Promise<void>;
}

/** Words of instances are gathered for so long. */
const GATHER_MS = 50;
/** Between two looks at what the bus keeps. */
const SWEEP_MS = 600_000;
/** Of a Function that starts, instances come and get ready one after another: one status tells it. */
const STATUS_GATHER_MS = 1_000;
/** How often it is looked whether what was seen is to be kept. */
const KEEP_MS = 5_000;
/** How often it is looked whether calls that came in since may lead to a better plan. */
const SEARCH_MS = 15_000;

export function controllers(options: ControllersOptions): Controllers {
  const { client, stores, bus, clock } = options;
  const date = (): string => `${clock.date().toISOString().slice(0, 19)}Z`;
  const contents = new Contents({ client, store: stores.configMaps });
  const running = new Running();
  const attention = new Attention(bus.reports);
  const sight = new Sight({
    machine: (name) => {
      const node = stores.nodes.get(name);
      return node && machineOf(node);
    },
    now: () => clock.date().getTime(),
  });
  const records = new RecordKeeper({
    sight,
    records: bus.store.observations,
    clock: () => clock.now(),
    onProblem: ({ namespace, workflow }, cause) => {
      // While the bus is away there is nothing new to keep either.
      if (cause instanceof BusAway) return;
      options.onProblem?.(`what was observed of ${namespace}/${workflow} was not kept: ${String(cause)}`);
    },
  });
  const rollouts = new RolloutBook(bus.store.rollouts, () => clock.now());
  const proposals = new Proposals({
    stores,
    contents,
    hosts: options.hosts,
    now: () => clock.date().getTime(),
    clock: () => clock.now(),
    onPlanned: (_, durationMs) => options.onPlanned?.(durationMs),
  });
  const units = new Units({
    client,
    stores,
    credentials: bus.credentials,
    reports: bus.reports,
    settings: options.pods,
    fault: options.fault,
  });
  const routes = new RouteCache(bus.store, (route) => {
    sight.follow(route);
  });
  const leftovers = new Leftovers({
    ...{ store: bus.store, stores, routes, namespaces: options.sweep?.namespaces ?? [] },
    now: () => clock.date().getTime(),
  });
  const workflows = new WorkflowReconciler({
    client,
    stores,
    contents,
    proposals,
    units,
    routes,
    rollouts,
    sight,
    leftovers,
    bus,
    keys: new KeyReader({ client, clock: () => clock.now(), account: options.account }),
    running,
    attention,
    events: options.events,
    gatewayUrl: options.gatewayUrl,
    fault: options.fault,
    clock: () => clock.now(),
    now: () => clock.date().getTime(),
    date,
    onChange: (_, kind) => options.onRollout?.(kind),
  });
  const functions = new FunctionReconciler({ client, stores, contents, running, date });
  const policies = new PolicyReconciler({ client, stores, date });
  const plans = new PlanReconciler({ client, stores, running });
  const workflowController = named(options, 'workflow', 4, {
    reconcile: (key, signal) => workflows.reconcile(key, signal),
    sources: workflowSources(stores, proposals, attention),
  });
  const functionController = named(options, 'function', 2, {
    reconcile: (key, signal) => functions.reconcile(key, signal),
    sources: [
      source(stores.functions, undefined, isOfSpec),
      source(stores.workflows, functionKeysOf, isOfSpec),
      source(stores.configMaps, (map) => functions.readersOf(keyOf(map.metadata))),
    ],
  });
  const policyController = named(options, 'policy', 1, {
    reconcile: (key, signal) => policies.policy(key, signal),
    sources: [
      source(stores.policies, undefined, isOfSpec),
      source(stores.workflows, (w) => keysIn(stores.policies, w.metadata.namespace), isOfSpec),
    ],
  });
  const clusterPolicyController = named(options, 'clusterpolicy', 1, {
    reconcile: (key, signal) => policies.clusterPolicy(key, signal),
    sources: [
      source(stores.clusterPolicies, undefined, isOfSpec),
      source(stores.workflows, () => stores.clusterPolicies.keys(), isOfSpec),
      source(stores.policies, () => stores.clusterPolicies.keys(), isOfSpec),
    ],
  });
  const planController = named(options, 'plan', 1, {
    reconcile: (key, signal) => plans.reconcile(key, signal),
    sources: [source(stores.plans, planWorkflow)],
  });
  const sweepController = named(options, 'leftovers', 1, {
    reconcile: async () => {
      if (!bus.state().ready) return again(SWEEP_MS);
      const found = await leftovers.round();
      for (const key of found.workflows) workflowController.enqueue(key, { priority: 'Background' });
      for (const namespace of found.namespaces) await workflows.discardNamespace(namespace);
      for (const id of found.removed) workflows.forgetCode(placeOf(id).namespace ?? '');
      options.onSwept?.(found);
      return again(SWEEP_MS);
    },
    // It goes by the clock alone, but not before all workflows are known.
    sources: [source(stores.workflows, () => [])],
  });
  if (options.sweep) sweepController.enqueue('bus', { afterMs: SWEEP_MS });
  const all = [
    sweepController,
    workflowController,
    functionController,
    policyController,
    clusterPolicyController,
    planController,
  ];

  /** What happens outside of the cluster's objects. Returns the way to stop. */
  const listen = (): (() => void) => {
    let was = { ready: false, losses: 0 };
    const busChanged = (): void => {
      const { ready, losses = 0 } = bus.state();
      if (ready && (!was.ready || losses !== was.losses)) workflows.forgetBus();
      was = { ready, losses };
      for (const key of stores.workflows.keys()) workflowController.enqueue(key, { priority: 'Background' });
    };
    const stops = [
      bus.onChange(busChanged),
      bus.reports.watch((about) => {
        if (about && hasPod(stores, about) && attention.isNews(about))
          workflowController.enqueue(`${about.namespace}/${about.workflow}`, { afterMs: GATHER_MS });
      }),
      stores.pods.onChange((change) => {
        if (change.type !== 'updated' || !wasKilled(change)) return;
        for (const workflow of workflowKeyOf(change.object))
          sight.known(workflowKey(workflow))?.killed(unitOf(change.object));
      }),
      bus.reports.onObservation((o) => {
        if (hasPod(stores, o)) sight.heard(o);
      }),
      stores.workflows.onChange(({ type, object: { metadata } }) => {
        if (type !== 'deleted') return;
        const gone = { namespace: metadata.namespace ?? '', workflow: metadata.name };
        sight.forget(gone);
        // Should this fail, a workflow of the same name finds figures of functions that its route no longer names.
        records.remove(gone).catch(() => undefined);
      }),
      running.onChange((workflow) => {
        planController.enqueue(workflow);
        const stored = stores.workflows.get(workflow);
        for (const key of stored ? functionKeysOf(stored) : [])
          functionController.enqueue(key, { afterMs: STATUS_GATHER_MS });
      }),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  };

  const keepRecords = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await records.round();
      await pause(clock, KEEP_MS, signal);
    }
  };

  const lookForBetter = async (signal: AbortSignal): Promise<void> => {
    const seen = new WeakMap<object, number>();
    while (!signal.aborted) {
      for (const one of sight.workflows) {
        if (seen.get(one) === one.calls) continue;
        seen.set(one, one.calls);
        const { namespace, workflow } = one.workflow;
        workflowController.enqueue(`${namespace}/${workflow}`, { priority: 'Background' });
      }
      await pause(clock, SEARCH_MS, signal);
    }
  };

  return {
    running,
    sight,
    rollouts,
    run: async (signal) => {
      const stop = listen();
      try {
        await Promise.all([...all.map((one) => one.run(signal)), keepRecords(signal), lookForBetter(signal)]);
      } finally {
        stop();
      }
    },
  };
}

const IDLE = { depth: 0, waitingForTime: 0, processing: 0, unfinishedMs: 0, longestRunningMs: 0 };

function named(
  { hooks, clock }: ControllersOptions,
  name: string,
  workers: number,
  of: Pick<Parameters<typeof controller>[0], 'reconcile' | 'sources'>,
): Controller {
  const late: { made?: Controller } = {};
  const told = hooks?.(name, () => late.made?.state() ?? IDLE);
  late.made = controller({ name, workers, clock, ...of, ...(told ? { hooks: told } : {}) });
  return late.made;
}

function workflowSources(stores: Stores, proposals: Proposals, attention: Attention): readonly Source[] {
  const all = (): readonly string[] => stores.workflows.keys();
  const ofFunction = (fn: StoredObject): readonly string[] =>
    stores.workflows.by('function', keyOf(fn.metadata)).map((w) => keyOf(w.metadata));
  const sameAddress = (w: StoredObject): readonly string[] => [
    keyOf(w.metadata),
    ...addressesOf(w).flatMap((a) => stores.workflows.by('address', a).map((r) => keyOf(r.metadata))),
  ];
  return [
    source(stores.workflows, sameAddress, isOfSpec),
    source(stores.functions, ofFunction, isOfSpec),
    source(stores.policies, (p) => keysIn(stores.workflows, p.metadata.namespace), isOfSpec),
    source(stores.clusterPolicies, all, isOfSpec),
    source(stores.plans, planWorkflow, (change) => change.type !== 'updated'),
    source(stores.nodes, all, isOfMachine),
    source(stores.deployments, workflowKeyOf, isOfDeployment),
    source(stores.pods, workflowKeyOf, isOfPod),
    source(stores.disruptionBudgets, workflowKeyOf, isOfSpec),
    source(stores.networkPolicies, workflowKeyOf, isOfSpec),
    source(stores.configMaps, (map) => proposals.readersOf(keyOf(map.metadata))),
    source(stores.busPods, () => attention.keys(), isOfPod),
  ];
}

const keysIn = (store: Store<StoredObject>, namespace: string | undefined): readonly string[] =>
  store.list(namespace).map((o) => keyOf(o.metadata));

/** Would anything but a status look different now? */
function isOfSpec<T extends KubeObject>(change: Change<T>): boolean {
  return change.type !== 'updated' || differ(specTrace, change);
}

const differ = <T>(
  trace: (object: T) => unknown,
  { old, object }: { readonly old: T; readonly object: T },
): boolean => canonicalJson(trace(old)) !== canonicalJson(trace(object));

const specTrace = ({ metadata: m }: KubeObject): unknown => [
  m.generation ?? m.resourceVersion ?? '',
  m.deletionTimestamp ?? '',
  m.finalizers ?? [],
  m.labels ?? {},
  m.annotations ?? {},
];

const isOfMachine = (change: Change<Node>): boolean =>
  change.type !== 'updated' || differ((node: Node) => [machineOf(node) ?? null, isReady(node)], change);

const isOfDeployment = (change: Change<Deployment>): boolean =>
  change.type !== 'updated' ||
  differ((d: Deployment) => [specTrace(d), deploymentProblem(d) ?? null], change);

/** Of a pod its state counts, as a roll-out sees it. */
const isOfPod = (change: Change<Pod>): boolean =>
  change.type !== 'updated' ||
  differ((pod: Pod) => [podState(pod, undefined), pod.status?.phase ?? '', restartsOf(pod)], change);

/** Whose pod is not known (yet) wakes nobody: its pod will, and names are soon made up. */
export const hasPod = ({ pods }: Pick<Stores, 'pods'>, { namespace, unit, instance }: InstanceKey): boolean =>
  unit === GATEWAY_CALLER || pods.get(keyOf({ namespace, name: instance })) !== undefined;

/** Was its process ended for lack of memory since? */
const wasKilled = ({ old, object }: { readonly old: Pod; readonly object: Pod }): boolean =>
  restartsOf(object) > restartsOf(old) &&
  mainContainer(object)?.lastState?.terminated?.reason === 'OOMKilled';

export const restartsOf = (pod: Pod): number => mainContainer(pod)?.restartCount ?? 0;

/** Keeps `reports` to instances that exist: those whose pod is gone are, and a process that was started again has yet to speak. */
export function followPods(stores: Stores, reports: ClusterBus['reports']): () => void {
  return stores.pods.onChange((change) => {
    const pod = change.object;
    const [workflow] = workflowKeyOf(pod);
    if (workflow === undefined) return;
    const [namespace = '', name = ''] = workflow.split('/');
    const key = { namespace, workflow: name, unit: unitOf(pod), instance: pod.metadata.name };
    const began = change.type === 'updated' && restartsOf(pod) > restartsOf(change.old);
    if (change.type === 'deleted' || (began && isServing(reports.announcement(key)))) reports.gone(key);
  });
}

const isServing = (said: Announcement | undefined): boolean => said?.state === 'Serving';
