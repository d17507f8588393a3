/** The step from one revision of a workflow to the next, as a pure function. */
export { DRAIN_SLACK_MS, OVERLAP_MS, longestMs } from './routes.ts';
export { step } from './step.ts';
export * from './world.ts';
