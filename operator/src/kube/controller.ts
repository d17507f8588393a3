/**
 * A loop that brings the world to what an object says: keys in, reconcile out.
 */
import type { Clock } from './clock.ts';
import type { KubeObject } from './objects.ts';
import type { Priority, QueueHooks, QueueState } from './workqueue.ts';
import type { Change, Store } from './store.ts';

export type Result =
  /** Done until something changes. */
  | { readonly kind: 'settled' }
  /** Look again after so many milliseconds, or earlier when something changes. */
  | { readonly kind: 'again'; readonly afterMs: number };

export const settled: Result = { kind: 'settled' };
export const again = (afterMs: number): Result => ({ kind: 'again', afterMs });

/** A store and the keys that a change in it touches. Made by `source`. */
export interface Source {
  whenSynced(signal: AbortSignal): Promise<void>;
  /** Starts telling of changes; returns the way to stop. */
  subscribe(enqueue: (key: string, priority: Priority) => void): () => void;
  /** Every key that its objects touch now. */
  keys(): Iterable<string>;
}

/** Both the old and the new object of an update are mapped. Without a mapper: the object's own key. */
export declare function source<T extends KubeObject>(
  store: Store<T>,
  toKeys?: (object: T) => Iterable<string>,
  /** False: this change touches nobody. */
  matters?: (change: Change<T>) => boolean,
): Source;

export type Outcome = 'settled' | 'again' | 'error' | 'terminal' | 'timeout';

export interface ReconcileReport {
  readonly controller: string;
  readonly key: string;
  /** One per run, for logs. */
  readonly reconcileId: string;
  readonly outcome: Outcome;
  readonly durationMs: number;
  readonly error?: unknown;
  /** Failures in a row of this key. */
  readonly failures: number;
}

export interface ControllerHooks {
  readonly queue?: QueueHooks;
  readonly started?: (key: string, reconcileId: string) => void;
  readonly finished?: (report: ReconcileReport) => void;
}

export interface ControllerOptions {
  readonly name: string;
  /**
   * Level-triggered: the key may be anything between just made and long gone. Throw to be retried, TerminalError to stop.
   * The signal aborts at the time limit and at the end of the controller.
   */
  reconcile(key: string, signal: AbortSignal, reconcileId: string): Promise<Result>;
  readonly sources: readonly Source[];
  /** How many keys at once; default 2. Never the same key twice. */
  readonly workers?: number;
  /** One reconcile at most; default 60 s. */
  readonly timeoutMs?: number;
  /** Every key again at least so often; default 10 min, spread. */
  readonly safetyMs?: number;
  readonly backoff?: { readonly firstMs: number; readonly longestMs: number };
  readonly clock?: Clock;
  readonly hooks?: ControllerHooks;
}

export interface Controller {
  readonly name: string;
  /** From outside: a message on the bus, a timer. */
  enqueue(key: string, options?: { readonly afterMs?: number; readonly priority?: Priority }): void;
  /** Works until the signal aborts; resolves when what was in work has ended. */
  run(signal: AbortSignal): Promise<void>;
  state(): QueueState;
}

export declare function controller(options: ControllerOptions): Controller;
