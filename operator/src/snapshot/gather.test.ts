import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  applicationOf,
  configMapManifest,
  functionManifest,
  HANDLER,
  imageArtifact,
  NAMESPACE,
  policyManifest,
  secretManifest,
  workflowManifest,
} from '../model/testApplication.ts';
import type { Manifest } from '../model/testApplication.ts';
import { gather } from './gather.ts';
import { manifestsOf, snapshotOf } from './testSnapshot.ts';
import type { World } from './testSnapshot.ts';

const WORLD: World = {
  functions: {
    b: {},
    a: {
      env: [
        { name: 'Z', value: 'last' },
        { name: 'KEY', valueFrom: { configMapKeyRef: { name: 'settings', key: 'LEVEL' } } },
        { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'tokens', key: 'cars' } } },
      ],
      envFrom: [{ configMapRef: { name: 'settings' } }, { secretRef: { name: 'all' }, prefix: 'P_' }],
    },
  },
  edges: ['b>a'],
  others: [
    configMapManifest('settings', { LEVEL: 'info' }),
    secretManifest('tokens', { cars: 'very secret' }),
    secretManifest('all', { x: 'very secret' }),
  ],
  machines: [
    { name: 'm2', architecture: 'arm64', tier: 'Edge' },
    { name: 'm1', architecture: 'amd64', tier: 'Cloud' },
  ],
};

test('a snapshot survives JSON, and no text of a module and no value of a Secret is in it', () => {
  const snapshot = snapshotOf(WORLD);
  const text = JSON.stringify(snapshot);
  assert.deepEqual(JSON.parse(text), snapshot);
  assert.ok(!text.includes('very secret'));
});

test('a module is told by the sha256 of its text', () => {
  const [fn] = snapshotOf({ functions: ['a'] }).functions;
  assert.equal(fn?.artifacts[0]?.sha256, createHash('sha256').update(HANDLER).digest('hex'));
  assert.equal(fn.artifacts[0].source, 'Inline');
});

test('a module in an image is told by reference and path, without its tag', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const artifacts = [imageArtifact(`r.example:5000/team/cars:v1@${digest}`)];
  const [fn] = snapshotOf({ functions: { a: { artifacts } } }).functions;
  const [artifact] = fn?.artifacts ?? [];
  assert.deepEqual([artifact?.source, artifact?.sha256], ['Image', null]);
  assert.deepEqual(artifact?.image, {
    reference: `r.example:5000/team/cars@${digest}`,
    path: '/app/count.mjs',
  });
  const tagged = snapshotOf({ functions: { a: { artifacts: [imageArtifact('r.example/cars:v1')] } } });
  assert.equal(tagged.functions[0]?.artifacts[0]?.image, undefined);
});

test('functions and machines are in the order of their names', () => {
  const { functions, machines } = snapshotOf(WORLD);
  assert.deepEqual(
    functions.map((f) => f.name),
    ['a', 'b'],
  );
  assert.deepEqual(
    machines.map((m) => m.name),
    ['m1', 'm2'],
  );
});

test('a function knows its Secrets by name, and a ConfigMap by digest', () => {
  const [a] = snapshotOf(WORLD).functions;
  assert.deepEqual(a?.secrets, ['all', 'tokens']);
  assert.deepEqual(
    a.environment.map((s) => [s.from, 'sha256' in s]),
    [
      ['ConfigMap', true],
      ['Secret', false],
      ['ConfigMapKey', true],
      ['SecretKey', false],
      ['Value', false],
    ],
  );
});

test('a snapshot is frozen all the way down, and what it was made from is not', () => {
  const current = { hash: 'x', units: [{ functions: ['a'] }] };
  const snapshot = snapshotOf({ ...WORLD, current });
  assert.ok(Object.isFrozen(snapshot.functions[0]?.spec.resources.limits));
  assert.ok(!Object.isFrozen(current.units));
});

test('the order of objects changes nothing', () => {
  const manifests = manifestsOf(WORLD);
  assert.deepEqual(snapshotOf(WORLD, [...manifests].reverse()), snapshotOf(WORLD, manifests));
});

test('a workflow that is not there has no snapshot', () => {
  const input = { machines: [], current: null, nowMs: 0 };
  const workflow = { namespace: NAMESPACE, workflow: 'gone' };
  assert.equal(gather({ ...input, workflow, application: applicationOf(...manifestsOf(WORLD)) }), undefined);
});

test('a vertex without its Function is left out, as is one that is a Service', () => {
  const workflow = {
    functions: [{ name: 'a' }, { name: 'gone' }, { name: 's', service: { name: 's', port: 80 } }],
  };
  assert.deepEqual(
    snapshotOf({ functions: ['a'], workflow }).functions.map((f) => f.name),
    ['a'],
  );
});

const cluster = (spec: Manifest, name = 'default'): Manifest => ({
  apiVersion: 'sinter.dev/v1alpha1',
  kind: 'ClusterOptimizationPolicy',
  metadata: { name },
  spec,
});

const POLICIES: Readonly<Record<string, readonly [readonly Manifest[], Manifest, string, string]>> = {
  'what policyRef names comes first': [
    [policyManifest({}, 'mine'), policyManifest({}), cluster({})],
    { policyRef: { name: 'mine' } },
    'PolicyRef',
    'mine',
  ],
  "then the namespace's default": [[policyManifest({}), cluster({})], {}, 'NamespaceDefault', 'default'],
  "then the cluster's default": [[policyManifest({}, 'mine'), cluster({})], {}, 'ClusterDefault', 'default'],
  'a cluster policy of another name holds for nobody': [[cluster({}, 'other')], {}, 'BuiltIn', ''],
  'with no policy at all the defaults of the API hold': [[], {}, 'BuiltIn', ''],
  'a policyRef to nothing takes no default in its place': [
    [policyManifest({})],
    { policyRef: { name: 'gone' } },
    'BuiltIn',
    '',
  ],
};

for (const [sentence, [policies, spec, source, name]] of Object.entries(POLICIES)) {
  test(sentence, () => {
    const manifests = [functionManifest('a'), workflowManifest(['a'], [], spec), ...policies];
    const { policy } = snapshotOf({ functions: ['a'] }, manifests);
    assert.deepEqual([policy.source, policy.name], [source, name]);
    assert.equal(policy.spec.fusion.maxFunctions, 20);
  });
}
