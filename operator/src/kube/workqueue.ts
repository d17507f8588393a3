/**
 * Keys that want work.
 */
import type { Clock } from './clock.ts';

/** `Live` goes before `Background` (start-up lists, safety requeues); a live add lifts a waiting background key. */
export type Priority = 'Live' | 'Background';

export interface QueueHooks {
  readonly added?: (key: string) => void;
  readonly retried?: (key: string) => void;
  /** From being ready to being handed out. */
  readonly waited?: (ms: number) => void;
  /** From being handed out to done. */
  readonly worked?: (ms: number) => void;
}

/** For gauges, read when they are scraped. */
export interface QueueState {
  readonly depth: number;
  readonly waitingForTime: number;
  readonly processing: number;
  /** Sum over keys in work. */
  readonly unfinishedMs: number;
  readonly longestRunningMs: number;
}

export interface QueueOptions {
  readonly clock: Clock;
  /** First and longest wait after a failure; default 50 ms and 5 min. */
  readonly backoff?: { readonly firstMs: number; readonly longestMs: number };
  readonly hooks?: QueueHooks;
}

export interface Workqueue {
  add(key: string, priority?: Priority): void;
  /** Not before `ms` from now; of several, the earliest counts. */
  addAfter(key: string, ms: number, priority?: Priority): void;
  /** After a failure: exponentially later each time until `forget`. */
  addBackoff(key: string, atLeastMs?: number): void;
  forget(key: string): void;
  failures(key: string): number;
  /** The next key, or undefined after `stop`. A key is handed to one at a time; call `done` with it. */
  take(): Promise<string | undefined>;
  done(key: string): void;
  /** Nothing more is handed out. Resolves when everything in work is done. */
  stop(): Promise<void>;
  state(): QueueState;
}
