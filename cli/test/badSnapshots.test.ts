/** Snapshots by hand that ask for what cannot be: each is refused with what to do, or planned around with a reason. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainSnapshot } from '../src/commands/explainSnapshot.ts';
import { keptTerminal } from './sinter.ts';

type Json = Record<string, unknown>;

const NAMES = ['web', 'cart', 'pay'];
const EDGES = [
  { from: 'web', to: 'cart' },
  { from: 'cart', to: 'pay' },
];

/** A graph, figures, a machine and a policy; parts replaced. */
const snapshotWith = (parts: Json): string =>
  JSON.stringify({
    workflow: { name: 'shop', spec: { functions: NAMES.map((name) => ({ name })), edges: EDGES } },
    machines: [{ name: 'm1', memoryBytes: 2 ** 30, cpuMillis: 2000 }],
    observations: {
      roots: [{ function: 'web', ratePerSecond: 5, samples: 300, p50Ms: 20 }],
      functions: NAMES.map((fn) => ({ function: fn, cpuMs: 1, samples: 300 })),
      edges: EDGES.map((edge) => ({ ...edge, samples: 300, overheadMs: { Node: 5 } })),
    },
    current: { units: NAMES.map((name) => ({ functions: [name] })) },
    ...parts,
  });

const policy = (spec: Json): Json => ({ policy: { spec } });
const groups = (...lists: readonly (readonly string[])[]): Json => ({
  fusion: { mode: 'Manual', groups: lists.map((functions, i) => ({ name: `g${String(i)}`, functions })) },
});
const functions = (spec: (name: string) => Json): Json => ({
  functions: NAMES.map((name) => ({ name, spec: spec(name) })),
});

async function explained(
  text: string,
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const terminal = keptTerminal(text);
  const options = { snapshot: '-', workflow: undefined, namespace: undefined, json: false };
  const code = await explainSnapshot(options, terminal);
  const flat = (said: string): string => said.replaceAll(/\s+/g, ' ');
  return { code, out: flat(terminal.out.text), err: flat(terminal.err.text) };
}

const REFUSED: Readonly<Record<string, readonly [string, RegExp]>> = {
  'groups that overlap': [
    snapshotWith(policy(groups(['web', 'cart'], ['cart', 'pay']))),
    /policy\.spec\.fusion\.groups.* must not share a function/,
  ],
  'a negative price': [
    snapshotWith(policy({ price: { gigabyteSecond: '-0.1' } })),
    /policy\.spec\.price\.gigabyteSecond: '-0\.1' must be a decimal number that is not negative/,
  ],
  'a price that is no text': [
    snapshotWith(policy({ price: { gigabyteSecond: 0.1 } })),
    /policy\.spec\.price\.gigabyteSecond: '0\.1' must be/,
  ],
  'a gain below nothing': [
    snapshotWith(policy({ rollout: { minimumGainPercent: -5 } })),
    /policy\.spec\.rollout\.minimumGainPercent: '-5' must be at least 0/,
  ],
  'groups of nobody': [
    snapshotWith(policy({ fusion: { maxFunctions: 0 } })),
    /policy\.spec\.fusion\.maxFunctions: '0' must be at least 1/,
  ],
  'fewer instances at most than at least': [
    snapshotWith(functions(() => ({ scaling: { minInstances: 5, maxInstances: 2 } }))),
    /functions\[0\]\.spec\.scaling/,
  ],
  'a function in two units that run': [
    snapshotWith({ current: { units: [{ functions: ['web', 'cart'] }, { functions: ['cart', 'pay'] }] } }),
    /current\.units\[1\]\.functions\[0\]: 'cart' is already in current\.units\[0\]: a function runs in one unit; remove it/,
  ],
  'two machines of one name': [
    snapshotWith({ machines: [{ name: 'm' }, { name: 'm' }] }),
    /machines\[1\]: 'm' must be unique by name: it is already at machines\[0\]; remove one/,
  ],
  'no machine': [snapshotWith({ machines: [] }), /Function default\/web \(NoMachine\).*there are none/],
  'a tier without a machine': [
    snapshotWith(functions(() => ({ placement: { tiers: ['Edge'] } }))),
    /'Edge; amd64, arm64' fits no machine; there are m1 \(Cloud, amd64\)/,
  ],
};

for (const [sentence, [text, says]] of Object.entries(REFUSED)) {
  test(`${sentence}: refused`, async () => {
    const { code, out, err } = await explained(text);
    assert.deepEqual([code, out], [1, ''], err);
    assert.match(err, says);
  });
}

const AROUND: Readonly<Record<string, readonly [string, RegExp]>> = {
  'a group across trust domains': [
    snapshotWith({
      ...policy(groups(['web', 'cart'])),
      ...functions((name) => (name === 'cart' ? { trustDomain: 'bank' } : {})),
    }),
    /edge web → cart Fusion: Apart TrustDomainsDiffer group 'g0' is split: /,
  ],
  'a group that no machine has memory for': [
    snapshotWith({
      ...policy(groups(['web', 'cart'])),
      ...functions(() => ({ resources: { requests: { memory: '900Mi' }, limits: { memory: '1Gi' } } })),
    }),
    /edge web → cart Fusion: Apart MemoryWouldExceed group 'g0' is split: /,
  ],
  'a group larger than groups may be': [
    snapshotWith(policy({ fusion: { ...(groups(['web', 'cart'])['fusion'] as Json), maxFunctions: 1 } })),
    /edge web → cart Fusion: Apart [A-Z]\w+ group 'g0' is split: /,
  ],
  'channels that leave out a process': [
    snapshotWith(policy({ channels: { allowed: ['Node', 'Remote'] } })),
    /edge web → cart Fusion: Apart [A-Z]\w+/,
  ],
};

for (const [sentence, [text, says]] of Object.entries(AROUND)) {
  test(`${sentence}: planned around, with the reason`, async () => {
    const { code, out, err } = await explained(text);
    assert.deepEqual([code, err], [0, '']);
    assert.match(out, says);
  });
}
