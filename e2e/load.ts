/**
 * Load with a bound in count and time, and what its answers say, for scenarios.
 *
 * Owns: the timetable. Who is called, and how, the scenario says. It judges nothing.
 */

/** An HTTP answer of the gateway, or `status` 0 with the reason why there was none. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  /** The problem's code; empty for a result. */
  readonly code: string;
  readonly machine: string;
  readonly ms: number;
}

export interface LoadOptions {
  readonly perSecond: number;
  /** No call is started after so many. */
  readonly most: number;
  readonly one: (i: number) => Promise<Answer>;
}

/** Calls at a steady rate, whatever the answers do, until it is stopped. */
export class Load {
  readonly #answers: Promise<Answer>[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = performance.now();

  constructor({ perSecond, most, one }: LoadOptions) {
    this.#timer = setInterval(
      () => {
        const due = Math.min(most, ((performance.now() - this.#startedAt) / 1_000) * perSecond);
        while (this.#answers.length < due) this.#answers.push(one(this.#answers.length));
      },
      Math.min(20, 1_000 / perSecond),
    );
  }

  get started(): number {
    return this.#answers.length;
  }

  /** Starts no more and gives all answers. */
  async stop(): Promise<readonly Answer[]> {
    clearInterval(this.#timer);
    return await Promise.all(this.#answers);
  }
}

/** Of one kind at most so many are named. */
const NAMED_MAX = 10;

/** Answers that are no result, each kind once, with how many and which calls they were: empty when all is well. */
export function failuresOf(answers: readonly Answer[]): readonly string[] {
  const kinds = new Map<string, string[]>();
  for (const [i, a] of answers.entries()) {
    if (a.status === 200) continue;
    const kind = `${String(a.status)} ${a.code}: ${a.text.slice(0, 300)}`.replace(/"callId":"[^"]*"/, '');
    kinds.set(kind, [...(kinds.get(kind) ?? []), `${String(i)} after ${a.ms.toFixed(0)} ms`]);
  }
  return [...kinds].map(
    ([kind, calls]) => `${String(calls.length)} × ${kind} (${calls.slice(0, NAMED_MAX).join(', ')})`,
  );
}

export const quantile = (values: readonly number[], q: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? 0;

export const countBy = <T>(
  items: readonly T[],
  key: (item: T) => string,
): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const item of items) counts[key(item)] = (counts[key(item)] ?? 0) + 1;
  return counts;
};
