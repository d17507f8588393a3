import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kubeClient } from './client.ts';
import { recorder, type EventOf, type KubeEvent, type Recorder } from './events.ts';
import { ManualClock, until } from './testClock.ts';
import { configMap, scriptedServer, status, type Asked, type ScriptedServer } from './testServer.ts';

interface Setting extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly server: ScriptedServer;
  readonly recorder: Recorder;
  readonly troubles: unknown[];
  record(change?: Partial<EventOf>): void;
  /** What was sent: the verb, and the count that it says. */
  sent(): readonly string[];
}

async function setting(answer = (asked: Asked): void => asked.reply(201, asked.body)): Promise<Setting> {
  const clock = new ManualClock();
  const server = await scriptedServer(answer);
  const client = kubeClient({ connection: server.connection, userAgent: 'test' });
  const troubles: unknown[] = [];
  const made = recorder({
    client,
    controller: 'sinter.dev/workflow',
    instance: 'pod-1',
    clock,
    trouble: (error) => troubles.push(error),
  });
  return {
    clock,
    server,
    recorder: made,
    troubles,
    record: (change = {}) =>
      made.record({
        regarding: configMap('one', '7'),
        type: 'Normal',
        reason: 'Planned',
        action: 'Plan',
        note: 'a and b share a process',
        ...change,
      }),
    sent: () => server.asked.map(({ method, body }) => `${method} ${(body as KubeEvent).series?.count ?? 1}`),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

test('an event says what, of whom, by whom and when', async () => {
  await using at = await setting();
  at.record({ related: configMap('two', '8') });
  await at.recorder.flush();
  const [asked] = at.server.asked;
  assert.equal(asked?.path, '/apis/events.k8s.io/v1/namespaces/default/events');
  const { metadata, ...event } = asked.body as KubeEvent;
  assert.match(metadata.name, /^one\.[0-9a-f]+$/);
  assert.deepEqual(event, {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'sinter.dev/workflow',
    reportingInstance: 'pod-1',
    type: 'Normal',
    reason: 'Planned',
    action: 'Plan',
    note: 'a and b share a process',
    regarding: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      namespace: 'default',
      name: 'one',
      uid: 'uid-one',
      resourceVersion: '7',
    },
    related: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      namespace: 'default',
      name: 'two',
      uid: 'uid-two',
      resourceVersion: '8',
    },
  });
});

test('repeats are counted in one object: the second at once, the rest at most once a minute, the last at the end', async () => {
  await using at = await setting();
  at.record();
  await at.recorder.flush();
  at.record();
  await until(() => at.server.asked.length === 2);
  for (let turn = 0; turn < 10; turn += 1) at.record();
  at.clock.advance(61_000);
  at.record();
  await until(() => at.server.asked.length === 3);
  at.record();
  at.record();
  await at.recorder.flush();
  assert.deepEqual(at.sent(), ['POST 1', 'PATCH 2', 'PATCH 13', 'PATCH 15']);
  const [first, , third] = at.server.asked;
  assert.equal(
    third?.path,
    `/apis/events.k8s.io/v1/namespaces/default/events/${(first?.body as KubeEvent).metadata.name}`,
  );
  assert.deepEqual(third.body, { series: { count: 13, lastObservedTime: '2026-01-01T00:01:01.000000Z' } });
});

test('after a quiet time, or with other words, it is another event', async () => {
  await using at = await setting();
  at.record();
  at.record({ note: 'another group' });
  at.record({ type: 'Warning' });
  at.clock.advance(6 * 60_000);
  at.record();
  await at.recorder.flush();
  assert.deepEqual(at.sent(), ['POST 1', 'POST 1', 'POST 1', 'POST 1']);
  assert.equal(new Set(at.server.asked.map(({ body }) => (body as KubeEvent).metadata.name)).size, 4);
});

