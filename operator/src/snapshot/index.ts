/** What a plan is made from. */
export * from './gather.ts';
export { machineOf, machinesOf, TIER_LABEL, type NodeLike } from './machines.ts';
export type * from './snapshot.ts';
