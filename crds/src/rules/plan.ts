/** What a WorkflowPlan must be beyond the shape of its fields. Owns the table; `rule.ts` has the meaning of a row. */
import { isDeepStrictEqual } from 'node:util';
import type { WorkflowPlanObject, WorkflowPlanSpec } from '../types.ts';
import { must, rulesAt, type Rule } from './rule.ts';

const KIND = ['WorkflowPlan'] as const;
const HASH_SUFFIX = '-[0-9a-f]{10}$';

const namedByHash = ({ metadata, spec }: WorkflowPlanObject): boolean => {
  const workflow = spec.workflowRef.name;
  return (
    metadata.name.startsWith(`${workflow}-`) &&
    new RegExp(HASH_SUFFIX).test(metadata.name) &&
    metadata.name.length === workflow.length + 11
  );
};

const objectRules = rulesAt<WorkflowPlanObject>(KIND, '', [
  {
    name: 'PlanNotNamedByHash',
    rule:
      "self.metadata.name.startsWith(self.spec.workflowRef.name + '-') && " +
      `self.metadata.name.matches('${HASH_SUFFIX}') && ` +
      'size(self.metadata.name) == size(self.spec.workflowRef.name) + 11',
    given: 'self.metadata.name',
    message:
      "must be a `metadata.name` of the form WORKFLOW-HASH: the name in `spec.workflowRef`, '-', and the plan's 10 " +
      'hexadecimal digits',
    find: (plan) => must(namedByHash(plan), plan.metadata.name, 'metadata', 'name'),
  },
]);

const specRules = rulesAt<WorkflowPlanSpec>(KIND, 'spec', [
  {
    name: 'PlanChanged',
    rule: 'self == oldSelf',
    given: 'self.workflowRef.name',
    message: 'must not be changed: a plan is immutable; the operator writes another one under another hash',
    transition: true,
    find: (spec, old) => must(isDeepStrictEqual(spec, old), spec.workflowRef.name),
  },
]);

export const planRules: readonly Rule[] = [...objectRules, ...specRules];
