/** Attacks on the planner: snapshots that no check would let through, and groups that are hard to split. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { MACHINE, manual, snapshotOf } from '../snapshot/testSnapshot.ts';
import { plan } from './planner.ts';
import { assertSound } from './testSoundness.ts';

type Spec = Snapshot['workflow']['spec'];
type Groups = Snapshot['policy']['spec']['fusion']['groups'];

const names = ['a', 'b', 'c', 'd'];
const base = snapshotOf({ functions: names, policy: manual('a') });
const withSpec = (spec: Partial<Spec>): Snapshot => ({
  ...base,
  workflow: { ...base.workflow, spec: { ...base.workflow.spec, ...spec } },
});
const withGroups = (groups: Groups): Snapshot => ({
  ...base,
  policy: { ...base.policy, spec: { ...base.policy.spec, fusion: { ...base.policy.spec.fusion, groups } } },
});
const group = (name: string, ...functions: readonly string[]): Groups[number] => ({
  workflow: '',
  name,
  functions,
});

test('a sync cycle, a self-edge and an edge to nobody are planned like any other', () => {
  const edges: Spec['edges'] = [
    ['a', 'b'],
    ['b', 'a'],
    ['c', 'c'],
    ['a', 'nobody'],
    ['nobody', 'a'],
  ].map(([from = '', to = '']) => ({ from, to, call: 'Sync' }));
  const snapshot = withSpec({ edges });
  const p = plan(snapshot);
  assertSound(p, snapshot);
  assert.deepEqual(
    p.channels.map((c) => [c.from, c.to]),
    [
      ['a', 'b'],
      ['b', 'a'],
      ['c', 'c'],
    ],
  );
});

test('groups that overlap, repeat or name strangers: the first by name has a function', () => {
  const snapshot = withGroups([
    group('y', 'b', 'c', 'nobody'),
    group('x', 'b', 'a', 'b'),
    group('z'),
    group('x2', 'nobody'),
  ]);
  const p = plan(snapshot);
  assertSound(p, snapshot);
  assert.deepEqual(
    p.units.map((u) => u.functions.join()),
    ['a,b', 'c', 'd'],
  );
});

test('a workflow without functions has a plan without units', () => {
  const snapshot: Snapshot = { ...base, functions: [] };
  assert.deepEqual(plan(snapshot).units, []);
  assertSound(plan(snapshot), snapshot);
});

test('a plan that runs may name functions that are gone', () => {
  const snapshot: Snapshot = {
    ...base,
    policy: { ...base.policy, spec: { ...base.policy.spec, mode: 'Off' } },
    current: {
      hash: 'h',
      units: [{ functions: ['gone', 'a'] }, { functions: ['a', 'b'] }, { functions: [] }],
    },
  };
  const p = plan(snapshot);
  assertSound(p, snapshot);
  assert.deepEqual(
    p.units.map((u) => u.functions.join()),
    ['a', 'b', 'c', 'd'],
  );
});

test('no clock is looked at: NaN and the end of time plan the same', () => {
  const once = JSON.stringify(plan(base));
  for (const nowMs of [NaN, -1, Infinity, 8.64e15])
    assert.equal(JSON.stringify(plan({ ...base, nowMs })), once);
});

test('two machines of one name, or of unknown kind, are no matter', () => {
  const machines = [MACHINE, MACHINE, { name: 'x', architecture: 'quantum', tier: 'Edge' as const }];
  assertSound(plan({ ...base, machines }), { ...base, machines });
});

test('ten functions that agree as they like are split within a second, in the fewest parts', () => {
  const ten = Array.from({ length: 10 }, (_, i) => `f${i}`);
  fc.assert(
    fc.property(
      fc.array(fc.nat(3), { minLength: 10, maxLength: 10 }),
      fc.integer({ min: 2, max: 10 }),
      (mins, most) => {
        const functions = Object.fromEntries(
          ten.map((n, i) => [n, { scaling: { minInstances: mins[i] ?? 0 } }]),
        );
        const policy = manual(ten.join());
        const snapshot = snapshotOf({
          functions,
          policy: { fusion: { ...(policy['fusion'] as object), maxFunctions: most } },
        });
        const p = plan(snapshot);
        assertSound(p, snapshot);
        const sizes = [0, 1, 2, 3].map((min) => mins.filter((m) => m === min).length);
        assert.equal(
          p.units.length,
          sizes.reduce((all, size) => all + Math.ceil(size / most), 0),
        );
      },
    ),
    { numRuns: 20 },
  );
});

test('names that every object seems to have are names like others', () => {
  const odd = ['constructor', 'valueof', 'tostring', 'hasownproperty'];
  const snapshot = snapshotOf({
    functions: odd,
    edges: ['constructor>valueof'],
    policy: manual('constructor,valueof'),
  });
  assertSound(plan(snapshot), snapshot);
});

test('200 functions in a chain are planned well within a second', () => {
  const many = Array.from({ length: 200 }, (_, i) => `f${String(i).padStart(3, '0')}`);
  const edges = many.slice(1).map((to, i) => `${many[i] ?? ''}>${to}`);
  const snapshot = snapshotOf({ functions: many, edges, policy: manual(many.slice(0, 32).join()) });
  const p = plan(snapshot);
  assertSound(p, snapshot);
  assert.equal(p.units.length, 168 + 2, 'fusion.maxFunctions is 20');
});
