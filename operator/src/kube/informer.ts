/**
 * A store that is kept like the server: list, watch, resume, relist.
 */
import type { Clock } from './clock.ts';
import type { KubeClient } from './client.ts';
import type { Kind, KubeObject } from './objects.ts';
import type { Index, Store } from './store.ts';

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
  /** Drops what nobody reads, before the copy is made. Must not change identity or resourceVersion. */
  readonly trim?: (object: T) => T;
  readonly indexes?: Readonly<Record<string, Index<T>>>;
  readonly clock?: Clock;
  readonly hooks?: InformerHooks;
}

export interface InformerHooks {
  /** Watch broken, list refused: after it, it goes on by itself. */
  readonly trouble?: (what: {
    readonly kind: string;
    readonly error: unknown;
    readonly againInMs: number;
  }) => void;
  readonly relisted?: (kind: string, objects: number) => void;
}

export interface Informer<T extends KubeObject> {
  readonly kind: Kind<T>;
  readonly store: Store<T>;
  /** Keeps the store until the signal aborts; never rejects for trouble with the server. */
  run(signal: AbortSignal): Promise<void>;
}

export declare function informer<T extends KubeObject>(options: InformerOptions<T>): Informer<T>;
