import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kubeClient } from './client.ts';
import { informer, type Informer, type InformerOptions } from './informer.ts';
import { KINDS, type ConfigMap } from './objects.ts';
import { ManualClock, settle, until } from './testClock.ts';
import { configMap, listOf, scriptedServer, status } from './testServer.ts';
import type { Asked, ScriptedServer, Streaming } from './testServer.ts';

interface Following extends AsyncDisposable {
  readonly server: ScriptedServer;
  readonly clock: ManualClock;
  readonly informer: Informer<ConfigMap>;
  readonly names: () => readonly string[];
  readonly troubles: string[];
  readonly streams: Streaming[];
  readonly lists: readonly Asked[];
  readonly watches: readonly Asked[];
  /** Moves the clock over the next wait. */
  afterWait: () => Promise<void>;
}

interface Script {
  /** The n-th list and the n-th watch; without an answer of its own a list is empty and a watch stays open. */
  readonly list?: (asked: Asked, nth: number) => void;
  readonly watch?: (asked: Asked, nth: number, streams: Streaming[]) => void;
}

async function following(
  script: Script = {},
  more: Partial<InformerOptions<ConfigMap>> = {},
): Promise<Following> {
  const clock = new ManualClock();
  const streams: Streaming[] = [];
  const lists: Asked[] = [];
  const watches: Asked[] = [];
  const troubles: string[] = [];
  const list = script.list ?? ((asked) => asked.reply(200, listOf([configMap('one', '1')], '10')));
  const watch = script.watch ?? ((asked) => streams.push(asked.stream()));
  const server = await scriptedServer((asked) => {
    if (asked.query.has('watch')) watch(asked, watches.push(asked) - 1, streams);
    else list(asked, lists.push(asked) - 1);
  });
  const client = kubeClient({ connection: server.connection, userAgent: 'test' });
  const hooks = { trouble: ({ error }: { error: unknown }) => troubles.push((error as Error).message) };
  const made = informer({ client, kind: KINDS.configMaps, clock, hooks, ...more });
  const stop = new AbortController();
  const ended = made.run(stop.signal);
  return {
    server,
    clock,
    informer: made,
    names: () => made.store.keys(),
    troubles,
    streams,
    lists,
    watches,
    afterWait: async () => {
      const seen = troubles.length;
      await until(() => troubles.length > 0 && clock.pendingMs.some((ms) => ms <= 30_000));
      assert.ok(seen <= troubles.length);
      clock.advance(30_000);
      await settle();
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await ended;
      client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const added = (name: string, version: string): object => ({
  type: 'ADDED',
  object: configMap(name, version),
});

test('it lists, watches with bookmarks, and follows', async () => {
  await using run = await following();
  await run.informer.store.whenSynced();
  await until(() => run.streams.length === 1);
  const query = Object.fromEntries(run.watches[0]?.query ?? []);
  assert.deepEqual(query, {
    watch: '1',
    allowWatchBookmarks: 'true',
    resourceVersion: '10',
    timeoutSeconds: '290',
  });
  run.streams[0]?.send(added('two', '11'));
  await until(() => run.names().length === 2);
  run.streams[0]?.send({ type: 'DELETED', object: configMap('one', '12') });
  await until(() => run.names().length === 1);
  assert.deepEqual(run.names(), ['default/two']);
});

test('slow pages: nothing is shown before the last one is in', async () => {
  const pages: Asked[] = [];
  await using run = await following({ list: (asked) => pages.push(asked) }, { pageSize: 1 });
  await until(() => pages.length === 1);
  pages[0]?.reply(200, listOf([configMap('one', '1')], '10', 'more'));
  await until(() => pages.length === 2);
  assert.equal(run.informer.store.synced, false);
  assert.deepEqual(run.names(), []);
  assert.equal(pages[1]?.query.get('continue'), 'more');
  assert.equal(pages[1].query.get('limit'), '1');
  pages[1].reply(200, listOf([configMap('two', '2')], '10'));
  await run.informer.store.whenSynced();
  assert.deepEqual(run.names(), ['default/one', 'default/two']);
});

test('a page that came too late for the server is followed by a whole list', async () => {
  const answers = [
    (asked: Asked) => asked.reply(200, listOf([configMap('one', '1')], '10', 'more')),
    (asked: Asked) => asked.reply(410, status(410, 'Expired')),
    (asked: Asked) => asked.reply(200, listOf([configMap('two', '2')], '20')),
  ];
  await using run = await following({ list: (asked, nth) => answers[nth]?.(asked) });
  await run.afterWait();
  await run.informer.store.whenSynced();
  assert.deepEqual(run.names(), ['default/two']);
  assert.equal(run.lists[2]?.query.has('limit'), false);
  assert.equal(run.lists[2].query.has('continue'), false);
});

test('a server that is away at the start is waited for', async () => {
  await using run = await following({
    list: (asked, nth) => {
      if (nth === 0) asked.cut();
      else if (nth === 1) asked.reply(503, status(503, 'ServiceUnavailable'));
      else asked.reply(200, listOf([configMap('one', '1')], '10'));
    },
  });
  await run.afterWait();
  await until(() => run.troubles.length === 2);
  assert.equal(run.informer.store.synced, false);
  await run.afterWait();
  await run.informer.store.whenSynced();
});

test('a dropped watch goes on where it was, without a new list', async () => {
  await using run = await following();
  await until(() => run.streams.length === 1);
  run.streams[0]?.send(added('two', '11'));
  await until(() => run.names().length === 2);
  run.streams[0]?.cut();
  await run.afterWait();
  await until(() => run.watches.length === 2);
  assert.equal(run.watches[1]?.query.get('resourceVersion'), '11');
  assert.equal(run.lists.length, 1);
});

test('a bookmark moves the place of a quiet watch', async () => {
  await using run = await following();
  await until(() => run.streams.length === 1);
  run.streams[0]?.send({
    type: 'BOOKMARK',
    object: { kind: 'ConfigMap', metadata: { resourceVersion: '500' } },
  });
  run.streams[0]?.end();
  await run.afterWait();
  await until(() => run.watches.length === 2);
  assert.equal(run.watches[1]?.query.get('resourceVersion'), '500');
});

for (const [how, refuse] of [
  ['as a status', (asked: Asked) => asked.reply(410, status(410, 'Expired'))],
  ['in the stream', (asked: Asked) => asked.stream().send({ type: 'ERROR', object: status(410, 'Expired') })],
] as const)
  test(`410 ${how} leads to a new list, and what went meanwhile is told as deleted`, async () => {
    await using run = await following({
      list: (asked, nth) =>
        asked.reply(200, listOf([configMap(nth === 0 ? 'old' : 'new', '1')], String(nth))),
      watch: (asked, nth) => (nth === 0 ? refuse(asked) : asked.stream()),
    });
    const told: string[] = [];
    run.informer.store.onChange((change) => told.push(`${change.type} ${change.object.metadata.name}`));
    await run.informer.store.whenSynced();
    await run.afterWait();
    await until(() => run.lists.length === 2 && run.names()[0] === 'default/new');
    assert.deepEqual(told.slice(-2), ['deleted old', 'added new']);
  });

for (const [what, say] of [
  [
    'another error in the stream',
    (stream: Streaming) => stream.send({ type: 'ERROR', object: status(500, 'InternalError', 'etcd') }),
  ],
  ['a malformed line', (stream: Streaming) => stream.raw('{"type":"ADDED","object":\n')],
] as const)
  test(`${what} is told, keeps the place, and goes on after a wait`, async () => {
    await using run = await following({
      watch: (asked, nth, streams) => {
        const stream = asked.stream();
        streams.push(stream);
        if (nth === 0) say(stream);
      },
    });
    await run.afterWait();
    await until(() => run.watches.length === 2);
    assert.equal(run.troubles.length, 1);
    assert.equal(run.watches[1]?.query.get('resourceVersion'), '10');
    assert.equal(run.lists.length, 1);
  });

test('429 to a watch is obeyed', async () => {
  await using run = await following({
    watch: (asked, nth) => {
      if (nth === 0) asked.reply(429, status(429, 'TooManyRequests'), { 'retry-after': '17' });
      else asked.stream();
    },
  });
  await until(() => run.clock.pendingMs.includes(17_000));
  run.clock.advance(16_999);
  await settle();
  assert.equal(run.watches.length, 1);
  run.clock.advance(1);
  await until(() => run.watches.length === 2);
});

test('a silent connection is given up a little after the server should have ended it', async () => {
  await using run = await following();
  await until(() => run.streams.length === 1 && run.clock.pendingMs.includes(300_000));
  run.clock.advance(200_000);
  run.streams[0]?.send(added('two', '11'));
  await until(() => run.names().length === 2);
  await until(() => run.clock.pendingMs.includes(300_000));
  run.clock.advance(299_999);
  await settle();
  assert.deepEqual(run.troubles, []);
  run.clock.advance(1);
  await until(() => run.troubles.length === 1);
  assert.match(run.troubles.join(), /said nothing for 300000 ms/);
  await run.afterWait();
  await until(() => run.watches.length === 2);
});

test('a regular end leads to a new watch at once, without trouble', async () => {
  await using run = await following();
  await until(() => run.streams.length === 1 && run.clock.pendingMs.includes(300_000));
  run.clock.advance(290_000);
  run.streams[0]?.end();
  await until(() => run.watches.length === 2);
  assert.deepEqual(run.troubles, []);
});

test('deleted and made again while nobody looked is told as two changes', async () => {
  await using run = await following({
    watch: (asked, nth) => {
      if (nth === 0) asked.reply(410, status(410, 'Expired'));
      else asked.stream();
    },
    list: (asked, nth) => {
      const one = configMap('one', String(nth));
      asked.reply(200, listOf([{ ...one, metadata: { ...one.metadata, uid: `life ${nth}` } }], '10'));
    },
  });
  const told: string[] = [];
  run.informer.store.onChange((change) => told.push(`${change.type} ${String(change.object.metadata.uid)}`));
  await run.afterWait();
  await until(() => told.length === 3);
  assert.deepEqual(told, ['added life 0', 'deleted life 0', 'added life 1']);
});

test('copies carry no managed fields but those asked for, and what trim leaves', async () => {
  const fields = (manager: string): object => ({ manager, operation: 'Apply', fieldsV1: { 'f:data': {} } });
  const one = configMap('one', '1', { data: { big: 'x' } });
  const full = { ...one, metadata: { ...one.metadata, managedFields: [fields('kubectl'), fields('mine')] } };
  await using run = await following(
    { list: (asked) => asked.reply(200, listOf([full], '10')) },
    { keepFieldsOf: ['mine'], trim: ({ data: _, ...rest }) => rest },
  );
  await run.informer.store.whenSynced();
  const kept = run.informer.store.get('default/one');
  assert.deepEqual(kept?.metadata.managedFields, [
    { manager: 'mine', operation: 'Apply', fieldsV1: '{"f:data":{}}' },
  ]);
  assert.equal('data' in kept, false);
});

test('only metadata: the copies have the type of the object, not that of the excerpt', async () => {
  const excerpt = { ...configMap('two', '11'), apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata' };
  await using run = await following({}, { metadataOnly: true });
  await until(() => run.streams.length === 1);
  run.streams[0]?.send({ type: 'ADDED', object: excerpt });
  await until(() => run.names().length === 2);
  assert.equal(run.informer.store.get('default/two')?.kind, 'ConfigMap');
  assert.match(run.watches[0]?.headers.accept ?? '', /as=PartialObjectMetadata;/);
});

test('several namespaces are watched apart', async () => {
  await using run = await following(
    { list: (asked) => asked.reply(200, listOf([], '10')) },
    { namespaces: ['a', 'b'], labelSelector: 'x=y', fieldSelector: 'metadata.name=z' },
  );
  await run.informer.store.whenSynced();
  await until(() => run.watches.length === 2);
  assert.deepEqual(run.watches.map((asked) => asked.path).sort(), [
    '/api/v1/namespaces/a/configmaps',
    '/api/v1/namespaces/b/configmaps',
  ]);
  assert.equal(run.watches[0]?.query.get('labelSelector'), 'x=y');
  assert.equal(run.watches[0].query.get('fieldSelector'), 'metadata.name=z');
});

test('it ends with its signal, and its connections with it', async () => {
  const run = await following();
  await until(() => run.streams.length === 1);
  await run[Symbol.asyncDispose]();
  assert.deepEqual(run.troubles, []);
  assert.deepEqual(run.clock.pendingMs, []);
});
