/**
 * Requests with an identity: throttled, bounded in time, reported, and repeated where the server asks for it.
 *
 * Owns: what is tried again (429 and 503 with Retry-After, 401 under a renewed identity, a kept socket found dead), and how
 * an answer becomes a value or an ApiError. Neighbours: `connection.ts` knows where the server is and who we are, `http.ts`
 * has the sockets, `client.ts` the verbs.
 * Invariants:
 *  1. Nothing is repeated that the server may have done, unless doing it twice is doing it once (get, apply).
 *  2. All attempts together have one bound in time, and end when the signal aborts.
 *  3. Whether a write is allowed is asked last, with no await between the answer and the socket.
 */
import { pause, systemClock, type Clock } from './clock.ts';
import type { Connection, Identity } from './connection.ts';
import { ApiError, WritesForbidden, type StatusCause } from './errors.ts';
import { StaleSocket, wire, type Answer, type Exchange, type Stream, type Wire } from './http.ts';
import type { Throttle } from './throttle.ts';

export const JSON_TYPE = 'application/json';
const TEXT_TYPE = 'text/plain';
const TIMEOUT_MS = 30_000;
/** client-go's ten would not end within our 30 s; the queue goes on from there. */
const ATTEMPTS_MAX = 5;

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** Default 30 s. */
  readonly timeoutMs?: number;
}

/** What was asked and how it went: for metrics. `status` 0 is no answer. */
export interface RequestReport {
  readonly verb: string;
  readonly resource: string;
  readonly status: number;
  readonly durationMs: number;
  /** Time spent waiting for our own throttle. */
  readonly throttledMs: number;
}

export interface ClientOptions {
  readonly connection: Connection;
  /** `sinter-operator/<version>`. */
  readonly userAgent: string;
  readonly clock?: Clock;
  readonly throttle?: Throttle;
  readonly onRequest?: (report: RequestReport) => void;
}

/** Anything that no typed method says, e.g. a SelfSubjectAccessReview or `/version`. */
export interface RawRequest extends RequestOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** From the root, e.g. `/apis/apps/v1/namespaces/a/deployments/b/scale`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
}

export interface Reply<R> {
  readonly status: number;
  readonly body: R;
}

export interface Transport {
  /** `repeatable`: a second time does no harm. `allowed`: see invariant 3. */
  ask<R>(
    request: RawRequest,
    resource: string,
    repeatable: boolean,
    allowed?: () => boolean,
  ): Promise<Reply<R>>;
  /** A stream that has begun well; its time limit holds until then. */
  open(request: RawRequest, resource: string): Promise<Stream>;
  close(): void;
}

export const transport = (options: ClientOptions): Transport => new HttpTransport(options);

