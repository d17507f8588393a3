/**
 * Reading a latency histogram.
 *
 * Owns: the quantiles. The form and its bounds are `reports.ts`'s.
 */
import { HISTOGRAM_BOUNDS_MS } from './reports.ts';

/** In milliseconds; within a bucket (a factor of 1.25 wide) values are taken to be evenly spread. Of nothing: 0. */
export function quantileOf(counts: readonly number[], quantile: number): number {
  const total = counts.reduce((a, b) => a + b, 0);
  let left = quantile * total;
  for (const [i, n] of counts.entries()) {
    if (n > 0 && left <= n) {
      const low = i === 0 ? 0 : (HISTOGRAM_BOUNDS_MS[i - 1] ?? 0);
      const high = HISTOGRAM_BOUNDS_MS[i] ?? low;
      return low + (high - low) * (left / n);
    }
    left -= n;
  }
  return 0;
}
