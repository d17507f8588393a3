import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  containerArtifact,
  edgeOf,
  imageArtifact,
  jsArtifact,
  secretManifest,
  wasmArtifact,
} from '../model/testApplication.ts';
import type { Manifest } from '../model/testApplication.ts';
import type { Machine } from '../model/nouns.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { MACHINE, manifestsOf, manual, snapshotOf } from '../snapshot/testSnapshot.ts';
import type { World } from '../snapshot/testSnapshot.ts';
import { plan } from './planner.ts';
import { spread } from './placement.ts';
import type { Decision, Plan } from './plan.ts';
import { assertSound } from './testSoundness.ts';

const edge: Machine = { name: 'm2', architecture: 'arm64', tier: 'Edge' };
const decided = (p: Plan, kind: string, about: string): readonly [string, string] | undefined => {
  const d: Decision | undefined = p.decisions.find((one) => one.kind === kind && one.about === about);
  return d && [d.choice, d.reason];
};

const both = { artifacts: [wasmArtifact(), jsArtifact()] };
const prefer = (type: string): Manifest => ({ runtime: { prefer: type } });

const RUNTIMES: Readonly<Record<string, readonly [World, string, string]>> = {
  'one artifact is taken': [{ functions: { a: {} } }, 'js (JavaScript)', 'OnlyArtifact'],
  'without measurements JavaScript comes first': [
    { functions: { a: both } },
    'js (JavaScript)',
    'NoObservations',
  ],
  'a policy may prefer WASM': [
    { functions: { a: both }, policy: prefer('Wasm') },
    'wasm (Wasm)',
    'PolicyPrefers',
  ],
  'a policy may prefer JavaScript': [
    { functions: { a: both }, policy: prefer('JavaScript') },
    'js (JavaScript)',
    'PolicyPrefers',
  ],
  'a preference for what a function does not have changes nothing': [
    { functions: { a: {} }, policy: prefer('Wasm') },
    'js (JavaScript)',
    'OnlyArtifact',
  ],
  'WASM with edges of its own comes later, even where it is preferred': [
    { functions: { a: both, b: {} }, edges: ['a~b'], policy: prefer('Wasm') },
    'js (JavaScript)',
    'NotYet',
  ],
  'a container comes later, even where it is preferred': [
    {
      functions: { a: { artifacts: [containerArtifact('amd64'), jsArtifact()] } },
      policy: prefer('Container'),
    },
    'js (JavaScript)',
    'NotYet',
  ],
  'a container on other architectures is no loss': [
    {
      functions: { a: { artifacts: [containerArtifact('arm64'), jsArtifact()] } },
      policy: prefer('Container'),
    },
    'js (JavaScript)',
    'NotOnArchitecture',
  ],
};

for (const [sentence, [world, choice, reason]] of Object.entries(RUNTIMES)) {
  test(sentence, () => {
    assert.deepEqual(decided(plan(snapshotOf(world)), 'Runtime', 'a on amd64'), [choice, reason]);
  });
}

const CHANNELS: Readonly<Record<string, readonly [World, string, string]>> = {
  'one unit calls in process': [
    { functions: ['a', 'b'], edges: ['a>b'], policy: manual('a,b') },
    'InProcess',
    'SameUnit',
  ],
  'on one machine everything is near': [
    { functions: ['a', 'b'], edges: ['a>b'] },
    'Node',
    'CalleeOnEveryMachine',
  ],
  'one instance on one of two machines is far from the other': [
    { functions: ['a', 'b'], edges: ['a>b'], machines: [MACHINE, edge] },
    'Remote',
    'CalleeNotOnEveryMachine',
  ],
  'an instance on each machine is near on each': [
    {
      functions: { a: {}, b: { scaling: { minInstances: 2 } } },
      edges: ['a>b'],
      machines: [MACHINE, edge],
    },
    'Node',
    'CalleeOnEveryMachine',
  ],
  'a caller on one machine is near a callee on the same': [
    {
      functions: { a: { placement: { tiers: ['Cloud'] } }, b: {} },
      edges: ['a>b'],
      machines: [MACHINE, edge],
    },
    'Node',
    'CalleeOnEveryMachine',
  ],
  'an async edge goes through the queue': [
    { functions: ['a', 'b'], edges: ['a~b'] },
    'Queue',
    'AsyncIsDurable',
  ],
  'even in one unit': [
    { functions: ['a', 'b'], edges: ['a~b'], policy: manual('a,b') },
    'Queue',
    'AsyncIsDurable',
  ],
  'LocalFirst goes through the queue of the hub, and says so': [
    { functions: ['a', 'b'], edges: [edgeOf('a~b', { durability: 'LocalFirst' })] },
    'Queue',
    'NotYet',
  ],
  'a caller without a machine has no near callee': [
    { functions: ['a', 'b'], edges: ['a>b'], machines: [] },
    'Remote',
    'CalleeNotOnEveryMachine',
  ],
};

