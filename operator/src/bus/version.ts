/**
 * Pure: which servers are new enough.
 */

/** Schedules and time to live of messages, on which async calls and deferral rest (D6, D7), need this. */
export const OLDEST_VERSION = '2.12.0';

/** Compares the numbers; a pre-release counts as its release. */
export function isTooOld(version: string): boolean {
  const [found, wanted] = [version, OLDEST_VERSION].map((v) => v.split(/[.+-]/).slice(0, 3).map(Number));
  const i = (wanted ?? []).findIndex((n, at) => n !== found?.[at]);
  return i >= 0 && !((found?.[i] ?? 0) > (wanted?.[i] ?? 0));
}
