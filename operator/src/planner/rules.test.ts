import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerArtifact, jsArtifact, secretManifest } from '../model/testApplication.ts';
import type { Manifest } from '../model/testApplication.ts';
import { manual, MACHINE, snapshotOf } from '../snapshot/testSnapshot.ts';
import type { World } from '../snapshot/testSnapshot.ts';
import { plan } from './planner.ts';
import type { Decision, Plan } from './plan.ts';

const groupsOf = (p: Plan): readonly string[] => p.units.map((u) => u.functions.join());
const fusion = (p: Plan, about: string): Decision | undefined =>
  p.decisions.find((d) => d.kind === 'Fusion' && d.about === about);

const pair = (a: Manifest, b: Manifest, more: Partial<World> = {}): World => ({
  functions: { a, b },
  edges: ['a>b'],
  policy: manual('a,b'),
  ...more,
});
const secret = (name: string): Manifest => ({
  env: [{ name: 'T', valueFrom: { secretKeyRef: { name, key: 'k' } } }],
});
const secrets = [secretManifest('one', { k: 'x' }), secretManifest('two', { k: 'x' })];
const edge = { name: 'm2', architecture: 'arm64', tier: 'Edge' } as const;

/** Two functions that a Manual group puts together, and what comes of it. */
const TABLE: Readonly<Record<string, readonly [World, 'Together' | 'Apart', string]>> = {
  'alike functions stay together': [pair({}, {}), 'Together', 'ManualGroup'],
  'different trust domains never share a process': [
    pair({ trustDomain: 'x' }, { trustDomain: 'y' }),
    'Apart',
    'TrustDomainsDiffer',
  ],
  'a named domain and none differ': [pair({ trustDomain: 'x' }, {}), 'Apart', 'TrustDomainsDiffer'],
  'Secrets of its own keep a function apart': [
    pair(secret('one'), {}, { others: secrets }),
    'Apart',
    'SecretsDiffer',
  ],
  'different Secrets keep two functions apart': [
    pair(secret('one'), secret('two'), { others: secrets }),
    'Apart',
    'SecretsDiffer',
  ],
  'the same Secret is no secret between them': [
    pair(secret('one'), secret('one'), { others: secrets }),
    'Together',
    'ManualGroup',
  ],
  'a shared trust domain is the consent to share Secrets': [
    pair({ ...secret('one'), trustDomain: 'x' }, { trustDomain: 'x' }, { others: secrets }),
    'Together',
    'ManualGroup',
  ],
  'what somebody else scales has a unit of its own': [
    pair({ scaling: { mode: 'External', instances: 2 } }, {}),
    'Apart',
    'ScaledExternally',
  ],
  'different pods keep apart': [
    pair({ template: { metadata: { labels: { team: 'x' } } } }, {}),
    'Apart',
    'PodTemplatesDiffer',
  ],
  'the order of lists in a pod template is no difference': [
    pair(
      { template: { spec: { imagePullSecrets: [{ name: 'p' }, { name: 'q' }] } } },
      { template: { spec: { imagePullSecrets: [{ name: 'q' }, { name: 'p' }] } } },
    ),
    'Together',
    'ManualGroup',
  ],
  'a volume of one is no volume of the other': [
    pair(
      {
        template: { spec: { volumes: [{ name: 'v', emptyDir: {} }] } },
        volumeMounts: [{ name: 'v', mountPath: '/v' }],
      },
      { template: { spec: { volumes: [{ name: 'v', emptyDir: {} }] } } },
    ),
    'Apart',
    'VolumeMountsDiffer',
  ],
  'no architecture for both keeps apart': [
    pair(
      { placement: { architectures: ['amd64'] } },
      { placement: { architectures: ['arm64'] } },
      { machines: [MACHINE, edge] },
    ),
    'Apart',
    'NoCommonArchitecture',
  ],
  'no tier for both keeps apart': [
    pair(
      { placement: { tiers: ['Edge'] } },
      { placement: { tiers: ['Cloud'] } },
      { machines: [MACHINE, edge] },
    ),
    'Apart',
    'NoCommonTier',
  ],
  'no machine for both keeps apart': [
    pair(
      { placement: { tiers: ['Edge'] } },
      { placement: { architectures: ['amd64'] } },
      { machines: [MACHINE, edge] },
    ),
    'Apart',
    'NoCommonMachine',
  ],
  'different ranges of instances keep apart': [
    pair({ scaling: { minInstances: 2 } }, {}),
    'Apart',
    'ScalingRangesDiffer',
  ],
  'different environments are no matter for threads of their own': [
    pair({ env: [{ name: 'A', value: '1' }] }, {}),
    'Together',
    'ManualGroup',
  ],
  'different environments keep apart what wants to share a thread': [
    pair({ env: [{ name: 'A', value: '1' }], isolation: 'Shared' }, { isolation: 'Shared' }),
    'Apart',
    'EnvironmentsDiffer',
  ],
  'the order of variables is no difference': [
    pair(
      {
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
        ],
        isolation: 'Shared',
      },
      {
        env: [
          { name: 'B', value: '2' },
          { name: 'A', value: '1' },
        ],
        isolation: 'Shared',
      },
    ),
    'Together',
    'ManualGroup',
  ],
  'a policy without InProcess groups nothing': [
    pair({}, {}, { policy: { ...manual('a,b'), channels: { allowed: ['Node', 'Remote'] } } }),
    'Apart',
    'InProcessNotAllowed',
  ],
  'a group is at most as large as the policy says': [
    pair({}, {}, { policy: { fusion: { ...(manual('a,b')['fusion'] as Manifest), maxFunctions: 1 } } }),
    'Apart',
    'MaxFunctionsExceeded',
  ],
  'two groups are two units': [pair({}, {}, { policy: manual('a', 'b') }), 'Apart', 'NotGrouped'],
  'with fusion off every function is alone': [
    pair({}, {}, { policy: { fusion: { mode: 'Off' } } }),
    'Apart',
    'FusionOff',
  ],
  'without measurements nothing is fused': [pair({}, {}, { policy: {} }), 'Apart', 'NoObservations'],
  'a group for another workflow is not ours': [
    pair(
      {},
      {},
      {
        policy: { fusion: { mode: 'Manual', groups: [{ workflow: 'w', name: 'g', functions: ['a', 'b'] }] } },
      },
    ),
    'Apart',
    'NotGrouped',
  ],
  'a policy that is off keeps what runs': [
    pair({}, {}, { policy: { mode: 'Off' }, current: { hash: 'h', units: [{ functions: ['a', 'b'] }] } }),
    'Together',
    'KeptAsItRuns',
  ],
  'a policy that is off starts nothing together': [
    pair({}, {}, { policy: { mode: 'Off' } }),
    'Apart',
    'PolicyOff',
  ],
};

