/**
 * The memory that this process has for itself: what its limit counts and what ends it when there is too much of it.
 *
 * The resident set would count Node's own text as well, 55 MB of which there is one copy on a machine whatever the number of
 * processes. Where the kernel does not tell them apart (macOS) the resident set is all there is.
 */
import { readFileSync } from 'node:fs';

const ANONYMOUS = /^RssAnon:\s+(\d+) kB$/m;

/** In bytes. */
export function ownMemoryBytes(): number {
  try {
    const kilobytes = ANONYMOUS.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    if (kilobytes !== undefined) return Number(kilobytes) * 1024;
  } catch {
    // no such file here
  }
  return process.memoryUsage.rss();
}
