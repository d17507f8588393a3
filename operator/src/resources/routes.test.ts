import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unitPermissions } from '@sinter/contract';
import {
  applicationOf,
  edgeOf,
  functionManifest,
  imageArtifact,
  jsArtifact,
  wasmArtifact,
  workflowManifest,
} from '../model/testApplication.ts';
import type { Manifest } from '../model/testApplication.ts';
import { plan } from '../planner/planner.ts';
import { manual, snapshotOf } from '../snapshot/testSnapshot.ts';
import type { World } from '../snapshot/testSnapshot.ts';
import { entryRecord, routeRevision, unitScope } from './routes.ts';

const trigger = (to: string): Manifest => ({
  triggers: [{ name: 'web', to, type: 'Http', http: { path: '/x', auth: { type: 'None' } } }],
});
const WORLD: World = {
  functions: { a: { concurrency: 3 }, b: { artifacts: [jsArtifact(), wasmArtifact()] }, c: {}, d: {} },
  edges: [edgeOf('a>b', { retry: { attempts: 2 } }), 'a~c', 'b>d'],
  policy: { ...manual('a,b', 'c', 'd'), runtime: { prefer: 'JavaScript' } },
  workflow: trigger('a'),
};
const revision = (world: World) => {
  const snapshot = snapshotOf(world);
  return routeRevision(plan(snapshot), snapshot);
};
const marks = (world: World): Readonly<Record<string, string>> =>
  Object.fromEntries(
    revision(world).units.flatMap((u) =>
      u.functions.map((f) => [f.name, [f.served ? 'served' : '', f.async ? 'async' : ''].join(' ').trim()]),
    ),
  );

test('a trigger, an exposure or a caller in another unit makes a function listen', () => {
  assert.deepEqual(marks(WORLD), { a: 'served async', b: '', c: 'served async', d: 'served' });
});

test('apart, every callee listens', () => {
  assert.deepEqual(marks({ ...WORLD, policy: {} }), {
    a: 'served async',
    b: 'served',
    c: 'served async',
    d: 'served',
  });
});

test('exposed, every function listens and can be called for later', () => {
  const all = 'served async';
  assert.deepEqual(marks({ ...WORLD, workflow: { expose: 'All' } }), { a: all, b: all, c: all, d: all });
});

test('an async caller in the same unit needs a stream, not a listener', () => {
  assert.deepEqual(marks({ functions: ['a', 'b'], edges: ['a~b'], policy: manual('a,b') }), {
    a: '',
    b: 'async',
  });
});

test('a function carries its limits and its code for each architecture', () => {
  const a = revision(WORLD).units[0]?.functions[0];
  assert.deepEqual([a?.concurrency, a?.timeoutSeconds, a?.memoryBytes], [3, 30, 256 * 2 ** 20]);
  assert.deepEqual(
    a?.artifacts.map((x) => [x.architecture, x.name, x.type, x.isolation, /^[0-9a-f]{64}$/.test(x.sha256)]),
    ['amd64', 'arm64'].map((architecture) => [architecture, 'js', 'JavaScript', 'Worker', true]),
  );
});

test('code in an image is told by where it lies, and by a name that no host takes for a digest', () => {
  const snapshot = snapshotOf({ functions: { a: { artifacts: [imageArtifact()] } } });
  const revision = routeRevision(plan(snapshot), snapshot);
  const reference = `registry.example/team/cars@sha256:${'a'.repeat(64)}`;
  assert.deepEqual(
    revision.units[0]?.functions[0]?.artifacts.map(({ sha256, image }) => ({ sha256, image })),
    [1, 2].map(() => ({ sha256: reference, image: { reference, path: '/app/count.mjs' } })),
  );
});

