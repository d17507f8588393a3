/**
 * Pure: what each stream, consumer and bucket on the bus looks like.
 *
 * Owns: the settings, each with its reason. Its neighbour `provision.ts` makes the bus agree with them.
 * Invariants:
 *  1. Nothing that was accepted is dropped by a setting: no size, count or age limit on async work (D6).
 *  2. Whoever may publish into a stream can harm only what is their own. Rollups are therefore off wherever a unit may
 *     publish: `Nats-Rollup: all` on one permitted message deletes everybody's. Message schedules force rollups on (seen on
 *     nats-server 2.15), can be turned on later and never off again; so a stream has them only where its calls can be held.
 */
import { AckPolicy, DeliverPolicy, DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { ConsumerConfig, StreamConfig } from '@nats-io/jetstream';
import {
  CALLS_BUCKET,
  RECORDS_BUCKET,
  ROUTES_BUCKET,
  WORK_CONSUMER,
  asyncStream,
  asyncStreamSubjects,
  changeSubject,
  kvStream,
  kvSubject,
  modulesBucket,
  objectStream,
  workFilter,
} from '@sinter/contract';
import type { WorkflowKey } from '@sinter/contract';

const SECOND_NS = 1_000_000_000;

/** Sending the same call again within this time stores it once. */
const DUPLICATE_WINDOW_NS = 120 * SECOND_NS;
const ACK_WAIT_NS = 10 * SECOND_NS;

/** Calls of one function that are running anywhere; beyond it hosts wait. Far above what hosts' concurrency adds up to. */
const MAX_ACK_PENDING = 10_000;

/** State and result of entries' calls are kept so long. */
const CALLS_AGE_NS = 3600 * SECOND_NS;

export type StreamSpec = Partial<StreamConfig> & Pick<StreamConfig, 'name' | 'subjects'>;
export type ConsumerSpec = Partial<ConsumerConfig> & { readonly durable_name: string };

/** A function with an async in-edge. */
export interface AsyncCallee {
  readonly fn: string;
  /** Its calls can be held (D7): its stream then has schedules, see invariant 2. */
  readonly holds?: boolean;
}

const COMMON = {
  storage: StorageType.File,
  max_msgs: -1,
  max_bytes: -1,
  allow_direct: true,
} as const;

/** The stream of one callee: its work, what is held and what is dead. */
export const asyncStreamSpec = (w: WorkflowKey, callee: AsyncCallee): StreamSpec => ({
  ...COMMON,
  name: asyncStream(w, callee.fn),
  subjects: [...asyncStreamSubjects(w, callee.fn)],
  retention: RetentionPolicy.Workqueue,
  discard: DiscardPolicy.Old,
  max_age: 0,
  max_msgs_per_subject: -1,
  duplicate_window: DUPLICATE_WINDOW_NS,
  allow_msg_ttl: true,
  ...(callee.holds ? { allow_msg_schedules: true } : { allow_rollup_hdrs: false }),
});

/** Its filter leaves out what is held and what is dead, which lie in the same stream. */
export const workConsumerSpec = (w: WorkflowKey, fn: string): ConsumerSpec => ({
  durable_name: WORK_CONSUMER,
  ack_policy: AckPolicy.Explicit,
  deliver_policy: DeliverPolicy.All,
  ack_wait: ACK_WAIT_NS,
  max_deliver: -1,
  filter_subject: workFilter(w, fn),
  max_ack_pending: MAX_ACK_PENDING,
});

/** A key-value bucket in the format that clients of NATS know. */
const bucketSpec = (bucket: string): StreamSpec => ({
  ...COMMON,
  name: kvStream(bucket),
  subjects: [kvSubject(bucket, '>')],
  retention: RetentionPolicy.Limits,
  discard: DiscardPolicy.New,
  max_age: 0,
  max_msgs_per_subject: 1,
  duplicate_window: DUPLICATE_WINDOW_NS,
  allow_rollup_hdrs: true,
  deny_delete: true,
});

/** Every bucket that there is once on a bus. */
export const bucketSpecs: readonly StreamSpec[] = [
  // A key's own subject is not let through to leaves (seen on nats-server 2.15): readers hear of changes on another.
  {
    ...bucketSpec(ROUTES_BUCKET),
    republish: { src: kvSubject(ROUTES_BUCKET, '>'), dest: changeSubject('>') },
  },
  bucketSpec(RECORDS_BUCKET),
  { ...bucketSpec(CALLS_BUCKET), max_age: CALLS_AGE_NS, allow_rollup_hdrs: false },
];

/** The code of one namespace's functions, in the format of NATS's object store. */
export const modulesSpec = (namespace: string): StreamSpec => {
  const bucket = modulesBucket(namespace);
  return {
    ...COMMON,
    name: objectStream(bucket),
    subjects: [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    max_age: 0,
    max_msgs_per_subject: -1,
    allow_rollup_hdrs: true,
  };
};
