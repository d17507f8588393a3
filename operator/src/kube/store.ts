/**
 * A local copy of the objects of one kind, as the watches report them.
 *
 * Owns: the copy, its indexes, and what changed. Neighbours: `informer.ts` writes it, controllers read it.
 * Invariants:
 *  1. A list that replaces the copy is gathered aside and swapped in at once: nobody sees half of it.
 *  2. Objects are frozen all the way down; an object once handed out never changes.
 *  3. Listeners are told after the copy and its indexes have the change; one that throws is reported and harms nobody.
 *  4. An object made again under the same name (another uid) is told as deleted, then added.
 */
import { keyOf } from './objects.ts';
import type { KubeObject } from './objects.ts';

/** One change of the copy. `initial`: seen by a list, at start or after a relist, not as an edit just now. */
export type Change<T> =
  | { readonly type: 'added'; readonly object: T; readonly initial: boolean }
  | { readonly type: 'updated'; readonly object: T; readonly old: T; readonly initial: boolean }
  | { readonly type: 'deleted'; readonly object: T; readonly initial: boolean };

/** What controllers see of a store. */
export interface Store<T extends KubeObject = KubeObject> {
  /** True once a first whole list is in; it stays true through later relists. */
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
  /** Calls back at each change. Returns the way to stop. */
  onChange(listener: (change: Change<T>) => void): () => void;
}

/** Under which values an object is found, e.g. the uids of its owners. */
export type Index<T> = (object: T) => readonly string[];
export type Indexes<T> = Readonly<Record<string, Index<T>>>;

/** The part of the store that one watch fills: one namespace, or all of them. */
export interface Partition<T extends KubeObject> {
  /** A list begins; what was gathered of an unfinished one is dropped. */
  begin(): void;
  gather(objects: readonly T[]): void;
  /** The list is whole: it becomes the copy. */
  swap(): void;
  put(object: T): void;
  remove(object: T): void;
}

export interface StoreOptions<T extends KubeObject> {
  readonly indexes?: Indexes<T>;
  /** Each is a partition; `undefined`: one for all namespaces. */
  readonly namespaces?: readonly string[] | undefined;
  /** A listener or an index function threw. */
  readonly onError: (error: unknown) => void;
}

export interface WritableStore<T extends KubeObject> extends Store<T> {
  readonly partitions: ReadonlyMap<string | undefined, Partition<T>>;
}

export const newStore = <T extends KubeObject>(options: StoreOptions<T>): WritableStore<T> =>
  new MemoryStore(options);

class MemoryStore<T extends KubeObject> implements WritableStore<T> {
  readonly partitions: ReadonlyMap<string | undefined, Partition<T>>;
  readonly #options: StoreOptions<T>;
  readonly #objects = new Map<string, T>();
  /** Keys by namespace; cluster-wide kinds under ''. */
  readonly #byNamespace = new Multimap();
  readonly #indexes = new Map<string, Multimap>();
  readonly #listeners = new Set<(change: Change<T>) => void>();
  readonly #unsynced = new Set<string | undefined>();
  readonly #whenSynced = Promise.withResolvers<undefined>();

