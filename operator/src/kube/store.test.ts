import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from './objects.ts';
import { labelIndex, newStore, ownerUids, type Change, type Partition, type WritableStore } from './store.ts';

interface Thing extends KubeObject {
  readonly data?: { readonly text: string };
}

const thing = (name: string, version: string, more: Partial<KubeObject['metadata']> = {}): Thing => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { name, namespace: 'a', uid: `uid-${name}`, resourceVersion: version, ...more },
  data: { text: version },
});

function storeOf(namespaces?: readonly string[]): {
  readonly store: WritableStore<Thing>;
  readonly part: (namespace?: string) => Partition<Thing>;
  readonly told: string[];
  readonly errors: unknown[];
} {
  const errors: unknown[] = [];
  const store = newStore<Thing>({
    namespaces,
    indexes: {
      owner: ownerUids,
      graph: labelIndex('graph'),
      broken: (object) => {
        if (object.metadata.name === 'bad') throw new Error('cannot index');
        return ['all'];
      },
    },
    onError: (error) => errors.push(error),
  });
  const told: string[] = [];
  store.onChange((change) => told.push(line(change)));
  const part = (namespace?: string): Partition<Thing> => {
    const found = store.partitions.get(namespace);
    assert.ok(found);
    return found;
  };
  return { store, part, told, errors };
}

const line = (change: Change<Thing>): string =>
  [
    change.type,
    change.object.metadata.name,
    ...(change.type === 'updated'
      ? [`${String(change.old.data?.text)}→${String(change.object.data?.text)}`]
      : []),
    ...(change.initial ? ['initial'] : []),
  ].join(' ');

test('a list is invisible until it is whole, and then there at once', async () => {
  const { store, part, told } = storeOf();
  part().begin();
  part().gather([thing('one', '1')]);
  assert.equal(store.size, 0);
  assert.equal(store.synced, false);
  part().gather([thing('two', '2')]);
  let seen = -1;
  store.onChange(() => (seen = seen < 0 ? store.size : seen));
  part().swap();
  assert.equal(seen, 2, 'the first listener already sees both');
  assert.equal(store.synced, true);
  await store.whenSynced();
  assert.deepEqual(told, ['added one initial', 'added two initial']);
});

test('a relist tells only what is different, and what is gone', () => {
  const { store, part, told } = storeOf();
  part().begin();
  part().gather([thing('stays', '1'), thing('changes', '1'), thing('goes', '1')]);
  part().swap();
  told.length = 0;
  part().begin();
  part().gather([thing('half', '9')]);
  part().begin();
  part().gather([thing('stays', '1'), thing('changes', '2'), thing('comes', '2')]);
  assert.equal(store.get('a/goes')?.metadata.name, 'goes', 'the old copy serves until the new one is whole');
  part().swap();
  assert.deepEqual(told, ['deleted goes initial', 'updated changes 1→2 initial', 'added comes initial']);
  assert.equal(store.get('a/half'), undefined);
});

test('an object made again under its name is deleted and added', () => {
  const { part, told } = storeOf();
  part().put(thing('one', '1'));
  part().put(thing('one', '5', { uid: 'another' }));
  part().begin();
  part().gather([thing('one', '9', { uid: 'a third' })]);
  part().swap();
  assert.deepEqual(told, [
    'added one',
    'deleted one',
    'added one',
    'deleted one initial',
    'added one initial',
  ]);
});

test('a deletion brings the last state; of an object that nobody knows it brings nothing', () => {
  const { store, part } = storeOf();
  const last: Thing[] = [];
  store.onChange((change) => change.type === 'deleted' && last.push(change.object));
  part().put(thing('one', '1'));
  part().remove(thing('one', '2'));
  part().remove(thing('one', '3'));
  part().put(thing('two', '4'));
  part().remove(thing('two', '6', { uid: 'of another life' }));
  assert.deepEqual(
    last.map((object) => object.metadata.resourceVersion),
    ['2', '4'],
  );
});

test('the same version twice is no change', () => {
  const { part, told } = storeOf();
  part().put(thing('one', '1'));
  part().put(thing('one', '1'));
  assert.deepEqual(told, ['added one']);
});

test('objects are frozen all the way down', () => {
  const { store, part } = storeOf();
  part().put(thing('one', '1', { labels: { a: 'b' } }));
  const found = store.get('a/one') as {
    data: { text: string };
    metadata: { labels: Record<string, string> };
  };
  assert.throws(() => (found.data.text = 'mine'), TypeError);
  assert.throws(() => (found.metadata.labels['a'] = 'mine'), TypeError);
});

test('indexes follow updates and deletions', () => {
  const { store, part } = storeOf();
  const names = (index: string, value: string): readonly string[] =>
    store.by(index, value).map((object) => object.metadata.name);
  part().put(thing('one', '1', { labels: { graph: 'g' }, ownerReferences: [{ uid: 'o' }] }));
  part().put(thing('two', '2', { labels: { graph: 'g' } }));
  assert.deepEqual(names('graph', 'a/g'), ['one', 'two']);
  assert.deepEqual(names('owner', 'o'), ['one']);
  part().put(thing('one', '3', { labels: { graph: 'h' } }));
  assert.deepEqual(names('graph', 'a/g'), ['two']);
  assert.deepEqual(names('owner', 'o'), []);
  part().remove(thing('two', '4'));
  assert.deepEqual(names('graph', 'a/g'), []);
  assert.throws(() => store.by('grahp', 'a/g'), /no index 'grahp'/);
});

test('what an index function or a listener throws is reported and harms nobody', () => {
  const { store, part, told, errors } = storeOf();
  store.onChange(() => {
    throw new Error('listener');
  });
  part().put(thing('bad', '1'));
  part().put(thing('good', '2'));
  assert.deepEqual(told, ['added bad', 'added good']);
  assert.equal(store.by('broken', 'all').length, 1);
  assert.deepEqual(
    errors.map((error) => (error as Error).message),
    ['cannot index', 'listener', 'listener'],
  );
});

test('several namespaces are one store, synced when all are', async () => {
  const { store, part } = storeOf(['a', 'b']);
  const both = [part('a'), part('b')] as const;
  both[0].begin();
  both[0].gather([thing('one', '1')]);
  both[0].swap();
  assert.equal(store.synced, false);
  const stop = new AbortController();
  const waiting = store.whenSynced(stop.signal);
  both[1].begin();
  both[1].gather([thing('one', '2', { namespace: 'b', uid: 'other' })]);
  both[1].swap();
  await waiting;
  both[0].begin();
  both[0].swap();
  assert.deepEqual(store.keys(), ['b/one'], 'a relist of one namespace leaves the other alone');
  assert.deepEqual(store.list('b').length, 1);
  assert.deepEqual(store.list('a').length, 0);
});

test('waiting for a sync ends with the signal', async () => {
  const { store } = storeOf();
  const stop = new AbortController();
  const refused = assert.rejects(store.whenSynced(stop.signal), { name: 'AbortError' });
  stop.abort();
  await refused;
  await assert.rejects(store.whenSynced(stop.signal), { name: 'AbortError' });
});

test('who stops listening hears nothing more', () => {
  const { store, part } = storeOf();
  let heard = 0;
  const stop = store.onChange(() => (heard += 1));
  part().put(thing('one', '1'));
  stop();
  part().put(thing('one', '2'));
  assert.equal(heard, 1);
});
