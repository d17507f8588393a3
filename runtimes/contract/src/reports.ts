/**
 * What instances say about themselves: that they live (`live.`), and what they have seen (`seen.`, D14).
 *
 * Owns the form of both. They are published on plain subjects; nobody waits for an answer.
 */
import type { InstanceKey } from './names.ts';

/**
 * Who has nothing new to say says it again this often, in milliseconds; what is new is said at once (announcements), within a
 * second (observations), and after each reconnection. So a listener that starts anew knows of everybody after this time, and
 * two hundred instances at rest cost it twenty messages a second.
 */
export const ANNOUNCE_MS = 15_000;
export const QUIET_MS = 30_000;

export interface Announcement extends InstanceKey {
  readonly version: number;
  readonly state: 'Serving' | 'Draining' | 'Failed';
  readonly machine: string;
  readonly architecture: string;
  /** Revisions whose subjects it listens on. */
  readonly revisions: readonly string[];
  /** When its credential ends, in milliseconds since 1970: who has missed a renewal is told again. Absent: it has no end. */
  readonly credentialEndsAtMs?: number;
  /** Why it is `Failed`: a module that does not load, say. */
  readonly problem?: string;
}

/** Latency histogram: counts per bucket of HISTOGRAM_BOUNDS_MS, the last one for what is above. */
export interface Histogram {
  readonly counts: readonly number[];
  readonly sumMs: number;
}

/** Upper bounds in milliseconds: a factor of 1.25 apart from 0.05 ms to beyond 30 s. */
export const HISTOGRAM_BOUNDS_MS: readonly number[] = Array.from({ length: 62 }, (_, i) => 0.05 * 1.25 ** i);

/** What one instance saw since it last said so. Counts are of executions: every one is counted. */
export interface Observation extends InstanceKey {
  readonly version: number;
  readonly machine: string;
  readonly architecture: string;
  /** Length of the window, in milliseconds. */
  readonly windowMs: number;
  /** Generation of the route that this instance goes by: tells the writer who has seen a change. */
  readonly routeGeneration: number;
  /** Root calls running now, by revision: what keeps a draining revision alive (D3). */
  readonly roots: Readonly<Record<string, number>>;
  readonly functions: readonly FunctionObservation[];
  readonly edges: readonly EdgeObservation[];
  readonly memoryBytes: number;
}

export interface FunctionObservation {
  readonly function: string;
  readonly revision: string;
  readonly artifact: string;
  readonly executions: number;
  readonly failures: number;
  readonly runMs: Histogram;
  /** Executions of a call id that had been executed here or was redelivered. */
  readonly repeated: number;
}

export interface EdgeObservation {
  readonly from: string;
  readonly to: string;
  readonly revision: string;
  readonly channel: 'InProcess' | 'Node' | 'Remote' | 'Queue';
  readonly calls: number;
  readonly failures: number;
  readonly roundTripMs: Histogram;
}
