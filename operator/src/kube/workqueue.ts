/**
 * Keys that want work: each once, however often it was added, and never the same one to two workers.
 *
 * Owns: which key is next, when a delayed one is due, how long a failed one waits. Neighbour: `controller.ts` does the work.
 * Invariants:
 *  1. A key in work that is added again is handed out once more after `done` (dirty), not beside it.
 *  2. Of several delays of a key the earliest counts. An `add` does not cancel a delay: whoever set it may know of a
 *     moment that no object shows.
 *  3. Live keys go first, but every FAIRNESS-th turn takes a background key, so that none waits for ever.
 *  4. What was added before `stop` and not handed out is dropped: the next leader lists everything anyway.
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

export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

export interface QueueOptions {
  readonly clock: Clock;
  /** First and longest wait after a failure; default 50 ms and 5 min. */
  readonly backoff?: Backoff | undefined;
  readonly hooks?: QueueHooks | undefined;
}

export interface Workqueue {
  add(key: string, priority?: Priority): void;
  /** Not before `ms` from now; of several, the earliest counts. */
  addAfter(key: string, ms: number, priority?: Priority): void;
  /** After a failure: twice as late each time until `forget`. Returns the wait in ms. */
  addBackoff(key: string, atLeastMs?: number): number;
  forget(key: string): void;
  /** In a row, since the last `forget`. */
  failures(key: string): number;
  /** The next key, or undefined after `stop`. A key is handed to one at a time; call `done` with it. */
  take(): Promise<string | undefined>;
  done(key: string): void;
  /** Nothing more is handed out. Resolves when everything in work is done. */
  stop(): Promise<void>;
  state(): QueueState;
}

const BACKOFF: Backoff = { firstMs: 50, longestMs: 300_000 };
const FAIRNESS = 8;

export const workqueue = (options: QueueOptions): Workqueue => new KeyQueue(options);

interface Delay {
  readonly dueAtMs: number;
  readonly priority: Priority;
  cancel(): void;
}

class KeyQueue implements Workqueue {
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #hooks: QueueHooks;
  /** Ready keys in the order in which they came, with the time; each key in one of the two. */
  readonly #ready: Readonly<Record<Priority, Map<string, number>>> = {
    Live: new Map(),
    Background: new Map(),
  };
  readonly #delayed = new Map<string, Delay>();
  readonly #inWork = new Map<string, number>();
  /** Added while in work. */
  readonly #dirty = new Map<string, Priority>();
  readonly #failures = new Map<string, number>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #turn = 0;
  #stopped = false;
  #drained: (() => void)[] = [];

  constructor({ clock, backoff = BACKOFF, hooks = {} }: QueueOptions) {
    this.#clock = clock;
    this.#backoff = backoff;
    this.#hooks = hooks;
  }

  add(key: string, priority: Priority = 'Live'): void {
    if (this.#stopped) return;
    this.#hooks.added?.(key);
    if (this.#inWork.has(key)) {
      if (this.#dirty.get(key) !== 'Live') this.#dirty.set(key, priority);
      return;
    }
    this.#enqueue(key, priority);
    this.#hand();
  }

  addAfter(key: string, ms: number, priority: Priority = 'Live'): void {
    if (this.#stopped) return;
    if (!(ms > 0)) {
      this.add(key, priority);
      return;
    }
    const dueAtMs = this.#clock.now() + ms;
    const before = this.#delayed.get(key);
    if (before !== undefined && before.dueAtMs <= dueAtMs) return;
    before?.cancel();
    const cancel = this.#clock.after(ms, () => {
      this.#delayed.delete(key);
      this.add(key, priority);
    });
    this.#delayed.set(key, { dueAtMs, priority, cancel });
  }

  addBackoff(key: string, atLeastMs = 0): number {
    const failures = this.failures(key);
    this.#failures.set(key, failures + 1);
    const { firstMs, longestMs } = this.#backoff;
    const waitMs = Math.max(atLeastMs, Math.min(longestMs, firstMs * 2 ** failures));
    this.#hooks.retried?.(key);
    this.addAfter(key, waitMs, failures === 0 ? 'Live' : 'Background');
    return waitMs;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  take(): Promise<string | undefined> {
    if (this.#stopped) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#hand();
    });
  }

  done(key: string): void {
    const sinceMs = this.#inWork.get(key);
    if (sinceMs === undefined) throw new Error(`key '${key}' is not in work`);
    this.#inWork.delete(key);
    this.#hooks.worked?.(this.#clock.now() - sinceMs);
    const again = this.#dirty.get(key);
    this.#dirty.delete(key);
    if (again !== undefined && !this.#stopped) {
      this.#enqueue(key, again);
      this.#hand();
    }
    this.#settleDrain();
  }

  stop(): Promise<void> {
    this.#stopped = true;
    for (const delay of this.#delayed.values()) delay.cancel();
    this.#delayed.clear();
    this.#dirty.clear();
    this.#ready.Live.clear();
    this.#ready.Background.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
    return new Promise((resolve) => {
      this.#drained.push(resolve);
      this.#settleDrain();
    });
  }

  state(): QueueState {
    const now = this.#clock.now();
    const running = [...this.#inWork.values()].map((sinceMs) => now - sinceMs);
    return {
      depth: this.#ready.Live.size + this.#ready.Background.size,
      waitingForTime: this.#delayed.size,
      processing: running.length,
      unfinishedMs: running.reduce((sum, ms) => sum + ms, 0),
      longestRunningMs: Math.max(0, ...running),
    };
  }

  #enqueue(key: string, priority: Priority): void {
    const { Live, Background } = this.#ready;
    if (Live.has(key)) return;
    const sinceMs = Background.get(key) ?? this.#clock.now();
    if (priority === 'Live') Background.delete(key);
    if (!this.#ready[priority].has(key)) this.#ready[priority].set(key, sinceMs);
  }

  /** Gives ready keys to waiting takers. */
  #hand(): void {
    while (this.#takers.length > 0) {
      const from = this.#next();
      const first = from.entries().next();
      if (first.done === true) return;
      const [key, sinceMs] = first.value;
      from.delete(key);
      const now = this.#clock.now();
      this.#inWork.set(key, now);
      this.#hooks.waited?.(now - sinceMs);
      this.#takers.shift()?.(key);
    }
  }

  #next(): Map<string, number> {
    const { Live, Background } = this.#ready;
    if (Live.size === 0) return Background;
    if (Background.size === 0) return Live;
    this.#turn = (this.#turn + 1) % FAIRNESS;
    return this.#turn === 0 ? Background : Live;
  }

  #settleDrain(): void {
    if (!this.#stopped || this.#inWork.size > 0) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}
