/**
 * The way in over HTTP: joins what the other files own, and gives each request its course.
 *
 * Owns: the session with the bus and its renewal, start, readiness, and the order of an end: stop accepting, finish what is
 * under way, say that nothing runs any more, close.
 */
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { gatewayInbox } from '@sinter/contract';
import { Caller, Session } from '@sinter/bus';
import type { Bootstrap, Clock, Link } from '@sinter/bus';
import { accept, state } from './accept.ts';
import { answerJson, answerProblem } from './answer.ts';
import type { Exchange } from './answer.ts';
import { Doorkeeper } from './asked.ts';
import type { Asked } from './asked.ts';
import { digest } from './auth.ts';
import { bodyRefusal, payloadOf, readBody } from './body.ts';
import { invoke } from './invoke.ts';
import type { CallAsked } from './invoke.ts';
import { isLoopback } from './jwt/places.ts';
import type { IssuerSettings } from './jwt/places.ts';
import { Tokens } from './jwt/tokens.ts';
import { Problem } from './problem.ts';
import { SERVER_LIMITS, closeServer, createHttpServer } from './server.ts';
import type { ServerLimits } from './server.ts';
import { Table } from './table.ts';
import { Tally } from './tally.ts';
import { readTerms } from './terms.ts';
import { Watch } from './watch.ts';

/** What a gateway is told at its start, beside what every process is told. */
export interface GatewayBootstrap extends Bootstrap {
  /** Where it listens; 127.0.0.1 where nothing is said: whoever opens it to others says so. */
  readonly host?: string;
  /** 0, the default, is a free port. */
  readonly port?: number;
  /** A run on a laptop: who shows it may call every function and read every call. */
  readonly token?: string;
  /**
   * Which issuers of tokens may be asked for their keys. Where `loopback` is not said, a gateway that only its own machine
   * can reach asks issuers on that machine.
   */
  readonly issuers?: IssuerSettings;
  /** How long it serves on when it ends, while it tells clients to come back over another connection; default 0. */
  readonly lingerMs?: number;
}

export interface GatewayOptions {
  readonly bootstrap: GatewayBootstrap;
  readonly clock: Clock;
  readonly wallClock: () => number;
  readonly onProblem: (problem: string) => void;
  /** The bus takes its credential no more, and it has no other: the process has to start anew. Called once, with why. */
  readonly onShutOut?: (why: string) => void;
  readonly limits?: ServerLimits;
}

