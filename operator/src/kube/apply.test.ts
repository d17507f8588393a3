import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNOTATION, applyObject, applyStatus, isAsDesired, type Applied } from './apply.ts';
import { kubeClient, type KubeClient } from './client.ts';
import { isConflict } from './errors.ts';
import { KINDS, type ConfigMap, type KubeObject } from './objects.ts';
import { scriptedServer, status, type Asked, type ScriptedServer } from './testServer.ts';

const MANAGER = 'sinter-test';
const signal = new AbortController().signal;

let lives = 0;

/** One ConfigMap under server-side apply by one manager: what is sent becomes the object, `mutate` may interfere. */
class ApplyServer {
  current: KubeObject | undefined;
  mutate: (sent: KubeObject) => KubeObject = (sent) => sent;
  writes = 0;
  uid = `life ${(lives += 1)}`;
  #version = 0;

  answer(asked: Asked): void {
    const created = this.current === undefined;
    const sent = this.mutate(asked.body as KubeObject);
    const subresource = asked.path.endsWith('/status') ? 'status' : '';
    const { metadata, apiVersion, kind, ...rest } = sent;
    const before = this.current ?? { apiVersion, kind, metadata };
    const fields = {
      manager: MANAGER,
      operation: 'Apply',
      apiVersion,
      subresource,
      fieldsV1: treeOf(sent, subresource),
    };
    this.#version += 1;
    this.writes += 1;
    this.current = {
      ...before,
      ...rest,
      metadata: {
        ...before.metadata,
        ...metadata,
        uid: this.uid,
        resourceVersion: String(this.#version),
        managedFields: [fields],
      },
    };
    asked.reply(created ? 201 : 200, this.current);
  }
}

function treeOf(value: unknown, subresource: string): object {
  const leaves = (part: unknown): object =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).map(([name, below]) => [`f:${name}`, leaves(below)]))
      : {};
  const { metadata, apiVersion: _, kind: __, ...rest } = value as KubeObject;
  const { labels, annotations } = metadata;
  const known = { ...(labels && { labels }), ...(annotations && { annotations }) };
  return leaves(subresource === 'status' ? rest : { ...rest, metadata: known });
}

interface Setting {
  readonly server: ApplyServer;
  readonly wire: ScriptedServer;
  readonly client: KubeClient;
  apply(desired: object, current?: KubeObject): Promise<Applied<ConfigMap>>;
  /** As a new process would: without a memory of what the server made of the last apply. */
  afterRestart(desired: object): Promise<Applied<ConfigMap>>;
}

async function setting(): Promise<Setting & AsyncDisposable> {
  const server = new ApplyServer();
  const wire = await scriptedServer((asked) => server.answer(asked));
  const client = kubeClient({ connection: wire.connection, userAgent: 'test' });
  const apply = (data: object, current = server.current): Promise<Applied<ConfigMap>> => {
    const metadata = { name: 'one', namespace: 'default', labels: { a: 'b' } };
    const desired = { apiVersion: 'v1', kind: 'ConfigMap', metadata, ...data };
    const request = { client, kind: KINDS.configMaps, manager: MANAGER, signal };
    return applyObject({ ...request, desired, current: current });
  };
  return {
    server,
    wire,
    client,
    apply,
    afterRestart: (data) => {
      server.uid = `life ${(lives += 1)}`;
      const { current } = server;
      return apply(data, current && { ...current, metadata: { ...current.metadata, uid: server.uid } });
    },
    [Symbol.asyncDispose]: () => wire[Symbol.asyncDispose](),
  };
}

const DATA = { data: { x: '1', y: '2' } };

test('created, then nothing is written, also by a new process', async () => {
  await using at = await setting();
  assert.equal((await at.apply(DATA)).what, 'created');
  const second = await at.apply(DATA);
  assert.equal(second.what, 'unchanged');
  assert.equal(second.object, at.server.current);
  assert.equal(
    (await at.afterRestart({ data: { y: '2', x: '1' } })).what,
    'unchanged',
    'the order of keys says nothing',
  );
  assert.equal(at.server.writes, 1);
});

test('another value, a new field and a removed field are written', async () => {
  await using at = await setting();
  await at.apply(DATA);
  for (const data of [
    { data: { x: '1', y: '3' } },
    { data: { x: '1', y: '3', z: '4' } },
    { data: { x: '1' } },
  ]) {
    assert.equal((await at.afterRestart(data)).what, 'changed', JSON.stringify(data));
    assert.equal((await at.afterRestart(data)).what, 'unchanged', JSON.stringify(data));
  }
});

test('undefined fields, versions and foreign bookkeeping are not sent', async () => {
  await using at = await setting();
  await at.apply({ data: { x: '1', y: undefined }, immutable: undefined });
  const sent = at.wire.asked[0]?.body as KubeObject & { readonly data: object };
  assert.deepEqual(sent.data, { x: '1' });
  assert.equal('immutable' in sent, false);
  assert.deepEqual(Object.keys(sent.metadata), ['name', 'namespace', 'labels', 'annotations']);
  assert.match(sent.metadata.annotations?.[ANNOTATION] ?? '', /^[0-9a-f]{16}$/);
  await assert.rejects(at.apply({ data: [undefined] }), TypeError, 'an undefined in a list is a bug');
});

