/** What the operator tells of itself: logs, metrics, probes. */
export * from './log.ts';
export * from './metrics.ts';
export * from './server.ts';
