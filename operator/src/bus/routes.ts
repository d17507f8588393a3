/**
 * Writes what is kept of workflows on the bus: the route and the entry (D3), by which every process of a workflow and the
 * gateway go, and records that only operators read.
 *
 * One writer. Every write names the sequence that the writer saw last, so that a second writer, or one that was cut off
 * and comes back, is told `Conflict` instead of undoing what the other wrote. The client library's own buckets do not say
 * the sequence of a deletion, so this speaks their format (a message on the key's subject; a header marks a deletion).
 */
import { JetStreamApiCodes, JetStreamApiError, jetstream } from '@nats-io/jetstream';
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import type { MsgHdrs, NatsConnection } from '@nats-io/transport-node';
import {
  HUB_DOMAIN,
  RECORDS_BUCKET,
  ROUTES_BUCKET,
  entryKey,
  kvStream,
  kvSubject,
  observationsKey,
  rolloutKey,
  routeKey,
} from '@sinter/contract';
import type { EntryRecord, RouteRecord, WorkflowKey } from '@sinter/contract';
import type { ObservationsRecord } from '../observations/index.ts';
import type { RolloutRecord } from '../rollout/index.ts';
import { hubManager } from './provision.ts';

/** What stands under a key. */
export interface Stored<T> {
  /** Absent: never written, or deleted. */
  readonly record?: T;
  /** Of the last write, deletion included; 0: never written, or the mark of the deletion is gone too. */
  readonly sequence: number;
  /** With 0: whatever stood there had a sequence of at most this. */
  readonly floor?: number;
}

export type Written =
  | { readonly kind: 'Written'; readonly sequence: number }
  /** Somebody wrote since. */
  | { readonly kind: 'Conflict' };

/** Records of one kind, a key for each workflow. */
export interface Records<T> {
  readonly read: (workflow: WorkflowKey) => Promise<Stored<T>>;
  /** Writes if the key's sequence is still `after` (0: it was never written). */
  readonly write: (record: T, after: number) => Promise<Written>;
  /** Deletes if the key's sequence is still `after`. Readers see a record without content. */
  readonly remove: (workflow: WorkflowKey, after: number) => Promise<Written>;
}

export interface RouteBook {
  readonly routes: Records<RouteRecord>;
  readonly entries: Records<EntryRecord>;
  readonly observations: Records<ObservationsRecord>;
  readonly rollouts: Records<RolloutRecord>;
}

/** The buckets must exist. */
export async function openRoutes(nc: NatsConnection): Promise<RouteBook> {
  const js = jetstream(nc, { domain: HUB_DOMAIN });
  const jsm = await hubManager(nc);
  return {
    routes: records<RouteRecord>(js, jsm, ROUTES_BUCKET, routeKey),
    entries: records<EntryRecord>(js, jsm, ROUTES_BUCKET, entryKey),
    observations: records<ObservationsRecord>(js, jsm, RECORDS_BUCKET, observationsKey),
    rollouts: records<RolloutRecord>(js, jsm, RECORDS_BUCKET, rolloutKey),
  };
}

function records<T extends WorkflowKey>(
  js: JetStreamClient,
  jsm: JetStreamManager,
  bucket: string,
  keyOf: (w: WorkflowKey) => string,
): Records<T> {
  const subjectOf = (w: WorkflowKey): string => kvSubject(bucket, keyOf(w));
  return {
    read: (w) => readLast<T>(jsm, bucket, subjectOf(w)),
    write: (record, after) => publishAfter(js, subjectOf(record), after, JSON.stringify(record)),
    remove: (w, after) => publishAfter(js, subjectOf(w), after, '', deletion()),
  };
}

async function readLast<T>(jsm: JetStreamManager, bucket: string, subject: string): Promise<Stored<T>> {
  const last = await jsm.direct.getMessage(kvStream(bucket), { last_by_subj: subject });
  if (!last) return { sequence: 0, floor: (await jsm.streams.info(kvStream(bucket))).state.last_seq };
  const isRecord = last.header.get(OPERATION) === '';
  return isRecord ? { record: last.json<T>(), sequence: last.seq } : { sequence: last.seq };
}

async function publishAfter(
  js: JetStreamClient,
  subject: string,
  lastSubjectSequence: number,
  body: string,
  marked: MsgHdrs = headers(),
): Promise<Written> {
  try {
    const ack = await js.publish(subject, body, { headers: marked, expect: { lastSubjectSequence } });
    return { kind: 'Written', sequence: ack.seq };
  } catch (cause) {
    if (isConflict(cause)) return { kind: 'Conflict' };
    throw cause;
  }
}

const OPERATION = 'KV-Operation';

function deletion(): MsgHdrs {
  const marked = headers();
  marked.set(OPERATION, 'DEL');
  return marked;
}

const isConflict = (cause: unknown): boolean =>
  cause instanceof JetStreamApiError && cause.code === JetStreamApiCodes.StreamWrongLastSequence;
