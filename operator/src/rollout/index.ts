/** The step from one revision of a workflow to the next, and the trial of a plan beside the one that runs: pure functions. */
export { conduct, reportOf } from './conduct.ts';
export type { Conducted, Order, Sight } from './conduct.ts';
export * from './evidence.ts';
export type { Objective, Verdict } from './judge.ts';
export * from './memory.ts';
export { DRAIN_SLACK_MS, OVERLAP_MS, longestMs } from './routes.ts';
export { step } from './step.ts';
export { figuresOf } from './totals.ts';
export type { Figures, Totals } from './totals.ts';
export * from './trial.ts';
export * from './world.ts';
