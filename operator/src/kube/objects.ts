/**
 * What every object of a Kubernetes API has, the kinds that Sinter reads and writes, and their addresses.
 *
 * Owns: the shape of objects *as they travel* (times are text, unlike in the client library's models), keys and paths.
 * Neighbours: `client.ts` sends them, `store.ts` keeps them. Sinter's own kinds come from `@sinter/crds` by whoever calls.
 * Invariant: a key is `namespace/name`, or `name` alone for a kind without namespaces; nothing else is ever queued.
 */
import type {
  V1ConfigMap,
  V1CustomResourceDefinition,
  V1DaemonSet,
  V1Deployment,
  V1Job,
  V1Lease,
  V1Namespace,
  V1NetworkPolicy,
  V1Node,
  V1Pod,
  V1PodDisruptionBudget,
  V1Secret,
  V1Service,
  V1StatefulSet,
  V2HorizontalPodAutoscaler,
} from '@kubernetes/client-node';

/** A model of the client library as JSON carries it: times are text, everything is readonly. */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer U)[]
    ? readonly Wire<U>[]
    : T extends object
      ? { readonly [K in keyof T]: Wire<T[K]> }
      : T;

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly generation?: number | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly creationTimestamp?: string | undefined;
  readonly deletionTimestamp?: string | undefined;
  readonly finalizers?: readonly string[] | undefined;
  /** Each an OwnerReference; `ownersOf` reads them. Sinter's schemas leave their parts open, hence the wide type. */
  readonly ownerReferences?: readonly object[] | undefined;
  readonly managedFields?: readonly object[] | undefined;
}

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** A model of the client library as an API server sends it. */
export type Served<T> = Wire<Omit<T, 'apiVersion' | 'kind' | 'metadata'>> & KubeObject;

/** Only the metadata of an object (`metadataOnly`): everything about it that needs no spec. */
export type MetadataObject = KubeObject;

/** A kind as an API server serves it. `T` is the type of its objects and exists for the compiler only. */
export interface Kind<T extends KubeObject = KubeObject> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  readonly objects?: T;
}

export const kind = <T extends KubeObject>(
  apiVersion: string,
  name: string,
  plural: string,
  namespaced = true,
): Kind<T> => ({ apiVersion, kind: name, plural, namespaced });

export type Deployment = Served<V1Deployment>;
export type StatefulSet = Served<V1StatefulSet>;
export type DaemonSet = Served<V1DaemonSet>;
export type Job = Served<V1Job>;
export type Pod = Served<V1Pod>;
export type Node = Served<V1Node>;
export type Namespace = Served<V1Namespace>;
export type Service = Served<V1Service>;
export type Secret = Served<V1Secret>;
export type ConfigMap = Served<V1ConfigMap>;
export type Lease = Served<V1Lease>;
export type PodDisruptionBudget = Served<V1PodDisruptionBudget>;
export type NetworkPolicy = Served<V1NetworkPolicy>;
export type HorizontalPodAutoscaler = Served<V2HorizontalPodAutoscaler>;
export type CustomResourceDefinition = Served<V1CustomResourceDefinition>;

/** The kinds of Kubernetes itself that Sinter meets. */
export const KINDS = {
  configMaps: kind<ConfigMap>('v1', 'ConfigMap', 'configmaps'),
  customResourceDefinitions: kind<CustomResourceDefinition>(
    'apiextensions.k8s.io/v1',
    'CustomResourceDefinition',
    'customresourcedefinitions',
    false,
  ),
  daemonSets: kind<DaemonSet>('apps/v1', 'DaemonSet', 'daemonsets'),
  deployments: kind<Deployment>('apps/v1', 'Deployment', 'deployments'),
  horizontalPodAutoscalers: kind<HorizontalPodAutoscaler>(
    'autoscaling/v2',
    'HorizontalPodAutoscaler',
    'horizontalpodautoscalers',
  ),
  jobs: kind<Job>('batch/v1', 'Job', 'jobs'),
  leases: kind<Lease>('coordination.k8s.io/v1', 'Lease', 'leases'),
  namespaces: kind<Namespace>('v1', 'Namespace', 'namespaces', false),
  networkPolicies: kind<NetworkPolicy>('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies'),
  nodes: kind<Node>('v1', 'Node', 'nodes', false),
  podDisruptionBudgets: kind<PodDisruptionBudget>('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  pods: kind<Pod>('v1', 'Pod', 'pods'),
  secrets: kind<Secret>('v1', 'Secret', 'secrets'),
  services: kind<Service>('v1', 'Service', 'services'),
  statefulSets: kind<StatefulSet>('apps/v1', 'StatefulSet', 'statefulsets'),
} as const;

/** Where an object is: its namespace (none for kinds without) and its name. */
export interface Place {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** `namespace/name`, or `name`. */
export function keyOf(place: Place): string {
  return place.namespace === undefined || place.namespace === ''
    ? place.name
    : `${place.namespace}/${place.name}`;
}

/** The inverse of `keyOf`. */
export function placeOf(key: string): Place {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The owners of an object, the controlling one first. */
export function ownersOf(object: KubeObject): readonly OwnerReference[] {
  const owners = (object.metadata.ownerReferences ?? []) as readonly OwnerReference[];
  return [...owners].sort((a, b) => Number(b.controller ?? false) - Number(a.controller ?? false));
}

/** The reference by which a child names its controlling owner; same namespace only. */
export function controlledBy(owner: KubeObject): OwnerReference {
  const { name, uid } = owner.metadata;
  if (uid === undefined) throw new TypeError(`${owner.kind} ${keyOf(owner.metadata)} has no uid yet`);
  const { apiVersion, kind: ownerKind } = owner;
  return { apiVersion, kind: ownerKind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** The path of a collection, or of one object in it. No namespace for a namespaced kind: all namespaces. */
export function pathOf(of: Kind, namespace?: string, name?: string, subresource?: string): string {
  const root = of.apiVersion.includes('/') ? '/apis' : '/api';
  const parts = [root.slice(1), ...of.apiVersion.split('/')];
  if (of.namespaced && namespace !== undefined && namespace !== '') parts.push('namespaces', namespace);
  parts.push(of.plural);
  if (name !== undefined) parts.push(name);
  if (subresource !== undefined) parts.push(subresource);
  return `/${parts.map(encodeURIComponent).join('/')}`;
}
