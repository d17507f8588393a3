/**
 * Everything that the controllers see of the cluster: a copy of each kind, and by what it is looked up.
 *
 * Owns: which kinds are watched, how much of each is kept, and the indexes. Of ConfigMaps only metadata is watched;
 * `contents.ts` fetches those that are referenced. Secrets of tenants are not watched at all.
 */
import { functionNameOf } from '../model/nouns.ts';
import { UNIT_LABEL, WORKFLOW_LABEL } from '../resources/labels.ts';
import type { KubeClient } from '../kube/client.ts';
import { informer } from '../kube/informer.ts';
import type { Informer, InformerHooks } from '../kube/informer.ts';
import { KINDS, keyOf, ownersOf, placeOf } from '../kube/objects.ts';
import type {
  Deployment,
  Kind,
  KubeObject,
  NetworkPolicy,
  Node,
  OwnerReference,
  Pod,
  PodDisruptionBudget,
} from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';
import { BUS_PODS } from './busKube.ts';
import { reading } from './declared.ts';
import { MANAGER, SINTER } from './kinds.ts';
import type { StoredObject } from './kinds.ts';

export interface Stores {
  readonly functions: Store<StoredObject>;
  /** Indexes: `function` (namespace/name), `address` (host and path of a trigger). */
  readonly workflows: Store<StoredObject>;
  readonly policies: Store<StoredObject>;
  readonly clusterPolicies: Store<StoredObject>;
  /** Index: `workflow`. */
  readonly plans: Store<StoredObject>;
  readonly nodes: Store<Node>;
  /** Index, as for the three below: `workflow`. */
  readonly deployments: Store<Deployment>;
  readonly pods: Store<Pod>;
  readonly disruptionBudgets: Store<PodDisruptionBudget>;
  readonly networkPolicies: Store<NetworkPolicy>;
  readonly configMaps: Store;
  /** Pods of Sinter's own namespace that have to do with the bus: servers, leaves, gateways. */
  readonly busPods: Store<Pod>;
}

export interface WatchOptions {
  readonly client: KubeClient;
  /** Sinter's own. */
  readonly namespace: string;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly hooks?: InformerHooks;
}

export interface Watches {
  readonly stores: Stores;
  readonly informers: readonly Informer<never>[];
}

const MANAGED = 'app.kubernetes.io/managed-by=sinter';

/**
 * The workflow that an object of a unit belongs to, as a key; none: it is not ours. A label alone makes nothing ours, because
 * anybody may copy it: what we write is controlled by its Workflow, and its pods by what we wrote.
 */
export function workflowKeyOf(object: KubeObject): readonly string[] {
  const { namespace, labels } = object.metadata;
  const name = labels?.[WORKFLOW_LABEL];
  if (name === undefined || !isControlled(object, name)) return [];
  return [keyOf({ namespace, name })];
}

/** A pod's controller is the ReplicaSet of our Deployment. */
function isControlled(object: KubeObject, workflow: string): boolean {
  const by = ownersOf(object).find((owner) => owner.controller === true);
  if (object.kind === 'Pod') return by?.kind === 'ReplicaSet' && by.name.startsWith(`${unitOf(object)}-`);
  return isOwner(by, workflow);
}

/** Also of an earlier Workflow of this name: the next apply makes it the present one's. */
const isOwner = (owner: OwnerReference | undefined, workflow: string): boolean =>
  owner?.kind === 'Workflow' && owner.name === workflow && owner.apiVersion.startsWith(API_GROUP);

const API_GROUP = 'sinter.dev/';

export const unitOf = ({ metadata }: KubeObject): string => metadata.labels?.[UNIT_LABEL] ?? '';

/** The keys of the Functions that a Workflow names. */
export function functionKeysOf(workflow: StoredObject): readonly string[] {
  const read = reading('Workflow', workflow);
  if (!read.ok) return [];
  const { namespace } = workflow.metadata;
  return read.declared.object.spec.functions.flatMap((vertex) => {
    const name = functionNameOf(vertex);
    return name === undefined ? [] : [keyOf({ namespace, name })];
  });
}

