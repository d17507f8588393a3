/**
 * One workflow under the operator's own controller, for tests: a cluster and a bus of a few maps, pods that come up by
 * themselves, calls from a seed, and a clock that stands still until it is moved.
 *
 * Owns: what stands around the controller. The API server keeps objects and notes who applied which field, no more.
 */
import { workflowToken } from '@sinter/contract';
import type { RouteRecord, WorkflowKey } from '@sinter/contract';
import type { ClusterBus, UnitCredentials } from '../bus/cluster.ts';
import { Reports } from '../bus/reports.ts';
import type { Records } from '../bus/routes.ts';
import { announcement, observation } from '../bus/testObservation.ts';
import type { KubeClient } from '../kube/client.ts';
import { ApiError } from '../kube/errors.ts';
import type { EventOf } from '../kube/events.ts';
import { keyOf } from '../kube/objects.ts';
import type { Deployment, Kind, KubeObject, Pod } from '../kube/objects.ts';
import { newStore } from '../kube/store.ts';
import type { Indexes, WritableStore } from '../kube/store.ts';
import { ManualClock } from '../kube/testClock.ts';
import { NAMESPACE, functionManifest, policyManifest, workflowManifest } from '../model/testApplication.ts';
import type { Manifest } from '../model/testApplication.ts';
import { SETTINGS } from '../resources/testUnits.ts';
import { UNIT_LABEL, WORKFLOW_LABEL } from '../resources/index.ts';
import { NOTHING_SEEN, since } from '../rollout/index.ts';
import type { Evidence } from '../rollout/index.ts';
import { LATENCIES, WEATHERS, randomFrom, running } from '../rollout/testSimulation.ts';
import type { Seen } from '../rollout/testSimulation.ts';
import { observationsSchema } from '../snapshot/index.ts';
import { Attention } from './attention.ts';
import { Contents } from './contents.ts';
import { KeyReader } from './keys.ts';
import type { StoredObject } from './kinds.ts';
import { PlanReconciler } from './plan.ts';
import { Proposals } from './proposals.ts';
import { RolloutBook } from './rolloutBook.ts';
import { RouteCache } from './routeCache.ts';
import { Running } from './running.ts';
import { addressesOf, functionKeysOf, planWorkflow, unitOf, workflowKeyOf } from './stores.ts';
import type { Stores } from './stores.ts';
import { Units } from './units.ts';
import { WorkflowReconciler } from './workflow.ts';

const W: WorkflowKey = { namespace: NAMESPACE, workflow: 'flow' };
const KEY = `${NAMESPACE}/flow`;
const SEED = 5;

export interface LabOptions {
  readonly policy?: Manifest;
  /** What a candidate's calls take of what they take now, and how often they fail. */
  readonly factor?: number;
  readonly fails?: number;
  /** A policy may judge them so only where something is measured: two functions, of which the one calls the other. */
  readonly overheadMs?: number;
}

export class Lab {
  readonly clock = new ManualClock();
  readonly events: EventOf[] = [];
  readonly reports = new Reports({ figures: false });
  readonly stores = emptyStores();
  /** Points that the operator has passed, and whether it is to die there. */
  readonly points: string[] = [];
  dies: (at: number) => boolean = () => false;
  /** What the workflow said of itself at each look, while it ran: each once, in turn. */
  readonly said: string[] = [];
  /** Instances of `b`, alone in its unit, that were ended for lack of memory since the current revision became that. */
  kills = 0;
  /** Units whose pods find no machine. */
  readonly roomless = new Set<string>();
  /** Everything that was written on the bus, by kind of record. */
  readonly kept = new Map<string, unknown>();
  readonly #bus = testBus(this.kept, this.reports);
  readonly #client = testClient(this.stores);
  readonly #signal = new AbortController().signal;
  readonly #options: LabOptions;
  readonly #runs: ReturnType<typeof running>;
  #operator: Operator;
  #epoch = 1;
  #seenNow: Seen = { current: NOTHING_SEEN, candidate: NOTHING_SEEN };
  #before = this.#seenNow;
  #calls = 0;
  #tried = '';
  #called = '';
  #first = '';

