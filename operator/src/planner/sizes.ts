/**
 * What one instance of a unit may use: cores and memory, in steps.
 *
 * Owns: the sizes and when they change. What functions may use at most, added up, is where a unit starts, and where it stays as
 * long as what is reserved costs nothing (price model BusyTime). Where it costs, memory follows what was seen in use, with room
 * above it; after an instance was ended for lack of memory it doubles (as METASPACE's executor does), and comes down again when
 * a window without such an end shows that half would do.
 */

const MIB = 2 ** 20;
/** Room above what was seen near its peak. */
const HEADROOM = 1.5;
/** Sizes are multiples of an eighth of the power of two below them, so that a little more or less changes nothing. */
const STEPS = 8;

/** Memory for functions that were seen to use so much, at most what they may use. */
export function fittedBytes(usedBytes: number, limitBytes: number): number {
  return Math.min(limitBytes, stepped(usedBytes * HEADROOM));
}

/** The next step up, in whole MiB. */
export function stepped(bytes: number): number {
  const step = Math.max(MIB, 2 ** Math.floor(Math.log2(Math.max(1, bytes))) / STEPS);
  return Math.ceil(bytes / step) * step;
}