/** Is there such an artifact of such a function in the graph of a Workflow (its key)? */
export function declaresIn(
  { workflows, functions }: Pick<Stores, 'workflows' | 'functions'>,
  key: string,
): (fn: string, artifact?: string) => boolean {
  const stored = workflows.get(key);
  const read = stored && reading('Workflow', stored);
  const vertices = read?.ok ? read.declared.object.spec.functions : [];
  const artifactsOf = (fn: string): readonly string[] => {
    const name = vertices.filter((v) => v.name === fn).map(functionNameOf)[0];
    const found =
      name === undefined ? undefined : functions.get(keyOf({ namespace: placeOf(key).namespace, name }));
    const declared = found && reading('Function', found);
    return declared?.ok ? declared.declared.object.spec.artifacts.map((a) => a.name) : [];
  };
  return (fn, artifact) =>
    artifact === undefined ? vertices.some((v) => v.name === fn) : artifactsOf(fn).includes(artifact);
}

/** Where a Workflow answers, by host and path: of two with one address the older keeps it. */
export function addressesOf(workflow: StoredObject): readonly string[] {
  const read = reading('Workflow', workflow);
  if (!read.ok) return [];
  return read.declared.object.spec.triggers.flatMap(({ http }) =>
    http ? (http.hosts.length > 0 ? http.hosts : ['']).map((host) => `${host} ${http.path}`) : [],
  );
}

/** The workflow that a plan is for. */
export function planWorkflow({ metadata, spec }: StoredObject): readonly string[] {
  const name = (spec as { readonly workflowRef?: { readonly name?: string } } | undefined)?.workflowRef?.name;
  return name === undefined ? [] : [keyOf({ namespace: metadata.namespace, name })];
}

export function watches({ client, namespace, namespaces, hooks }: WatchOptions): Watches {
  const informers: Informer<never>[] = [];
  const watch = <T extends KubeObject>(
    of: Kind<T>,
    more: Omit<Parameters<typeof informer<T>>[0], 'client' | 'kind'> = {},
  ): Store<T> => {
    const scope = of.namespaced && namespaces.length > 0 ? { namespaces } : {};
    const made = informer<T>({ client, kind: of, ...scope, ...(hooks ? { hooks } : {}), ...more });
    informers.push(made as unknown as Informer<never>);
    return made.store;
  };
  const ofUnits = { labelSelector: MANAGED, indexes: { workflow: workflowKeyOf } };
  const written = { ...ofUnits, keepFieldsOf: [MANAGER.workflow] };
  const stores: Stores = {
    functions: watch(SINTER.functions, { keepFieldsOf: [MANAGER.function] }),
    workflows: watch(SINTER.workflows, {
      keepFieldsOf: [MANAGER.workflow],
      indexes: { function: functionKeysOf, address: addressesOf },
    }),
    policies: watch(SINTER.policies, { keepFieldsOf: [MANAGER.policy] }),
    clusterPolicies: watch(SINTER.clusterPolicies, { keepFieldsOf: [MANAGER.policy] }),
    plans: watch(SINTER.plans, {
      keepFieldsOf: [MANAGER.workflow, MANAGER.plan],
      indexes: { workflow: planWorkflow },
      trim: withoutDecisions,
    }),
    nodes: watch(KINDS.nodes, { trim: trimNode }),
    deployments: watch(KINDS.deployments, written),
    pods: watch(KINDS.pods, { ...ofUnits, trim: trimPod }),
    disruptionBudgets: watch(KINDS.podDisruptionBudgets, written),
    networkPolicies: watch(KINDS.networkPolicies, written),
    configMaps: watch(KINDS.configMaps, { metadataOnly: true }),
    busPods: watch(KINDS.pods, { namespaces: [namespace], labelSelector: BUS_PODS, trim: trimPod }),
  };
  return { stores, informers };
}

/** Decisions are for people: no controller reads them, and they are most of a plan. */
function withoutDecisions(plan: StoredObject): StoredObject {
  if (typeof plan.spec !== 'object' || plan.spec === null) return plan;
  return { ...plan, spec: { ...plan.spec, decisions: [] } };
}

/** A pod's containers are what its Deployment says; only where it runs and how it does is read. */
function trimPod(pod: Pod): Pod {
  const { nodeName } = pod.spec ?? {};
  return {
    ...pod,
    spec: { containers: [], ...(nodeName === undefined ? {} : { nodeName }) },
  };
}

/** Images and volumes of a machine are long and change often. */
function trimNode(node: Node): Node {
  const { taints } = node.spec ?? {};
  const { conditions, allocatable } = node.status ?? {};
  return {
    ...node,
    spec: { ...(taints === undefined ? {} : { taints }) },
    status: {
      ...(conditions === undefined ? {} : { conditions }),
      ...(allocatable === undefined ? {} : { allocatable }),
    },
  };
}
