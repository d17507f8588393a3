/** Waiting with a bound, for scenarios: for a condition, never for a time. */

export interface WaitingOptions {
  /** Where a wait says none of its own. */
  readonly limitMs: number;
  /** Between two looks. */
  readonly everyMs: number;
}

/** Waits until the condition gives something; throws with `what` and what was `seen` last when it does not in time. */
export const waiting =
  ({ limitMs: usualMs, everyMs }: WaitingOptions) =>
  async <T>(
    what: string,
    condition: () => T | undefined | false | Promise<T | undefined | false>,
    limitMs = usualMs,
    seen: () => unknown = () => '',
  ): Promise<T> => {
    const until = performance.now() + limitMs;
    for (;;) {
      const found = await condition();
      if (found !== undefined && found !== false) return found;
      if (performance.now() >= until)
        throw new Error(`not within ${String(limitMs)} ms: ${what} ${JSON.stringify(await seen())}`);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  };
