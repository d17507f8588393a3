/**
 * One connection to the bus, as a runtime uses it.
 *
 * Owns: the socket, the reply addresses under one inbox, and the word on whether it is up. `session.ts` decides when a link
 * is replaced by another; `caller.ts`, `listener.ts`, `puller.ts` talk over it.
 * Invariants:
 *  1. Nothing is published while the link is down: what the client would buffer might run long after its caller gave up.
 *  2. Every reply address lies under the instance's own inbox, `<inbox>.c.<token>` for answers, and cannot be guessed: who
 *     may publish to a gateway's inbox would else answer calls that were never made to it.
 *  3. An error in whoever handles a message is told and stays there: in the client it would end the reading for good.
 *  4. The connection is never drained with calls in flight: closing is the session's decision.
 */
import { errors } from '@nats-io/transport-node';
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { CallError, newId } from '@sinter/contract';
import type { HeaderBlock } from './headers.ts';
import { isNoResponders } from './headers.ts';
import { authenticator } from './signature.ts';
import type { Credential } from './signature.ts';
import { connectTo } from './transport.ts';
import type { ServerTerms } from './transport.ts';

export interface LinkOptions extends ServerTerms {
  readonly credential: Credential;
  /** The instance's inbox, without a closing dot. */
  readonly inbox: string;
  /** Shown by the server's monitoring. */
  readonly name: string;
  /** What the server refuses (a violation of rights) or the client reports; for logs. */
  readonly onProblem?: (problem: string) => void;
}

const FLUSH_LIMIT_MS = 5_000;

/** Room for the headers of a frame within the server's limit for a message. */
const HEADERS_ROOM_BYTES = 16 * 1024;

interface Outgoing {
  readonly subject: string;
  readonly bytes: Uint8Array;
  readonly headers: HeaderBlock | undefined;
  readonly reply: string | undefined;
}

export class Link {
  readonly nc: NatsConnection;
  readonly inbox: string;
  /** Smoothed round trip to the server, in milliseconds. */
  roundTripMs = 1;
  #up = true;
  #closed = false;
  #outbox: Outgoing[] = [];
  readonly #expected = new Map<string, (msg: Msg) => void>();
  readonly #downHandlers = new Set<() => void>();
  readonly #upHandlers = new Set<() => void>();
  readonly #refusedHandlers = new Set<() => void>();
  readonly #onProblem: (problem: string) => void;

