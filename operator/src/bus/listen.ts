/**
 * Hears what instances say of themselves (D14): that they live, and what they have seen.
 *
 * Owns: the subscriptions, and the refusal of what is not well-formed. What instances say is written by tenants' processes:
 * nothing is believed that the schema does not bound, and nobody can speak for another (the server lets a unit publish only
 * under its own name, the message must name the same instance as its subject, and what comes out of a store is refused).
 */
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { HISTOGRAM_BOUNDS_MS, liveSubject, parseInstanceSubject, seenSubject } from '@sinter/contract';
import type { Announcement, InstanceKey, Observation } from '@sinter/contract';
import { z } from 'zod';

export interface InstanceListener {
  readonly onAnnouncement: (announcement: Announcement) => void;
  readonly onObservation: (observation: Observation) => void;
}

export interface Listening {
  /** Messages that were dropped: not well-formed, or the listener failed on them. */
  readonly malformed: () => number;
  readonly stop: () => void;
  /** Stops, and resolves when what was under way has been heard. */
  readonly drain: () => Promise<void>;
}

/** Larger ones are not read at all. */
const LARGEST_BYTES = 256 * 1024;

const label = z.string().min(1).max(253);
const count = z.number().int().nonnegative();
/** Far beyond what any window can hold, and so small that sums of them stay numbers. */
const LARGEST_AMOUNT = 1e15;
const amount = z.number().nonnegative().max(LARGEST_AMOUNT);
const measured = amount.exactOptional();
const logarithms = z.number().min(-LARGEST_AMOUNT).max(LARGEST_AMOUNT);

const said = {
  namespace: label,
  workflow: label,
  unit: label,
  instance: label,
  version: count,
  machine: label,
  architecture: label,
};

const histogram = z.object({
  counts: z.array(count).max(HISTOGRAM_BOUNDS_MS.length + 1),
  sumMs: amount,
});

const announcement: z.ZodType<Announcement> = z.object({
  ...said,
  state: z.enum(['Serving', 'Draining', 'Failed']),
  revisions: z.array(label).max(16),
  routeGeneration: amount.exactOptional(),
  credentialEndsAtMs: amount.exactOptional(),
  problem: z.string().max(8192).exactOptional(),
});

const functionSeen = z.object({
  function: label,
  revision: label,
  artifact: z.string().max(253),
  executions: count,
  failures: count,
  runMs: histogram,
  repeated: count,
  queuedMs: measured,
  calleesMs: measured,
  cpuMs: measured,
  busyMs: measured,
  sleptMs: measured,
  occupiedMs: measured,
  memoryBytes: measured,
  requestBytes: measured,
  responseBytes: measured,
  starts: count.exactOptional(),
  startMs: measured,
});

const edgeSeen = z.object({
  from: label,
  to: label,
  revision: label,
  channel: z.enum(['InProcess', 'Node', 'Remote', 'Queue']),
  calls: count,
  failures: count,
  roundTripMs: histogram,
  parallel: count.exactOptional(),
  requestBytes: measured,
  responseBytes: measured,
  answered: count.exactOptional(),
  overheadMs: measured,
});

const entrySeen = z.object({
  function: label,
  revision: label,
  call: z.enum(['Sync', 'Async']),
  calls: count,
  outside: count.exactOptional(),
  failures: count,
  fellBack: count,
  latencyMs: histogram,
  logSum: logarithms,
  logSquares: amount,
});

const observation: z.ZodType<Observation> = z.object({
  ...said,
  windowMs: amount,
  routeGeneration: count,
  roots: z.record(label, count),
  functions: z.array(functionSeen).max(1000),
  edges: z.array(edgeSeen).max(1000),
  entries: z.array(entrySeen).max(1000).exactOptional(),
  memoryBytes: amount,
  cpuMs: measured,
  occupiedMs: measured,
});

const EVERYBODY: InstanceKey = { namespace: '*', workflow: '*', unit: '*', instance: '*' };

/** An exception in a handler would end the client's reading for good: the message is dropped instead, and counted. */
function told<T>(tell: (said: T) => void, said: T): boolean {
  try {
    tell(said);
    return true;
  } catch {
    return false;
  }
}

/** Starts to listen; with a `queue`, each message is heard by one of those who listen under that name. */
export function listenToInstances(nc: NatsConnection, listener: InstanceListener, queue?: string): Listening {
  let malformed = 0;
  const hear = <T extends InstanceKey>(subject: string, schema: z.ZodType<T>, tell: (said: T) => void) =>
    nc.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, msg) => {
        const heard = error ? undefined : parse(schema, msg);
        if (!heard || !told(tell, heard)) malformed++;
      },
    });
  const subscriptions: readonly Subscription[] = [
    hear(liveSubject(EVERYBODY), announcement, listener.onAnnouncement),
    hear(seenSubject(EVERYBODY), observation, listener.onObservation),
  ];
  const stop = () => {
    for (const s of subscriptions) s.unsubscribe();
  };
  const drain = async () => {
    await Promise.all(subscriptions.map((s) => s.drain()));
  };
  return { malformed: () => malformed, stop, drain };
}

function parse<T extends InstanceKey>(schema: z.ZodType<T>, msg: Msg): T | undefined {
  const speaker = parseInstanceSubject(msg.subject);
  if (!speaker || isReflected(msg) || msg.data.length > LARGEST_BYTES) return undefined;
  const read = schema.safeParse(json(msg));
  return read.success && isSame(read.data, speaker) ? read.data : undefined;
}

/** A unit can have the server send a stored message here, under a subject of another; the server marks those. */
const isReflected = (msg: Msg): boolean => (msg.headers?.get('Nats-Stream') ?? '') !== '';

function json(msg: Msg): unknown {
  try {
    return msg.json();
  } catch {
    return undefined; // counted as malformed
  }
}

const isSame = (a: InstanceKey, b: InstanceKey): boolean =>
  a.namespace === b.namespace && a.workflow === b.workflow && a.unit === b.unit && a.instance === b.instance;
