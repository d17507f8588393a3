/**
 * How long a caller waits for a first sign of life before it sends again, learnt from how long such signs took lately.
 *
 * Owns: that estimate, one for each process that calls, and nothing else; `calls.ts` acts on it. It is the one that TCP keeps for its
 * retransmissions (V. Jacobson, Congestion Avoidance and Control, 1988; RFC 6298): the smoothed mean and four times the smoothed
 * deviation. With a fixed wait, callees that are short of processor time would be sent everything again and again, run some
 * of it twice, and become shorter still.
 */

/** Wait for a first sign of life before sending again: at least this, and at least four round trips to the server. */
export const RESEND_AFTER_MS = 100;
/** And at most this: what is lost is to be sent again well before the callee is given up. */
export const RESEND_AFTER_LIMIT_MS = 1_000;

const MEAN_GAIN = 1 / 8;
const DEVIATION_GAIN = 1 / 4;
const DEVIATIONS = 4;

export class Patience {
  #meanMs: number | undefined;
  #deviationMs = 0;

  /** A call got its first sign of life so many milliseconds after it was sent, not counting what the callee waits on purpose. */
  heardAfter(ms: number): void {
    if (this.#meanMs === undefined) {
      this.#meanMs = ms;
      this.#deviationMs = ms / 2;
      return;
    }
    this.#deviationMs += DEVIATION_GAIN * (Math.abs(ms - this.#meanMs) - this.#deviationMs);
    this.#meanMs += MEAN_GAIN * (ms - this.#meanMs);
  }

  /** In milliseconds. `roundTripMs` is the one to the server. */
  resendAfterMs(roundTripMs: number): number {
    const learntMs = Math.min(RESEND_AFTER_LIMIT_MS, (this.#meanMs ?? 0) + DEVIATIONS * this.#deviationMs);
    return Math.max(RESEND_AFTER_MS, 4 * roundTripMs, learntMs);
  }
}
