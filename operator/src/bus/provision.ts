/**
 * Makes the streams, consumers and buckets of the bus agree with what is wanted: creates, changes, leaves alone, and
 * removes only what holds nothing.
 *
 * Owns: the comparison and the order of steps. What they look like is `streams.ts`'s.
 * Invariants:
 *  1. A second run changes nothing.
 *  2. No message is lost by it: a stream is removed after it has stopped accepting work and was *then* still empty.
 *  3. It can be cut off at any point and run again.
 */
import { JetStreamApiCodes, JetStreamApiError, jetstreamManager } from '@nats-io/jetstream';
import type { ConsumerInfo, JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { HUB_DOMAIN, WORK_CONSUMER, asyncStream, deadSubject } from '@sinter/contract';
import type { WorkflowKey } from '@sinter/contract';
import { asyncStreamSpec, bucketSpecs, modulesSpec, workConsumerSpec } from './streams.ts';
import type { AsyncCallee, ConsumerSpec, StreamSpec } from './streams.ts';

/** What was done to one stream, or to its consumer. `Kept`: no longer wanted, but it still holds messages. */
export interface Change {
  readonly kind: 'Created' | 'Updated' | 'Deleted' | 'Kept';
  readonly stream: string;
  readonly consumer?: string;
  /** Settings that differed. */
  readonly fields?: readonly string[];
  /** What a kept stream holds, or what went with one that was discarded. */
  readonly messages?: number;
}

/** The management side of JetStream on the hub. */
export const hubManager = (nc: NatsConnection): Promise<JetStreamManager> =>
  jetstreamManager(nc, { domain: HUB_DOMAIN, checkAPI: false });

/** On how many servers of the hub each stream is kept, 1 to 5. A stream that differs is changed. */
export type Replicas = number;

/** The buckets that there are once. */
export async function provisionBuckets(
  nc: NatsConnection,
  replicas: Replicas = 1,
): Promise<readonly Change[]> {
  const jsm = await hubManager(nc);
  return inTurn(bucketSpecs, (spec) => ensureStream(jsm, spec, replicas));
}

/** The bucket for the code of a namespace. */
export async function provisionNamespace(
  nc: NatsConnection,
  namespace: string,
  replicas: Replicas = 1,
): Promise<readonly Change[]> {
  return ensureStream(await hubManager(nc), modulesSpec(namespace), replicas);
}

/** Deletes the bucket for the code of a namespace in which no workflow is left. */
export async function discardNamespace(nc: NatsConnection, namespace: string): Promise<readonly Change[]> {
  const stream = modulesSpec(namespace).name;
  const jsm = await hubManager(nc);
  const deleted = await orNotFound(jsm.streams.delete(stream), JetStreamApiCodes.StreamNotFound);
  return deleted ? [{ kind: 'Deleted', stream }] : [];
}

/** A stream and its consumer for each function with an async in-edge; those of other functions go when they are empty. */
export async function provisionAsync(
  nc: NatsConnection,
  workflow: WorkflowKey,
  callees: readonly AsyncCallee[],
  replicas: Replicas = 1,
): Promise<readonly Change[]> {
  const jsm = await hubManager(nc);
  const wanted = new Set(callees.map((c) => asyncStream(workflow, c.fn)));
  const made = await inTurn(callees, (callee) => ensureCallee(jsm, workflow, callee, replicas));
  const others = (await asyncStreams(jsm, workflow)).filter((s) => !wanted.has(s.config.name));
  return [...made, ...(await inTurn(others, (stream) => retire(jsm, workflow, stream, replicas)))];
}

/**
 * Deletes the streams of a workflow that is no more, with all that is in them: nobody is left to pull it. Each `Deleted` says
 * how many messages went (work, held calls, dead letters).
 */
export async function discardAsync(nc: NatsConnection, workflow: WorkflowKey): Promise<readonly Change[]> {
  const jsm = await hubManager(nc);
  return inTurn(await asyncStreams(jsm, workflow), async ({ config: { name }, state }) => {
    await orNotFound(jsm.streams.delete(name), JetStreamApiCodes.StreamNotFound);
    return [{ kind: 'Deleted', stream: name, messages: state.messages }];
  });
}

async function ensureCallee(
  jsm: JetStreamManager,
  workflow: WorkflowKey,
  callee: AsyncCallee,
  replicas: Replicas,
): Promise<readonly Change[]> {
  const spec = asyncStreamSpec(workflow, callee);
  const stream = await ensureStream(jsm, spec, replicas);
  return [...stream, ...(await ensureConsumer(jsm, spec.name, workConsumerSpec(workflow, callee.fn)))];
}

async function ensureStream(
  jsm: JetStreamManager,
  settings: StreamSpec,
  replicas: Replicas,
): Promise<readonly Change[]> {
  const spec = { ...settings, num_replicas: replicas };
  const found = await orNotFound(jsm.streams.info(spec.name), JetStreamApiCodes.StreamNotFound);
  if (!found) {
    await jsm.streams.add(spec);
    return [{ kind: 'Created', stream: spec.name }];
  }
  const fields = differing(spec, found.config);
  // Schedules cannot be turned off again, and bring rollups with them: what has them keeps them.
  const wanted = found.config.allow_msg_schedules ? fields.filter((f) => f !== 'allow_rollup_hdrs') : fields;
  if (wanted.length === 0) return [];
  await jsm.streams.update(spec.name, { ...spec, ...scheduling(found) });
  return [{ kind: 'Updated', stream: spec.name, fields: wanted }];
}

const scheduling = (found: StreamInfo): Partial<StreamSpec> =>
  found.config.allow_msg_schedules ? { allow_msg_schedules: true, allow_rollup_hdrs: true } : {};

async function ensureConsumer(
  jsm: JetStreamManager,
  stream: string,
  spec: ConsumerSpec,
): Promise<readonly Change[]> {
  const consumer = spec.durable_name;
  const found = await orNotFound(jsm.consumers.info(stream, consumer), JetStreamApiCodes.ConsumerNotFound);
  if (!found) {
    await jsm.consumers.add(stream, spec);
    return [{ kind: 'Created', stream, consumer }];
  }
  const fields = differing(spec, found.config);
  if (fields.length === 0) return [];
  await jsm.consumers.update(stream, consumer, spec);
  return [{ kind: 'Updated', stream, consumer, fields }];
}

/** A stream that is being retired has only its dead letters' subject left, which nobody publishes but its own function. */
async function asyncStreams(jsm: JetStreamManager, workflow: WorkflowKey): Promise<readonly StreamInfo[]> {
  const found: StreamInfo[] = [];
  for await (const stream of jsm.streams.list(deadSubject(workflow, '*', '*', '*'))) found.push(stream);
  return found.filter((s) => s.config.name.startsWith(asyncStream(workflow, '')));
}

/**
 * Looking and then deleting would lose a call that is accepted in between. So the stream first stops accepting work (a
 * sender is told so at once), is looked at again, and either goes or gets its subjects back.
 */
async function retire(
  jsm: JetStreamManager,
  workflow: WorkflowKey,
  stream: StreamInfo,
  replicas: Replicas,
): Promise<readonly Change[]> {
  const name = stream.config.name;
  const kept = (messages: number): readonly Change[] => [{ kind: 'Kept', stream: name, messages }];
  if (stream.state.messages > 0) return kept(stream.state.messages);
  const fn = name.slice(asyncStream(workflow, '').length);
  await orNotFound(jsm.consumers.delete(name, WORK_CONSUMER), JetStreamApiCodes.ConsumerNotFound);
  await jsm.streams.update(name, { ...stream.config, subjects: [deadSubject(workflow, fn, '*', '*')] });
  const { messages } = (await jsm.streams.info(name)).state;
  if (messages > 0) {
    await ensureCallee(jsm, workflow, { fn, holds: stream.config.allow_msg_schedules ?? false }, replicas);
    return kept(messages);
  }
  await jsm.streams.delete(name);
  return [{ kind: 'Deleted', stream: name }];
}

/** Names of the settings that are not as wanted. What is not mentioned is the server's to choose. */
function differing(wanted: object, found: StreamInfo['config'] | ConsumerInfo['config']): readonly string[] {
  const has = new Map<string, unknown>(Object.entries(found));
  return Object.entries(wanted)
    .filter(([field, value]) => JSON.stringify(has.get(field) ?? false) !== JSON.stringify(value ?? false))
    .map(([field]) => field);
}

async function orNotFound<T>(answer: Promise<T>, code: number): Promise<T | undefined> {
  try {
    return await answer;
  } catch (cause) {
    if (cause instanceof JetStreamApiError && cause.code === code) return undefined;
    throw cause;
  }
}

async function inTurn<T>(
  items: readonly T[],
  step: (item: T) => Promise<readonly Change[]>,
): Promise<readonly Change[]> {
  const changes: Change[] = [];
  for (const item of items) changes.push(...(await step(item)));
  return changes;
}