  constructor(options: LabOptions = {}) {
    this.#options = options;
    const { factor = 1, fails = 0.001 } = options;
    const [latency] = Object.values(LATENCIES);
    const [weather] = Object.values(WEATHERS);
    if (!latency || !weather) throw new Error('nothing to simulate');
    const failures = { current: 0.001, candidate: fails };
    this.#runs = running({ latency, weather, rate: 20, factor, failures }, randomFrom(SEED));
    this.#operator = this.#newOperator();
    const node = {
      metadata: { name: 'm1', labels: { 'kubernetes.io/arch': 'amd64' } },
      status: { conditions: [{ type: 'Ready', status: 'True' }], allocatable: { cpu: '8', memory: '16Gi' } },
    };
    this.put('nodes', { apiVersion: 'v1', kind: 'Node', ...node });
    this.declare(functionManifest('a'), functionManifest('b'), workflowManifest(['a', 'b'], ['a>b']));
    this.declare(policyManifest(options.policy ?? { objective: 'Latency' }));
  }

  declare(...manifests: readonly Manifest[]): void {
    for (const manifest of manifests) {
      const object = manifest as unknown as StoredObject;
      const store = STORE_OF[object.kind];
      if (!store) throw new Error(`no store for ${object.kind}`);
      const before = this.stores[store].get(keyOf(object.metadata));
      const generation = (before?.metadata.generation ?? 0) + 1;
      this.put(store, {
        ...before,
        ...object,
        metadata: { ...before?.metadata, ...object.metadata, generation },
      });
    }
  }

  put(store: keyof Stores, object: KubeObject): void {
    put(this.stores[store], object);
  }

  /** An operator is gone with all that it remembers; the next one reads the bus. */
  restart(): void {
    this.#epoch += 1;
    this.#before = this.#seenNow;
    this.#operator = this.#newOperator();
  }