const DEFAULT_HOST = '127.0.0.1';
const REPORT_MS = 1_000;
const NEAREST_MS = 30_000;

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #session: Session;
  readonly #table: Table;
  readonly #tally: Tally;
  readonly #watch: Watch;
  readonly #caller: Caller;
  readonly #tokens: Tokens;
  readonly #door: Doorkeeper;
  readonly #server: Server;
  readonly #timers: NodeJS.Timeout[] = [];
  #renewals: { unsubscribe(): void } | undefined;
  #draining = false;

  private constructor(options: GatewayOptions, session: Session) {
    const { bootstrap, clock, onProblem, limits = SERVER_LIMITS } = options;
    this.#options = options;
    this.#session = session;
    this.#tally = new Tally({ ...bootstrap, session, clock });
    this.#table = new Table((workflow) => {
      this.#tally.report(workflow);
    });
    this.#watch = new Watch({ session, table: this.#table, clock, onProblem });
    this.#caller = new Caller(session, clock);
    const { token, host = DEFAULT_HOST, issuers } = bootstrap;
    const settings = { loopback: isLoopback(host), ...issuers };
    this.#tokens = new Tokens({ ...options, settings });
    this.#door = new Doorkeeper(this.#table, token ? digest(token) : undefined, this.#tokens);
    this.#server = createHttpServer((req, res, goOn) => {
      void this.#serve({ req, res }, goOn);
    }, limits);
  }

  /** Connects, reads the routes, listens. Rejects when the bus is not reachable or the address is taken. */
  static async start(options: GatewayOptions): Promise<Gateway> {
    const { instance, machine } = options.bootstrap;
    const { wallClock, onShutOut } = options;
    const session = await Session.open({
      ...options.bootstrap,
      inbox: gatewayInbox(instance),
      name: `gateway ${instance} on ${machine}`,
      onProblem: options.onProblem,
      ...(onShutOut ? { shutOut: { wallClock, end: onShutOut } } : {}),
    });
    const gateway = new Gateway(options, session);
    try {
      await gateway.#start();
    } catch (cause) {
      await gateway.stop(0);
      throw cause;
    }
    return gateway;
  }

  /** Where it listens. */
  get address(): { readonly host: string; readonly port: number } {
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  /** Sends clients away where it is told to linger, stops accepting, finishes what is under way for at most `limitMs`, closes. */
  async stop(limitMs: number): Promise<void> {
    this.#draining = true;
    const { lingerMs = 0 } = this.#options.bootstrap;
    if (this.#server.listening) await closeServer(this.#server, { limitMs, lingerMs });
    for (const timer of this.#timers) clearInterval(timer);
    this.#tokens.stop();
    this.#watch.stop();
    this.#tally.reportAll(this.#table);
    if (this.#session.link.up) await this.#session.link.flush().catch(this.#report('not flushed'));
    await this.#session.close();
  }

  async #start(): Promise<void> {
    this.#session.add({
      moved: (to) => {
        this.#takeOn(to);
        return Promise.resolve();
      },
      busy: () => 0,
    });
    this.#takeOn(this.#session.link);
    await this.#watch.start();
    this.#every(REPORT_MS, () => {
      this.#tally.reportAll(this.#table, 'Due');
    });
    this.#every(NEAREST_MS, () => {
      this.#session.nearest().catch(this.#report('the nearest server was not reached'));
      void this.#session.link.measure();
    });
    const { host = DEFAULT_HOST, port = 0 } = this.#options.bootstrap;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, resolve);
    });
    this.#server.on('error', this.#report('the server reports'));
  }

  #every(ms: number, act: () => void): void {
    this.#timers.push(setInterval(act, ms));
  }

  /** What was said while it was cut off is lost: it is said again. */
  #takeOn(link: Link): void {
    this.#hearRenewals(link);
    link.onUp(() => {
      if (link === this.#session.link) this.#tally.reportAll(this.#table);
    });
  }

  /** A renewed credential, for the key that it has, comes to its own inbox (D11). */
  #hearRenewals(link: Link): void {
    this.#renewals?.unsubscribe();
    this.#renewals = link.subscribe(`${gatewayInbox(this.#options.bootstrap.instance)}.renew`, (msg) => {
      this.#session.renew(msg.string()).catch(this.#report('the renewed credential was not taken on'));
    });
  }

  async #serve(exchange: Exchange, goOn: () => void): Promise<void> {
    if (this.#draining) exchange.res.shouldKeepAlive = false;
    try {
      const judging = this.#door.judge(exchange.req);
      const asked = judging instanceof Promise ? await judging : judging;
      // Where it took a while the client may be gone: its body would never end.
      if (!exchange.res.destroyed) await this.#course(exchange, asked, goOn);
    } catch (cause) {
      this.#report('a request failed')(cause instanceof Error ? (cause.stack ?? cause) : cause);
      answerProblem(
        exchange,
        new Problem('Internal', 'the gateway failed at this request; its log says why'),
      );
    }
  }

  async #course(exchange: Exchange, asked: Asked | Problem, goOn: () => void): Promise<void> {
    if (asked instanceof Problem) {
      answerProblem(exchange, this.#watch.complete || asked.code !== 'NoSuchPath' ? asked : notRead());
      return;
    }
    switch (asked.what) {
      case 'Call':
        await this.#call(exchange, asked, goOn);
        return;
      case 'State':
        await state({ ...this.#options, session: this.#session }, exchange, asked);
        return;
      case 'Health':
        answerJson(exchange, 200, { healthy: true });
        return;
      case 'Readiness':
        this.#answerReadiness(exchange);
    }
  }

  async #call(exchange: Exchange, asked: CallAsked, goOn: () => void): Promise<void> {
    const { req } = exchange;
    const terms = readTerms(req.headers);
    const refusal = terms instanceof Problem ? terms : bodyRefusal(req);
    if (terms instanceof Problem || refusal) {
      answerProblem(exchange, refusal ?? (terms as Problem));
      return;
    }
    goOn();
    const reading = readBody(req);
    const bytes = reading instanceof Promise ? await reading : reading;
    if (bytes === undefined || exchange.res.destroyed) return;
    const payload = bytes instanceof Problem ? bytes : payloadOf(req.headers['content-type'], bytes);
    if (payload instanceof Problem) answerProblem(exchange, payload);
    else if (terms.mode === 'Async')
      await accept({ ...this.#options, session: this.#session }, exchange, asked, terms, payload);
    else {
      const { clock } = this.#options;
      await invoke({ caller: this.#caller, tally: this.#tally, clock }, exchange, asked, terms, payload);
    }
  }

  #answerReadiness(exchange: Exchange): void {
    const bus = this.#session.link.up ? 'up' : 'down';
    const routes = this.#watch.complete ? 'read' : 'unread';
    const ready = bus === 'up' && routes === 'read' && !this.#draining;
    answerJson(exchange, ready ? 200 : 503, { ready, bus, routes, draining: this.#draining });
  }

  #report(what: string): (cause: unknown) => void {
    return (cause) => {
      this.#options.onProblem(`${what}: ${String(cause)}`);
    };
  }
}

const notRead = (): Problem =>
  new Problem('NotDeployed', 'this gateway has not read its routes yet: try again');