for (const [sentence, [world, channel, reason]] of Object.entries(CHANNELS)) {
  test(sentence, () => {
    const p = plan(snapshotOf(world));
    assert.deepEqual(decided(p, 'Channel', 'a → b'), [channel, reason]);
    assert.equal(p.channels[0]?.channel, channel);
  });
}

test('terms have every default filled in, and later durability replaced', () => {
  const [ab, ac] = plan(
    snapshotOf({
      functions: { a: {}, b: { timeoutSeconds: 7 }, c: {} },
      edges: [
        edgeOf('a>b', { retry: { attempts: 2, on: ['Overloaded', 'CalleeLost'] } }),
        edgeOf('a~c', { timeoutSeconds: 3, durability: 'LocalFirst' }),
      ],
    }),
  ).channels;
  assert.deepEqual(ab?.terms, {
    call: 'Sync',
    timeoutSeconds: 7,
    attempts: 2,
    on: ['CalleeLost', 'Overloaded'],
    backoffSeconds: 1,
    maxBackoffSeconds: 60,
  });
  assert.deepEqual(ac?.terms, {
    call: 'Async',
    timeoutSeconds: 3,
    attempts: 5,
    on: ['BusUnavailable', 'CalleeLost', 'ConnectionLost', 'FunctionFailed', 'Overloaded', 'Timeout'],
    backoffSeconds: 1,
    maxBackoffSeconds: 60,
    durability: 'AtLeastOnce',
    deadLetterRetentionSeconds: 604_800,
  });
});

test('a sync edge that says nothing is tried once', () => {
  const [ab] = plan(snapshotOf({ functions: ['a', 'b'], edges: ['a>b'] })).channels;
  assert.deepEqual(ab?.terms, { call: 'Sync', timeoutSeconds: 30, attempts: 1 });
});

test('a unit has the sums of its functions, and the machines that all of them may use', () => {
  const resources = { requests: { cpu: '10m', memory: '1Mi' }, limits: { cpu: '500m', memory: '96Mi' } };
  const p = plan(
    snapshotOf({
      functions: { a: { resources }, b: { placement: { architectures: ['arm64'] } } },
      edges: ['a>b'],
      policy: manual('a,b'),
      machines: [MACHINE, edge],
    }),
  );
  assert.deepEqual(p.units[0]?.resources, { cpuMillis: 1500, memoryBytes: 352 * 2 ** 20 });
  assert.deepEqual(p.units[0].placement, { tiers: ['Cloud', 'Edge'], architectures: ['arm64'] });
  assert.deepEqual(decided(p, 'Size', 'unit a'), ['cpu 1500m, memory 352Mi', 'SumOfLimits']);
  assert.deepEqual(decided(p, 'Placement', 'unit a'), ['1 on m2', 'AtLeastOne']);
  assert.deepEqual(decided(p, 'Runtime', 'a on amd64'), ['none', 'UnitRunsElsewhere']);
});

test('callers come first in a unit, whatever their names', () => {
  const [unit] = plan(
    snapshotOf({ functions: ['a', 'b', 'z'], edges: ['z>b', 'b>a'], policy: manual('a,b,z') }),
  ).units;
  assert.deepEqual(unit?.functions, ['z', 'b', 'a']);
});

test('instances are at least one, at least minInstances, and what somebody else says', () => {
  const scaled = (scaling: Manifest): number | undefined =>
    plan(snapshotOf({ functions: { a: { scaling } } })).units[0]?.instances;
  assert.equal(scaled({}), 1);
  assert.equal(scaled({ minInstances: 3 }), 3);
  assert.equal(scaled({ mode: 'External', instances: 4 }), 4);
  assert.equal(scaled({ mode: 'External', instances: 0 }), 1);
});

