/** How often a Function's status is written, and what wakes it. A fake of the wire takes the writes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { kubeClient } from '../kube/client.ts';
import { scriptedServer } from '../kube/testServer.ts';
import { storeOf } from '../kube/testStore.ts';
import {
  NAMESPACE,
  configMapManifest,
  functionManifest,
  workflowManifest,
} from '../model/testApplication.ts';
import { Contents } from './contents.ts';
import { FunctionReconciler } from './function.ts';
import type { StoredObject } from './kinds.ts';
import { Running } from './running.ts';
import { functionKeysOf, watches } from './stores.ts';

const signal = new AbortController().signal;

let versions = 0;

/** As the server has it; each call is a newer version. */
const stored = (manifest: object): StoredObject => {
  const { metadata, ...rest } = manifest as StoredObject;
  versions += 1;
  const version = { resourceVersion: String(versions), generation: versions };
  return { ...rest, metadata: { ...metadata, ...version, uid: `uid-${metadata.name}` } };
};

async function withFunctions(
  test: (
    functions: FunctionReconciler,
    running: Running,
    written: () => readonly object[],
    change: (fn: object | undefined) => void,
  ) => Promise<void>,
  fn: object = functionManifest('a'),
): Promise<void> {
  await using server = await scriptedServer((request) => {
    if (request.method === 'GET') request.reply(200, stored(configMapManifest('code', { 'index.mjs': '1' })));
    else request.reply(200, stored(fn));
  });
  const client = kubeClient({ connection: server.connection, userAgent: 'test' });
  const running = new Running();
  const kept = storeOf([stored(fn)]);
  const change = (next: object | undefined): void => {
    for (const part of kept.partitions.values())
      if (next) part.put(stored(next));
      else part.remove(stored(fn));
  };
  const configMaps = storeOf([stored(configMapManifest('code', {}))]);
  const stores = {
    ...watches({ client, namespace: 'sinter-system', namespaces: [] }).stores,
    functions: kept,
    workflows: storeOf([stored(workflowManifest(['a']))], { function: functionKeysOf }),
    configMaps,
  };
  const contents = new Contents({ client, store: configMaps });
  const date = () => '2026-01-01T00:00:00Z';
  const functions = new FunctionReconciler({ client, stores, contents, running, date });
  const written = () =>
    server.asked.flatMap(({ method, body }) => (method === 'PATCH' ? [body as object] : []));
  await test(functions, running, written, change).finally(() => client.close());
}

const KEY = `${NAMESPACE}/a`;
const unit = { name: 'u', functions: ['a'], instances: 1, ready: 1 };

describe('the status of a Function', () => {
  it('is written once where its workflow is seen meanwhile', () =>
    withFunctions(async (functions, running, written) => {
      assert.equal((await functions.reconcile(KEY, signal)).kind, 'again');
      assert.deepEqual(written(), []);
      running.set(`${NAMESPACE}/flow`, { current: 'x', draining: [], units: [unit] });
      assert.equal((await functions.reconcile(KEY, signal)).kind, 'settled');
      assert.equal(written().length, 1);
      assert.match(JSON.stringify(written()), /Serving/);
    }));

  it('says that nothing is known while the bus is away, and does not ask again and again', () =>
    withFunctions(async (functions, _, written) => {
      await functions.reconcile(KEY, signal);
      assert.equal((await functions.reconcile(KEY, signal)).kind, 'settled');
      assert.match(JSON.stringify(written()), /NotSeen/);
    }));
});

describe('the readers of a ConfigMap', () => {
  const module = { configMap: { name: 'code', key: 'index.mjs' } };
  const fn = functionManifest('a', { artifacts: [{ name: 'js', type: 'JavaScript', module }] });

  it('are those that read it now', () =>
    withFunctions(async (functions, _, __, change) => {
      const readers = () => [...functions.readersOf(`${NAMESPACE}/code`)];
      await functions.reconcile(KEY, signal);
      assert.deepEqual(readers(), [KEY]);
      change(functionManifest('a'));
      await functions.reconcile(KEY, signal);
      assert.deepEqual(readers(), []);
      change(fn);
      await functions.reconcile(KEY, signal);
      assert.deepEqual(readers(), [KEY]);
      change(undefined);
      await functions.reconcile(KEY, signal);
      assert.deepEqual(readers(), []);
    }, fn));
});
