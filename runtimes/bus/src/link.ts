/**
 * One connection to the bus, as a runtime uses it.
 *
 * Owns: the socket, the reply addresses under one inbox, and the word on whether it is up. `session.ts` decides when a link
 * is replaced by another; `caller.ts`, `listener.ts`, `puller.ts` talk over it.
 * Invariants:
 *  1. Nothing is published while the link is down: what the client would buffer might run long after its caller gave up.
 *  2. Every reply address lies under the instance's own inbox, `<inbox>.c.<n>` for answers; nothing else matches it.
 *  3. The connection is never drained with calls in flight: closing is the session's decision.
 */
import { connect, jwtAuthenticator } from '@nats-io/transport-node';
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { CallError } from '@sinter/contract';
import type { HeaderBlock } from './headers.ts';
import { isNoResponders } from './headers.ts';

/** A signed JWT and the seed of its key. */
export interface Credential {
  readonly jwt: string;
  readonly seed: string;
}

export interface LinkOptions {
  /** Nearest first. */
  readonly servers: readonly string[];
  readonly credential: Credential;
  /** The instance's inbox, without a closing dot. */
  readonly inbox: string;
  /** Shown by the server's monitoring. */
  readonly name: string;
  /** What the server refuses (a violation of rights) or the client reports; for logs. */
  readonly onProblem?: (problem: string) => void;
}

const encoder = new TextEncoder();

export class Link {
  readonly nc: NatsConnection;
  readonly inbox: string;
  /** Smoothed round trip to the server, in milliseconds. */
  roundTripMs = 1;
  #up = true;
  #closed = false;
  #next = 0;
  readonly #expected = new Map<string, (msg: Msg) => void>();
  readonly #downHandlers = new Set<() => void>();
  readonly #upHandlers = new Set<() => void>();
  readonly #onProblem: (problem: string) => void;

  private constructor(nc: NatsConnection, options: LinkOptions) {
    this.nc = nc;
    this.inbox = options.inbox;
    this.#onProblem = options.onProblem ?? (() => undefined);
    const prefix = `${this.inbox}.c.`.length;
    nc.subscribe(`${this.inbox}.c.*`, {
      callback: (_error, msg) => this.#expected.get(msg.subject.slice(prefix))?.(msg),
    });
    void this.#watch();
  }

  /** Connects; rejects when no server answers within `timeoutMs`. */
  static async open(options: LinkOptions, timeoutMs = 5_000): Promise<Link> {
    const nc = await connect({
      servers: [...options.servers],
      noRandomize: true,
      ignoreClusterUpdates: true,
      authenticator: jwtAuthenticator(options.credential.jwt, encoder.encode(options.credential.seed)),
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

  /** A fresh reply address; messages to it go to the handler until it is stopped. */
  expect(handler: (msg: Msg) => void): { readonly reply: string; stop(): void } {
    const token = (this.#next++).toString(36);
    this.#expected.set(token, handler);
    return { reply: `${this.inbox}.c.${token}`, stop: () => this.#expected.delete(token) };
  }

  publish(subject: string, bytes: Uint8Array, headers?: HeaderBlock, reply?: string): void {
    if (!this.up) return;
    this.nc.publish(subject, bytes, {
      ...(headers === undefined ? {} : { headers: headers.asMsgHdrs() }),
      ...(reply === undefined ? {} : { reply }),
    });
  }

  subscribe(subject: string, handler: (msg: Msg) => void, queue?: string): Subscription {
    return this.nc.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, msg) => {
        if (error === null) handler(msg);
        else this.#onProblem(`subscription ${subject}: ${error.message}`);
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
      this.publish(subject, bytes, headers, expected.reply);
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

  async flush(): Promise<void> {
    await this.nc.flush();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
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
    for (const handler of [...handlers]) handler();
  }
}

const unavailable = (subject: string, why: string): CallError =>
  new CallError('BusUnavailable', `the bus did not answer on ${subject}: ${why}`);
