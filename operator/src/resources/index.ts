/** From a plan to names, hashes, Kubernetes objects and the wire's records. */
export { canonicalJson } from '../model/canonical.ts';
export { planHash, planName, seedSecretName, shortHash, unitHash, unitName } from './hashes.ts';
export type * from './kubernetes.ts';
export * from './labels.ts';
export { PLAN_BYTES_MAX, planShape, workflowPlanObject } from './planObject.ts';
export * from './podSettings.ts';
export { pricingOf, type PlanPricing } from './pricing.ts';
export { proposalOf, propose, type NamedProposal, type Proposal } from './propose.ts';
export { entryRecord, routeRevision, unitScope } from './routes.ts';
export * from './summaries.ts';
export * from './unitObjects.ts';
