/** The nouns of the domain, and what makes them valid. */
export * from './application.ts';
export { check, findingsFor } from './check.ts';
export * from './environment.ts';
export * from './finding.ts';
export { imageModuleOf, registryOf, type ImageModule } from './images.ts';
export * from './modules.ts';
export { notYet } from './notYet.ts';
export * from './nouns.ts';
export { policyObjectOf, resolvePolicy, type ResolvedPolicy } from './policy.ts';
