import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { secretManifest } from '../model/testApplication.ts';
import type { Manifest } from '../model/testApplication.ts';
import { snapshotOf } from '../snapshot/testSnapshot.ts';
import { factsOf } from './facts.ts';
import { figuresOf } from './figures.ts';
import { Groups } from './groups.ts';
import { refusalOfGroup } from './rules.ts';
import { membersOf } from './units.ts';

const secret = { env: [{ name: 'T', valueFrom: { secretKeyRef: { name: 'one', key: 'k' } } }] };

/** What makes functions differ: a little of each, so that groups are often allowed. */
const kinds: readonly Manifest[] = [
  {},
  { trustDomain: 'x' },
  secret,
  { ...secret, trustDomain: 'x' },
  { scaling: { minInstances: 2 } },
  { scaling: { mode: 'External', instances: 2 } },
  { template: { metadata: { labels: { team: 'x' } } } },
  { isolation: 'Shared', env: [{ name: 'A', value: '1' }] },
  { isolation: 'Shared', env: [{ name: 'A', value: '2' }] },
  { placement: { tiers: ['Edge'] } },
  { placement: { tiers: ['Cloud'] } },
  { placement: { architectures: ['arm64'] } },
  { resources: { requests: { cpu: '900m', memory: '700Mi' }, limits: { cpu: '2', memory: '1Gi' } } },
];

const machines = [
  { name: 'a', architecture: 'amd64', tier: 'Cloud', cpuMillis: 2000, memoryBytes: 2 * 2 ** 30 },
  { name: 'b', architecture: 'arm64', tier: 'Edge', cpuMillis: 1000, memoryBytes: 2 ** 30 },
  { name: 'c', architecture: 'amd64', tier: 'Cloud' },
] as const;

const names = ['a', 'b', 'c', 'd', 'e'];
const policies: readonly Manifest[] = [
  {},
  { fusion: { maxFunctions: 2 } },
  { channels: { allowed: ['Node', 'Remote'] } },
];

test('a search and a user hear of the same rules: numbers and sentences agree on every group', () => {
  let [allowed, refused] = [0, 0];
  fc.assert(
    fc.property(
      fc.array(fc.nat(kinds.length - 1), { minLength: 5, maxLength: 5 }),
      fc.array(fc.nat(2), { minLength: 0, maxLength: 3 }),
      fc.nat(policies.length * 3 - 1),
      (drawn, there, p) => {
        const functions = Object.fromEntries(names.map((n, i) => [n, kinds[(drawn[i] ?? 0) % 13] ?? {}]));
        const snapshot = snapshotOf({
          functions,
          edges: ['a>b', 'b~c', 'c>d', 'a>e'],
          policy: policies[p % policies.length] ?? {},
          machines: [...new Set(there)].flatMap((i) => machines[i] ?? []),
          others: [secretManifest('one', { k: 'x' })],
          observations: { functions: names.map((n) => ({ function: n, cpuMs: 1 })) },
        });
        const facts = factsOf(snapshot);
        const groups = new Groups(facts, figuresOf(facts));
        for (let set = 1; set < 32; set++) {
          const members = names.flatMap((_, i) => ((set & (1 << i)) === 0 ? [] : [i]));
          const refusal = refusalOfGroup(
            membersOf(
              members.map((i) => names[i] ?? ''),
              facts,
            ),
            facts,
          );
          assert.equal(groups.fits(members, members.length), refusal === undefined, refusal?.message);
          if (members.length > 1 && refusal) refused++;
          else if (members.length > 1) allowed++;
        }
      },
    ),
    { numRuns: 150, seed: 1 },
  );
  assert.ok(allowed > 100 && refused > 100, `${allowed} allowed, ${refused} refused`);
});

const observed = (more: Manifest) => ({
  functions: names.slice(0, 3).map((n) => ({ function: n, cpuMs: 1 })),
  ...more,
});

test('a function that nobody has seen run stays where it is', () => {
  const snapshot = snapshotOf({
    functions: names,
    edges: ['a>b'],
    observations: observed({}),
    current: { hash: 'h', units: [{ functions: ['c', 'd'] }, { functions: ['e'] }] },
  });
  const facts = factsOf(snapshot);
  const groups = new Groups(facts, figuresOf(facts));
  const fits = (...members: number[]): boolean => groups.fits(members, members.length);
  assert.deepEqual(
    [fits(0, 1), fits(2, 3), fits(0, 3), fits(3, 4), fits(2, 3, 4)],
    [true, true, false, false, false],
  );
});

test('work that nobody waits for may not keep the cores from what somebody waits for', () => {
  const starving = (ratePerSecond: number): boolean => {
    const snapshot = snapshotOf({
      functions: names,
      edges: ['a>b', 'a~c'],
      observations: {
        roots: [{ function: 'a', ratePerSecond }],
        functions: names.map((n) => ({ function: n, cpuMs: n === 'c' ? 100 : 1 })),
      },
    });
    const facts = factsOf(snapshot);
    return new Groups(facts, figuresOf(facts)).starves([0, 2], 2);
  };
  assert.equal(starving(15), false, '1.5 of 2 cores are in use');
  assert.equal(starving(17), true, '1.7 of 2 cores are in use');
});