  /** So many seconds pass: calls come in, pods come and go, the operator looks each second. */
  async pass(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      this.clock.advance(1_000);
      this.#call();
      this.#runPods();
      await this.look();
    }
  }

  /** Until it holds, looked at each second. */
  async until(holds: () => boolean, limitSeconds = 900): Promise<void> {
    for (let i = 0; i < limitSeconds; i++) {
      if (holds()) return;
      await this.pass(1);
    }
    throw new Error(`waited in vain for ${holds.toString()}; ${JSON.stringify(this.status)}`);
  }

  async look(): Promise<void> {
    try {
      await this.#operator.workflows.reconcile(KEY, this.#signal);
      await this.#operator.plans.reconcile(KEY, this.#signal);
      const said = this.condition('Ready');
      if (this.said.at(-1) !== said) this.said.push(said);
    } catch (cause) {
      if (!(cause instanceof Died)) throw cause;
      this.restart();
    }
  }

  get route(): RouteRecord | undefined {
    return this.kept.get(`routes ${workflowToken(W)}`) as RouteRecord | undefined;
  }

  get workflow(): StoredObject | undefined {
    return this.stores.workflows.get(KEY);
  }

  get status(): Readonly<Record<string, unknown>> {
    return (this.workflow?.status ?? {}) as Readonly<Record<string, unknown>>;
  }

  condition(type: string): string {
    const conditions = (this.status['conditions'] ?? []) as readonly Readonly<Record<string, string>>[];
    const found = conditions.find((c) => c['type'] === type);
    return found ? `${found['status'] ?? ''} ${found['reason'] ?? ''}` : 'absent';
  }

  plan(hash: string): Readonly<Record<string, unknown>> {
    const found = this.stores.plans.get(`${NAMESPACE}/flow-${hash}`);
    return (found?.status ?? {}) as Readonly<Record<string, unknown>>;
  }

  told(reason: string): readonly string[] {
    return this.events.filter((e) => e.reason === reason).map((e) => e.note);
  }

  /** Functions that share a unit under the revision. */
  groups(hash: string): readonly string[] {
    return (this.route?.revisions[hash]?.units ?? []).map((u) => u.functions.map((f) => f.name).join('+'));
  }

  /** Calls enter by weight; those of whatever is current first count as one plan's, the others' as the other's. */
  #call(): void {
    const { current = '', candidate, weightPercent = 0 } = this.route ?? {};
    if (current === '') return;
    if (current !== this.#called) this.kills = 0;
    this.#called = current;
    this.#first ||= current;
    if (candidate !== undefined && weightPercent > 0) this.#tried = candidate;
    const share = current !== this.#first ? 100 : candidate === undefined ? 0 : weightPercent;
    this.#seenNow = this.#runs.pass(1, share);
    this.#calls += 20;
  }

  /** What this operator has seen since it began to listen. */
  get #evidence(): Evidence {
    const seen = (arm: keyof Seen) => since(this.#before[arm], this.#seenNow[arm]) ?? NOTHING_SEEN;
    const own = this.#tried === '' ? {} : { [this.#tried]: seen('candidate') };
    return { epoch: String(this.#epoch), revisions: { [this.#first]: seen('current'), ...own } };
  }

  /** As a cluster would: pods for Deployments, hosts that hear of the route and say that they serve it. */
  #runPods(): void {
    const { pods, deployments } = this.stores;
    for (const deployment of deployments.list()) this.#scale(deployment);
    for (const pod of pods.list()) {
      const unit = unitOf(pod);
      if (!deployments.get(keyOf({ namespace: NAMESPACE, name: ownerOf(pod) }))) remove(pods, pod);
      else if (!this.roomless.has(unit)) this.#say(pod, unit);
    }
  }

  #scale(deployment: Deployment): void {
    const { name, labels } = deployment.metadata;
    const own = this.stores.pods.list().filter((pod) => ownerOf(pod) === name);
    const desired = deployment.spec?.replicas ?? 1;
    for (const pod of own.slice(desired)) remove(this.stores.pods, pod);
    for (let i = own.length; i < desired; i++)
      this.put(
        'pods',
        podOf(`${name}-${String(i)}`, name, labels ?? {}, this.roomless.has(unitOf(deployment))),
      );
  }

  #say(pod: Pod, unit: string): void {
    const { route } = this;
    const key = { ...W, unit, instance: pod.metadata.name };
    const live = [route?.current ?? '', route?.candidate ?? '', ...(route?.draining ?? [])];
    const revisions = live.filter((hash) => route?.revisions[hash]?.units.some((u) => u.name === unit));
    this.reports.announced(announcement(key, { revisions }));
    this.reports.observed(observation(key, { routeGeneration: route?.generation ?? 0 }));
  }

  #newOperator(): Operator {
    const { clock, stores, reports } = this;
    const bus = { ...this.#bus, reports };
    const client = this.#client;
    const running = new Running();
    const contents = new Contents({ client, store: stores.configMaps });
    const times = { now: () => clock.date().getTime(), clock: () => clock.now() };
    const fault = (point: string): Promise<void> =>
      this.dies(this.points.push(point) - 1) ? Promise.reject(new Died(point)) : Promise.resolve();
    const credentials = CREDENTIALS;
    const events = {
      record: (e: EventOf) => this.events.push(e),
      dropped: 0,
      flush: () => Promise.resolve(),
    };
    const workflows = new WorkflowReconciler({
      ...{ client, stores, contents, bus, running, events, fault, ...times },
      proposals: new Proposals({ stores, contents, ...times }),
      units: new Units({ client, stores, credentials, reports, settings: () => SETTINGS, fault }),
      routes: new RouteCache(bus.store),
      rollouts: new RolloutBook(bus.store.rollouts, times.clock),
      leftovers: { isLeftover: () => false, needs: () => undefined },
      sight: { of: () => this.#seen },
      keys: new KeyReader({ client, clock: times.clock, account: 'sinter:operator' }),
      attention: new Attention(reports),
      gatewayUrl: '',
      date: () => `${clock.date().toISOString().slice(0, 19)}Z`,
    });
    return { workflows, plans: new PlanReconciler({ client, stores, running }) };
  }

  get #seen() {
    const { overheadMs = 20 } = this.#options;
    const executions = { samples: 1_000, cpuMs: 1, memoryBytes: 2 ** 20 };
    const figures = observationsSchema.parse({
      windowSeconds: 300,
      roots: [{ function: 'a', ratePerSecond: 20, samples: 1_000, meanMs: 80, p50Ms: 80, p99Ms: 200 }],
      functions: ['a', 'b'].map((fn) => ({ function: fn, ...executions })),
      ...(this.kills === 0
        ? {}
        : { units: [{ functions: ['b'], samples: 10, outOfMemoryKills: this.kills }] }),
      edges: [
        {
          from: 'a',
          to: 'b',
          samples: 1_000,
          overheadMs: { InProcess: 0.1, Node: overheadMs, Remote: overheadMs },
        },
      ],
    });
    return { figures: () => figures, evidence: () => this.#evidence, calls: this.#calls, kills: this.kills };
  }
}

