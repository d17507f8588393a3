/**
 * A local copy of the objects of one kind, as a watch reports them.
 */
import type { KubeObject } from './objects.ts';

/**
 * One change of the copy. `initial`: seen by a list at start or after a relist, not as somebody's edit just now.
 * An object deleted and made again under its name is two changes: deleted, added.
 */
export type Change<T> =
  | { readonly type: 'added'; readonly object: T; readonly initial: boolean }
  | { readonly type: 'updated'; readonly object: T; readonly old: T; readonly initial: boolean }
  | { readonly type: 'deleted'; readonly object: T; readonly initial: boolean };

/** What controllers see of a store. Objects are frozen and stay as they were: keep them as long as you like. */
export interface Store<T extends KubeObject = KubeObject> {
  /** True once a first whole list is in. It stays true through later relists. */
  readonly synced: boolean;
  /** Resolves when synced; rejects when the signal aborts first. */
  whenSynced(signal?: AbortSignal): Promise<void>;
  /** By key, `namespace/name`. */
  get(key: string): T | undefined;
  list(namespace?: string): readonly T[];
  keys(): readonly string[];
  readonly size: number;
  /** The objects that the index put under the value. Throws for an index that was not declared. */
  by(index: string, value: string): readonly T[];
  /** Calls back at each change, after the copy has it. Returns the way to stop. */
  onChange(listener: (change: Change<T>) => void): () => void;
}

/** Under which values an object is found, e.g. the uids of its owners. */
export type Index<T> = (object: T) => readonly string[];
export type Indexes<T> = Readonly<Record<string, Index<T>>>;
