/**
 * How often we ask: a token bucket, so many a second on average and so many at once after a quiet time.
 *
 * Refusals: it retries nothing and knows no server; `client.ts` obeys Retry-After per request. A turn whose signal aborts
 * is not given back: that happens at shutdown, and giving it back would let two leave in one place.
 * Invariant: in any t seconds at most `burst + t × perSecond` leave, in the order in which they asked.
 */
import { pause, type Clock } from './clock.ts';

export interface ThrottleOptions {
  /** Requests a second, on average. */
  readonly perSecond: number;
  /** How many may leave at once after a quiet time. */
  readonly burst: number;
  readonly clock: Clock;
}

export interface Throttle {
  /** Resolves when the next request may leave, with the time waited in ms; throws the signal's reason when it aborts. */
  take(signal?: AbortSignal): Promise<number>;
}

export function tokenBucket({ perSecond, burst, clock }: ThrottleOptions): Throttle {
  const intervalMs = 1000 / perSecond;
  const slackMs = (burst - 1) * intervalMs;
  /** When the bucket would be full again if nobody asked any more. */
  let fullAtMs = -Infinity;
  return {
    take: async (signal) => {
      signal?.throwIfAborted();
      const now = clock.now();
      const waitMs = Math.max(0, fullAtMs - slackMs - now);
      fullAtMs = Math.max(fullAtMs, now) + intervalMs;
      if (waitMs === 0) return 0;
      await pause(clock, waitMs, signal);
      signal?.throwIfAborted();
      return waitMs;
    },
  };
}