test('a series that the server has forgotten begins anew with its count', async () => {
  let patched = 0;
  await using at = await setting((asked) => {
    if (asked.method === 'PATCH' && (patched += 1) === 1) asked.reply(404, status(404, 'NotFound'));
    else asked.reply(201, asked.body);
  });
  at.record();
  await at.recorder.flush();
  at.record();
  await at.recorder.flush();
  assert.deepEqual(at.sent(), ['POST 1', 'PATCH 2', 'POST 2']);
  assert.deepEqual(at.troubles, []);
});

test('one object cannot flood, and others are heard meanwhile', async () => {
  await using at = await setting();
  for (let turn = 0; turn < 100; turn += 1) at.record({ note: `attempt ${turn}` });
  at.record({ regarding: configMap('quiet', '1') });
  await at.recorder.flush();
  assert.equal(at.server.asked.length, 26);
  assert.equal(at.recorder.dropped, 75);
  at.clock.advance(60_000);
  at.record({ note: 'one more a minute' });
  at.record({ note: 'but not two' });
  await at.recorder.flush();
  assert.equal(at.server.asked.length, 27);
});

test('the line of waiting events is bounded', async () => {
  await using at = await setting(() => undefined);
  for (let index = 0; index < 400; index += 1) at.record({ regarding: configMap(`many-${index}`, '1') });
  assert.equal(at.recorder.dropped, 400 - 257);
});

test('a server that is away is asked again, a refusal is not', async () => {
  let answers = 0;
  await using at = await setting((asked) => {
    answers += 1;
    if (answers === 1) asked.cut();
    else if (answers === 2) asked.reply(201, asked.body);
    else asked.reply(403, status(403, 'Forbidden', 'the namespace is being terminated'));
  });
  at.record();
  await until(() => at.clock.pendingMs.includes(1000));
  at.clock.advance(1000);
  await until(() => answers === 2);
  await at.recorder.flush();
  at.record({ note: 'in a namespace that ends' });
  await at.recorder.flush();
  assert.equal(answers, 3);
  assert.equal(at.recorder.dropped, 1);
  assert.deepEqual(at.troubles, [], 'nobody needs to hear of it');
});

test('who has lost the right to write ends without waiting', async () => {
  await using server = await scriptedServer((asked) => asked.reply(201, asked.body));
  const lease = new AbortController();
  const client = kubeClient({ connection: server.connection, userAgent: 'test' }).under(lease.signal);
  const clock = new ManualClock();
  const troubles: unknown[] = [];
  const made = recorder({
    client,
    controller: 'a',
    instance: 'b',
    clock,
    trouble: (error) => troubles.push(error),
  });
  lease.abort();
  made.record({ regarding: configMap('one', '1'), type: 'Normal', reason: 'R', action: 'A', note: 'n' });
  await made.flush();
  assert.deepEqual([server.asked.length, made.dropped, troubles.length], [0, 1, 1]);
});

test('a wrong event is told as trouble, and the next one is sent', async () => {
  await using at = await setting((asked) => {
    if ((asked.body as KubeEvent).reason === 'Wrong') asked.reply(422, status(422, 'Invalid'));
    else asked.reply(201, asked.body);
  });
  at.record({ reason: 'Wrong' });
  at.record();
  await at.recorder.flush();
  assert.equal(at.troubles.length, 1);
  assert.equal(at.server.asked.length, 2);
});

test('long notes are cut at whole characters, long names too, and cluster-wide objects have a place', async () => {
  await using at = await setting();
  const { namespace: _, ...metadata } = configMap('n'.repeat(253), '1').metadata;
  at.record({ note: '€'.repeat(2000), regarding: { ...configMap('one', '1'), metadata } });
  await at.recorder.flush();
  const { note, metadata: made } = at.server.asked[0]?.body as KubeEvent;
  assert.ok(Buffer.byteLength(note) <= 1024);
  assert.match(note, /^€+…$/);
  assert.ok(made.name.length <= 253);
  assert.equal(made.namespace, 'default');
});
