/**
 * A loop that brings the world to what an object says: keys in, reconcile out.
 *
 * Owns: when a key is reconciled, how often, how long at most, and what its outcome means for the queue. Neighbours:
 * `workqueue.ts` orders the keys, the stores bring them, `reconcile` knows the domain.
 * Invariants:
 *  1. Nothing is reconciled before every store of a source has synced.
 *  2. A key is in one reconcile at a time, also when the former has run over its time: it is told to end, and awaited.
 *  3. Every key comes again at least every `safetyMs`, whatever was missed.
 *  4. An end of the controller is no failure of the key that was in work.
 */
import { randomUUID } from 'node:crypto';
import { pause, systemClock, type Clock } from './clock.ts';
import { ApiError, TerminalError } from './errors.ts';
import { keyOf, type KubeObject } from './objects.ts';
import type { Change, Store } from './store.ts';
import { workqueue } from './workqueue.ts';
import type { Backoff, Priority, QueueHooks, QueueState, Workqueue } from './workqueue.ts';

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

/**
 * Maps objects to keys; without `toKeys` to their own. Of an update both the old and the new object are mapped, so that a
 * child that moves to another owner wakes both. `matters` leaves changes out that touch nobody; a list at start does not ask it.
 */
export function source<T extends KubeObject>(
  store: Store<T>,
  toKeys: (object: T) => Iterable<string> = (object) => [keyOf(object.metadata)],
  matters: (change: Change<T>) => boolean = () => true,
): Source {
  const keysOf = (change: Change<T>): ReadonlySet<string> =>
    new Set([...(change.type === 'updated' ? toKeys(change.old) : []), ...toKeys(change.object)]);
  return {
    whenSynced: (signal) => store.whenSynced(signal),
    subscribe: (enqueue) =>
      store.onChange((change) => {
        if (!change.initial && !matters(change)) return;
        for (const key of keysOf(change)) enqueue(key, change.initial ? 'Background' : 'Live');
      }),
    keys: () => new Set(store.list().flatMap((object) => [...mapped(object, toKeys)])),
  };
}

/** An object that the mapper cannot take was reported when it came; it stops nobody else. */
function mapped<T>(object: T, toKeys: (object: T) => Iterable<string>): Iterable<string> {
  try {
    return toKeys(object);
  } catch {
    return [];
  }
}

export type Outcome = 'settled' | 'again' | 'error' | 'terminal' | 'timeout';

export interface ReconcileReport {
  readonly controller: string;
  readonly key: string;
  /** One per run, for logs. */
  readonly reconcileId: string;
  readonly outcome: Outcome;
  readonly durationMs: number;
  readonly error?: unknown;
  /** Failures in a row of this key, with this one. */
  readonly failures: number;
  /** When it is tried again after a failure. */
  readonly againInMs?: number;
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
  readonly backoff?: Backoff;
  readonly clock?: Clock;
  readonly hooks?: ControllerHooks;
}

export interface Controller {
  readonly name: string;
  /** From outside: a message on the bus, a timer. Works at any time; keys wait until the controller runs. */
  enqueue(key: string, options?: { readonly afterMs?: number; readonly priority?: Priority }): void;
  /** Works until the signal aborts; resolves when what was in work has ended. Once. */
  run(signal: AbortSignal): Promise<void>;
  state(): QueueState;
}

export const controller = (options: ControllerOptions): Controller => new KeyController(options);

/** Why a reconcile was told to end. */
class ReconcileTimeout extends Error {
  override readonly name = 'ReconcileTimeout';
}

class KeyController implements Controller {
  readonly name: string;
  readonly #options: ControllerOptions;
  readonly #clock: Clock;
  readonly #queue: Workqueue;

  constructor(options: ControllerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#queue = workqueue({ clock: this.#clock, backoff: options.backoff, hooks: options.hooks?.queue });
  }

  enqueue(
    key: string,
    { afterMs = 0, priority = 'Live' }: { afterMs?: number; priority?: Priority } = {},
  ): void {
    this.#queue.addAfter(key, afterMs, priority);
  }