for (const [sentence, [world, choice, reason]] of Object.entries(TABLE)) {
  test(sentence, () => {
    const p = plan(snapshotOf(world));
    const decision = fusion(p, 'a → b');
    assert.deepEqual([decision?.choice, decision?.reason], [choice, reason]);
    assert.deepEqual(groupsOf(p), choice === 'Together' ? ['a,b'] : ['a', 'b']);
    assert.ok((decision?.alternatives.length ?? 0) > 0, 'the other choice is named');
  });
}

test('a group is split into the fewest parts, and keeps most sync edges inside', () => {
  // b and d do not agree; a may go with either, and talks to d; c talks to b.
  const p = plan(
    snapshotOf({
      functions: { a: {}, b: { scaling: { minInstances: 2 } }, c: { scaling: { minInstances: 2 } }, d: {} },
      edges: ['a>d', 'b>c', 'a>b'],
      policy: manual('a,b,c,d'),
    }),
  );
  assert.deepEqual(groupsOf(p), ['a,d', 'b,c']);
  assert.equal(fusion(p, 'a → b')?.reason, 'ScalingRangesDiffer');
  assert.match(fusion(p, 'a → b')?.message ?? '', /group 'g0' is split/);
});

test('of two splits with as many parts the one with the sync edge inside is taken', () => {
  const on = (...architectures: readonly string[]): Manifest => ({ placement: { architectures } });
  const functions = { a: on('amd64', 'arm64'), b: on('amd64'), c: on('arm64') };
  const machines = [MACHINE, edge];
  const split = (...edges: readonly string[]): readonly string[] =>
    groupsOf(plan(snapshotOf({ functions, edges, policy: manual('a,b,c'), machines })));
  assert.deepEqual(split('a>b', 'a~c'), ['a,b', 'c']);
  assert.deepEqual(split('a~b', 'a>c'), ['a,c', 'b']);
});

test('three that have no architecture in common are split into two, though each two have one', () => {
  const on = (...architectures: readonly string[]): Manifest => ({ placement: { architectures } });
  const machines = ['amd64', 'arm64', 'riscv64'].map((architecture) => ({
    ...MACHINE,
    name: architecture,
    architecture,
  }));
  const p = plan(
    snapshotOf({
      functions: { a: on('amd64', 'arm64'), b: on('arm64', 'riscv64'), c: on('amd64', 'riscv64') },
      edges: ['a>b', 'b>c'],
      policy: manual('a,b,c'),
      machines,
    }),
  );
  assert.deepEqual(groupsOf(p), ['a,b', 'c']);
  assert.equal(fusion(p, 'b → c')?.reason, 'NoCommonArchitecture');
});

test('a container would decide the architectures, were containers here', () => {
  const p = plan(snapshotOf({ functions: { a: { artifacts: [jsArtifact(), containerArtifact('amd64')] } } }));
  assert.deepEqual(p.units[0]?.placement.architectures, ['amd64', 'arm64']);
});

test('groups above ten are split by first fit, and no part breaks a rule', () => {
  const names = Array.from({ length: 30 }, (_, i) => `f${String(i).padStart(2, '0')}`);
  const functions = Object.fromEntries(names.map((n, i) => [n, { trustDomain: i % 3 === 0 ? 'x' : 'y' }]));
  const p = plan(snapshotOf({ functions, policy: manual(names.join()) }));
  assert.deepEqual(
    p.units.map((u) => u.functions.length),
    [10, 20],
  );
});