  constructor(options: StoreOptions<T>) {
    this.#options = options;
    for (const name of Object.keys(options.indexes ?? {})) this.#indexes.set(name, new Multimap());
    const namespaces = options.namespaces ?? [undefined];
    for (const namespace of namespaces) this.#unsynced.add(namespace);
    this.partitions = new Map(namespaces.map((namespace) => [namespace, this.#partition(namespace)]));
  }

  get synced(): boolean {
    return this.#unsynced.size === 0;
  }

  get size(): number {
    return this.#objects.size;
  }

  whenSynced(signal?: AbortSignal): Promise<void> {
    if (this.synced || signal === undefined) return this.#whenSynced.promise;
    return new Promise((resolve, reject) => {
      const stop = (): void => reject(signal.reason as Error);
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop, { once: true });
      void this.#whenSynced.promise.then(() => {
        signal.removeEventListener('abort', stop);
        resolve();
      });
    });
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): readonly T[] {
    return namespace === undefined
      ? [...this.#objects.values()]
      : this.#all(this.#byNamespace.get(namespace));
  }

  keys(): readonly string[] {
    return [...this.#objects.keys()];
  }

  by(index: string, value: string): readonly T[] {
    const map = this.#indexes.get(index);
    if (map === undefined) throw new TypeError(`no index '${index}' was declared`);
    return this.#all(map.get(value));
  }

  onChange(listener: (change: Change<T>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #all(keys: Iterable<string>): readonly T[] {
    const found: T[] = [];
    for (const key of keys) {
      const object = this.#objects.get(key);
      if (object !== undefined) found.push(object);
    }
    return found;
  }

  #partition(namespace: string | undefined): Partition<T> {
    let gathered = new Map<string, T>();
    return {
      begin: () => (gathered = new Map()),
      gather: (objects) => {
        for (const object of objects) gathered.set(keyOf(object.metadata), frozen(object));
      },
      swap: () => {
        const now = gathered;
        gathered = new Map();
        this.#swap(namespace, now);
      },
      put: (object) => this.#tell(this.#put(frozen(object), false)),
      remove: (object) => this.#tell(this.#remove(keyOf(object.metadata), frozen(object), false)),
    };
  }

  #swap(namespace: string | undefined, now: ReadonlyMap<string, T>): void {
    const before = namespace === undefined ? this.keys() : [...this.#byNamespace.get(namespace)];
    const gone = before.filter((key) => !now.has(key));
    const changes = [
      ...gone.flatMap((key) => this.#remove(key, undefined, true)),
      ...[...now.values()].flatMap((object) => this.#put(object, true)),
    ];
    this.#unsynced.delete(namespace);
    if (this.synced) this.#whenSynced.resolve(undefined);
    this.#tell(changes);
  }

  #put(object: T, initial: boolean): readonly Change<T>[] {
    const key = keyOf(object.metadata);
    const old = this.#objects.get(key);
    if (old !== undefined && sameVersion(old, object)) return [];
    if (old !== undefined) this.#unindex(key, old);
    this.#objects.set(key, object);
    this.#index(key, object);
    if (old === undefined) return [{ type: 'added', object, initial }];
    if (old.metadata.uid === object.metadata.uid) return [{ type: 'updated', object, old, initial }];
    return [
      { type: 'deleted', object: old, initial },
      { type: 'added', object, initial },
    ];
  }

  /** `last`: the object as it was when it went, if the server said. */
  #remove(key: string, last: T | undefined, initial: boolean): readonly Change<T>[] {
    const old = this.#objects.get(key);
    if (old === undefined) return [];
    this.#unindex(key, old);
    this.#objects.delete(key);
    const same = last !== undefined && last.metadata.uid === old.metadata.uid;
    return [{ type: 'deleted', object: same ? last : old, initial }];
  }

  #index(key: string, object: T): void {
    this.#byNamespace.add(object.metadata.namespace ?? '', key);
    for (const [name, map] of this.#indexes)
      for (const value of this.#values(name, object)) map.add(value, key);
  }

  #unindex(key: string, object: T): void {
    this.#byNamespace.delete(object.metadata.namespace ?? '', key);
    for (const [name, map] of this.#indexes)
      for (const value of this.#values(name, object)) map.delete(value, key);
  }

  /** An object that an index function cannot take (written past the schema) is in that index nowhere. */
  #values(name: string, object: T): readonly string[] {
    try {
      return this.#options.indexes?.[name]?.(object) ?? [];
    } catch (error) {
      this.#options.onError(error);
      return [];
    }
  }

  #tell(changes: readonly Change<T>[]): void {
    for (const change of changes)
      for (const listener of [...this.#listeners]) {
        try {
          listener(change);
        } catch (error) {
          this.#options.onError(error);
        }
      }
  }
}

const sameVersion = (a: KubeObject, b: KubeObject): boolean =>
  a.metadata.resourceVersion !== undefined &&
  a.metadata.resourceVersion === b.metadata.resourceVersion &&
  a.metadata.uid === b.metadata.uid;

/** Values with the keys under them; a value without keys takes no room. */
class Multimap {
  readonly #keys = new Map<string, Set<string>>();

  get(value: string): Iterable<string> {
    return this.#keys.get(value) ?? [];
  }

  add(value: string, key: string): void {
    const keys = this.#keys.get(value);
    if (keys === undefined) this.#keys.set(value, new Set([key]));
    else keys.add(key);
  }

  delete(value: string, key: string): void {
    const keys = this.#keys.get(value);
    if (keys?.delete(key) === true && keys.size === 0) this.#keys.delete(value);
  }
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}

/** The index of children under the uids of their owners. */
export const ownerUids: Index<KubeObject> = (object) =>
  ((object.metadata.ownerReferences ?? []) as readonly { readonly uid: string }[]).map((owner) => owner.uid);

/** The index under `namespace/value` of a label; objects without it are in it nowhere. */
export const labelIndex =
  (label: string): Index<KubeObject> =>
  ({ metadata: { namespace = '', labels } }) => {
    const value = labels?.[label];
    return value === undefined ? [] : [`${namespace}/${value}`];
  };
