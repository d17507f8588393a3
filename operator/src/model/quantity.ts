/**
 * Kubernetes quantities as numbers, and back: cores in thousandths, memory in bytes.
 *
 * Owns: the arithmetic, rounded up to whole units as the API server does. The schema has judged the text already; what
 * is no quantity here is a bug and throws.
 */
import type { Quantity } from './nouns.ts';

/** Each suffix as a fraction, so that 100m stays exact: [numerator, denominator]. */
const SUFFIXES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  '': [1n, 1n],
  n: [1n, 10n ** 9n],
  u: [1n, 10n ** 6n],
  m: [1n, 1000n],
  k: [10n ** 3n, 1n],
  M: [10n ** 6n, 1n],
  G: [10n ** 9n, 1n],
  T: [10n ** 12n, 1n],
  P: [10n ** 15n, 1n],
  E: [10n ** 18n, 1n],
  Ki: [1n << 10n, 1n],
  Mi: [1n << 20n, 1n],
  Gi: [1n << 30n, 1n],
  Ti: [1n << 40n, 1n],
  Pi: [1n << 50n, 1n],
  Ei: [1n << 60n, 1n],
};

const FORM = /^\+?(\d*)(?:\.(\d*))?(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?\d{1,2}))?$/;

/** A quantity times `scale`, rounded up. Capped at the largest safe integer. */
function scaled(quantity: Quantity, scale: bigint): number {
  const [, whole = '', fraction = '', suffix = '', exponent = '0'] = FORM.exec(String(quantity)) ?? [];
  if (whole + fraction === '') throw new Error(`'${String(quantity)}' is not a quantity`);
  const [up, down] = SUFFIXES[suffix] ?? [1n, 1n];
  const power = BigInt(exponent.replace('+', ''));
  const numerator = BigInt(whole + fraction) * up * scale * (power > 0n ? 10n ** power : 1n);
  const denominator = 10n ** BigInt(fraction.length) * down * (power < 0n ? 10n ** -power : 1n);
  const result = (numerator + denominator - 1n) / denominator;
  return Number(result < BigInt(Number.MAX_SAFE_INTEGER) ? result : BigInt(Number.MAX_SAFE_INTEGER));
}

/** Thousandths of a core. */
export const cpuMillisOf = (quantity: Quantity): number => scaled(quantity, 1000n);

export const bytesOf = (quantity: Quantity): number => scaled(quantity, 1n);

/** `500m`, `2`: whole cores without a suffix, as Kubernetes writes them. */
export const cpuText = (millis: number): string =>
  millis % 1000 === 0 ? String(millis / 1000) : `${millis}m`;

/** `256Mi`, `1Gi`, `1000`: with the largest binary suffix that loses nothing. */
export function memoryText(bytes: number): string {
  for (const [suffix, unit] of MEMORY_UNITS) {
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit}${suffix}`;
  }
  return String(bytes);
}

const MEMORY_UNITS: readonly (readonly [string, number])[] = [
  ['Ti', 2 ** 40],
  ['Gi', 2 ** 30],
  ['Mi', 2 ** 20],
  ['Ki', 2 ** 10],
];
