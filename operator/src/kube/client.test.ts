import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kubeClient } from './client.ts';
import { ApiError, isConflict, isNotFound, NoAnswer, WritesForbidden } from './errors.ts';
import { KINDS } from './objects.ts';
import type { KubeObject } from './objects.ts';
import { ManualClock, until } from './testClock.ts';
import { configMap, listOf, scriptedServer, status } from './testServer.ts';
import type { Asked, ScriptedServer, Streaming } from './testServer.ts';
import { tokenBucket } from './throttle.ts';
import type { ClientOptions, RequestReport } from './transport.ts';

const kind = KINDS.configMaps;
const at = { namespace: 'default', name: 'one' };
const manager = { fieldManager: 'sinter-test' };

const clientOf = (server: ScriptedServer, more: Partial<ClientOptions> = {}): ReturnType<typeof kubeClient> =>
  kubeClient({ connection: server.connection, userAgent: 'sinter-operator/test', ...more });

/** Answers in turn; the last answer for everything after it. */
const inTurn =
  (...answers: readonly ((asked: Asked) => void)[]) =>
  (asked: Asked, index: number): void =>
    answers[Math.min(index, answers.length - 1)]?.(asked);

test('get says who asks and decodes what comes', async () => {
  await using server = await scriptedServer((asked) => asked.reply(200, configMap('one', '7')));
  const found = await clientOf(server).get(kind, at);
  assert.equal(found.metadata.resourceVersion, '7');
  const [asked] = server.asked;
  assert.equal(asked?.path, '/api/v1/namespaces/default/configmaps/one');
  assert.equal(asked.headers['user-agent'], 'sinter-operator/test');
  assert.equal(asked.headers.authorization, 'Bearer test');
});

test('names are escaped in paths', async () => {
  await using server = await scriptedServer((asked) => asked.reply(200, configMap('x', '1')));
  await clientOf(server).get(kind, { namespace: 'a', name: '../secrets/b' });
  assert.equal(server.asked[0]?.path, '/api/v1/namespaces/a/configmaps/..%2Fsecrets%2Fb');
});

test('a refusal has the status, the reason and the causes', async () => {
  const body = {
    ...status(422, 'Invalid', 'spec.x: must be positive'),
    details: { causes: [{ reason: 'FieldValueInvalid', field: 'spec.x', message: 'must be positive' }] },
  };
  await using server = await scriptedServer((asked) => asked.reply(422, body));
  await assert.rejects(clientOf(server).get(kind, at), (error) => {
    assert.ok(error instanceof ApiError);
    assert.equal(error.status, 422);
    assert.equal(error.reason, 'Invalid');
    assert.equal(error.causes[0]?.field, 'spec.x');
    assert.match(error.message, /^GET \/api\/v1\/namespaces\/default\/configmaps\/one: 422 Invalid: spec.x/);
    return true;
  });
});

test('what a proxy says instead of the API server is told as it is', async () => {
  await using server = await scriptedServer((asked) => asked.reply(502, '<html>bad gateway</html>'));
  await assert.rejects(clientOf(server).get(kind, at), /502 : <html>bad gateway/);
});

test('an answer cut in the middle, or that is no JSON, is a failure', async () => {
  const half = (asked: Asked): void => {
    asked.response.writeHead(200, { 'content-length': '1000' });
    asked.response.write('{"kind":');
    asked.cut();
  };
  await using server = await scriptedServer(inTurn(half, (asked) => asked.reply(200, '{"kind":')));
  await assert.rejects(clientOf(server).get(kind, at), NoAnswer);
  await assert.rejects(clientOf(server).get(kind, at), { name: 'ApiError', reason: 'NotJson' });
});

test('find, delete and conflicts take ordinary states as such', async () => {
  await using server = await scriptedServer(
    inTurn(
      (asked) => asked.reply(404, status(404, 'NotFound')),
      (asked) => asked.reply(404, status(404, 'NotFound')),
      (asked) => asked.reply(409, status(409, 'Conflict')),
    ),
  );
  const client = clientOf(server);
  assert.equal(await client.find(kind, at), undefined);
  assert.equal(await client.delete(kind, at), false);
  await assert.rejects(client.delete(kind, at, { uid: 'u', resourceVersion: '5' }), isConflict);
  assert.deepEqual(server.asked[2]?.body, {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    preconditions: { uid: 'u', resourceVersion: '5' },
    propagationPolicy: 'Background',
  });
});