class Died extends Error {}

interface Operator {
  readonly workflows: WorkflowReconciler;
  readonly plans: PlanReconciler;
}

const STORE_OF: Readonly<Record<string, 'functions' | 'workflows' | 'policies'>> = {
  Function: 'functions',
  Workflow: 'workflows',
  OptimizationPolicy: 'policies',
};

// ---- the cluster

const KIND_OF: Readonly<Record<string, keyof Stores>> = {
  Workflow: 'workflows',
  WorkflowPlan: 'plans',
  Deployment: 'deployments',
  PodDisruptionBudget: 'disruptionBudgets',
  NetworkPolicy: 'networkPolicies',
};

function emptyStores(): Stores {
  const store = <T extends KubeObject>(indexes: Indexes<T> = {}): WritableStore<T> => {
    const made = newStore<T>({
      indexes,
      onError: (cause) => {
        throw cause;
      },
    });
    for (const part of made.partitions.values()) {
      part.begin();
      part.swap();
    }
    return made;
  };
  const ofWorkflow = { workflow: workflowKeyOf };
  return {
    functions: store(),
    workflows: store({ function: functionKeysOf, address: addressesOf }),
    policies: store(),
    clusterPolicies: store(),
    plans: store({ workflow: planWorkflow }),
    nodes: store(),
    deployments: store(ofWorkflow),
    pods: store(ofWorkflow),
    disruptionBudgets: store(ofWorkflow),
    networkPolicies: store(ofWorkflow),
    configMaps: store(),
    busPods: store(),
  };
}

type AnyStore = Stores[keyof Stores];
const partOf = (store: AnyStore) =>
  [...(store as unknown as WritableStore<KubeObject>).partitions.values()][0];

let versions = 0;
function put(store: AnyStore, object: KubeObject): KubeObject {
  const { uid = `uid-${object.kind}-${object.metadata.name}`, ...metadata } = object.metadata;
  const creationTimestamp = '2026-01-01T00:00:00Z';
  const made = structuredClone({
    ...object,
    metadata: { creationTimestamp, ...metadata, uid, resourceVersion: String(++versions) },
  });
  partOf(store)?.put(made);
  return made;
}

function remove(store: AnyStore, object: KubeObject): void {
  partOf(store)?.remove(object);
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** As both kinds of patches do it here: maps are merged, null removes, everything else replaces. */
function merged(before: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch;
  const result: Record<string, unknown> = { ...(isMap(before) ? before : {}) };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, name);
    else result[name] = merged(result[name], value);
  }
  return result;
}

/** Which fields an apply owns: lists are atomic here. */
function treeOf(value: unknown, leave: readonly string[]): object {
  if (!isMap(value)) return {};
  const fields = Object.entries(value).filter(([name]) => !leave.includes(name));
  return Object.fromEntries(
    fields.map(([name, part]) => [
      `f:${name}`,
      treeOf(part, name === 'metadata' ? ['name', 'namespace'] : []),
    ]),
  );
}

/** Keeps what it has a store for; all else is taken, and forgotten. */
function testClient(stores: Stores): KubeClient {
  const storeOf = (kind: Kind): AnyStore | undefined => {
    const name = KIND_OF[kind.kind];
    return name && stores[name];
  };
  const there = (kind: Kind, at: { readonly name: string; readonly namespace?: string | undefined }) =>
    storeOf(kind)?.get(keyOf(at));
  const kept = (kind: Kind, object: KubeObject): KubeObject => {
    const store = storeOf(kind);
    return store ? put(store, object) : object;
  };
  const client = {
    find: (kind: Kind, at: KubeObject['metadata']) => Promise.resolve(there(kind, at)),
    create: (kind: Kind, object: KubeObject) => Promise.resolve(kept(kind, object)),
    replace: (kind: Kind, object: KubeObject) => Promise.resolve(kept(kind, object)),
    apply: (
      kind: Kind,
      object: KubeObject,
      {
        fieldManager: manager,
        subresource = '',
      }: { readonly fieldManager: string; readonly subresource?: string },
    ) => {
      const before = there(kind, object.metadata);
      const { apiVersion } = object;
      const fieldsV1 = treeOf(object, ['apiVersion', 'kind']);
      const others = (
        (before?.metadata.managedFields ?? []) as { manager: string; subresource: string }[]
      ).filter((entry) => entry.manager !== manager || entry.subresource !== subresource);
      const entry = { manager, operation: 'Apply', subresource, apiVersion, fieldsV1 };
      const after = merged(before, object) as KubeObject;
      const status = subresource === 'status' ? { status: (object as StoredObject).status } : {};
      const metadata = { ...after.metadata, managedFields: [...others, entry] };
      return Promise.resolve({ object: kept(kind, { ...after, ...status, metadata }), created: !before });
    },
    merge: (kind: Kind, at: KubeObject['metadata'], patch: object) => {
      const before = there(kind, at);
      if (!before)
        return Promise.reject(new ApiError('merge', { status: 404, reason: 'NotFound', message: '' }));
      return Promise.resolve(kept(kind, merged(before, patch) as KubeObject));
    },
    delete: (kind: Kind, at: KubeObject['metadata']) => {
      const store = storeOf(kind);
      const found = there(kind, at);
      if (store && found) remove(store, found);
      return Promise.resolve(found !== undefined);
    },
  };
  return client as unknown as KubeClient;
}