  state(): QueueState {
    return this.#queue.state();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { sources, workers = 2 } = this.#options;
    const stops = sources.map((from) => from.subscribe((key, priority) => this.#queue.add(key, priority)));
    const stopped = new Promise<void>((resolve) => {
      const end = (): void => void this.#queue.stop().then(resolve);
      if (signal.aborted) end();
      signal.addEventListener('abort', end, { once: true });
    });
    if (await allSynced(sources, signal)) {
      // A store that had synced before we subscribed has nothing more to tell.
      for (const key of this.#keys()) this.#queue.add(key, 'Background');
      const work = Array.from({ length: workers }, () => this.#work(signal));
      await Promise.all([...work, this.#safety(signal)]);
    }
    await stopped;
    for (const stop of stops) stop();
  }

  #keys(): ReadonlySet<string> {
    return new Set(this.#options.sources.flatMap((from) => [...from.keys()]));
  }

  /** Twice in `safetyMs` each key gets a moment within the next half: never longer than `safetyMs` apart. */
  async #safety(signal: AbortSignal): Promise<void> {
    const halfMs = (this.#options.safetyMs ?? 600_000) / 2;
    await pause(this.#clock, halfMs, signal);
    while (!signal.aborted) {
      for (const key of this.#keys()) this.#queue.addAfter(key, halfMs * this.#clock.random(), 'Background');
      await pause(this.#clock, halfMs, signal);
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (let key = await this.#queue.take(); key !== undefined; key = await this.#queue.take()) {
      await this.#reconcile(key, signal);
      this.#queue.done(key);
    }
  }

  async #reconcile(key: string, ending: AbortSignal): Promise<void> {
    const { hooks, name } = this.#options;
    const reconcileId = randomUUID();
    const startMs = this.#clock.now();
    hooks?.started?.(key, reconcileId);
    const verdict = await this.#bounded(key, reconcileId, ending);
    if (ending.aborted && verdict.outcome === 'error') return;
    const againInMs = this.#requeue(key, verdict);
    hooks?.finished?.({
      controller: name,
      key,
      reconcileId,
      outcome: verdict.outcome,
      durationMs: this.#clock.now() - startMs,
      failures: this.#queue.failures(key),
      ...('error' in verdict && { error: verdict.error }),
      ...(againInMs !== undefined && { againInMs }),
    });
  }

  async #bounded(key: string, reconcileId: string, ending: AbortSignal): Promise<Verdict> {
    const limitMs = this.#options.timeoutMs ?? 60_000;
    const bound = new AbortController();
    const end = (): void => bound.abort(ending.reason);
    if (ending.aborted) end();
    ending.addEventListener('abort', end, { once: true });
    const late = new ReconcileTimeout(`${this.name} took longer than ${limitMs} ms over '${key}'`);
    const stop = this.#clock.after(limitMs, () => bound.abort(late));
    try {
      return resultOf(await this.#options.reconcile(key, bound.signal, reconcileId));
    } catch (error) {
      if (error instanceof TerminalError) return { outcome: 'terminal', error };
      return bound.signal.reason === late ? { outcome: 'timeout', error: late } : { outcome: 'error', error };
    } finally {
      stop();
      ending.removeEventListener('abort', end);
    }
  }

  /** What the outcome means for the queue: the wait after a failure in ms. */
  #requeue(key: string, verdict: Verdict): number | undefined {
    switch (verdict.outcome) {
      case 'again':
        this.#queue.forget(key);
        this.#queue.addAfter(key, Math.max(1, verdict.afterMs));
        return undefined;
      case 'settled':
      case 'terminal':
        this.#queue.forget(key);
        return undefined;
      case 'error':
      case 'timeout':
        return this.#queue.addBackoff(key, askedWaitMs(verdict.error));
    }
  }
}

type Verdict =
  | { readonly outcome: 'settled' }
  | { readonly outcome: 'again'; readonly afterMs: number }
  | { readonly outcome: 'error' | 'timeout' | 'terminal'; readonly error: unknown };

/** A wait that is no number would be no wait at all, and the loop a hot one. */
function resultOf(result: Result): Verdict {
  if (result.kind === 'settled') return { outcome: 'settled' };
  if (!Number.isFinite(result.afterMs)) throw new TypeError(`again(${result.afterMs}) is no time to wait`);
  return { outcome: 'again', afterMs: result.afterMs };
}

/** How long the server wants us to wait, if it said. */
const askedWaitMs = (error: unknown): number => (error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0);

/** False when the signal aborted first. */
async function allSynced(sources: readonly Source[], signal: AbortSignal): Promise<boolean> {
  try {
    await Promise.all(sources.map((from) => from.whenSynced(signal)));
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
