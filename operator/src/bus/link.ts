/**
 * The operator's own connection to the bus: for ever, over renewals of its credential and of whom it trusts.
 *
 * Owns: which connection is current, and the move to another one without losing what is said or asked. `listen.ts` hears over
 * it, `store.ts` asks over it.
 *
 *   new connection ─▶ listens in the same queue group ─▶ 250 ms overlap ─▶ old one stops listening, ends what was asked, closes
 *
 * Invariants:
 *  1. Every message is heard once, also during a move: both connections are members of one queue group.
 *  2. A question is asked and answered on one connection, which is not closed before; none is kept for later while the bus is
 *     away: it rejects with BusAway.
 *  3. Whatever happens to servers, it comes back by itself, with the credential of that moment.
 */
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node';
import { newId } from '@sinter/contract';
import { ASK_LIMIT_MS, BusAway } from './cluster.ts';
import { connectAs } from './connect.ts';
import { listenToInstances } from './listen.ts';
import type { InstanceListener, Listening } from './listen.ts';

export interface LinkSettings {
  /** Addresses of the hub. */
  readonly servers: readonly string[];
  /** Whom to trust, PEM; `System`: the authorities that the machine knows; absent: no TLS. */
  readonly ca?: string;
  readonly credential: { readonly jwt: string; readonly seed: string };
}

export interface LinkOptions {
  readonly listener: InstanceListener;
  /** It is up, or down with a reason. */
  readonly onState: (up: boolean, why: string) => void;
  readonly onProblem: (problem: string) => void;
}

const OVERLAP_MS = 250;
const DIAL_LIMIT_MS = 5000;
/** First and longest pause between attempts to connect for the first time; a connection that was there returns faster. */
const RETRY_MS = 250;
const RETRY_LIMIT_MS = 5000;

export const SYSTEM_TRUST = 'System';

/** One connection with what hangs on it. */
interface Line {
  readonly nc: NatsConnection;
  readonly listening: Listening;
  up: boolean;
  /** Questions under way. */
  asked: number;
  /** Rejects those. */
  readonly lost: Set<(why: Error) => void>;
}

export class OperatorLink {
  readonly #options: LinkOptions;
  /** All connections of this process hear as one. */
  readonly #queue = `_operator.${newId(10)}`;
  #current: Line | undefined;
  #settings: LinkSettings | undefined;
  #moving: Promise<void> = Promise.resolve();
  readonly #end = new AbortController();

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get up(): boolean {
    return this.#current?.up ?? false;
  }

  /** The connection of this moment, where it is up. */
  get connection(): NatsConnection | undefined {
    return this.up ? this.#current?.nc : undefined;
  }

  /** Goes by these from now on: connects where it has not, moves where they differ. Resolves when that is done. */
  use(settings: LinkSettings): Promise<void> {
    if (this.#settings !== undefined && same(this.#settings, settings)) return this.#moving;
    this.#settings = settings;
    this.#moving = this.#moving.then(() => this.#moveTo(settings));
    return this.#moving;
  }

  /** Asks something of the bus. Rejects with BusAway, or with what `work` rejects with. */
  async ask<T>(work: (nc: NatsConnection) => Promise<T>): Promise<T> {
    const line = this.#current;
    if (line?.up !== true) throw new BusAway('the bus cannot be reached');
    const { promise: lost, reject } = Promise.withResolvers<never>();
    const limit = setTimeout(() => {
      reject(new BusAway(`the bus did not answer within ${String(ASK_LIMIT_MS / 1000)} s`));
    }, ASK_LIMIT_MS);
    line.lost.add(reject);
    line.asked += 1;
    try {
      return await Promise.race([work(line.nc), lost]);
    } finally {
      clearTimeout(limit);
      line.lost.delete(reject);
      line.asked -= 1;
    }
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#moving;
    await this.#current?.nc.close();
  }

  async #moveTo(settings: LinkSettings): Promise<void> {
    const to = await this.#connect(settings);
    if (!to) return;
    const from = this.#current;
    this.#current = to;
    this.#options.onState(true, '');
    if (from) await this.#retire(from);
  }

  /** Until it succeeds, the settings are others, or the end has come. */
  async #connect(settings: LinkSettings): Promise<Line | undefined> {
    for (let pauseMs = RETRY_MS; this.#isWanted(settings); pauseMs = Math.min(2 * pauseMs, RETRY_LIMIT_MS)) {
      try {
        return await this.#open(settings);
      } catch (cause) {
        if (!this.up) this.#options.onState(false, `no connection to the bus: ${String(cause)}`);
      }
      await this.#pause(pauseMs);
    }
    return undefined;
  }

  #isWanted(settings: LinkSettings): boolean {
    return settings === this.#settings && !this.#end.signal.aborted;
  }

  async #open(settings: LinkSettings): Promise<Line> {
    const nc = await connectAs([...settings.servers], settings.credential, {
      name: 'sinter-operator',
      timeout: DIAL_LIMIT_MS,
      reconnectTimeWait: RETRY_MS,
      ignoreAuthErrorAbort: true,
      ignoreClusterUpdates: true,
      pingInterval: 5000,
      maxPingOut: 2,
      ...tlsOf(settings.ca),
    });
    const listening = listenToInstances(nc, this.#options.listener, this.#queue);
    const line: Line = { nc, listening, up: true, asked: 0, lost: new Set() };
    void this.#watch(line);
    await nc.flush();
    return line;
  }

  async #watch(line: Line): Promise<void> {
    for await (const status of line.nc.status()) {
      if (status.type === 'disconnect' || status.type === 'close') {
        line.up = false;
        for (const lose of line.lost) lose(new BusAway('the connection to the bus was lost'));
        if (line === this.#current) this.#options.onState(false, 'the connection to the bus was lost');
      } else if (status.type === 'reconnect') {
        line.up = true;
        if (line === this.#current) this.#options.onState(true, '');
      } else if (status.type === 'error') this.#options.onProblem(status.error.message);
    }
  }

  async #retire(line: Line): Promise<void> {
    if (line.up) await this.#pause(OVERLAP_MS);
    // A connection that is down hears nothing, and would wait for a server to tell so.
    if (line.up)
      await Promise.race([line.listening.drain().catch(() => undefined), this.#pause(DIAL_LIMIT_MS)]);
    while (line.asked > 0 && line.up && !this.#end.signal.aborted) await this.#pause(50);
    await line.nc.close();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#end.signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#end.signal.addEventListener('abort', done, { once: true });
      if (this.#end.signal.aborted) done();
    });
  }
}

/** Options of a connection that trusts these. */
export const tlsOf = (ca: string | undefined): Pick<ConnectionOptions, 'tls'> => {
  if (ca === undefined) return {};
  return { tls: ca === SYSTEM_TRUST ? {} : { ca } };
};

const same = (a: LinkSettings, b: LinkSettings): boolean =>
  a.credential.jwt === b.credential.jwt && a.ca === b.ca && a.servers.join() === b.servers.join();
