/** The step from one revision of a workflow to the next, as a pure function; and the judgement of a plan that is tried. */
export { DRAIN_SLACK_MS, OVERLAP_MS, longestMs } from './routes.ts';
export { step } from './step.ts';
export * from './world.ts';
export * from './evidence.ts';
export { judged } from './judge.ts';
export type { Judgement, Objective, Terms, Verdict } from './judge.ts';
