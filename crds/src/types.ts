/**
 * The types of the API, inferred from the schemas: what a program holds after `validate` (everything defaulted)
 * and what a person writes (`…Input`, defaults optional).
 *
 * Owns: names for the kinds and their parts. Invariant: all data is deeply readonly.
 */
import type { z } from 'zod';
import type { condition, metadata } from './schema/parts.ts';
import type { functionSchema } from './schema/function.ts';
import type { workflowSchema } from './schema/workflow.ts';
import type { clusterOptimizationPolicySchema, optimizationPolicySchema } from './schema/policy.ts';
import type { workflowPlanSchema } from './schema/plan.ts';

/** Readonly all the way down. */
export type DeepReadonly<T> = T extends readonly (infer U)[]
  ? readonly DeepReadonly<U>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

type Out<T extends z.ZodType> = DeepReadonly<z.output<T>>;
type In<T extends z.ZodType> = DeepReadonly<z.input<T>>;

export type ObjectMeta = Out<typeof metadata>;
export type Condition = Out<typeof condition>;

export type FunctionObject = Out<typeof functionSchema>;
export type FunctionInput = In<typeof functionSchema>;
export type FunctionSpec = FunctionObject['spec'];
export type FunctionStatus = NonNullable<FunctionObject['status']>;
export type Artifact = FunctionSpec['artifacts'][number];
export type ArtifactType = Artifact['type'];
export type ModuleSource = NonNullable<Artifact['module']>;
export type ContainerSource = NonNullable<Artifact['container']>;
export type Resources = FunctionSpec['resources'];
export type Quantity = Resources['limits']['cpu'];
export type Isolation = FunctionSpec['isolation'];
export type FunctionScaling = FunctionSpec['scaling'];
export type FunctionPlacement = FunctionSpec['placement'];
export type Tier = FunctionPlacement['tiers'][number];
export type Architecture = FunctionPlacement['architectures'][number];
export type EnvVar = FunctionSpec['env'][number];
export type EnvFromSource = FunctionSpec['envFrom'][number];
export type VolumeMount = FunctionSpec['volumeMounts'][number];
export type PodTemplate = FunctionSpec['template'];

export type WorkflowObject = Out<typeof workflowSchema>;
export type WorkflowInput = In<typeof workflowSchema>;
export type WorkflowSpec = WorkflowObject['spec'];
export type WorkflowStatus = NonNullable<WorkflowObject['status']>;
/** A function of the graph: a Function or an existing Service, under its name in the graph. */
export type WorkflowFunction = WorkflowSpec['functions'][number];
export type ServiceVertex = NonNullable<WorkflowFunction['service']>;
export type Edge = WorkflowSpec['edges'][number];
export type CallKind = Edge['call'];
export type Retry = NonNullable<Edge['retry']>;
export type Deferral = NonNullable<Edge['deferral']>;
export type DeadLetter = NonNullable<Edge['deadLetter']>;
export type Durability = NonNullable<Edge['durability']>;
export type Trigger = WorkflowSpec['triggers'][number];
export type TriggerType = Trigger['type'];
export type HttpTrigger = NonNullable<Trigger['http']>;
export type HttpAuth = HttpTrigger['auth'];
export type CronTrigger = NonNullable<Trigger['cron']>;

export type OptimizationPolicyObject = Out<typeof optimizationPolicySchema>;
export type OptimizationPolicyInput = In<typeof optimizationPolicySchema>;
export type ClusterOptimizationPolicyObject = Out<typeof clusterOptimizationPolicySchema>;
export type ClusterOptimizationPolicyInput = In<typeof clusterOptimizationPolicySchema>;
export type OptimizationPolicySpec = OptimizationPolicyObject['spec'];
export type FusionGroup = OptimizationPolicySpec['fusion']['groups'][number];

export type WorkflowPlanObject = Out<typeof workflowPlanSchema>;
export type WorkflowPlanInput = In<typeof workflowPlanSchema>;
export type WorkflowPlanSpec = WorkflowPlanObject['spec'];
export type WorkflowPlanStatus = NonNullable<WorkflowPlanObject['status']>;
export type PlanUnit = WorkflowPlanSpec['units'][number];
export type PlanVariant = PlanUnit['variants'][number];
export type PlanArtifact = PlanVariant['artifacts'][number];
export type PlanChannel = WorkflowPlanSpec['channels'][number];
export type ChannelKind = PlanChannel['channel'];
export type EdgeTerms = NonNullable<PlanChannel['terms']>;
export type Decision = WorkflowPlanSpec['decisions'][number];
export type DecisionKind = Decision['kind'];
export type DecisionInput = Decision['inputs'][number];
export type DecisionAlternative = Decision['alternatives'][number];

/** Any object of the API; `kind` tells which. */
export type SinterObject =
  | FunctionObject
  | WorkflowObject
  | OptimizationPolicyObject
  | ClusterOptimizationPolicyObject
  | WorkflowPlanObject;
export type KindName = SinterObject['kind'];
/** The object type of a kind. */
export type ObjectOf<K extends KindName> = Extract<SinterObject, { readonly kind: K }>;
