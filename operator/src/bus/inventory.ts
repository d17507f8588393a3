/**
 * What the bus keeps, by whose it is, and the removal of single pieces that are nobody's any more.
 *
 * Owns: the reading of names back into workflows and namespaces. Whether something is still somebody's is for those to say who
 * see the cluster (`reconcile/leftovers.ts`). Every removal names what was seen: what was written since stays.
 */
import { jetstream } from '@nats-io/jetstream';
import type { JetStreamManager } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import type { NatsConnection } from '@nats-io/transport-node';
import {
  HUB_DOMAIN,
  ROUTES_BUCKET,
  entryKey,
  kvStream,
  kvSubject,
  modulesBucket,
  objectStream,
  parseModulesStream,
  parseRouteKey,
  parseWorkSubject,
  routeKey,
} from '@sinter/contract';
import type { WorkflowKey } from '@sinter/contract';
import { padded } from './modules.ts';
import { hubManager } from './provision.ts';

export interface Kept {
  /** Workflows that have a route or an entry, also where these are only marked as deleted. */
  readonly routed: readonly WorkflowKey[];
  /** Workflows that have a stream. */
  readonly queued: readonly WorkflowKey[];
  /** Namespaces that have a bucket of code. */
  readonly namespaces: readonly string[];
}

export async function keptOn(nc: NatsConnection): Promise<Kept> {
  const jsm = await hubManager(nc);
  const prefix = kvSubject(ROUTES_BUCKET, '');
  const keys = await subjectsOf(jsm, kvStream(ROUTES_BUCKET), kvSubject(ROUTES_BUCKET, '>'));
  const routed = keys.flatMap((subject) => parseRouteKey(subject.slice(prefix.length)) ?? []);
  const queued: WorkflowKey[] = [];
  const namespaces: string[] = [];
  for await (const { config } of jsm.streams.list()) {
    const namespace = parseModulesStream(config.name);
    if (namespace !== undefined) namespaces.push(namespace);
    queued.push(...config.subjects.flatMap((subject) => parseWorkSubject(subject) ?? []));
  }
  return { routed: eachOnce(routed), queued: eachOnce(queued), namespaces };
}
const eachOnce = (workflows: readonly WorkflowKey[]): readonly WorkflowKey[] => [
  ...new Map(
    workflows.map(({ namespace, workflow }) => [`${namespace}/${workflow}`, { namespace, workflow }]),
  ).values(),
];

/** Removes the marks of deletions of a workflow's route and entry that are older than this. True where one of them is not deleted. */
export async function purgeDeleted(
  nc: NatsConnection,
  workflow: WorkflowKey,
  beforeMs: number,
): Promise<boolean> {
  const jsm = await hubManager(nc);
  const stream = kvStream(ROUTES_BUCKET);
  let lives = false;
  for (const key of [entryKey(workflow), routeKey(workflow)]) {
    const filter = kvSubject(ROUTES_BUCKET, key);
    const last = await jsm.direct.getMessage(stream, { last_by_subj: filter });
    const isLive = last !== null && last.data.length > 0;
    lives ||= isLive;
    if (last && !isLive && last.time.getTime() < beforeMs)
      await jsm.streams.purge(stream, { filter, seq: last.seq + 1 });
  }
  return lives;
}

/** Names (sha256) of the modules of a namespace. */
export async function modulesOf(nc: NatsConnection, namespace: string): Promise<readonly string[]> {
  const filter = metaSubject(namespace, '*');
  const subjects = await subjectsOf(await hubManager(nc), objectStream(modulesBucket(namespace)), filter);
  const prefix = filter.slice(0, -1);
  return subjects.map((subject) => Buffer.from(subject.slice(prefix.length), 'base64url').toString());
}

/** Deletes a module that was put there before this. True where it did. */
export async function removeModule(
  nc: NatsConnection,
  namespace: string,
  sha256: string,
  beforeMs: number,
): Promise<boolean> {
  const bucket = modulesBucket(namespace);
  const store = await new Objm(jetstream(nc, { domain: HUB_DOMAIN })).open(bucket);
  const found = await store.info(sha256);
  if (!found || Date.parse(found.mtime) >= beforeMs) return false;
  const { streams } = await hubManager(nc);
  const filter = metaSubject(namespace, padded(Buffer.from(sha256)));
  await streams.purge(objectStream(bucket), { filter, seq: found.revision + 1 });
  await streams.purge(objectStream(bucket), { filter: `$O.${bucket}.C.${found.nuid}` });
  return !found.deleted;
}

/** Where NATS's object store keeps what it knows of an object. */
const metaSubject = (namespace: string, encoded: string): string =>
  `$O.${modulesBucket(namespace)}.M.${encoded}`;

async function subjectsOf(jsm: JetStreamManager, stream: string, filter: string): Promise<readonly string[]> {
  const { state } = await jsm.streams.info(stream, { subjects_filter: filter });
  return Object.keys(state.subjects ?? {});
}