test('a list goes through its pages and gives each object its type', async () => {
  const [one, two] = [configMap('one', '1'), configMap('two', '2')].map(
    ({ apiVersion: _, kind: __, ...rest }) => rest,
  );
  await using server = await scriptedServer(
    inTurn(
      (asked) => asked.reply(200, listOf([one ?? {}], '10', 'next page')),
      (asked) => asked.reply(200, listOf([two ?? {}], '11')),
    ),
  );
  const list = await clientOf(server).list(kind, { namespace: 'default', labelSelector: 'a in (b,c)' });
  assert.deepEqual(
    list.items.map((item) => `${item.apiVersion} ${item.kind} ${item.metadata.name}`),
    ['v1 ConfigMap one', 'v1 ConfigMap two'],
  );
  assert.equal(list.resourceVersion, '10');
  assert.equal(server.asked[0]?.query.get('limit'), '500');
  assert.equal(server.asked[0].query.get('labelSelector'), 'a in (b,c)');
  assert.equal(server.asked[1]?.query.get('continue'), 'next page');
});

test('only metadata is asked for by the Accept header', async () => {
  await using server = await scriptedServer((asked) => asked.reply(200, listOf([], '1')));
  await clientOf(server).page(kind, { metadataOnly: true });
  assert.match(server.asked[0]?.headers.accept ?? '', /^application\/json;as=PartialObjectMetadataList;/);
});

test('apply sends exactly what it is given, with force, and says whether it was made', async () => {
  await using server = await scriptedServer((asked) => asked.reply(201, configMap('one', '1')));
  const written = await clientOf(server).apply(
    kind,
    { ...configMap('one', '1'), data: { a: undefined } } as KubeObject,
    manager,
  );
  assert.equal(written.created, true);
  const [asked] = server.asked;
  assert.equal(asked?.method, 'PATCH');
  assert.equal(asked.headers['content-type'], 'application/apply-patch+yaml');
  assert.deepEqual(Object.fromEntries(asked.query), { fieldManager: 'sinter-test', force: 'true' });
  assert.deepEqual((asked.body as { data?: object }).data, {});
});

test('429 with Retry-After is asked again after that time, and reported each time', async () => {
  const clock = new ManualClock();
  const reports: RequestReport[] = [];
  await using server = await scriptedServer(
    inTurn(
      (asked) => asked.reply(429, status(429, 'TooManyRequests'), { 'retry-after': '3' }),
      (asked) => asked.reply(200, configMap('one', '1')),
    ),
  );
  const found = clientOf(server, { clock, onRequest: (report) => reports.push(report) }).get(kind, at);
  await until(() => clock.pendingMs.includes(3000));
  clock.advance(2999);
  assert.equal(server.asked.length, 1);
  clock.advance(1);
  assert.equal((await found).metadata.name, 'one');
  assert.deepEqual(
    reports.map((report) => [report.verb, report.resource, report.status]),
    [
      ['GET', 'configmaps', 429],
      ['GET', 'configmaps', 200],
    ],
  );
});

test('429 without end is refused in the end, with the wait in it', async () => {
  const clock = new ManualClock();
  await using server = await scriptedServer((asked) =>
    asked.reply(429, status(429, 'TooManyRequests'), { 'retry-after': '2' }),
  );
  const refused = assert.rejects(clientOf(server, { clock }).get(kind, at), {
    status: 429,
    retryAfterMs: 2000,
  });
  for (let asked = 1; asked < 5; asked += 1) {
    await until(() => server.asked.length === asked && clock.pendingMs.includes(2000));
    clock.advance(2000);
  }
  await refused;
  assert.equal(server.asked.length, 5);
});

test('a wait beyond the time limit is not begun', async () => {
  await using server = await scriptedServer((asked) =>
    asked.reply(429, status(429, 'TooManyRequests'), { 'retry-after': '60' }),
  );
  await assert.rejects(clientOf(server).get(kind, at), { status: 429, retryAfterMs: 60_000 });
  assert.equal(server.asked.length, 1);
});

test('500 is not asked again: the server may have done it', async () => {
  await using server = await scriptedServer((asked) =>
    asked.reply(500, status(500, 'InternalError'), { 'retry-after': '0' }),
  );
  await assert.rejects(clientOf(server).create(kind, configMap('one', '1'), manager), { status: 500 });
  assert.equal(server.asked.length, 1);
});

test('a kept socket that died is replaced for what may be asked twice, and only for that', async () => {
  let cut = false;
  await using server = await scriptedServer((asked) => {
    if (cut) {
      cut = false;
      asked.cut();
    } else asked.reply(200, configMap('one', '1'));
  });
  const client = clientOf(server);
  const warm = async (): Promise<void> => {
    cut = false;
    await client.get(kind, at);
    cut = true;
  };
  await warm();
  assert.equal((await client.get(kind, at)).metadata.name, 'one');
  await warm();
  assert.equal((await client.apply(kind, configMap('one', '1'), manager)).object.metadata.name, 'one');
  await warm();
  await assert.rejects(client.create(kind, configMap('one', '1'), manager), NoAnswer);
});

test('a silent server is left after the time limit', async () => {
  const clock = new ManualClock();
  await using server = await scriptedServer(() => undefined);
  const refused = assert.rejects(clientOf(server, { clock }).get(kind, at, { timeoutMs: 700 }), {
    name: 'NoAnswer',
    message: /no answer within 700 ms/,
  });
  await until(() => server.asked.length === 1);
  clock.advance(700);
  await refused;
});