test('a module in an image can run, whatever nobody here knows of it', () => {
  const snapshot = snapshotOf({ functions: { a: { artifacts: [imageArtifact()] } } });
  const p = plan(snapshot);
  assert.deepEqual(p.findings, []);
  assert.deepEqual(
    p.units[0]?.variants.flatMap((v) => v.artifacts.map((x) => x.artifact)),
    ['img', 'img'],
  );
  assertSound(p, snapshot);
});

const REFUSED: Readonly<Record<string, readonly [World, string, RegExp]>> = {
  'no artifact that can be used': [
    { functions: { a: { artifacts: [containerArtifact('amd64')] } } },
    'NoUsableArtifact',
    /spec\.artifacts: 'native' has no artifact that can be used now \(native: container artifacts come later\)/,
  ],
  'an image that cannot be pulled': [
    { functions: { a: { artifacts: [imageArtifact('registry.example/cars:v1')] } } },
    'NoUsableArtifact',
    /img: its module cannot be read/,
  ],
  'no machine of the tier': [
    { functions: { a: { placement: { tiers: ['Edge'] } } } },
    'NoMachine',
    /'Edge; amd64, arm64' fits no machine; there are m1 \(Cloud, amd64\)/,
  ],
  'no machine at all': [{ functions: ['a'], machines: [] }, 'NoMachine', /there are none/],
};

for (const [sentence, [world, reason, says]] of Object.entries(REFUSED)) {
  test(`${sentence}: said before anything is started`, () => {
    const p = plan(snapshotOf(world));
    assert.deepEqual(
      p.findings.map((f) => [f.severity, f.reason, f.object.name]),
      [['Error', reason, 'a']],
    );
    assert.match(p.findings[0]?.message ?? '', says);
    assertSound(p, snapshotOf(world));
  });
}

test('which policy holds is a decision too', () => {
  assert.deepEqual(decided(plan(snapshotOf({ functions: ['a'] })), 'Policy', 'flow'), [
    'built-in defaults',
    'BuiltIn',
  ]);
  const p = plan(snapshotOf({ functions: ['a'], policy: {} }));
  assert.deepEqual(decided(p, 'Policy', 'flow'), ['default', 'NamespaceDefault']);
});

test('two functions that call each other have one decision for both ways', () => {
  const p = plan(snapshotOf({ functions: ['a', 'b'], edges: ['a>b', 'b~a', 'b~b'] }));
  assert.deepEqual(
    p.decisions.filter((d) => d.kind === 'Fusion').map((d) => [d.about, d.inputs[0]?.value]),
    [['a ↔ b', 'Sync, Async back']],
  );
});

test('instances go round the allowed machines by name', () => {
  const unit = { placement: { tiers: ['Cloud', 'Edge'], architectures: ['amd64'] } } as const;
  const machines: readonly Machine[] = ['c', 'a', 'b'].map((name) => ({ ...MACHINE, name }));
  assert.deepEqual(spread(unit, 5, machines), ['a', 'b', 'c', 'a', 'b']);
  assert.deepEqual(spread(unit, 2, [edge]), []);
  assert.deepEqual(spread(unit, 0, machines), []);
});

const names = ['a', 'b', 'c', 'd', 'e', 'f'];
const subset = <T>(...items: readonly T[]) => fc.subarray([...items], { minLength: 1 });
const spec = fc.record({
  trustDomain: fc.constantFrom('', '', 'x', 'y'),
  artifacts: subset(jsArtifact(), wasmArtifact(), containerArtifact('amd64')),
  isolation: fc.constantFrom('Auto', 'Worker', 'Shared'),
  scaling: fc.constantFrom({}, {}, { minInstances: 2 }, { mode: 'External', instances: 1 }),
  placement: fc.record({
    tiers: subset('Edge', 'Cloud'),
    architectures: subset('amd64', 'arm64', 'riscv64'),
  }),
  env: fc.constantFrom([], [], [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }]),
});
const graph = fc.uniqueArray(fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names), fc.boolean()), {
  maxLength: 10,
  selector: ([from, to]) => `${from} ${to}`,
});
/** Every function into a group or none: group 0 stands for none. */
const policies = fc.oneof(
  fc.constantFrom<Manifest>({}, { mode: 'Off' }, { fusion: { mode: 'Off' } }),
  fc.array(fc.nat(3), { minLength: 6, maxLength: 6 }).map((places) => {
    const groups = [1, 2, 3].map((g) => names.filter((_, i) => places[i] === g).join());
    return manual(...groups.filter((g) => g !== ''));
  }),
);
const worlds: fc.Arbitrary<World> = fc
  .record({
    specs: fc.array(spec, { minLength: 6, maxLength: 6 }),
    edges: graph,
    policy: policies,
    machines: fc.constantFrom([MACHINE], [MACHINE, edge], [edge], []),
    prefer: fc.constantFrom('Auto', 'Wasm', 'JavaScript', 'Container'),
  })
  .map(({ specs, edges, policy, machines, prefer: type }) => ({
    functions: Object.fromEntries(names.map((n, i) => [n, specs[i] ?? {}])),
    edges: edges
      .filter(([from, to, sync]) => !sync || from < to)
      .map(([from, to, sync]) => edgeOf(`${from}${sync ? '>' : '~'}${to}`)),
    policy: { ...policy, ...prefer(type) },
    machines,
    others: [secretManifest('s', { k: 'x' })],
  }));

