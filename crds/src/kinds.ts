/**
 * The kinds of the API: names, columns, subresources, schema.
 *
 * Owns: everything about a kind that is not a field or a rule. Neighbours: `schema/` has the fields, `rules/`
 * the rules, `crd.ts` puts all three together. Columns read status fields that the schemas hold for them.
 */
import type { z } from 'zod';
import { functionSchema } from './schema/function.ts';
import { workflowPlanSchema } from './schema/plan.ts';
import { clusterOptimizationPolicySchema, optimizationPolicySchema } from './schema/policy.ts';
import { workflowSchema } from './schema/workflow.ts';
import { toStructural, type Structural } from './structural.ts';
import type { KindName } from './types.ts';

export const GROUP = 'sinter.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;
/** `kubectl get sinter` shows every kind of this category. */
export const CATEGORY = 'sinter';

/** A column of `kubectl get`; with `wide` only of `-o wide`. */
export interface Column {
  readonly name: string;
  readonly jsonPath: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly description: string;
  readonly wide?: true;
}

export interface Kind {
  readonly kind: KindName;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly scope: 'Namespaced' | 'Cluster';
  /** What the kind is for, in a sentence or two. */
  readonly about: string;
  readonly columns: readonly Column[];
  /** Spec fields by which objects can be selected (`kubectl get --field-selector`). */
  readonly selectable: readonly string[];
  readonly scale?: { readonly spec: string; readonly status: string; readonly selector: string };
  readonly schema: z.ZodType;
}

const ready = (field: 'status' | 'reason' | 'message'): string =>
  `.status.conditions[?(@.type=="Ready")].${field}`;

const READY: Column = {
  name: 'Ready',
  type: 'string',
  jsonPath: ready('status'),
  description: 'Whether it is valid and serves.',
};
const REASON: Column = {
  name: 'Reason',
  type: 'string',
  jsonPath: ready('reason'),
  description: 'Why, in a word.',
};
const AGE: Column = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Since when it exists.',
};

const column = (name: string, jsonPath: string, description: string): Column => ({
  name,
  type: 'string',
  jsonPath,
  description,
});
const wide = (one: Column): Column => ({ ...one, wide: true });

const POLICY_COLUMNS: readonly Column[] = [
  column('Mode', '.spec.mode', 'What may be changed.'),
  column('Objective', '.spec.objective', 'What plans are judged by.'),
  column('Fusion', '.spec.fusion.mode', 'How functions are grouped.'),
  column('Rollout', '.spec.rollout.mode', 'How plans are taken.'),
  AGE,
  wide(column('Runtime', '.spec.runtime.prefer', 'As what functions run.')),
  wide(column('Deferral', '.spec.deferral.mode', 'Whether work that may wait is held.')),
];

export const KINDS: readonly Kind[] = [
  {
    kind: 'Function',
    plural: 'functions',
    singular: 'function',
    shortNames: ['sfn'],
    scope: 'Namespaced',
    about:
      'A Function is one function in each form that its author has (JavaScript, WASM, container), with what ' +
      'it needs to run. Workflows connect functions.',
    columns: [
      column('Artifacts', '.status.artifacts', 'The forms that it has.'),
      column('Workflows', '.status.workflows', 'The workflows that use it.'),
      column('Unit', '.status.unit', 'The unit that runs it.'),
      { ...column('Instances', '.status.instances', 'How many instances run.'), type: 'integer' },
      READY,
      REASON,
    ],
    selectable: ['.spec.trustDomain', '.spec.scaling.mode'],
    scale: { spec: '.spec.scaling.instances', status: '.status.instances', selector: '.status.selector' },
    schema: functionSchema,
  },
  {
    kind: 'Workflow',
    plural: 'workflows',
    singular: 'workflow',
    shortNames: ['swf'],
    scope: 'Namespaced',
    about:
      'A Workflow is a graph: functions, the calls that may happen between them, and what starts calls from ' +
      'outside. Only declared edges can be called.',
    columns: [
      column('Plan', '.status.plan.current', 'The plan that runs.'),
      column('Units', '.status.summary.units', 'How many units run how many functions.'),
      READY,
      REASON,
      AGE,
      wide(column('Runtimes', '.status.summary.runtimes', 'As what functions run.')),
      wide(column('Channels', '.status.summary.channels', 'How calls travel.')),
      wide(column('Message', ready('message'), 'Why, as a sentence.')),
    ],
    selectable: ['.spec.policyRef.name', '.spec.planRef.hash'],
    schema: workflowSchema,
  },
  {
    kind: 'OptimizationPolicy',
    plural: 'optimizationpolicies',
    singular: 'optimizationpolicy',
    shortNames: ['sop'],
    scope: 'Namespaced',
    about:
      'An OptimizationPolicy says what Sinter may decide for the workflows of a namespace, and towards what. ' +
      'The one named `default` holds for every workflow that names none.',
    columns: POLICY_COLUMNS,
    selectable: ['.spec.mode'],
    schema: optimizationPolicySchema,
  },
  {
    kind: 'ClusterOptimizationPolicy',
    plural: 'clusteroptimizationpolicies',
    singular: 'clusteroptimizationpolicy',
    shortNames: ['scop'],
    scope: 'Cluster',
    about:
      'A ClusterOptimizationPolicy is an OptimizationPolicy for every namespace that has none of its own. The ' +
      'one named `default` holds where nothing else does.',
    columns: POLICY_COLUMNS,
    selectable: ['.spec.mode'],
    schema: clusterOptimizationPolicySchema,
  },
  {
    kind: 'WorkflowPlan',
    plural: 'workflowplans',
    singular: 'workflowplan',
    shortNames: ['swp'],
    scope: 'Namespaced',
    about:
      'A WorkflowPlan is what should run for a workflow, with every decision and its reason. The operator ' +
      'writes it; its spec never changes. `planRef.hash` of a Workflow approves, pins or reverts one.',
    columns: [
      column('Workflow', '.spec.workflowRef.name', 'The workflow that it is for.'),
      { ...column('Sequence', '.status.sequence', 'The how-manieth plan it is.'), type: 'integer' },
      column('State', '.status.state', 'What became of it.'),
      column('Gain', '.status.gain', 'How much better than the plan before.'),
      AGE,
    ],
    selectable: ['.spec.workflowRef.name'],
    schema: workflowPlanSchema,
  },
];

/** The kind of that name, or undefined when Sinter has none. */
export function kindNamed(name: string): Kind | undefined {
  return KINDS.find((one) => one.kind === name);
}

const structurals = new Map<Kind, Structural>();

/** The structural schema of a kind without its rules; made once. */
export function structuralOf(kind: Kind): Structural {
  let schema = structurals.get(kind);
  if (schema === undefined) structurals.set(kind, (schema = toStructural(kind.schema)));
  return schema;
}
