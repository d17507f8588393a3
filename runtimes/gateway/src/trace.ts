/** The W3C trace context of a call: passed on where it is valid, made where there is none. */
import { randomFillSync } from 'node:crypto';

const VALID = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.{0,256})?$/;
const BYTES = 24;
const POOL = Buffer.alloc(BYTES * 256);
let used = POOL.length;

/** The `traceparent` to pass on. A new one is not sampled: who wants spans says so. */
export function traceparentOf(given: string | string[] | undefined): string {
  if (typeof given === 'string' && VALID.test(given)) return given;
  if (used >= POOL.length) {
    randomFillSync(POOL);
    used = 0;
  }
  const hex = POOL.toString('hex', used, (used += BYTES));
  // An id of zeros is not valid; a set bit in each makes it impossible.
  return `00-${hex.slice(0, 31)}1-${hex.slice(32, 47)}1-00`;
}