test('whatever the world, a plan is sound', () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const snapshot = snapshotOf(world);
      assertSound(plan(snapshot), snapshot);
    }),
    { numRuns: 300 },
  );
});

test('planning twice, later, or from shuffled objects gives the same bytes', () => {
  fc.assert(
    fc.property(worlds, fc.nat(), fc.boolean(), (world, nowMs, reversed) => {
      const manifests = manifestsOf(world);
      const once = JSON.stringify(plan(snapshotOf(world, manifests)));
      const again = reversed ? [...manifests].reverse() : manifests;
      assert.equal(JSON.stringify(plan(snapshotOf({ ...world, nowMs }, again))), once);
    }),
    { numRuns: 150 },
  );
});

test('a plan with nothing to refuse keeps every wished group whole', () => {
  fc.assert(
    fc.property(policies, (policy) => {
      const p = plan(snapshotOf({ functions: names, policy }));
      const fusionSpec = policy['fusion'] as
        { readonly groups?: readonly { readonly functions: readonly string[] }[] } | undefined;
      for (const { functions } of fusionSpec?.groups ?? []) {
        assert.ok(p.units.some((u) => [...u.functions].sort().join() === [...functions].sort().join()));
      }
    }),
  );
});

/** Every way to put n functions into groups: 1, 2, 5, 15 for up to four. */
function* partitions(
  items: readonly string[],
  parts: readonly (readonly string[])[] = [],
): Generator<typeof parts> {
  const [next, ...rest] = items;
  if (next === undefined) {
    yield parts;
    return;
  }
  for (const [i, part] of parts.entries()) yield* partitions(rest, parts.with(i, [...part, next]));
  yield* partitions(rest, [...parts, [next]]);
}

/** Every choice of no edge, a sync or an async one, forward only so that no sync cycle comes. */
function* graphs(
  pairs: readonly (readonly [string, string])[],
): Generator<Snapshot['workflow']['spec']['edges']> {
  const [pair, ...rest] = pairs;
  if (!pair) {
    yield [];
    return;
  }
  for (const tail of graphs(rest)) {
    yield tail;
    for (const call of ['Sync', 'Async'] as const) yield [{ from: pair[0], to: pair[1], call }, ...tail];
  }
}

for (const count of [1, 2, 3, 4]) {
  test(`every graph of ${count} functions, grouped in every way, has a sound plan`, () => {
    const few = names.slice(0, count);
    const domains = { a: 'x', b: 'x', c: 'x', d: 'y' } as Readonly<Record<string, string>>;
    const functions = Object.fromEntries(few.map((n) => [n, { trustDomain: domains[n] }]));
    const base = snapshotOf({ functions, policy: manual('a') });
    const pairs = few.flatMap((from, i) => few.slice(i + 1).map((to) => [from, to] as const));
    for (const edges of graphs(pairs)) {
      for (const parts of partitions(few)) {
        const groups = parts.map((part, i) => ({ workflow: '', name: `g${i}`, functions: part }));
        const snapshot: Snapshot = {
          ...base,
          workflow: { ...base.workflow, spec: { ...base.workflow.spec, edges } },
          policy: {
            ...base.policy,
            spec: { ...base.policy.spec, fusion: { ...base.policy.spec.fusion, groups } },
          },
        };
        const p = plan(snapshot);
        assertSound(p, snapshot);
        const split = parts.some((part) => part.includes('d') && part.length > 1) ? 1 : 0;
        assert.equal(p.units.length, parts.length + split, 'split as little as possible');
      }
    }
  });
}
