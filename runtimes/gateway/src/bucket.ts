/**
 * Reading a bucket with nothing but direct gets: all of its values, or one.
 *
 * Whole buckets are read in pages by sequence: asking for the last of every subject at once is capped by the server at
 * 1,024 subjects, which a cluster with many workflows has.
 */
import { CallError, JS_API_PREFIX, kvStream, kvSubject } from '@sinter/contract';
import type { Link } from '@sinter/bus';

type Msg = Awaited<ReturnType<Link['request']>>;

const PAGE = 256;
const PAGE_BYTES = 4 * 1024 * 1024;
const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);

export interface Stored {
  readonly bytes: Uint8Array;
  readonly sequence: number;
}

/** One value; undefined where there is none. Rejects with BusUnavailable. */
export async function readKey(
  link: Link,
  bucket: string,
  key: string,
  timeoutMs: number,
): Promise<Stored | undefined> {
  const subject = `${JS_API_PREFIX}.DIRECT.GET.${kvStream(bucket)}.${kvSubject(bucket, key)}`;
  const msg = await link.request(subject, EMPTY, timeoutMs);
  if (msg.headers?.code === 404) return undefined;
  if (msg.headers === undefined || msg.headers.code > 0) throw refused(bucket, msg);
  return { bytes: msg.data, sequence: Number(msg.headers.get('Nats-Sequence')) };
}

/** All values by key; a deleted key has no bytes. Rejects with BusUnavailable, never with a part of them. */
export async function readBucket(
  link: Link,
  bucket: string,
  timeoutMs: number,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const values = new Map<string, Uint8Array>();
  for (let next = 1; next > 0;) next = await readPage(link, bucket, next, timeoutMs, values);
  return values;
}

/** Reads a page into `values`; gives the sequence at which the next one begins, 0 where this was the last. */
function readPage(
  link: Link,
  bucket: string,
  from: number,
  timeoutMs: number,
  values: Map<string, Uint8Array>,
): Promise<number> {
  const prefix = kvSubject(bucket, '').length;
  return new Promise<number>((resolve, reject) => {
    let last = 0;
    const end = (act: () => void): void => {
      clearTimeout(timer);
      offDown();
      expected.stop();
      act();
    };
    const fail = (error: CallError): void => {
      end(() => {
        reject(error);
      });
    };
    const expected = link.expect((msg) => {
      const code = msg.headers?.code ?? 0;
      if (code === 0 && msg.headers) {
        last = Number(msg.headers.get('Nats-Sequence'));
        values.set(msg.headers.get('Nats-Subject').slice(prefix), msg.data);
      } else if (code === 204 || code === 404) {
        const more = code === 204 && last > 0 && Number(msg.headers?.get('Nats-Num-Pending') ?? 0) > 0;
        end(() => {
          resolve(more ? last + 1 : 0);
        });
      } else fail(refused(bucket, msg));
    });
    const offDown = link.onDown(() => {
      fail(unavailable(bucket, 'the connection was lost'));
    });
    const timer = setTimeout(() => {
      fail(unavailable(bucket, `no answer within ${String(timeoutMs)} ms`));
    }, timeoutMs);
    const request = { seq: from, batch: PAGE, max_bytes: PAGE_BYTES, next_by_subj: kvSubject(bucket, '>') };
    const subject = `${JS_API_PREFIX}.DIRECT.GET.${kvStream(bucket)}`;
    link.publish(subject, encoder.encode(JSON.stringify(request)), undefined, expected.reply);
  });
}

const unavailable = (bucket: string, why: string): CallError =>
  new CallError('BusUnavailable', `bucket ${bucket} could not be read: ${why}`);

const refused = (bucket: string, msg: Msg): CallError =>
  unavailable(bucket, `${String(msg.headers?.code ?? '')} ${msg.headers?.description ?? ''}`.trim());
