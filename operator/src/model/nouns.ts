/**
 * The nouns of the domain: what is declared, under the words of the design.
 *
 * Owns: names for the parts of the API and for the few Kubernetes objects that an application brings along. Its
 * neighbour `@sinter/crds` owns shapes and defaults; only this folder imports it.
 * Invariants:
 *  1. A Secret's values never come in here: a name and its keys are all that a plan may depend on.
 *  2. Everything is deeply readonly.
 */
import type {
  ClusterOptimizationPolicyObject,
  FunctionObject,
  OptimizationPolicyObject,
  WorkflowObject,
} from '@sinter/crds';

export type {
  Architecture,
  Artifact,
  ArtifactType,
  CallKind,
  ChannelKind,
  ClusterOptimizationPolicyObject,
  DeepReadonly,
  Durability,
  Edge,
  EdgeTerms,
  EnvFromSource,
  EnvVar,
  FunctionObject,
  FunctionPlacement,
  FunctionScaling,
  FunctionSpec,
  FusionGroup,
  HttpTrigger,
  Isolation,
  ModuleSource,
  OptimizationPolicyObject,
  OptimizationPolicySpec as PolicySpec,
  PodTemplate,
  Quantity,
  Retry,
  Tier,
  Trigger,
  WorkflowFunction as Vertex,
  WorkflowObject,
  WorkflowPlanObject,
  WorkflowSpec,
} from '@sinter/crds';

export type AnyPolicyObject = OptimizationPolicyObject | ClusterOptimizationPolicyObject;

/** An object as it holds (with defaults), beside what its author wrote (without): `written` of `validate`. */
export interface Declared<T> {
  readonly object: T;
  readonly written: unknown;
}

interface Named {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly creationTimestamp?: string | undefined;
}

export interface ConfigMap {
  readonly metadata: Named;
  readonly data?: Readonly<Record<string, string>> | undefined;
  /** Base64, as in the manifest. */
  readonly binaryData?: Readonly<Record<string, string>> | undefined;
}

/** A Secret without its values. */
export interface Secret {
  readonly metadata: Named;
  readonly keys: readonly string[];
}

export interface WorkflowName {
  readonly namespace: string;
  readonly workflow: string;
}

/** A plan that exists, by its hash. */
export interface PlanName extends WorkflowName {
  readonly hash: string;
}

/** Everything that is declared: by a folder of manifests, or in a cluster. */
export interface Application {
  readonly functions: readonly Declared<FunctionObject>[];
  readonly workflows: readonly Declared<WorkflowObject>[];
  readonly policies: readonly Declared<OptimizationPolicyObject>[];
  readonly clusterPolicies: readonly Declared<ClusterOptimizationPolicyObject>[];
  readonly configMaps: readonly ConfigMap[];
  readonly secrets: readonly Secret[];
  /** There may be Secrets besides, at which nobody may look: a name that is not among `secrets` is not judged. */
  readonly secretsUnknown?: boolean;
  /** Functions that were declared and could not be taken in; absent: none. What names one is told so. */
  readonly refusedFunctions?: readonly { readonly namespace: string; readonly name: string }[];
  /** The plans that `planRef` may name; absent: not known, and not judged. */
  readonly plans?: readonly PlanName[];
}

/** A machine that can run units: a Kubernetes Node, or one of `sinter run --machines`. */
export interface Machine {
  readonly name: string;
  readonly architecture: string;
  readonly tier: 'Edge' | 'Cloud';
  /** What units may have of it, in thousandths of a core and in bytes; absent: not known, and no limit. */
  readonly cpuMillis?: number | undefined;
  readonly memoryBytes?: number | undefined;
  /** Round trip to the hub, in milliseconds; absent: not known. */
  readonly busDistanceMs?: number | undefined;
}

/** Objects without a namespace belong to this one, as with kubectl. */
export const DEFAULT_NAMESPACE = 'default';

export const namespaceOf = (object: { readonly metadata: Named }): string =>
  object.metadata.namespace ?? DEFAULT_NAMESPACE;

/** The name of the Function behind a vertex; undefined: the vertex is a Service. */
export const functionNameOf = (vertex: {
  readonly name: string;
  readonly functionRef?: { readonly name: string } | undefined;
  readonly service?: object | undefined;
}): string | undefined => (vertex.service ? undefined : (vertex.functionRef?.name ?? vertex.name));
