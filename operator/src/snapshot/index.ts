/** What a plan is made from. */
export * from './gather.ts';
export type * from './snapshot.ts';