const ownerOf = ({ metadata }: Pod): string =>
  ((metadata.ownerReferences ?? []) as readonly { readonly name: string }[])[0]?.name.replace(/-rs$/, '') ??
  '';

function podOf(
  name: string,
  deployment: string,
  labels: Readonly<Record<string, string>>,
  isRoomless: boolean,
): Pod {
  const { [UNIT_LABEL]: unit = '', [WORKFLOW_LABEL]: workflow = '' } = labels;
  const owner = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    name: `${deployment}-rs`,
    uid: 'rs',
    controller: true,
  };
  const unscheduled = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no room' };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: NAMESPACE,
      labels: { [UNIT_LABEL]: unit, [WORKFLOW_LABEL]: workflow },
      ownerReferences: [owner],
    },
    ...(isRoomless
      ? { spec: { containers: [] }, status: { conditions: [unscheduled] } }
      : {
          spec: { containers: [], nodeName: 'm1' },
          status: {
            conditions: [{ type: 'Ready', status: 'True' }],
            containerStatuses: [{ name: 'host', state: { running: {} } }],
          },
        }),
  } as unknown as Pod;
}

// ---- the bus

function testBus(
  kept: Map<string, unknown>,
  reports: Reports,
): Pick<ClusterBus, 'store' | 'state' | 'reports'> {
  const sequences = new Map<string, number>();
  const records = <T extends WorkflowKey>(kind: string): Records<T> => {
    const at = (w: WorkflowKey): string => `${kind} ${workflowToken(w)}`;
    const change = (key: string, after: number, value: T | undefined) => {
      const sequence = sequences.get(key) ?? 0;
      if (sequence !== after) return Promise.resolve({ kind: 'Conflict' as const });
      if (value === undefined) kept.delete(key);
      else kept.set(key, JSON.parse(JSON.stringify(value)));
      sequences.set(key, sequence + 1);
      return Promise.resolve({ kind: 'Written' as const, sequence: sequence + 1 });
    };
    return {
      read: (w) => {
        const record = kept.get(at(w)) as T | undefined;
        const sequence = sequences.get(at(w)) ?? 0;
        return Promise.resolve(record === undefined ? { sequence } : { record, sequence });
      },
      write: (record, after) => change(at(record), after, record),
      remove: (w, after) => change(at(w), after, undefined),
    };
  };
  const nothing = () => Promise.resolve([]);
  const store = {
    provideNamespace: nothing,
    discardNamespace: nothing,
    provideAsync: nothing,
    discardAsync: nothing,
    putModule: () => Promise.resolve({ kind: 'Present', sha256: '' }),
    routes: records('routes'),
    entries: records('entries'),
    observations: records('observations'),
    rollouts: records('rollouts'),
  };
  return {
    store: store as unknown as ClusterBus['store'],
    state: () => ({ ready: true, findings: [] }),
    reports,
  };
}

const CREDENTIALS: UnitCredentials = {
  ca: () => undefined,
  origin: () => undefined,
  issue: ({ unit }) => ({ jwt: 'jwt', seed: 'seed', publicKey: `U${unit}` }),
  isDue: () => false,
  dueInMs: () => undefined,
  renew: (_, publicKey) => ({ jwt: 'jwt', publicKey }),
  deliver: () => Promise.resolve(),
  revoke: () => Promise.resolve('Revoked'),
};
