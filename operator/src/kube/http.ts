/**
 * One HTTP exchange with the API server: sockets, keep-alive, time limits, bodies and lines.
 *
 * Owns: everything below the meaning of an answer. Neighbour: `client.ts` decides what an answer means and whether to ask
 * again.
 * Invariants:
 *  1. Every exchange ends: by its answer, its time limit, its signal, or the loss of the socket.
 *  2. A dead path is noticed by the kernel (TCP keep-alive, about 25 s), also under a watch that has nothing to say.
 *  3. Nothing is read without a bound.
 */
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Clock } from './clock.ts';
import type { ConnectionTls } from './connection.ts';
import { NoAnswer } from './errors.ts';

/** No answer of an API server is larger: 500 objects of half a megabyte. */
const BODY_MAX_BYTES = 256 * 2 ** 20;
/** No object is larger: etcd takes 1.5 MiB, JSON with escapes needs some more. */
const LINE_MAX_CHARS = 16 * 2 ** 20;
/** Silence after which the kernel asks the other end whether it lives. */
const KEEP_ALIVE_MS = 15_000;
const IDLE_SOCKET_MS = 60_000;

export interface Exchange {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For the whole answer; for a stream, until its headers. */
  readonly timeoutMs: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Stream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The rest of the body: for an answer that is no stream after all. */
  text(): Promise<string>;
  lines(): AsyncIterable<string>;
}

export interface Wire {
  exchange(what: Exchange): Promise<Answer>;
  open(what: Exchange): Promise<Stream>;
  close(): void;
}

/** Sockets to one server under one identity. */
export function wire(tls: ConnectionTls, clock: Clock): Wire {
  const pool = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS, maxFreeSockets: 8, timeout: IDLE_SOCKET_MS };
  const agents = { http: new HttpAgent(pool), https: new HttpsAgent({ ...pool, ...givenOnly(tls) }) };
  const send = (what: Exchange): ClientRequest => {
    const { method, headers, url } = what;
    return url.protocol === 'http:'
      ? httpRequest(url, { method, headers, agent: agents.http })
      : httpsRequest(url, { method, headers, agent: agents.https });
  };
  return {
    exchange: async (what) => {
      const bound = bounded(what, clock);
      try {
        const response = await answered(send(what), what, bound);
        return {
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: await bodyOf(response, bound),
        };
      } finally {
        bound.release();
      }
    },
    open: async (what) => {
      const bound = bounded(what, clock);
      const response = await answered(send(what), what, bound).catch((error: unknown) => {
        bound.release();
        throw error;
      });
      bound.keepSignalOnly();
      return {
        status: response.statusCode ?? 0,
        headers: response.headers,
        text: () => bodyOf(response, bound).finally(bound.release),
        lines: () => linesOf(response, bound),
      };
    },
    close: () => {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

/** Options of TLS that are undefined would override Node's defaults. */
function givenOnly(tls: ConnectionTls): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
}

/** The limits of one exchange: whichever ends first destroys the request, with the reason. */
interface Bound {
  attach(request: ClientRequest): void;
  /** The error to throw instead of what the destroyed socket says. */
  reason(): unknown;
  readonly keepSignalOnly: () => void;
  readonly release: () => void;
}

function bounded(what: Exchange, clock: Clock): Bound {
  const { signal, timeoutMs } = what;
  signal?.throwIfAborted();
  let attached: ClientRequest | undefined;
  let why: unknown;
  const end = (reason: unknown): void => {
    why ??= reason;
    attached?.destroy();
  };
  const late = (): void => end(new NoAnswer(`${nameOf(what)}: no answer within ${timeoutMs} ms`));
  const stop = clock.after(timeoutMs, late);
  const aborted = (): void => end(signal?.reason);
  signal?.addEventListener('abort', aborted, { once: true });
  return {
    attach: (request) => (attached = request),
    reason: () => why,
    keepSignalOnly: stop,
    release: () => {
      stop();
      signal?.removeEventListener('abort', aborted);
    },
  };
}

const nameOf = ({ method, url }: Exchange): string => `${method} ${url.pathname}`;

/** The head of the answer. */
function answered(request: ClientRequest, what: Exchange, bound: Bound): Promise<IncomingMessage> {
  bound.attach(request);
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', (cause) => {
      reject(failure(nameOf(what), cause, bound, request.reusedSocket));
    });
    request.end(what.body);
  });
}

/** A kept socket that the server had closed meanwhile: the request never reached it in most cases. */
export class StaleSocket extends NoAnswer {}

function failure(name: string, cause: unknown, bound: Bound, reused: boolean): Error {
  const why = bound.reason();
  if (why !== undefined) return why instanceof Error ? why : new NoAnswer(`${name}: ended`, { cause: why });
  const { code, message } = cause as { readonly code?: string; readonly message?: string };
  // Of a body that is cut, Node says only "aborted".
  const text = `${name}: ${message === 'aborted' ? 'the connection was lost' : (message ?? 'failed')}`;
  const stale = reused && (code === 'ECONNRESET' || code === 'EPIPE');
  return stale ? new StaleSocket(text, { cause }) : new NoAnswer(text, { cause });
}

async function bodyOf(response: IncomingMessage, bound: Bound): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > BODY_MAX_BYTES) throw new NoAnswer(`an answer of more than ${BODY_MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
  } catch (cause) {
    throw cause instanceof NoAnswer ? cause : failure('reading the answer', cause, bound, false);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Whole lines; the rest after the last line feed is none, the stream was cut there. */
async function* linesOf(response: IncomingMessage, bound: Bound): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = parts.pop() ?? '';
      if (rest.length > LINE_MAX_CHARS)
        throw new NoAnswer(`a line of more than ${LINE_MAX_CHARS} characters`);
      for (const line of parts) if (line !== '') yield line;
    }
  } catch (cause) {
    throw cause instanceof NoAnswer ? cause : failure('watch', cause, bound, false);
  } finally {
    bound.release();
    response.destroy();
  }
}
