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
  /** Of the route after which it listens so; absent: a host of an earlier version, which tells it in observations alone. */
  readonly routeGeneration?: number;
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

/**
 * What one instance saw since it last said so. Counts are of executions: every one is counted. All that is not a count of
 * something is a sum over those, so that windows of any number of instances can be added up. Optional fields are absent
 * where they were not measured, as by hosts of an earlier version.
 */
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
  /** Root calls that ended. */
  readonly entries?: readonly EntryObservation[];
  /** Of the whole process, now. */
  readonly memoryBytes: number;
  /** CPU time of the whole process: its functions, and what carries their calls. */
  readonly cpuMs?: number;
  /** At least one execution of any of its functions was under way. */
  readonly occupiedMs?: number;
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
  /** Before they ran: they waited for room. Not part of `runMs`. */
  readonly queuedMs?: number;
  /** Part of `runMs`: at least one `ctx.call` of theirs was open. */
  readonly calleesMs?: number;
  /** CPU time of the function's own threads. */
  readonly cpuMs?: number;
  /** Its threads ran or were ready to: CPU time, stretched by a CPU limit or by a machine that is full. */
  readonly busyMs?: number;
  /** Executions slept in a way that blocks a thread; not in `busyMs`. Absent where nothing can: then who waits blocks nobody. */
  readonly sleptMs?: number;
  /** At least one execution was under way; together with `runMs` this says how many were so at once. */
  readonly occupiedMs?: number;
  /** Memory of one of its threads, the largest that was seen: heap and buffers, or a WASM instance's own. */
  readonly memoryBytes?: number;
  readonly requestBytes?: number;
  readonly responseBytes?: number;
  /** Starts of this instance (1 or absent), and what the start of this function took from exec to serving. */
  readonly starts?: number;
  readonly startMs?: number;
}

export interface EdgeObservation {
  readonly from: string;
  readonly to: string;
  readonly revision: string;
  readonly channel: 'InProcess' | 'Node' | 'Remote' | 'Queue';
  readonly calls: number;
  readonly failures: number;
  readonly roundTripMs: Histogram;
  /** Calls that overlapped another call of the same execution. */
  readonly parallel?: number;
  readonly requestBytes?: number;
  readonly responseBytes?: number;
  /** Calls whose callee said how long it had them, and what they took beyond that. */
  readonly answered?: number;
  readonly overheadMs?: number;
}

/** Root calls of one entry under one revision that came in here: at a gateway by request, in a host from a queue. */
export interface EntryObservation {
  readonly function: string;
  readonly revision: string;
  readonly call: 'Sync' | 'Async';
  /** That ended, failures included. */
  readonly calls: number;
  /** Of the calls from a queue those that came from outside of the graph, and not along an edge; absent: none, or `Sync`. */
  readonly outside?: number;
  readonly failures: number;
  /** Calls that were drawn for this revision, found nobody who serves it, and ran under another one: counted there. */
  readonly fellBack: number;
  /** Of calls that did not fail, as the next two. */
  readonly latencyMs: Histogram;
  /** Sum of the natural logarithms of the latencies in milliseconds, and of their squares. */
  readonly logSum: number;
  readonly logSquares: number;
}
