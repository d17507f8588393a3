/**
 * The kinds of Sinter's own API as a client addresses them, and the names under which the operator writes.
 *
 * Owns: the list of field managers; each controller has one, so that the server knows who wrote which field.
 */
import { API_VERSION } from '@sinter/crds';
import { kind } from '../kube/objects.ts';
import type { Kind, KubeObject } from '../kube/objects.ts';

/** An object of Sinter's API as the server has it: nobody has judged it yet. */
export interface StoredObject extends KubeObject {
  readonly spec?: unknown;
  readonly status?: unknown;
}

const ours = (name: string, plural: string, namespaced = true): Kind<StoredObject> =>
  kind<StoredObject>(API_VERSION, name, plural, namespaced);

export const SINTER = {
  functions: ours('Function', 'functions'),
  workflows: ours('Workflow', 'workflows'),
  policies: ours('OptimizationPolicy', 'optimizationpolicies'),
  clusterPolicies: ours('ClusterOptimizationPolicy', 'clusteroptimizationpolicies', false),
  plans: ours('WorkflowPlan', 'workflowplans'),
} as const;

export const MANAGER = {
  workflow: 'sinter-workflow',
  function: 'sinter-function',
  policy: 'sinter-policy',
  plan: 'sinter-plan',
  defaults: 'sinter-defaults',
} as const;

/** Holds a Workflow back until what it has on the bus is gone. To let one go without: remove it from metadata.finalizers. */
export const FINALIZER = 'sinter.dev/bus';