test('an edge carries its terms: a retry that says nothing more is after every curable error', () => {
  const [ab, ac, bd] = revision(WORLD).edges;
  assert.deepEqual([ab?.from, ab?.to, ab?.retry?.attempts, ab?.retry?.on.length], ['a', 'b', 2, 6]);
  assert.deepEqual([ac?.call, ac?.durability, ac?.retry?.attempts], ['Async', 'AtLeastOnce', 5]);
  assert.deepEqual(bd, { from: 'b', to: 'd', call: 'Sync', timeoutSeconds: 30 });
});

test('a route has no edge to or from a Service', () => {
  const workflow = {
    functions: [{ name: 'a' }, { name: 's', service: { name: 's', port: 80 } }],
    edges: [edgeOf('s>a')],
  };
  assert.deepEqual(revision({ functions: ['a'], workflow }).edges, []);
});

test('a scope is the declared edges of a unit, and nothing of others', () => {
  const snapshot = snapshotOf(WORLD);
  const scopes = plan(snapshot).units.map((unit) => unitScope(unit, snapshot));
  assert.deepEqual(
    scopes.map(({ functions, edges, asyncFunctions }) => ({ functions, edges, asyncFunctions })),
    [
      {
        functions: ['a', 'b'],
        edges: [
          { from: 'a', to: 'b', call: 'Sync' },
          { from: 'a', to: 'c', call: 'Async' },
          { from: 'b', to: 'd', call: 'Sync' },
        ],
        asyncFunctions: ['a'],
      },
      { functions: ['c'], edges: [], asyncFunctions: ['c'] },
      { functions: ['d'], edges: [], asyncFunctions: [] },
    ],
  );
  const d = scopes[2];
  assert.ok(d && !unitPermissions(d).publish.some((subject) => /^(fn|work)\./.test(subject)));
});

const entry = (spec: Manifest, digests: Readonly<Record<string, readonly string[]>> = {}) => {
  const application = applicationOf(
    functionManifest('b'),
    functionManifest('a'),
    workflowManifest(['b', 'a'], [], spec),
  );
  const workflow = application.workflows[0]?.object;
  if (!workflow) throw new Error('no workflow');
  return entryRecord(workflow, digests);
};
const keyTrigger = (secret: string): Manifest => ({
  triggers: [
    {
      name: 'web',
      to: 'a',
      type: 'Http',
      http: { path: '/x', auth: { type: 'Key', key: { secretRef: { name: secret } } } },
    },
  ],
});

test('an entry record says what is open, in an order of its own', () => {
  const record = entry({ ...trigger('a'), expose: 'All', suspend: true });
  assert.deepEqual([record.expose, record.suspended, record.functions], ['All', true, ['a', 'b']]);
  assert.deepEqual(record.triggers, [
    { name: 'web', to: 'a', type: 'Http', hosts: [], path: '/x', methods: ['POST'], auth: { type: 'None' } },
  ]);
});

test('a trigger with keys has their digests, and without any lets nobody in', () => {
  assert.deepEqual(entry(keyTrigger('s'), { s: ['22', '11'] }).triggers[0]?.auth, {
    type: 'Key',
    sha256: ['11', '22'],
  });
  assert.deepEqual(entry(keyTrigger('s')).triggers[0]?.auth, { type: 'Key', sha256: [] });
  assert.deepEqual(entry(keyTrigger('constructor')).triggers[0]?.auth, { type: 'Key', sha256: [] });
});

test('a trigger with tokens names their issuer and audiences, in an order of its own', () => {
  const jwt = { type: 'Jwt', jwt: { issuer: 'https://i.example', audiences: ['y', 'x'] } };
  const triggers = [{ name: 't', to: 'a', type: 'Http', http: { path: '/x', auth: jwt } }];
  assert.deepEqual(entry({ triggers }).triggers[0]?.auth, {
    type: 'Jwt',
    issuer: 'https://i.example',
    audiences: ['x', 'y'],
  });
});

test('a trigger that cannot be served yet is not open', () => {
  const triggers = [{ name: 'c', to: 'a', type: 'Cron', cron: { schedule: '0 3 * * *' } }];
  assert.deepEqual(entry({ triggers }).triggers, []);
});
