import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from '../model/canonical.ts';
import {
  configMapManifest,
  edgeOf,
  imageArtifact,
  jsArtifact,
  secretManifest,
  wasmArtifact,
  wasmBytes,
  workflowManifest,
} from '../model/testApplication.ts';
import type { Manifest } from '../model/testApplication.ts';
import { plan } from '../planner/planner.ts';
import type { Plan } from '../planner/plan.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { MACHINE, manifestsOf, manual, snapshotOf } from '../snapshot/testSnapshot.ts';
import type { World } from '../snapshot/testSnapshot.ts';
import { planHash, planName, unitName } from './hashes.ts';

interface Hashes {
  readonly plan: string;
  /** By first function. */
  readonly units: Readonly<Record<string, string>>;
}

const hashesOf = (p: Plan, snapshot: Snapshot): Hashes => ({
  plan: planHash(p, snapshot),
  units: Object.fromEntries(p.units.map((u) => [u.functions[0] ?? '', unitName(u, snapshot)])),
});
const hashed = (world: World, manifests: readonly Manifest[] = manifestsOf(world)): Hashes => {
  const snapshot = snapshotOf(world, manifests);
  return hashesOf(plan(snapshot), snapshot);
};

const secretEnv = (name: string, key = 'k'): Manifest => ({
  env: [{ name: 'T', valueFrom: { secretKeyRef: { name, key } } }],
});
const settings = configMapManifest('settings', { LEVEL: 'info', OTHER: '1' });
const settingsEnv = [{ name: 'LEVEL', valueFrom: { configMapKeyRef: { name: 'settings', key: 'LEVEL' } } }];
const A: Manifest = { ...secretEnv('s'), artifacts: [jsArtifact(), wasmArtifact()] };
const WORLD: World = {
  functions: { a: A, b: { env: settingsEnv }, c: { envFrom: [{ configMapRef: { name: 'settings' } }] } },
  edges: ['b>a', 'b~c', 'c>a'],
  policy: manual('a', 'b', 'c'),
  workflow: {
    triggers: [{ name: 'web', to: 'b', type: 'Http', http: { path: '/b', auth: { type: 'None' } } }],
  },
  others: [secretManifest('s', { k: 'x' }), settings],
};
const functions = WORLD.functions as Readonly<Record<string, Manifest>>;
const withFunction = (name: string, spec: Manifest): World => ({
  ...WORLD,
  functions: { ...functions, [name]: { ...functions[name], ...spec } },
});
const withSettings = (data: Manifest): World => ({
  ...WORLD,
  others: [secretManifest('s', { k: 'x' }), configMapManifest('settings', data)],
});

/** What is changed, and the units that must get another name; the plan's hash changes with any of them. */
const CHANGES: Readonly<Record<string, readonly [World, string]>> = {
  nothing: [WORLD, ''],
  'the code': [withFunction('a', { artifacts: [jsArtifact('export default () => 1'), wasmArtifact()] }), 'a'],
  'the code of an artifact that does not run': [
    withFunction('a', {
      artifacts: [jsArtifact(), wasmArtifact(wasmBytes({ importModule: 'wasi_snapshot_preview1' }))],
    }),
    '',
  ],
  'where the code lies': [withFunction('a', { artifacts: [imageArtifact()] }), 'a'],
  'the name of the Secret': [
    { ...withFunction('a', secretEnv('s2')), others: [secretManifest('s2', { k: 'x' }), settings] },
    'a',
  ],
  'the key of the Secret': [withFunction('a', secretEnv('s', 'k2')), 'a'],
  'the value of the Secret': [{ ...WORLD, others: [secretManifest('s', { k: 'another' }), settings] }, ''],
  'the key of a ConfigMap that two read': [withSettings({ LEVEL: 'debug', OTHER: '1' }), 'b c'],
  'a key that only one of them reads': [withSettings({ LEVEL: 'info', OTHER: '2' }), 'c'],
  'a variable': [withFunction('a', { env: [{ name: 'X', value: '1' }] }), 'a'],
  concurrency: [withFunction('a', { concurrency: 9 }), 'a'],
  "a function's timeout, which is its callers' term too": [withFunction('a', { timeoutSeconds: 9 }), 'a'],
  'a size': [withFunction('a', { resources: { limits: { memory: '300Mi' } } }), 'a'],
  'how a size is written': [
    withFunction('a', { resources: { limits: { cpu: '1000m', memory: '262144Ki' } } }),
    '',
  ],
  'the pod template': [withFunction('a', { template: { metadata: { labels: { team: 'x' } } } }), 'a'],
  'how many instances there are': [withFunction('a', { scaling: { minInstances: 3 } }), ''],
  'the tiers': [withFunction('a', { placement: { tiers: ['Cloud'] } }), ''],
  'the architectures': [withFunction('a', { placement: { architectures: ['amd64'] } }), 'a'],
  'an edge to another callee': [{ ...WORLD, edges: ['b>a', 'b>c', 'c>a'] }, 'b c'],
  'one caller more, with nothing new for the callee': [
    { ...WORLD, edges: ['b>a', 'b~c', 'c>a', 'a~c'] },
    'a',
  ],
  'who may call from outside, where it had a stream already': [
    {
      ...WORLD,
      workflow: { triggers: [{ name: 'w', to: 'c', type: 'Http', http: { auth: { type: 'None' } } }] },
    },
    'b',
  ],
  'exposure, which gives each a stream': [{ ...WORLD, workflow: { ...WORLD.workflow, expose: 'All' } }, 'a'],
  'machines, where the channels stay': [{ ...WORLD, machines: [{ ...MACHINE, name: 'other' }] }, ''],
  'the time': [{ ...WORLD, nowMs: 99 }, ''],
};

