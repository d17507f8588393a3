/** What instances have seen of a workflow, as what a plan is made from and what a roll-out is judged by. */
export type { ObservationsRecord } from './checkpoint.ts';
export { WorkflowObservations } from './observations.ts';
export type { Pricing } from './tallies.ts';
