/**
 * A store that is kept like the server: list, watch, resume, relist.
 *
 * Owns: sending what the watcher's effects say, the time limit of silence, and what of an object is kept. Neighbours:
 * `watcher.ts` decides, `store.ts` keeps.
 * Invariants:
 *  1. It goes on until its signal aborts, whatever the server does; trouble is told to a hook.
 *  2. A copy has apiVersion and kind, and no managed fields but those that were asked for.
 */
import { pause, systemClock, type Clock } from './clock.ts';
import type { KubeClient, Selection } from './client.ts';
import { ApiError, isGone, NoAnswer } from './errors.ts';
import type { Kind, KubeObject } from './objects.ts';
import { keptFields } from './owned.ts';
import { newStore, type Index, type Partition, type Store } from './store.ts';
import { idle, step } from './watcher.ts';
import type { Failure, Moment, WatchEffect, WatchEvent, WatchInput, WatchState } from './watcher.ts';

export interface InformerOptions<T extends KubeObject> {
  readonly client: KubeClient;
  readonly kind: Kind<T>;
  /** Default: all of them (one watch). Several: one watch each. */
  readonly namespaces?: readonly string[];
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** The server sends only metadata: for objects whose spec nobody reads. */
  readonly metadataOnly?: boolean;
  /** Whose managed fields the copies keep, for `applyObject`; all others are stripped. Default none. */
  readonly keepFieldsOf?: readonly string[];
  /** Drops what nobody reads, before the copy is made. Must leave identity, resourceVersion and managed fields. */
  readonly trim?: (object: T) => T;
  readonly indexes?: Readonly<Record<string, Index<T>>>;
  /** Objects in a page; default 500. Fewer for objects that may be large. */
  readonly pageSize?: number;
  readonly clock?: Clock;
  readonly hooks?: InformerHooks;
}

export interface InformerHooks {
  /** A list refused, a watch broken: after it, it goes on by itself. */
  readonly trouble?: (what: {
    readonly kind: string;
    readonly error: unknown;
    readonly againInMs: number;
  }) => void;
  /** A list is in: at start, and after the server had forgotten where we were. */
  readonly listed?: (kind: string, objects: number) => void;
  /** A listener or an index function threw: a bug of ours. */
  readonly broken?: (error: unknown) => void;
}

export interface Informer<T extends KubeObject> {
  readonly kind: Kind<T>;
  readonly store: Store<T>;
  /** Keeps the store until the signal aborts; never rejects for trouble with the server. */
  run(signal: AbortSignal): Promise<void>;
}

export function informer<T extends KubeObject>(options: InformerOptions<T>): Informer<T> {
  const { kind, namespaces, indexes, hooks } = options;
  const store = newStore<T>({
    namespaces: namespaces === undefined || namespaces.length === 0 ? undefined : namespaces,
    ...(indexes !== undefined && { indexes }),
    onError: (error) => hooks?.broken?.(error),
  });
  return {
    kind,
    store,
    run: async (signal) => {
      const follow = ([namespace, partition]: readonly [string | undefined, Partition<T>]): Promise<void> =>
        new Follower(options, namespace, partition, store).run(signal);
      await Promise.all([...store.partitions].map(follow));
    },
  };
}

/** How long after the server should have ended a watch we still believe in it. */
const SILENCE_SPARE_MS = 10_000;

/** One watch: the state machine's hands. */
class Follower<T extends KubeObject> {
  readonly #options: InformerOptions<T>;
  readonly #clock: Clock;
  readonly #selection: Selection & { readonly metadataOnly: boolean };
  readonly #partition: Partition<T>;
  readonly #store: Store<T>;
  #stream: OpenStream | undefined;

