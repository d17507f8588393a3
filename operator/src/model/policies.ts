/**
 * Does what a policy says fit the workflows under it?
 *
 * Owns: policies that are not there, and Manual groups that name strangers. Neighbours: `policy.ts` says which policy
 * holds; the API refuses groups that overlap; the planner says which groups break a rule.
 */
import { didYouMean } from '@sinter/crds';
import { error, notice } from './finding.ts';
import type { Finding } from './finding.ts';
import { namespaceOf } from './nouns.ts';
import type { AnyPolicyObject, Application, FusionGroup, WorkflowObject } from './nouns.ts';
import { policyObjectOf } from './policy.ts';
import { placeIn } from './directory.ts';
import type { Directory } from './directory.ts';

export function policyNotFound(workflow: WorkflowObject, { application }: Directory): readonly Finding[] {
  const wanted = workflow.spec.policyRef?.name;
  if (wanted === undefined || policyObjectOf(application, workflow)) return [];
  const namespace = namespaceOf(workflow);
  const there = application.policies
    .filter(({ object }) => namespaceOf(object) === namespace)
    .map(({ object }) => object.metadata.name)
    .sort();
  const near = didYouMean(wanted, there);
  const says = `is no OptimizationPolicy of namespace ${namespace}${near === undefined ? '' : ` (did you mean '${near}'?)`}; there ${there.length === 0 ? 'is none' : `are ${there.join(', ')}`}: create it, or leave policyRef out`;
  return [error('PolicyNotFound', placeIn(workflow, 'spec.policyRef.name', wanted), says)];
}

/** What is wrong with a policy's groups, for the workflows that they are about. */
export function groupFindings(policy: AnyPolicyObject, directory: Directory): readonly Finding[] {
  if (policy.spec.fusion.mode !== 'Manual') return [];
  const under = workflowsUnder(policy, directory.application);
  return policy.spec.fusion.groups.flatMap((group, i) => strangers(group, i, policy, under, directory));
}

const workflowsUnder = (policy: AnyPolicyObject, application: Application): readonly WorkflowObject[] =>
  application.workflows.map((w) => w.object).filter((w) => policyObjectOf(application, w)?.object === policy);

/** A group for one workflow is judged by it, wherever it is; a group for all, by all that the policy holds for. */
function strangers(
  group: FusionGroup,
  i: number,
  policy: AnyPolicyObject,
  under: readonly WorkflowObject[],
  directory: Directory,
): readonly Finding[] {
  const field = `spec.fusion.groups[${i}]`;
  const about = group.workflow === '' ? under : workflowsNamed(group.workflow, policy, directory);
  if (about.length === 0) {
    if (group.workflow === '') return [];
    const says = `is no Workflow that this policy could hold for, so the group does nothing; correct the name`;
    return [notice('GroupOfUnknownWorkflow', placeIn(policy, `${field}.workflow`, group.workflow), says)];
  }
  const known = [...new Set(about.flatMap((w) => w.spec.functions.map((f) => f.name)))].sort();
  const label = about
    .map((w) => w.metadata.name)
    .sort()
    .join(', ');
  return group.functions.flatMap((name, at) => {
    if (known.includes(name)) return [];
    const near = didYouMean(name, known);
    const says = `is no function of Workflow ${label}${near === undefined ? '' : ` (did you mean '${near}'?)`}; a group names functions as the graph does: correct or remove it`;
    return [error('GroupOfUnknownFunction', placeIn(policy, `${field}.functions[${at}]`, name), says)];
  });
}

const workflowsNamed = (
  name: string,
  policy: AnyPolicyObject,
  { workflows }: Directory,
): readonly WorkflowObject[] =>
  workflows.filter(
    (w) =>
      w.metadata.name === name &&
      (policy.kind === 'ClusterOptimizationPolicy' || namespaceOf(w) === namespaceOf(policy)),
  );
