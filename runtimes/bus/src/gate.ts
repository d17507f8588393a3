/**
 * The gate of one function in one instance: how many calls run at once, how many wait, and whether more are welcome (D17).
 *
 * Owns: the count, and for how long calls have waited here. Who stands behind it (a listener that drops its interest, a
 * puller that asks for work, a caller in the same process) reads `room` and is told of changes.
 * Invariants: at most `concurrency` calls run; who waits is served in order; a waiter whose signal aborts leaves the line.
 */
import type { Clock } from './clock.ts';

/** Interest is dropped when running and waiting calls reach this multiple of the concurrency, and renewed at one. */
export const FULL_AT = 1.5;
/** Beyond this many waiting calls for each that may run, a call is refused: messages under way when interest was dropped. */
const WAITING_PER_SLOT = 16;
const WAITING_AT_LEAST = 64;

interface Waiter {
  readonly enter: () => void;
}

/** Sums over the time that a gate has stood, in milliseconds. */
export interface GateTimes {
  /** Calls waited: two that wait for a second are two seconds. */
  readonly queuedMs: number;
  /** At least one call ran. */
  readonly occupiedMs: number;
}

export class Gate {
  readonly concurrency: number;
  readonly #clock: Clock;
  #running = 0;
  readonly #waiting: Waiter[] = [];
  readonly #watchers = new Set<() => void>();
  #countedAtMs: number;
  #queuedMs = 0;
  #occupiedMs = 0;

  constructor(concurrency: number, clock: Clock) {
    this.concurrency = concurrency;
    this.#clock = clock;
    this.#countedAtMs = clock.now();
  }

  /** Until now. */
  get times(): GateTimes {
    this.#count();
    return { queuedMs: this.#queuedMs, occupiedMs: this.#occupiedMs };
  }

  /** Calls that run or wait. */
  get load(): number {
    return this.#running + this.#waiting.length;
  }

  get running(): number {
    return this.#running;
  }

  /** Calls that could start at once. */
  get room(): number {
    return Math.max(0, this.concurrency - this.load);
  }

  /** Too full to listen on. */
  get full(): boolean {
    return this.load >= Math.ceil(this.concurrency * FULL_AT);
  }

  /** Has room again after having been full. */
  get eased(): boolean {
    return this.load <= this.concurrency;
  }

  /** So full that a call is better refused than queued. */
  get overfull(): boolean {
    return this.#waiting.length >= Math.max(WAITING_AT_LEAST, WAITING_PER_SLOT * this.concurrency);
  }

  onChange(watcher: () => void): void {
    this.#watchers.add(watcher);
  }

  /** Resolves to true once the call may run, to false when its signal aborted first. Who got true must `leave`. */
  enter(signal: AbortSignal): true | Promise<boolean> {
    this.#count();
    if (this.#running < this.concurrency) {
      this.#running += 1;
      this.#changed();
      return true;
    }
    return new Promise<boolean>((resolve) => {
      const waiter: Waiter = {
        enter: () => {
          signal.removeEventListener('abort', leaveLine);
          resolve(true);
        },
      };
      const leaveLine = (): void => {
        this.#count();
        const at = this.#waiting.indexOf(waiter);
        if (at >= 0) this.#waiting.splice(at, 1);
        this.#changed();
        resolve(false);
      };
      if (signal.aborted) {
        resolve(false);
        return;
      }
      signal.addEventListener('abort', leaveLine, { once: true });
      this.#waiting.push(waiter);
      this.#changed();
    });
  }

  leave(): void {
    this.#count();
    const next = this.#waiting.shift();
    if (next) next.enter();
    else this.#running -= 1;
    this.#changed();
  }

  /** Counts the time since the last change: to be called before the next. */
  #count(): void {
    const now = this.#clock.now();
    const ms = now - this.#countedAtMs;
    this.#countedAtMs = now;
    this.#queuedMs += ms * this.#waiting.length;
    if (this.#running > 0) this.#occupiedMs += ms;
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher();
  }
}
