/** What is swept off a real bus, and above all what is not. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { NatsConnection } from '@nats-io/transport-node';
import { provisionBuckets } from '../bus/provision.ts';
import { storeOver } from '../bus/store.ts';
import { storeOf } from '../kube/testStore.ts';
import { startTestBus } from '../local/nats/testBus.ts';
import type { StoredObject } from './kinds.ts';
import { KEEP_MS, Leftovers } from './leftovers.ts';
import { RouteCache } from './routeCache.ts';

const workflow = (namespace: string, name: string): StoredObject => ({
  apiVersion: 'sinter.dev/v1alpha1',
  kind: 'Workflow',
  metadata: { namespace, name, uid: `${namespace}-${name}`, resourceVersion: '1' },
});

describe('what the bus keeps for nobody', () => {
  let bus: Awaited<ReturnType<typeof startTestBus>>;
  let nc: NatsConnection;
  let offsetMs = 0;
  before(async () => {
    bus = await startTestBus();
    nc = await bus.connectOperator();
    await provisionBuckets(nc);
  });
  after(() => bus.stop());

  const storeHere = () => storeOver({ ask: (work) => work(nc) }, 1);

  /** An operator with these workflows in its copy of the cluster. */
  function operator(there: readonly StoredObject[], namespaces: readonly string[] = []) {
    const workflows = storeOf(there);
    const store = storeHere();
    const routes = new RouteCache(store);
    const now = () => Date.now() + offsetMs;
    const leftovers = new Leftovers({ store, stores: { workflows }, routes, namespaces, now });
    return { workflows, store, routes, leftovers };
  }

  const routeOf = async (namespace: string, name: string, modules: readonly string[] = []) => {
    const artifacts = modules.map((sha256) => ({ sha256 }));
    const units = [{ name: 'u', functions: [{ name: 'f', artifacts }] }];
    const draft = { current: 'r', draining: [], revisions: { r: { units, edges: [] } } };
    await new RouteCache(storeHere()).writeRoute({ namespace, workflow: name }, draft as never, 0);
  };

  it('is a workflow that is not in the cluster for a day, and none that is', async () => {
    await routeOf('red', 'there');
    await routeOf('red', 'gone');
    await storeHere().provideAsync({ namespace: 'red', workflow: 'queued' }, [{ fn: 'f' }]);
    const { leftovers, workflows } = operator([workflow('red', 'there')]);
    assert.deepEqual((await leftovers.round()).workflows, []);
    offsetMs = KEEP_MS - 60_000;
    assert.deepEqual((await leftovers.round()).workflows, []);
    offsetMs = KEEP_MS;
    assert.deepEqual([...(await leftovers.round()).workflows].sort(), ['red/gone', 'red/queued']);
    assert.deepEqual(
      ['red/gone', 'red/there'].map((key) => leftovers.isLeftover(key)),
      [true, false],
    );
    for (const part of workflows.partitions.values()) part.put(workflow('red', 'gone'));
    assert.deepEqual((await leftovers.round()).workflows, ['red/queued'], 'it has come back');
    offsetMs = 0;
  });

  it('is not what only rounds that failed have seen', async () => {
    const { store } = operator([]);
    let fails = true;
    const modulesOf = (namespace: string) =>
      fails ? Promise.reject(new Error('not now')) : store.modulesOf(namespace);
    await store.provideNamespace('red');
    const workflows = storeOf([workflow('red', 'there')]);
    const options = {
      stores: { workflows },
      routes: new RouteCache(store),
      namespaces: ['red'],
      now: () => Date.now() + offsetMs,
    };
    const leftovers = new Leftovers({ ...options, store: { ...store, modulesOf } });
    await assert.rejects(leftovers.round());
    await assert.rejects(leftovers.round());
    assert.equal(leftovers.isLeftover('red/gone'), false);
    fails = false;
    offsetMs = KEEP_MS;
    assert.deepEqual((await leftovers.round()).workflows, []);
    offsetMs = 2 * KEEP_MS;
    assert.equal((await leftovers.round()).workflows.length, 2);
    offsetMs = 0;
    await store.discardNamespace('red');
  });

  it('is nothing of a namespace that is not served', async () => {
    const { leftovers } = operator([], ['blue']);
    await leftovers.round();
    assert.deepEqual(await leftovers.round(), { workflows: [], namespaces: [], removed: [] });
  });

  it('is no workflow any more once it was removed; its mark goes after a day', async () => {
    const { leftovers, routes, store } = operator([workflow('red', 'there')]);
    await store.discardAsync({ namespace: 'red', workflow: 'queued' });
    await routes.remove({ namespace: 'red', workflow: 'gone' });
    await leftovers.round();
    assert.deepEqual((await leftovers.round()).workflows, []);
    assert.equal((await store.kept()).routed.length, 2);
    offsetMs = KEEP_MS + 60_000;
    await leftovers.round();
    offsetMs = 0;
    assert.deepEqual((await store.kept()).routed, [{ namespace: 'red', workflow: 'there' }]);
  });

  it('is a bucket of code in a namespace without workflows', async () => {
    const { leftovers, store } = operator([workflow('red', 'there')]);
    await store.provideNamespace('red');
    await store.provideNamespace('empty');
    assert.deepEqual((await leftovers.round()).namespaces, []);
    offsetMs = KEEP_MS;
    assert.deepEqual((await leftovers.round()).namespaces, ['empty']);
    offsetMs = 0;
    await store.discardNamespace('empty');
  });

  it('is code that no route names, is old, and that nobody is about to run', async () => {
    const { leftovers, store } = operator([workflow('red', 'runs')]);
    const put = async (text: string) => (await store.putModule('red', Buffer.from(text))).sha256;
    const [runs, needed, idle] = [await put('runs'), await put('needed'), await put('idle')];
    await routeOf('red', 'runs', [runs]);
    for (let i = 0; i < 3; i++) assert.deepEqual((await leftovers.round()).removed, [], 'it is young');
    offsetMs = KEEP_MS + 60_000;
    leftovers.needs('red', [needed]);
    assert.deepEqual((await leftovers.round()).removed, [`red/${idle}`]);
    assert.deepEqual([...(await store.modulesOf('red'))].sort(), [runs, needed].sort());
    offsetMs *= 2;
    assert.deepEqual((await leftovers.round()).removed, [`red/${needed}`]);
    offsetMs = 0;
  });
});
