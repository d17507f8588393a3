/** The table of rules: every rule of every kind, in the order in which they are reported. */
import type { KindName } from '../types.ts';
import { functionRules, nameRules } from './function.ts';
import { planRules } from './plan.ts';
import { policyRules } from './policy.ts';
import type { Rule } from './rule.ts';
import { workflowRules } from './workflow.ts';

export const RULES: readonly Rule[] = [
  ...nameRules,
  ...functionRules,
  ...workflowRules,
  ...policyRules,
  ...planRules,
];

/** The rules of a kind. */
export function rulesOf(kind: KindName): readonly Rule[] {
  return RULES.filter((rule) => rule.kinds.includes(kind));
}
