/**
 * Kubernetes quantities as numbers. Owns the suffixes. A double holds them exactly enough: memory up to 8 PiB to
 * the byte, and cores to the milli.
 */
import type { Quantity } from './types.ts';

const FACTOR: Readonly<Record<string, number>> = {
  '': 1,
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const PARTS = /^\+?([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?[0-9]{1,2}))?$/;

/** A quantity in its base unit: cores for cpu, bytes for memory. NaN for what is no quantity. */
export function quantityValue(quantity: Quantity): number {
  if (typeof quantity === 'number') return quantity;
  const match = PARTS.exec(quantity);
  if (match === null) return Number.NaN;
  const [, digits, suffix, exponent] = match;
  if (exponent !== undefined) return Number(`${digits}e${exponent}`);
  // Thousandths by division: 0.1 * 3 is not 0.3, but 300 / 1000 is.
  if (suffix === 'm') return Number(digits) / 1000;
  return Number(digits) * (FACTOR[suffix ?? ''] ?? Number.NaN);
}
