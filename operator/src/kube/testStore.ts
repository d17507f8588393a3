/** A store with objects in it, as if they had just been listed. */
import assert from 'node:assert/strict';
import type { KubeObject } from './objects.ts';
import { newStore } from './store.ts';
import type { Index } from './store.ts';

export function storeOf<T extends KubeObject>(
  objects: readonly T[],
  indexes: Readonly<Record<string, Index<T>>> = {},
) {
  const store = newStore<T>({ indexes, onError: (error) => assert.ifError(error) });
  for (const partition of store.partitions.values()) {
    partition.begin();
    partition.gather(objects);
    partition.swap();
  }
  return store;
}
