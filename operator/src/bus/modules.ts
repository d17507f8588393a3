/**
 * Puts the code of functions on the bus, under the sha256 of its bytes (D18). Reading is done by the units themselves
 * (`@sinter/bus`), with rights to their own namespace's bucket only.
 */
import { createHash } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import type { ObjectInfo, ObjectStore } from '@nats-io/obj';
import type { NatsConnection } from '@nats-io/transport-node';
import { HUB_DOMAIN, modulesBucket } from '@sinter/contract';

/** Half of the largest message: few round trips, and never refused. */
const CHUNK_BYTES = 512 * 1024;

/** What was put where. */
export interface PutModule {
  /** sha256 of the bytes, in hex: the module's name. */
  readonly sha256: string;
  /** False where it was there already. */
  readonly written: boolean;
}

/** Puts a module into its namespace's bucket, which must exist, and reads back that it is there whole. */
export async function putModule(
  nc: NatsConnection,
  namespace: string,
  bytes: Uint8Array,
): Promise<PutModule> {
  const store = await new Objm(jetstream(nc, { domain: HUB_DOMAIN })).open(modulesBucket(namespace));
  const digest = createHash('sha256').update(bytes).digest();
  const sha256 = digest.toString('hex');
  if (holds(await store.info(sha256), digest, bytes.length)) return { sha256, written: false };
  await store.putBlob({ name: sha256, options: { max_chunk_size: CHUNK_BYTES } }, bytes);
  await assertHolds(store, sha256, digest, bytes.length);
  return { sha256, written: true };
}

const holds = (found: ObjectInfo | null, digest: Buffer, size: number): boolean =>
  found !== null && !found.deleted && found.size === size && found.digest === `SHA-256=${padded(digest)}`;

async function assertHolds(store: ObjectStore, name: string, digest: Buffer, size: number): Promise<void> {
  if (holds(await store.info(name), digest, size)) return;
  throw new Error(`module ${name}: what the bus kept is not what was put`);
}

/** NATS writes digests and names in base64url with padding. */
export const padded = (digest: Buffer): string =>
  digest.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