  private constructor(nc: NatsConnection, options: LinkOptions) {
    this.nc = nc;
    this.inbox = options.inbox;
    this.#onProblem = options.onProblem ?? (() => undefined);
    const prefix = `${this.inbox}.c.`.length;
    this.subscribe(`${this.inbox}.c.*`, (msg) => this.#expected.get(msg.subject.slice(prefix))?.(msg));
    void this.#watch();
  }

  /**
   * Connects to the nearest server that answers, each within `timeoutMs`; rejects when none does. With `only` it connects to
   * that server or rejects; should the connection be lost later, all servers are tried.
   */
  static async open(options: LinkOptions, timeoutMs = 5_000, only?: string): Promise<Link> {
    const nc = await connectTo(options, {
      servers: only === undefined ? [...options.servers] : [only],
      noRandomize: true,
      ignoreClusterUpdates: true,
      authenticator: authenticator(options.credential),
      name: options.name,
      inboxPrefix: options.inbox,
      timeout: timeoutMs,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
      reconnectJitter: 50,
      ignoreAuthErrorAbort: true,
      pingInterval: 5_000,
      maxPingOut: 2,
      noAsyncTraces: true,
    });
    if (only !== undefined) nc.setServers([...options.servers]);
    const link = new Link(nc, options);
    void link.measure();
    return link;
  }

  get up(): boolean {
    return this.#up && !this.#closed;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Reply addresses to which something may still come. */
  get awaited(): number {
    return this.#expected.size;
  }

  /** The server that this link talks to, `host:port`. */
  get server(): string {
    return this.nc.getServer();
  }

  onDown(handler: () => void): () => void {
    this.#downHandlers.add(handler);
    return () => this.#downHandlers.delete(handler);
  }

  onUp(handler: () => void): () => void {
    this.#upHandlers.add(handler);
    return () => this.#upHandlers.delete(handler);
  }

  /** A server has ended this link, or refused its reconnection, because of its credential. The link goes on trying. */
  onRefused(handler: () => void): () => void {
    this.#refusedHandlers.add(handler);
    return () => this.#refusedHandlers.delete(handler);
  }

  /** A fresh reply address; messages to it go to the handler until it is stopped. */
  expect(handler: (msg: Msg) => void): { readonly reply: string; stop(): void } {
    const token = newId();
    this.#expected.set(token, handler);
    return { reply: `${this.inbox}.c.${token}`, stop: () => this.#expected.delete(token) };
  }

  /** Says whether it was handed to the connection: not while that is down, nor what no server takes. Never throws. */
  publish(subject: string, bytes: Uint8Array, headers?: HeaderBlock, reply?: string): boolean {
    if (!this.up || !this.#fits(subject, bytes)) return false;
    this.#outbox.push({ subject, bytes, headers, reply });
    if (this.#outbox.length === 1) setImmediate(() => this.#sendAll());
    return true;
  }

  #fits(subject: string, bytes: Uint8Array): boolean {
    const limit = (this.nc.info?.max_payload ?? Infinity) - HEADERS_ROOM_BYTES;
    if (bytes.byteLength <= limit) return true;
    this.#onProblem(
      `not published on ${subject}: ${String(bytes.byteLength)} bytes, the server takes ${String(limit)}`,
    );
    return false;
  }

  /**
   * What one turn of the event loop published goes out in one write: a write is the dearest part of a small message. A turn
   * that publishes once sends at its end, which is at once.
   */
  #sendAll(): void {
    const messages = this.#outbox;
    this.#outbox = [];
    if (!this.up) return;
    for (const { subject, bytes, headers, reply } of messages)
      try {
        this.nc.publish(subject, bytes, {
          ...(headers === undefined ? {} : { headers: headers.asMsgHdrs() }),
          ...(reply === undefined ? {} : { reply }),
        });
      } catch (cause) {
        this.#onProblem(`not published on ${subject}: ${String(cause)}`);
      }
  }

  subscribe(subject: string, handler: (msg: Msg) => void, queue?: string): Subscription {
    return this.nc.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, msg) => {
        if (error !== null) this.#onProblem(`subscription ${subject}: ${error.message}`);
        else this.#guard(`a message on ${msg.subject}`, () => handler(msg));
      },
    });
  }

  /** One question, one answer. Rejects with BusUnavailable when none comes in time or nobody is there. */
  async request(subject: string, bytes: Uint8Array, timeoutMs: number, headers?: HeaderBlock): Promise<Msg> {
    if (!this.up) throw unavailable(subject, 'the connection is down');
    return await new Promise<Msg>((resolve, reject) => {
      const done = (act: () => void): void => {
        clearTimeout(timer);
        expected.stop();
        offDown();
        act();
      };
      const expected = this.expect((msg) => {
        done(() => {
          if (isNoResponders(msg)) reject(unavailable(subject, 'nobody answers there'));
          else resolve(msg);
        });
      });
      const offDown = this.onDown(() => {
        done(() => {
          reject(unavailable(subject, 'the connection was lost'));
        });
      });
      const timer = setTimeout(() => {
        done(() => {
          reject(unavailable(subject, `no answer within ${String(timeoutMs)} ms`));
        });
      }, timeoutMs);
      if (!this.publish(subject, bytes, headers, expected.reply))
        done(() => {
          reject(unavailable(subject, 'it could not be sent'));
        });
    });
  }

  /** Takes the round trip afresh; a failure leaves the old figure. */
  async measure(): Promise<void> {
    try {
      this.roundTripMs = 0.7 * this.roundTripMs + 0.3 * (await this.nc.rtt());
    } catch (cause) {
      this.#onProblem(`round trip not measured: ${String(cause)}`);
    }
  }

  /** Resolves when the server has everything that was published before; rejects when it does not say so in time. */
  async flush(): Promise<void> {
    this.#sendAll();
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(unavailable('flush', `no answer within ${String(FLUSH_LIMIT_MS)} ms`));
      }, FLUSH_LIMIT_MS);
    });
    try {
      await Promise.race([this.nc.flush(), limit]);
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#sendAll();
    this.#closed = true;
    this.#fire(this.#downHandlers);
    await this.nc.close();
  }

  async #watch(): Promise<void> {
    for await (const status of this.nc.status()) {
      switch (status.type) {
        case 'disconnect':
          this.#up = false;
          this.#fire(this.#downHandlers);
          break;
        case 'reconnect':
          this.#up = true;
          this.#fire(this.#upHandlers);
          break;
        case 'error':
          this.#onProblem(status.error.message);
          if (isRefusal(status.error)) this.#fire(this.#refusedHandlers);
          break;
        case 'close':
          this.#closed = true;
          this.#fire(this.#downHandlers);
          return;
        default:
          break;
      }
    }
  }

  #fire(handlers: ReadonlySet<() => void>): void {
    for (const handler of [...handlers]) this.#guard('a change of the connection', handler);
  }

  #guard(what: string, act: () => void): void {
    try {
      act();
    } catch (cause) {
      const why = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
      this.#onProblem(`${what} was not handled: ${why}`);
    }
  }
}

const isRefusal = (cause: Error): boolean =>
  cause instanceof errors.AuthorizationError || cause instanceof errors.UserAuthenticationExpiredError;

const unavailable = (subject: string, why: string): CallError =>
  new CallError('BusUnavailable', `the bus did not answer on ${subject}: ${why}`);
