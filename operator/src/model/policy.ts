/**
 * Which policy holds for a workflow.
 *
 * Owns: the order: what `policyRef` names, else the namespace's `default`, else the cluster's `default`, else the
 * defaults of the API. Never fails: a `policyRef` that names nothing is a finding (`policies.ts`), and until it is
 * mended the built-in defaults hold.
 */
import { policySpec } from '@sinter/crds';
import { namespaceOf } from './nouns.ts';
import type { AnyPolicyObject, Application, Declared, PolicySpec, WorkflowObject } from './nouns.ts';

export interface ResolvedPolicy {
  readonly source: 'PolicyRef' | 'NamespaceDefault' | 'ClusterDefault' | 'BuiltIn';
  /** Empty for the built-in defaults. */
  readonly name: string;
  readonly spec: PolicySpec;
}

export const DEFAULT_POLICY = 'default';

/** The policy object behind a workflow; undefined: the built-in defaults hold. */
export function policyObjectOf(
  application: Application,
  workflow: WorkflowObject,
): Declared<AnyPolicyObject> | undefined {
  const wanted = workflow.spec.policyRef?.name;
  const inNamespace = (name: string): Declared<AnyPolicyObject> | undefined =>
    application.policies.find(
      ({ object }) => object.metadata.name === name && namespaceOf(object) === namespaceOf(workflow),
    );
  if (wanted !== undefined) return inNamespace(wanted);
  return (
    inNamespace(DEFAULT_POLICY) ??
    application.clusterPolicies.find(({ object }) => object.metadata.name === DEFAULT_POLICY)
  );
}

export function resolvePolicy(application: Application, workflow: WorkflowObject): ResolvedPolicy {
  const found = policyObjectOf(application, workflow)?.object;
  if (!found) return { source: 'BuiltIn', name: '', spec: builtInPolicy() };
  const { name } = found.metadata;
  if (workflow.spec.policyRef) return { source: 'PolicyRef', name, spec: found.spec };
  const source = found.kind === 'OptimizationPolicy' ? 'NamespaceDefault' : 'ClusterDefault';
  return { source, name, spec: found.spec };
}

/** The defaults of the API: what a policy without a word in it says. */
export const builtInPolicy = (): PolicySpec => policySpec.parse({});
