/** Pauses between attempts at something that keeps failing: 100 ms, doubled each time, at most 10 s. */
export const FIRST_PAUSE_MS = 100;
export const PAUSE_LIMIT_MS = 10_000;

export class Backoff {
  #failures = 0;
  #notBeforeMs = 0;

  failed(nowMs: number): void {
    this.#notBeforeMs = nowMs + Math.min(PAUSE_LIMIT_MS, FIRST_PAUSE_MS * 2 ** this.#failures);
    this.#failures += 1;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#notBeforeMs = 0;
  }

  /** Milliseconds until the next attempt may begin. */
  leftMs(nowMs: number): number {
    return Math.max(0, this.#notBeforeMs - nowMs);
  }
}