  constructor(
    options: InformerOptions<T>,
    namespace: string | undefined,
    partition: Partition<T>,
    store: Store<T>,
  ) {
    const { labelSelector, fieldSelector, metadataOnly = false, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#selection = { namespace, labelSelector, fieldSelector, metadataOnly };
    this.#partition = partition;
    this.#store = store;
  }

  async run(signal: AbortSignal): Promise<void> {
    let state: WatchState = idle;
    let input: WatchInput<T> = { type: 'begin' };
    while (!signal.aborted) {
      const next = step(state, input, this.#moment(), this.#options.pageSize);
      state = next.state;
      for (const event of next.events) this.#keep(event);
      input = await this.#carryOut(next.effect, signal);
    }
    this.#close();
  }

  #moment(): Moment {
    return { nowMs: this.#clock.now(), random: this.#clock.random() };
  }

  #keep(event: WatchEvent<T>): void {
    const { kind, hooks } = this.#options;
    switch (event.type) {
      case 'begin':
        this.#partition.begin();
        break;
      case 'gather':
        this.#partition.gather(event.objects.map((object) => this.#kept(object)));
        break;
      case 'swap':
        this.#partition.swap();
        hooks?.listed?.(kind.kind, this.#store.size);
        break;
      case 'put':
        this.#partition.put(this.#kept(event.object));
        break;
      case 'remove':
        this.#partition.remove(this.#kept(event.object));
        break;
      case 'trouble':
        hooks?.trouble?.({ kind: kind.kind, error: event.error, againInMs: event.againInMs });
        break;
    }
  }

  #kept(object: T): T {
    const { kind, keepFieldsOf = [], trim = (whole: T) => whole } = this.#options;
    const { managedFields = [], ...metadata } = object.metadata;
    const ours = keptFields(managedFields, keepFieldsOf);
    const { apiVersion, kind: name } = kind;
    const own = ours.length === 0 ? metadata : { ...metadata, managedFields: ours };
    return trim({ ...object, apiVersion, kind: name, metadata: own });
  }

  async #carryOut(effect: WatchEffect, signal: AbortSignal): Promise<WatchInput<T>> {
    if (effect.do !== 'read') this.#close();
    try {
      switch (effect.do) {
        case 'list':
          return await this.#list(effect, signal);
        case 'watch':
          this.#stream = await this.#open(effect, signal);
          return { type: 'opened' };
        case 'read':
          return await this.#read();
        case 'wait':
          await pause(this.#clock, effect.ms, signal);
          return { type: 'waited' };
      }
    } catch (error) {
      return { type: 'failed', failure: failureOf(error) };
    }
  }

  async #list(effect: Extract<WatchEffect, { do: 'list' }>, signal: AbortSignal): Promise<WatchInput<T>> {
    const { client, kind } = this.#options;
    const { limit, continue: from } = effect;
    const page = await client.page(kind, { ...this.#selection, limit, continue: from, signal });
    return { type: 'page', ...page };
  }

  #open(effect: Extract<WatchEffect, { do: 'watch' }>, signal: AbortSignal): Promise<OpenStream> {
    const { client, kind } = this.#options;
    const { resourceVersion, timeoutSeconds } = effect;
    const limits = { clock: this.#clock, silenceMs: timeoutSeconds * 1000 + SILENCE_SPARE_MS, signal };
    return openStream(limits, (ending) =>
      client.watch(kind, { ...this.#selection, resourceVersion, timeoutSeconds, signal: ending }),
    );
  }

  async #read(): Promise<WatchInput<T>> {
    const line = await this.#stream?.next();
    return line === undefined ? { type: 'closed' } : { type: 'line', line };
  }

  #close(): void {
    this.#stream?.close();
    this.#stream = undefined;
  }
}

interface OpenStream {
  /** Undefined at the end; throws when it broke or fell silent. */
  next(): Promise<string | undefined>;
  close(): void;
}

interface Limits {
  readonly clock: Clock;
  readonly silenceMs: number;
  readonly signal: AbortSignal;
}

/** A stream with a signal of its own, which aborts with the caller's, at `close`, and after a long silence. */
async function openStream(
  { clock, silenceMs, signal }: Limits,
  open: (ending: AbortSignal) => Promise<AsyncIterable<string>>,
): Promise<OpenStream> {
  const ending = new AbortController();
  const end = (): void => ending.abort(signal.reason);
  signal.addEventListener('abort', end, { once: true });
  let stopTimer = (): void => undefined;
  const close = (): void => {
    stopTimer();
    signal.removeEventListener('abort', end);
    ending.abort();
  };
  const silent = new NoAnswer(`the watch said nothing for ${silenceMs} ms`);
  try {
    const lines = (await open(ending.signal))[Symbol.asyncIterator]();
    const next = async (): Promise<string | undefined> => {
      stopTimer();
      stopTimer = clock.after(silenceMs, () => ending.abort(silent));
      const line = await lines.next();
      return line.done === true ? undefined : line.value;
    };
    return { next, close };
  } catch (error) {
    close();
    throw error;
  }
}

function failureOf(error: unknown): Failure {
  const retryAfterMs = error instanceof ApiError ? error.retryAfterMs : undefined;
  return { gone: isGone(error), retryAfterMs, error };
}
