/** What should run, and why. */
export type * from './plan.ts';
export { allowedMachines, spread } from './placement.ts';
export { plan } from './planner.ts';
export { GROUP_RULES } from './rules.ts';
