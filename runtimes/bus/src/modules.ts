/**
 * Fetches a function's code from its namespace's bucket, with a unit's rights alone (D18).
 *
 * The bucket has the format of NATS's object store. The client library reads it through a consumer, which a unit may not
 * create; this reads the same messages one by one with direct gets: what the object is made of, then its chunks.
 * What was fetched is believed only if its sha256 is its name.
 */
import { createHash } from 'node:crypto';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { JS_API_PREFIX, modulesBucket, objectStream } from '@sinter/contract';

/** A module larger than this is not fetched: no memory is taken on the word of what is stored. */
export const MODULE_LIMIT_BYTES = 64 * 1024 * 1024;

const ANSWER_LIMIT_MS = 5000;
const SHA256 = /^[0-9a-f]{64}$/;

export type ModuleProblem = 'NotThere' | 'TooLarge' | 'Corrupt' | 'Refused';

/** A module that cannot be had, and why. Anything else that is thrown is the connection's: try again. */
export class ModuleError extends Error {
  override readonly name = 'ModuleError';
  readonly problem: ModuleProblem;

  constructor(problem: ModuleProblem, namespace: string, sha256: string, detail: string) {
    super(`module ${sha256} of namespace ${namespace}: ${detail}`);
    this.problem = problem;
  }
}

/** The bytes of a module. Rejects with ModuleError, or with the connection's own error. */
export async function fetchModule(
  nc: NatsConnection,
  namespace: string,
  sha256: string,
): Promise<Uint8Array> {
  const fail = (problem: ModuleProblem, detail: string) =>
    new ModuleError(problem, namespace, sha256, detail);
  if (!SHA256.test(sha256)) throw fail('NotThere', 'a module is named by 64 hexadecimal digits');
  const source: Source = { nc, bucket: modulesBucket(namespace), fail };
  const meta = await readMeta(source, sha256);
  if (meta.size > MODULE_LIMIT_BYTES) {
    throw fail('TooLarge', `has ${meta.size} bytes, at most ${MODULE_LIMIT_BYTES} are allowed`);
  }
  const bytes = await readChunks(source, meta);
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== sha256) throw fail('Corrupt', `what is stored has sha256 ${found}`);
  return bytes;
}

interface Source {
  readonly nc: NatsConnection;
  readonly bucket: string;
  readonly fail: (problem: ModuleProblem, detail: string) => ModuleError;
}

/** What an object is made of, as far as it is needed here. */
interface Meta {
  readonly nuid: string;
  readonly size: number;
  readonly chunks: number;
}

async function readMeta(source: Source, name: string): Promise<Meta> {
  const subject = `$O.${source.bucket}.M.${padded(Buffer.from(name))}`;
  const found = await directGet(source, `.${subject}`, '');
  if (!found) throw source.fail('NotThere', 'is not on the bus');
  const meta = found.json<Partial<Meta> & { readonly deleted?: boolean }>();
  if (meta.deleted) throw source.fail('NotThere', 'was removed from the bus');
  const { nuid, size, chunks } = meta;
  if (typeof nuid !== 'string' || !isCount(size) || !isCount(chunks)) {
    throw source.fail('Corrupt', 'what is stored is not described');
  }
  return { nuid, size, chunks };
}

async function readChunks(source: Source, meta: Meta): Promise<Uint8Array> {
  const subject = `$O.${source.bucket}.C.${meta.nuid}`;
  const bytes = new Uint8Array(meta.size);
  let at = 0;
  let sequence = 1;
  for (let i = 0; i < meta.chunks; i++) {
    const chunk = await directGet(source, '', JSON.stringify({ next_by_subj: subject, seq: sequence }));
    if (!chunk || at + chunk.data.length > meta.size)
      throw source.fail('Corrupt', 'its chunks do not add up');
    bytes.set(chunk.data, at);
    at += chunk.data.length;
    sequence = Number(chunk.headers?.get('Nats-Sequence')) + 1;
  }
  return bytes;
}

/** A stored message, or undefined where there is none. */
async function directGet(source: Source, suffix: string, body: string): Promise<Msg | undefined> {
  const subject = `${JS_API_PREFIX}.DIRECT.GET.${objectStream(source.bucket)}${suffix}`;
  const answer = await source.nc.request(subject, body, { timeout: ANSWER_LIMIT_MS });
  const status = answer.headers?.code ?? 0;
  if (status === 404) return undefined;
  if (status >= 300)
    throw source.fail('Refused', `the bus answered ${status} ${answer.headers?.description ?? ''}`);
  return answer;
}

/** The object store encodes names in base64url with padding. */
const padded = (bytes: Buffer): string => bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_');

const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && Number(n) >= 0;
