/**
 * Calls at a rate, and what they took.
 *
 * Owns: when calls are sent, and quantiles. Open loop: a call is due at its time whether or not earlier ones have
 * answered; only where `concurrency` calls are under way does it wait, and then its time counts from when it was due,
 * so that a slow system is not flattered by being asked less.
 */

export interface LoadOptions {
  readonly calls: number;
  readonly perSecond: number;
  /** At most so many at once. */
  readonly concurrency: number;
  /** Sends call number `index`; resolves to why it failed, or to undefined. Never rejects. */
  readonly send: (index: number) => Promise<string | undefined>;
  /** No call is sent after it. */
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number) => void;
}

export interface LoadResult {
  readonly sent: number;
  readonly ok: number;
  readonly failed: number;
  /** Of calls that succeeded, ascending. */
  readonly tookMs: readonly number[];
  /** Why calls failed, each reason once. */
  readonly failures: readonly string[];
}

export async function offerLoad(options: LoadOptions): Promise<LoadResult> {
  const { calls, perSecond, concurrency, send, signal, onProgress } = options;
  const tookMs: number[] = [];
  const failures = new Set<string>();
  const underWay = new Set<Promise<void>>();
  const startedAt = performance.now();
  let [sent, failed] = [0, 0];
  for (let i = 0; i < calls && !signal.aborted; i += 1) {
    const dueAt = startedAt + (i * 1000) / perSecond;
    await until(dueAt, signal);
    const crowded = underWay.size >= concurrency;
    while (underWay.size >= concurrency) await Promise.race(underWay);
    if (isAborted(signal)) break;
    const countedFrom = crowded ? dueAt : performance.now();
    sent += 1;
    const one = send(i).then((failure) => {
      if (failure === undefined) tookMs.push(performance.now() - countedFrom);
      else {
        failed += 1;
        failures.add(failure);
      }
      underWay.delete(one);
      onProgress?.(tookMs.length + failed);
    });
    underWay.add(one);
  }
  await Promise.all(underWay);
  return { sent, ok: tookMs.length, failed, tookMs: tookMs.sort((a, b) => a - b), failures: [...failures] };
}

/** A question of its own, because the compiler believes that a signal read once stays as it was. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

async function until(atMs: number, signal: AbortSignal): Promise<void> {
  const ms = atMs - performance.now();
  if (ms <= 0) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

/** The value below which the share `q` of an ascending list lies (nearest rank); 0 of an empty one. */
export function quantile(ascending: readonly number[], q: number): number {
  return ascending[Math.max(0, Math.ceil(q * ascending.length) - 1)] ?? 0;
}
