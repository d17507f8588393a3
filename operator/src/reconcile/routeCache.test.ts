/** What is remembered of the bus, and the generation of what is written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EntryRecord, RouteRecord } from '@sinter/contract';
import type { Records, Stored } from '../bus/routes.ts';
import { RouteCache, WrittenByOther } from './routeCache.ts';

const W = { namespace: 'ns', workflow: 'wf' };
const DRAFT = { current: 'a', draining: [], revisions: {} };

/** A key on a bus, its sequence counted as a stream does. */
class Key<T> implements Records<T> {
  stored: Stored<T> = { sequence: 0 };
  reads = 0;
  read(): Promise<Stored<T>> {
    this.reads++;
    return Promise.resolve(this.stored);
  }
  write(record: T, after: number): ReturnType<Records<T>['write']> {
    return Promise.resolve(this.#put({ record, sequence: 0 }, after));
  }
  remove(_: unknown, after: number): ReturnType<Records<T>['remove']> {
    return Promise.resolve(this.#put({ sequence: 0 }, after));
  }
  #put(next: Stored<T>, after: number): Awaited<ReturnType<Records<T>['write']>> {
    if (after !== this.stored.sequence) return { kind: 'Conflict' };
    const sequence = this.stored.sequence + 3; // others write into the same stream
    this.stored = { ...next, sequence };
    return { kind: 'Written', sequence };
  }
}

const fresh = () => {
  const books = { routes: new Key<RouteRecord>(), entries: new Key<EntryRecord>() };
  return { ...books, cache: new RouteCache(books) };
};

test('is read once, and written without being read again', async () => {
  const { cache, routes } = fresh();
  await cache.read(W);
  await cache.writeRoute(W, DRAFT, 0);
  await cache.writeRoute(W, { ...DRAFT, current: 'b' }, 0);
  assert.equal(routes.reads, 1);
  assert.equal((await cache.read(W)).route.record?.current, 'b');
});

test('a generation is above all before it, also after a deletion whose mark is gone, and after a bus that lost what it kept', async () => {
  const { cache, routes } = fresh();
  await cache.writeRoute(W, DRAFT, 0);
  await cache.writeRoute(W, DRAFT, 0);
  const before = routes.stored.record?.generation ?? 0;
  await cache.remove(W);
  await cache.writeRoute(W, DRAFT, 0);
  const after = routes.stored.record?.generation ?? 0;
  assert.ok(after > before, `${String(after)} after ${String(before)}`);
  const purged = fresh();
  purged.routes.stored = { sequence: 0, floor: 40 };
  await purged.cache.writeRoute(W, DRAFT, 0);
  assert.equal(purged.routes.stored.record?.generation, 41);
  const lost = fresh();
  await lost.cache.writeRoute(W, DRAFT, 57);
  assert.equal(lost.routes.stored.record?.generation, 58);
});

test('every route that stands on the bus is told: when it was read, and when it was written', async () => {
  const { routes, entries, cache } = fresh();
  await cache.writeRoute(W, DRAFT, 0);
  const told: string[] = [];
  const other = new RouteCache({ routes, entries }, ({ current }) => told.push(current));
  await other.read(W);
  await other.read(W);
  await other.writeRoute(W, { ...DRAFT, current: 'b' }, 0);
  routes.stored = { sequence: 40 };
  await assert.rejects(other.writeRoute(W, { ...DRAFT, current: 'c' }, 0), WrittenByOther);
  assert.deepEqual(told, ['a', 'b']);
});

test('who is told of a conflict forgets what it knew', async () => {
  const { cache, routes } = fresh();
  await cache.read(W);
  routes.stored = { sequence: 40 };
  await assert.rejects(cache.writeRoute(W, DRAFT, 0), WrittenByOther);
  await cache.writeRoute(W, DRAFT, 0);
  assert.equal(routes.stored.record?.current, 'a');
});
