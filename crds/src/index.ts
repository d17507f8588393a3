/**
 * @sinter/crds: the API of Sinter, defined once. Schemas, the types inferred from them, and `validate`, which
 * judges an object as an API server would. Generated files (CRDs, JSON Schemas, reference) come from the same
 * source by `generate.ts`, which is not exported: programs need the API, not its YAML.
 */
export * from './types.ts';
export { functionSchema, functionSpec, INLINE_MAX } from './schema/function.ts';
export { workflowSchema, workflowSpec } from './schema/workflow.ts';
export { clusterOptimizationPolicySchema, optimizationPolicySchema, policySpec } from './schema/policy.ts';
export { planSpec, workflowPlanSchema } from './schema/plan.ts';
export { architecture, EDGES_MAX, FUNCTIONS_MAX, NAME_MAX, nameInGraph } from './schema/parts.ts';
export { API_VERSION, CATEGORY, GROUP, KINDS, kindNamed, VERSION, type Column, type Kind } from './kinds.ts';
export { judge, type Judged } from './judge.ts';
export { didYouMean, fieldPath, problemLine, type Path, type Problem } from './problem.ts';
export {
  userWrote,
  validate,
  type Invalid,
  type Valid,
  type ValidateOptions,
  type Verdict,
} from './validate.ts';
export { withoutDefaults } from './written.ts';
export { RULES, rulesOf } from './rules/index.ts';
export type { Finding, Rule } from './rules/rule.ts';
