/**
 * Two tests that may be looked at after every new number, for as long as one likes, and stopped at any look.
 *
 * Owns: the arithmetic. What the numbers are is `judge.ts`'s affair. Both are mixtures of likelihood ratios: under the
 * hypothesis that nothing differs such a process is a martingale that starts at one, and exceeds 1/α at any time at all with
 * probability α at most (Ville's inequality).
 *
 *  - `Sums`: is the mean of a difference zero? The t-test with a Gaussian mixture over the size of the effect: H. Wang,
 *    A. Ramdas, "Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance" (arXiv 2310.03722).
 *    Numbers are means over blocks of calls, so that they are near to Gaussian whatever one call is; their spread is taken
 *    from block to block, so that nothing is assumed of calls within a block.
 *  - `Odds`: does what is bad (a failure, a slow call) belong to the candidate more often than its share of calls? M. Lindon, A. Malek, "Anytime-valid
 *    inference for multinomial count data" (NeurIPS 2022), with a few odds ratios as the mixture.
 */

/** Sums over differences, each with a weight to which its variance is inverse. Plain data. */
export interface Sums {
  /** At each scale what 1, 2, 4, … blocks together say. */
  readonly scales: readonly Scale[];
}

interface Scale {
  readonly blocks: number;
  readonly weight: number;
  /** Σ weight · difference */
  readonly sum: number;
  /** Σ weight · difference² */
  readonly squares: number;
  /** The half of a pair that waits for its other half. */
  readonly waiting?: Difference;
}

/** Of the candidate beside the current plan; below zero: it is better. */
export interface Difference {
  readonly weight: number;
  readonly mean: number;
}

export const NO_SUMS: Sums = { scales: [] };

/** Blocks of up to 2^5 others: half a minute and more where a block is a second. */
const SCALES = 6;
const NO_BLOCKS: Scale = { blocks: 0, weight: 0, sum: 0, squares: 0 };

export function added(sums: Sums, difference: Difference): Sums {
  const scales: Scale[] = [];
  let carried: Difference | undefined = difference;
  for (let i = 0; i < SCALES && (carried || sums.scales[i]); i++) {
    const scale: Scale = sums.scales[i] ?? NO_BLOCKS;
    scales.push(carried ? withBlock(scale, carried) : scale);
    carried = carried && pairOf(scale.waiting, carried);
  }
  return { scales };
}

function withBlock({ waiting, ...scale }: Scale, { weight, mean }: Difference): Scale {
  return {
    blocks: scale.blocks + 1,
    weight: scale.weight + weight,
    sum: scale.sum + weight * mean,
    squares: scale.squares + weight * mean * mean,
    ...(waiting ? {} : { waiting: { weight, mean } }),
  };
}

function pairOf(a: Difference | undefined, b: Difference): Difference | undefined {
  if (!a) return undefined;
  const weight = a.weight + b.weight;
  return { weight, mean: (a.weight * a.mean + b.weight * b.mean) / weight };
}

/** The difference lies in it at every look, but for `alpha`. */
export interface Interval {
  readonly low: number;
  readonly mean: number;
  readonly high: number;
}

const ANYTHING: Interval = { low: -Infinity, mean: 0, high: Infinity };

/** At this much weight effects of the size of the spread between calls are expected: see `intervalOf`. */
const PRIOR_WEIGHT = 20;
const BLOCKS_MIN = 4;

/**
 * With n blocks of total weight H, Σ of squares about their mean R, and a mixture N(0, σ²/c) over the difference, the
 * likelihood ratio against a difference of δ is √(c/(H+c)) · ((R + T²/H) / (R + T²·c/(H(H+c))))^(n/2), T = Σwd − Hδ. It is 1/α at
 * T² = H·R·(k−1) / (1 − k·c/(H+c)), k = ((H+c)/(c·α²))^(1/n). Example: 60 blocks, H = 500, α = 0.03: ± 3.5 standard errors.
 * Of pairs of blocks it is a little wider, and holds for numbers that are further from Gaussian.
 */
export function intervalOf(sums: Sums, alpha: number, of: 'Blocks' | 'Pairs' = 'Blocks'): Interval {
  const scales = sums.scales.slice(of === 'Pairs' ? 1 : 0);
  const [all] = scales;
  if (!all || all.blocks < BLOCKS_MIN) return ANYTHING;
  const { blocks, weight, sum } = all;
  const c = PRIOR_WEIGHT;
  const k = ((weight + c) / (c * alpha * alpha)) ** (1 / blocks);
  const room = 1 - (k * c) / (weight + c);
  if (room <= 0) return ANYTHING;
  const half = Math.sqrt((spreadOf(all) * persistence(scales) * (k - 1)) / room / weight);
  const mean = sum / weight;
  return { low: mean - half, mean, high: mean + half };
}

/** Undefined: there is no block yet. */
export const meanOf = ({ scales: [all] }: Sums): number | undefined => all && all.sum / all.weight;

/** Weighted squares about the mean. Rounding may take it below zero where all are equal. */
const spreadOf = ({ weight, sum, squares }: Scale): number => Math.max(0, squares - (sum * sum) / weight);

/** A spread from so few blocks is known within a quarter. */
const SCALE_BLOCKS_MIN = 12;

/**
 * How much more blocks of blocks spread than independent ones would: above one where a plan has slow moments of its own that
 * last longer than a block. Few large blocks count as much as SCALE_BLOCKS_MIN that know of nothing.
 */
function persistence([all, ...larger]: readonly Scale[]): number {
  if (!all) return 1;
  const variance = spreadOf(all) / (all.blocks - 1);
  if (variance === 0) return 1;
  const ratios = larger
    .filter(({ blocks }) => blocks >= SCALE_BLOCKS_MIN)
    .map((scale) => (spreadOf(scale) / variance + SCALE_BLOCKS_MIN) / (scale.blocks - 1 + SCALE_BLOCKS_MIN));
  return Math.max(1, ...ratios);
}

/** Standard errors between zero and the mean, without any guarantee: for what is risked, never for a verdict. */
export function leaning({ scales: [all] }: Sums): number {
  if (!all || all.blocks < 2) return 0;
  const variance = spreadOf(all) / (all.blocks - 1);
  return variance === 0 ? Math.sign(all.sum) * Infinity : all.sum / Math.sqrt(variance * all.weight);
}

/** Logarithms of the likelihood ratios of ODDS. Plain data. */
export type Odds = readonly number[];

/** How many times as often a call of the candidate is bad. */
const ODDS = [1.5, 2, 3, 5, 10, 30, 100] as const;
export const NO_ODDS: Odds = ODDS.map(() => 0);

/** Calls that were bad. */
export interface Hits {
  readonly current: number;
  readonly candidate: number;
  /** Of all calls those that were the candidate's, 0 to 1. Who alone was called tells nothing. */
  readonly share: number;
}

export const withHits = (odds: Odds, { current, candidate, share }: Hits): Odds =>
  odds.map((log, i) => {
    const times = ODDS[i] ?? 1;
    const expected = (times * share) / (times * share + 1 - share);
    const own = candidate === 0 ? 0 : candidate * Math.log(expected / share);
    const others = current === 0 ? 0 : current * Math.log((1 - expected) / (1 - share));
    return log + own + others;
  });

/** The logarithm of the evidence that more of the candidate's calls are bad; −log α is reached by chance in α of all runs at most. */
export function logEvidence(odds: Odds): number {
  const most = Math.max(...odds);
  const mean = odds.reduce((sum, log) => sum + Math.exp(log - most), 0) / odds.length;
  return most + Math.log(mean);
}
