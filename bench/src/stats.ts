/** Medians and spreads: what a benchmark here may say about its samples. */

export interface Summary {
  readonly n: number;
  readonly median: number;
  /** Half the distance between the quartiles. */
  readonly spread: number;
}

/** The q-quantile of samples (0 ≤ q ≤ 1), by the nearest rank; NaN of none. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? NaN;
}

export const summary = (samples: readonly number[]): Summary => ({
  n: samples.length,
  median: quantile(samples, 0.5),
  spread: (quantile(samples, 0.75) - quantile(samples, 0.25)) / 2,
});

export const shown = (s: Summary, unit: string, digits = 2): string =>
  `${s.median.toFixed(digits)} ${unit} ± ${s.spread.toFixed(digits)}`;
