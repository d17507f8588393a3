/**
 * Time and chance as arguments (D13): everything here that waits, waits on a Clock; everything that jitters, draws from one.
 *
 * Invariant: `now` only ever grows and has nothing to do with the date; `date` is only for times that others read.
 */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /** The date, for fields of objects and headers. */
  date(): Date;
  /** Calls `then` once after `ms`; the returned function cancels it. */
  after(ms: number, then: () => void): () => void;
  /** A number in [0, 1). */
  random(): number;
}

/** The longest wait that a timer of Node holds: beyond it, it would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => new Date(),
  after: (ms, then) => {
    const timer = setTimeout(then, Math.min(Math.max(0, ms), LONGEST_MS));
    return () => {
      clearTimeout(timer);
    };
  },
  random: () => Math.random(),
};

/** Resolves after `ms`, or as soon as the signal aborts; never rejects. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const done = (): void => {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** `ms` stretched by up to `share`: 100 ms at 0.2 is 100–120 ms. */
export const jittered = (clock: Clock, ms: number, share: number): number =>
  ms * (1 + share * clock.random());