for (const [what, [world, units]] of Object.entries(CHANGES)) {
  test(`changing ${what} renames ${units === '' ? 'no unit' : units}`, () => {
    const [before, after] = [hashed(WORLD), hashed(world)];
    const renamed = Object.keys(after.units).filter((fn) => after.units[fn] !== before.units[fn]);
    assert.equal(renamed.join(' '), units);
    if (units !== '') assert.notEqual(after.plan, before.plan);
  });
}

test('a unit with its code in an image is named by digest and path, not by tag', () => {
  const reference = (digit: string, tag = ''): string =>
    `registry.example/cars${tag}@sha256:${digit.repeat(64)}`;
  const named = (image: string, path?: string): string | undefined =>
    hashed({ functions: { a: { artifacts: [imageArtifact(image, 'JavaScript', path)] } } }).units['a'];
  const first = named(reference('a'));
  assert.equal(named(reference('a', ':v2')), first);
  assert.notEqual(named(reference('b')), first);
  assert.notEqual(named(reference('a'), '/other.mjs'), first);
});

/** Changes of the plan that rename no unit. */
const TERMS: Readonly<Record<string, readonly [World, boolean]>> = {
  'a term of an edge changes the plan': [
    { ...WORLD, edges: [edgeOf('b>a', { timeoutSeconds: 3 }), 'b~c', 'c>a'] },
    true,
  ],
  'a term written as it is anyway does not': [
    {
      ...WORLD,
      edges: [edgeOf('b>a', { timeoutSeconds: 30 }), edgeOf('b~c', { durability: 'AtLeastOnce' }), 'c>a'],
    },
    false,
  ],
  'what comes later does not': [
    {
      ...WORLD,
      edges: [
        'b>a',
        edgeOf('b~c', { durability: 'LocalFirst', deferral: { startDeadlineSeconds: 9 } }),
        'c>a',
      ],
    },
    false,
  ],
  'another channel changes the plan': [{ ...WORLD, machines: [MACHINE, { ...MACHINE, name: 'm2' }] }, true],
  'the order of edges and functions does not': [
    {
      ...WORLD,
      functions: Object.fromEntries(Object.entries(functions).reverse()),
      edges: ['c>a', 'b~c', 'b>a'],
    },
    false,
  ],
  'another policy that comes to the same does not': [
    { ...WORLD, policy: { fusion: { mode: 'Off' } } },
    false,
  ],
};

for (const [sentence, [world, changes]] of Object.entries(TERMS)) {
  test(sentence, () => {
    const [before, after] = [hashed(WORLD), hashed(world)];
    assert.deepEqual(after.units, before.units);
    assert.equal(after.plan !== before.plan, changes);
  });
}

test('an unchanged unit keeps its name when others are grouped', () => {
  const [apart, together] = [hashed(WORLD), hashed({ ...WORLD, functions, policy: manual('b,c') })];
  assert.equal(together.units['a'], apart.units['a']);
  assert.notEqual(together.units['b'], apart.units['b']);
});

test('decisions and findings are in no hash', () => {
  const snapshot = snapshotOf(WORLD);
  const p = plan(snapshot);
  const silent: Plan = { ...p, decisions: [], findings: [] };
  assert.deepEqual(hashesOf(silent, snapshot), hashesOf(p, snapshot));
});

test('shuffled manifests have the same hashes', () => {
  const manifests = manifestsOf(WORLD);
  const before = hashed(WORLD);
  fc.assert(
    fc.property(fc.shuffledSubarray([...manifests], { minLength: manifests.length }), (shuffled) => {
      assert.deepEqual(hashed(WORLD, shuffled), before);
    }),
    { numRuns: 30 },
  );
});

test('names are labels: workflow and first function cut to 40, and ten digits', () => {
  const long = 'f'.repeat(40);
  const manifests = manifestsOf({ functions: [long] });
  const { units, plan: hash } = hashed({ functions: [long] }, manifests);
  assert.match(units[long] ?? '', /^flow-f{35}-[0-9a-f]{10}$/);
  assert.match(planName('flow', hash), /^flow-[0-9a-f]{10}$/);
});

test('two workflows with the same content have units of their own', () => {
  const application = [...manifestsOf({ functions: ['a'] }), workflowManifest(['a'], [], {}, 'flow2')];
  const one = snapshotOf({ functions: ['a'] }, application);
  const other: Snapshot = { ...one, workflow: { ...one.workflow, name: 'flow2' } };
  assert.notEqual(
    hashesOf(plan(one), one).units['a']?.slice(-10),
    hashesOf(plan(other), other).units['a']?.slice(-10),
  );
});

test('canonical JSON is JSON, and one text for one value', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
      assert.equal(canonicalJson(reversedKeys(value)), text);
    }),
  );
});

const reversedKeys = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(reversedKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([k, v]) => [k, reversedKeys(v)]),
  );
};

test('canonical JSON refuses what JSON would lose, and leaves out what is undefined', () => {
  for (const value of [NaN, Infinity, undefined, () => 1, 1n, Symbol('x'), [undefined]]) {
    assert.throws(() => canonicalJson(value), TypeError);
  }
  assert.equal(canonicalJson({ b: undefined, a: -0, é: 'ü', Z: null }), '{"Z":null,"a":0,"é":"ü"}');
});