class HttpTransport implements Transport {
  readonly #options: ClientOptions;
  readonly #clock: Clock;
  /** Sockets belong to the identity under which they were opened. */
  #wire: { readonly tls: Identity['tls']; readonly sockets: Wire } | undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  async ask<R>(
    request: RawRequest,
    resource: string,
    repeatable: boolean,
    allowed: () => boolean = () => true,
  ): Promise<Reply<R>> {
    const name = `${request.method} ${request.path}`;
    const timeoutMs = request.timeoutMs ?? TIMEOUT_MS;
    const endAtMs = this.#clock.now() + timeoutMs;
    let identity = await this.#options.connection.identity();
    for (let attempt = 1; ; attempt += 1) {
      const turn: Turn = { request, resource, identity, timeoutMs: endAtMs - this.#clock.now(), allowed };
      const outcome = await this.#attempt(turn, repeatable && attempt === 1);
      if (outcome === 'again') continue;
      if (outcome.status < 300) return { status: outcome.status, body: decoded<R>(request, outcome) };
      const error = refusal(name, outcome);
      const next = attempt < ATTEMPTS_MAX ? await this.#afterRefusal(error, attempt, identity) : undefined;
      if (next === undefined || this.#clock.now() + next.waitMs >= endAtMs) throw error;
      identity = next.identity;
      await pause(this.#clock, next.waitMs, request.signal);
    }
  }

  async open(request: RawRequest, resource: string): Promise<Stream> {
    const identity = await this.#options.connection.identity();
    const turn: Turn = { request, resource, identity, timeoutMs: TIMEOUT_MS, allowed: () => true };
    const stream = await this.#timed(turn, 'WATCH', (sockets, exchange) => sockets.open(exchange));
    if (stream.status === 200) return stream;
    if (stream.status === 401) await this.#options.connection.identity({ fresh: true });
    const { status, headers } = stream;
    throw refusal(`WATCH ${request.path}`, { status, headers, text: await stream.text() });
  }

  close(): void {
    this.#wire?.sockets.close();
    this.#wire = undefined;
  }

  /** `again`: the kept socket was dead, and asking twice does no harm. */
  async #attempt(turn: Turn, mayRepeat: boolean): Promise<Answer | 'again'> {
    try {
      return await this.#timed(turn, turn.request.method, (sockets, exchange) => sockets.exchange(exchange));
    } catch (error) {
      if (mayRepeat && error instanceof StaleSocket) return 'again';
      throw error;
    }
  }

  async #timed<A extends { readonly status: number }>(
    turn: Turn,
    verb: string,
    send: (sockets: Wire, exchange: Exchange) => Promise<A>,
  ): Promise<A> {
    const { throttle, onRequest } = this.#options;
    const { resource, request } = turn;
    const throttledMs = (await throttle?.take(request.signal)) ?? 0;
    // Asked last, with no await between it and the socket.
    if (!turn.allowed()) throw new WritesForbidden(`${verb} ${request.path}: the right to write is lost`);
    const startMs = this.#clock.now();
    const report = (status: number): void =>
      onRequest?.({ verb, resource, status, durationMs: this.#clock.now() - startMs, throttledMs });
    try {
      const answer = await send(this.#sockets(turn.identity), exchangeOf(turn, this.#options));
      report(answer.status);
      return answer;
    } catch (error) {
      report(0);
      throw error;
    }
  }

  /** How long to wait before the same once more, and as whom; undefined: do not. */
  async #afterRefusal(error: ApiError, attempt: number, identity: Identity): Promise<Retry | undefined> {
    if (error.status === 401 && attempt === 1) {
      const fresh = await this.#options.connection.identity({ fresh: true });
      return fresh === identity ? undefined : { waitMs: 0, identity: fresh };
    }
    const asked = error.status === 429 || error.status === 503;
    return asked && error.retryAfterMs !== undefined ? { waitMs: error.retryAfterMs, identity } : undefined;
  }

  #sockets({ tls }: Identity): Wire {
    if (this.#wire?.tls !== tls) {
      this.#wire = { tls, sockets: wire(tls, this.#clock) };
    }
    return this.#wire.sockets;
  }
}

interface Retry {
  readonly waitMs: number;
  readonly identity: Identity;
}

interface Turn {
  readonly request: RawRequest;
  readonly resource: string;
  readonly identity: Identity;
  readonly timeoutMs: number;
  readonly allowed: () => boolean;
}

function exchangeOf(
  { request, identity, timeoutMs }: Turn,
  { connection, userAgent }: ClientOptions,
): Exchange {
  const url = new URL(connection.server.replace(/\/$/, '') + request.path);
  for (const [key, value] of Object.entries(request.query ?? {}))
    if (value !== undefined && value !== '') url.searchParams.set(key, String(value));
  const body = request.body === undefined ? undefined : JSON.stringify(request.body);
  const headers: Record<string, string> = {
    ...identity.headers,
    accept: request.accept ?? JSON_TYPE,
    'user-agent': userAgent,
    ...(body !== undefined && {
      'content-type': request.contentType ?? JSON_TYPE,
      'content-length': String(Buffer.byteLength(body)),
    }),
  };
  return { method: request.method, url, headers, body, signal: request.signal, timeoutMs };
}

function decoded<R>({ method, path, accept }: RawRequest, { text, status }: Answer): R {
  if (text === '') return undefined as R;
  if (accept === TEXT_TYPE) return text as R;
  try {
    return JSON.parse(text) as R;
  } catch (cause) {
    const message = `an answer that is no JSON: ${text.slice(0, 200)}`;
    throw new ApiError(`${method} ${path}`, { status, reason: 'NotJson', message }, { cause });
  }
}

interface StatusBody {
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly StatusCause[]; readonly retryAfterSeconds?: number };
}

/** A Status object, or whatever a proxy between us said instead. */
function refusal(name: string, { status, headers, text }: Answer): ApiError {
  const body = statusIn(text);
  const header = Number(headers['retry-after']);
  const seconds = Number.isFinite(header) && headers['retry-after'] !== undefined ? header : undefined;
  return new ApiError(name, {
    status,
    reason: body.reason ?? '',
    message: body.message ?? text.slice(0, 500),
    retryAfterMs: seconds === undefined ? undefined : Math.max(0, seconds) * 1000,
    causes: body.details?.causes ?? [],
  });
}

function statusIn(text: string): StatusBody {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {}; // Not from the API server: the text itself is the message.
  }
}
