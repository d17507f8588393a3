/**
 * Keeps the table as the bucket of routes has it (D3).
 *
 * Owns: reading the bucket whole, and hearing of changes as the hub tells them.
 * Invariants:
 *  1. It listens before it reads, and what was heard wins over what is read: a read value may be the older one.
 *  2. When cut off, the last values stay; after a reconnection everything is read again.
 *  3. A record that cannot be read is reported and changes nothing.
 */
import { ROUTES_BUCKET, changeSubject, entryKeys, kvSubject } from '@sinter/contract';
import type { WorkflowKey } from '@sinter/contract';
import type { Clock, Link, Rider, Session } from '@sinter/bus';
import { readBucket } from './bucket.ts';
import { readEntryRecord, readRouteRecord } from './records.ts';
import type { Table } from './table.ts';

type Subscription = ReturnType<Link['subscribe']>;

const READ_MS = 2_000;
const AGAIN_MS = 500;
const REREAD_MS = 30_000;
/** A value heard within this time of a reading wins over it: the reading may come from a server that lags behind. */
const HEARD_WINS_MS = 5_000;

export interface WatchOptions {
  readonly session: Session;
  readonly table: Table;
  readonly clock: Clock;
  readonly onProblem: (problem: string) => void;
}

export class Watch implements Rider {
  readonly #options: WatchOptions;
  readonly #heardAtMs = new Map<string, number>();
  #subscriptions: Subscription[] = [];
  #offUp: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  #complete = false;
  #stopped = false;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Has the bucket been read whole at least once? */
  get complete(): boolean {
    return this.#complete;
  }

  /** Resolves after the first reading; where that fails it is tried again until it succeeds or `stop`. */
  async start(): Promise<void> {
    const { session } = this.#options;
    session.add(this);
    this.#listen(session.link);
    await this.read();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#offUp();
    for (const s of this.#subscriptions) s.unsubscribe();
  }

  async moved(to: Link): Promise<void> {
    const old = this.#subscriptions;
    this.#listen(to);
    try {
      await to.flush();
    } catch (cause) {
      // Lost again already: it is read again as soon as it is back.
      this.#options.onProblem(`the new link was lost: ${String(cause)}`);
    }
    for (const s of old) s.unsubscribe();
    await this.read();
  }

  busy(): number {
    return 0;
  }

  /** Reads everything, and sets when to do so again. A reading under way is joined. */
  read(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    clearTimeout(this.#timer);
    let again = REREAD_MS;
    try {
      const { link } = this.#options.session;
      if (link.up) await link.flush();
      this.#apply(await readBucket(link, ROUTES_BUCKET, READ_MS));
      this.#complete = true;
    } catch (cause) {
      again = AGAIN_MS;
      this.#options.onProblem(`the routes were not read: ${String(cause)}`);
    }
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.read(), again);
  }

  #listen(link: Link): void {
    this.#offUp();
    this.#offUp = link.onUp(() => void this.read());
    const prefix = changeSubject('').length;
    this.#subscriptions = ['*.*', entryKeys].map((keys) =>
      link.subscribe(changeSubject(keys), (msg) => {
        const key = msg.subject.slice(prefix);
        // What the hub tells carries the name of what it stored; anything else was reflected by a server.
        if (msg.headers?.get('Nats-Subject') !== kvSubject(ROUTES_BUCKET, key)) return;
        this.#heardAtMs.set(key, this.#options.clock.now());
        this.#take(key, msg.data);
      }),
    );
  }

  #apply(values: ReadonlyMap<string, Uint8Array>): void {
    const since = this.#options.clock.now() - HEARD_WINS_MS;
    for (const [key, atMs] of this.#heardAtMs) if (atMs < since) this.#heardAtMs.delete(key);
    for (const [key, bytes] of values) if (!this.#heardAtMs.has(key)) this.#take(key, bytes);
    for (const w of [...this.#options.table.all()]) {
      const token = `${w.namespace}.${w.workflow}`;
      for (const key of [token, `_gateway.${token}`])
        if (!values.has(key) && !this.#heardAtMs.has(key)) this.#take(key, EMPTY);
    }
  }

  #take(key: string, bytes: Uint8Array): void {
    const parsed = parseKey(key);
    if (!parsed) return;
    const { table, onProblem } = this.#options;
    try {
      if (parsed.entry) table.setEntry(parsed, bytes.byteLength === 0 ? undefined : readEntryRecord(bytes));
      else table.setRoute(parsed, bytes.byteLength === 0 ? undefined : readRouteRecord(bytes));
    } catch (cause) {
      onProblem(`record ${key} was ignored: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }
}

const EMPTY = new Uint8Array(0);

function parseKey(key: string): (WorkflowKey & { readonly entry: boolean }) | undefined {
  const tokens = key.split('.');
  const entry = tokens[0] === '_gateway';
  const [namespace, workflow, ...rest] = entry ? tokens.slice(1) : tokens;
  if (!namespace || !workflow || rest.length > 0) return undefined;
  return { namespace, workflow, entry };
}
