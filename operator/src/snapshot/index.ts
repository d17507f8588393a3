/** What a plan is made from. */
export * from './gather.ts';
export { machineOf, machinesOf, TIER_LABEL, type NodeLike } from './machines.ts';
export type * from './snapshot.ts';
export { inOrder, NO_OBSERVATIONS, observationsSchema } from './observations.ts';
export type * from './observations.ts';
export { readSnapshot, snapshotText, type SnapshotReading } from './file.ts';
export { snapshotJsonSchema, snapshotSchema } from './schema.ts';