test('a field that somebody took is taken back', async () => {
  await using at = await setting();
  await at.apply(DATA);
  const { current } = at.server;
  assert.ok(current);
  // The API server takes the field from us when another manager changes it.
  const fields = (current.metadata.managedFields?.[0] ?? {}) as {
    fieldsV1: { 'f:data': Record<string, object> };
  };
  delete fields.fieldsV1['f:data']['f:x'];
  assert.equal((await at.apply(DATA)).what, 'changed');
});

test('managed fields that were wiped are written anew', async () => {
  await using at = await setting();
  await at.apply(DATA);
  assert.ok(at.server.current);
  const { managedFields: _, ...metadata } = at.server.current.metadata;
  assert.equal((await at.apply(DATA, { ...at.server.current, metadata })).what, 'changed');
});

test('a webhook that overrides us costs one write, not one for ever', async () => {
  await using at = await setting();
  at.server.mutate = (sent) => ({ ...sent, data: { x: '1' } }) as KubeObject;
  await at.apply(DATA);
  assert.equal((await at.apply(DATA)).what, 'unchanged', 'sending it again is no use');
  assert.equal((await at.afterRestart(DATA)).what, 'changed', 'a new process tries once');
  at.server.mutate = (sent) => sent;
  assert.equal((await at.apply({ data: { x: '5' } })).what, 'changed', 'and another wish is sent');
  assert.equal((await at.apply({ data: { x: '5' } })).what, 'unchanged');
});

test('a copy that does not show our last write yet is not believed', async () => {
  await using at = await setting();
  await at.apply(DATA);
  const { current: old } = at.server;
  const other = { data: { x: 'other' } };
  assert.equal((await at.apply(other, old)).what, 'changed');
  assert.equal((await at.apply(other, old)).what, 'unchanged', 'it was sent a moment ago');
  assert.equal(
    (await at.apply(DATA, old)).what,
    'changed',
    'the old copy shows it, the server does not any more',
  );
  assert.equal((await at.apply(DATA)).what, 'unchanged');
  assert.equal(at.server.writes, 3);
});

test('without a current object it is always sent; the version says whether anything changed', async () => {
  await using wire = await scriptedServer((asked) => {
    const sent = asked.body as KubeObject;
    asked.reply(200, { ...sent, metadata: { ...sent.metadata, uid: 'u', resourceVersion: '7' } });
  });
  const client = kubeClient({ connection: wire.connection, userAgent: 'test' });
  const desired = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one', namespace: 'default' } };
  const request = { client, kind: KINDS.configMaps, desired, manager: MANAGER, signal };
  const unseen = await applyObject({ ...request, current: undefined });
  assert.equal(unseen.what, 'changed');
  assert.equal((await applyObject({ ...request, current: unseen.object })).what, 'unchanged');
  assert.equal(wire.asked.length, 2);
});

test('a status goes to its subresource, and is skipped when it stands there', async () => {
  await using at = await setting();
  await at.apply(DATA);
  const report = (wanted: object, uid = at.server.uid): Promise<Applied<KubeObject>> => {
    const { current } = at.server;
    assert.ok(current);
    const request = { client: at.client, kind: KINDS.configMaps, manager: MANAGER, signal };
    const seen = { ...current, metadata: { ...current.metadata, uid } };
    return applyStatus({ ...request, current: seen, status: wanted });
  };
  assert.equal((await report({ count: 1, gone: undefined })).what, 'changed');
  const asked = at.wire.asked.at(-1);
  assert.equal(asked?.path, '/api/v1/namespaces/default/configmaps/one/status');
  assert.deepEqual(asked.body, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'one', namespace: 'default' },
    status: { count: 1 },
  });
  assert.equal((await report({ count: 1 })).what, 'unchanged');
  assert.equal((await report({ count: 1 }, 'seen by another process')).what, 'unchanged');
  assert.equal((await report({ count: 2 })).what, 'changed');
  await assert.rejects(report({ count: 3 }, 'of a former life'), isConflict);
});

test('whether it would write can be asked before', async () => {
  await using at = await setting();
  const desired = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'one', namespace: 'default' },
    ...DATA,
  };
  const asked = { client: at.client, kind: KINDS.configMaps, desired, manager: MANAGER, signal };
  assert.equal(isAsDesired(undefined, desired, MANAGER), false);
  await applyObject({ ...asked, current: undefined });
  assert.equal(isAsDesired(at.server.current, desired, MANAGER), true);
  assert.equal(isAsDesired(at.server.current, { ...desired, data: {} } as KubeObject, MANAGER), false);
  assert.equal(isAsDesired(at.server.current, desired, 'somebody else'), false);
});

test('a refusal is the caller’s to judge', async () => {
  await using wire = await scriptedServer((asked) => asked.reply(409, status(409, 'Conflict')));
  const client = kubeClient({ connection: wire.connection, userAgent: 'test' });
  const current = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'one', namespace: 'a', uid: 'old' },
  };
  const request = { client, kind: KINDS.configMaps, current: current as ConfigMap, manager: MANAGER, signal };
  await assert.rejects(applyStatus({ ...request, status: {} }), { status: 409 });
});
