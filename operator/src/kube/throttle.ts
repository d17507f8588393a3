/**
 * How often we ask: a token bucket (so many a second, so many at once).
 *
 * Refusals: it does not retry and knows no server; `client.ts` obeys Retry-After per request.
 */
import type { Clock } from './clock.ts';

export interface ThrottleOptions {
  /** Requests a second, on average. */
  readonly perSecond: number;
  /** How many may leave at once after a quiet time. */
  readonly burst: number;
  readonly clock: Clock;
}
export interface Throttle {
  /** Resolves when the next request may leave, with the time waited in ms; rejects when the signal aborts. */
  take(signal?: AbortSignal): Promise<number>;
}

export declare function tokenBucket(options: ThrottleOptions): Throttle;