test('a request ends with its signal, while it waits and while it is under way', async () => {
  await using server = await scriptedServer(() => undefined);
  const client = clientOf(server);
  const stop = new AbortController();
  const refused = assert.rejects(client.get(kind, at, { signal: stop.signal }), { name: 'AbortError' });
  await until(() => server.asked.length === 1);
  stop.abort();
  await refused;
  await assert.rejects(client.get(kind, at, { signal: stop.signal }), { name: 'AbortError' });
  assert.equal(server.asked.length, 1);
});

test('a refused connection is no answer', async () => {
  const server = await scriptedServer(() => undefined);
  await server[Symbol.asyncDispose]();
  await assert.rejects(clientOf(server).get(kind, at), NoAnswer);
});

test('401 is asked again once, under a renewed identity, and only if there is another', async () => {
  let token = 'old';
  await using server = await scriptedServer((asked) =>
    asked.headers.authorization === 'Bearer new'
      ? asked.reply(200, configMap('one', '1'))
      : asked.reply(401, status(401, 'Unauthorized')),
  );
  const tls = {};
  const identities = new Map(
    ['old', 'new'].map((name) => [name, { headers: { authorization: `Bearer ${name}` }, tls }]),
  );
  const identity = ({ fresh = false } = {}): Promise<{ headers: Record<string, string>; tls: object }> => {
    if (fresh) token = 'new';
    return Promise.resolve(identities.get(token) ?? { headers: {}, tls });
  };
  const client = kubeClient({ connection: { ...server.connection, identity }, userAgent: 'test' });
  await client.get(kind, at);
  assert.equal(server.asked.length, 2);
  await assert.rejects(clientOf(server).get(kind, at), { status: 401 });
  assert.equal(server.asked.length, 3);
});

test('a client under a signal writes nothing after it, reads on, and ends writes under way', async () => {
  await using server = await scriptedServer((asked) => {
    if (asked.method === 'GET') asked.reply(200, configMap('one', '1'));
  });
  const lease = new AbortController();
  const client = clientOf(server).under(lease.signal);
  const underWay = assert.rejects(client.apply(kind, configMap('one', '1'), manager), { message: 'lost' });
  await until(() => server.asked.length === 1);
  lease.abort(new Error('lost'));
  await underWay;
  const writes = [
    () => client.create(kind, configMap('one', '1'), manager),
    () => client.replace(kind, configMap('one', '1'), manager),
    () => client.merge(kind, at, {}, manager),
    () => client.delete(kind, at),
    () =>
      client.request({
        method: 'POST',
        path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
        body: {},
      }),
  ];
  for (const write of writes) await assert.rejects(write());
  await client.get(kind, at);
  assert.deepEqual(
    server.asked.map((asked) => asked.method),
    ['PATCH', 'GET'],
  );
});

test('the right to write is asked after every wait', async () => {
  const clock = new ManualClock();
  let holds = true;
  await using server = await scriptedServer((asked) => asked.reply(200, configMap('one', '1')));
  const throttle = tokenBucket({ perSecond: 1, burst: 1, clock });
  const client = clientOf(server, { throttle }).under(new AbortController().signal, () => holds);
  await client.apply(kind, configMap('one', '1'), manager);
  const refused = assert.rejects(client.apply(kind, configMap('one', '1'), manager), WritesForbidden);
  await until(() => clock.pendingMs.length === 1);
  holds = false;
  clock.advance(1000);
  await refused;
  assert.equal(server.asked.length, 1);
});

test('a watch that is refused throws like any request', async () => {
  await using server = await scriptedServer((asked) => asked.reply(410, status(410, 'Expired')));
  const options = { resourceVersion: '1', timeoutSeconds: 290, signal: new AbortController().signal };
  await assert.rejects(clientOf(server).watch(kind, options), { status: 410, reason: 'Expired' });
  assert.ok(!isNotFound(new Error('no')));
});

test('lines of a watch come whole, however they were cut on the way', async () => {
  const bytes = Buffer.from('{"first":1}\n{"a":"€𝄞"}\n\n{"b":2}\n{"half":');
  // In the middle of the euro sign.
  const cutAt = bytes.indexOf(0xe2) + 1;
  let stream: Streaming | undefined;
  await using server = await scriptedServer((asked) => {
    stream = asked.stream();
    stream.raw(bytes.subarray(0, cutAt));
  });
  const signal = new AbortController().signal;
  const lines = await clientOf(server).watch(kind, { resourceVersion: '1', timeoutSeconds: 290, signal });
  const seen: string[] = [];
  for await (const line of lines) {
    seen.push(line);
    if (seen.length > 1) continue;
    stream?.raw(bytes.subarray(cutAt));
    stream?.end();
  }
  assert.deepEqual(seen, ['{"first":1}', '{"a":"€𝄞"}', '{"b":2}']);
});
