/** What spans of services that run tell of them. */
export { derive, type Derived, type DeriveTerms } from './derive.ts';
export type { Grain } from './graph.ts';
