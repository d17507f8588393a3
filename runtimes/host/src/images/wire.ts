/**
 * GET requests to registries and to where they keep their blobs.
 *
 * Owns: redirects, what may travel in the clear, and times. `registry.ts` knows what is asked and with whose credentials.
 * Invariants:
 *  1. A credential goes to the origin that it was meant for, and to no other that an answer points to.
 *  2. Plain http only to registries that are named as such, and from there.
 *  3. Nothing waits without end: a connection that is silent for 15 s is given up, and a pull ends after 5 minutes.
 */
import type { IncomingMessage } from 'node:http';
import { ImageError } from './imageError.ts';

export interface Answer {
  readonly status: number;
  /** By whom it was given, after redirects. */
  readonly origin: string;
  readonly body: IncomingMessage;
}

export const REDIRECTS_LIMIT = 5;
const SILENCE_MS = 15_000;
const REDIRECT = new Set([301, 302, 303, 307, 308]);

export interface Asking {
  readonly headers: Readonly<Record<string, string>>;
  /** May be asked over plain http, and may send on to there. */
  readonly insecure: boolean;
  readonly signal: AbortSignal;
}

/** Asks, and follows where it is sent. Rejects with ImageError. */
export async function get(url: URL, asking: Asking): Promise<Answer> {
  let at = url;
  for (let redirects = 0; redirects <= REDIRECTS_LIMIT; redirects++) {
    if (at.protocol !== 'https:' && !(asking.insecure && at.protocol === 'http:'))
      throw new ImageError('RegistryUnreachable', `${placeOf(at)} is not asked: only https is`);
    const body = await ask(at, at.origin === url.origin ? asking.headers : without(asking.headers), asking);
    const status = body.statusCode ?? 0;
    const { location } = body.headers;
    const to = REDIRECT.has(status) && location !== undefined ? URL.parse(location, at.href) : null;
    if (!to) return { status, origin: at.origin, body };
    body.destroy();
    at = to;
  }
  throw new ImageError(
    'RegistryUnreachable',
    `${placeOf(url)} sends from place to place: more than ${String(REDIRECTS_LIMIT)} redirects`,
  );
}

/** What another origin gets: no credential. */
const without = (headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'Authorization'));

async function ask(
  url: URL,
  headers: Readonly<Record<string, string>>,
  { signal }: Asking,
): Promise<IncomingMessage> {
  const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
  return await new Promise((resolve, reject) => {
    const sent = request(url, {
      agent: false,
      signal,
      timeout: SILENCE_MS,
      headers: { 'User-Agent': 'sinter-host', ...headers },
    });
    sent.once('response', resolve);
    sent.on('timeout', () => sent.destroy(new Error(`silent for ${String(SILENCE_MS / 1000)} s`)));
    // Later ones are those of the answer's body, which says so itself.
    sent.on('error', (cause) => {
      reject(unreachable(url, cause));
    });
    sent.end();
  });
}

export const unreachable = (url: URL, cause: unknown): ImageError =>
  new ImageError('RegistryUnreachable', `${placeOf(url)} cannot be reached: ${causeText(cause)}`, {
    passing: true,
    cause,
  });

/** Reads a whole body of at most so many bytes. Rejects with ImageError. */
export async function bytesOf({ body }: Answer, limitBytes: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limitBytes)
        throw new ImageError('TooLarge', `${what} has more than ${String(limitBytes)} bytes`);
      chunks.push(chunk);
    }
  } catch (cause) {
    throw cause instanceof ImageError ? cause : broken(what, cause);
  }
  return Buffer.concat(chunks);
}

export const broken = (what: string, cause: unknown): ImageError =>
  new ImageError('RegistryUnreachable', `${what} broke off: ${causeText(cause)}`, { passing: true, cause });

/** Without path and query: they may carry a signature that opens a blob. */
const placeOf = (url: URL): string => url.origin;

const causeText = (cause: unknown): string => {
  if (cause instanceof AggregateError && cause.errors.length > 0) return cause.errors.map(String).join(', ');
  return cause instanceof Error ? cause.message : String(cause);
};
