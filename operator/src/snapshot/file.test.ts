import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { readSnapshot, snapshotText } from './file.ts';
import { snapshotJsonSchema } from './schema.ts';
import type { Snapshot } from './snapshot.ts';
import { snapshotOf } from './testSnapshot.ts';

/** As a person writes one: a graph, figures, machines, a policy, and nothing else. */
const BY_HAND = {
  workflow: {
    name: 'shop',
    spec: {
      functions: [{ name: 'cart' }, { name: 'stock' }],
      edges: [{ from: 'cart', to: 'stock' }],
    },
  },
  policy: { spec: { objective: 'Latency' } },
  machines: [{ name: 'm1' }],
  observations: {
    roots: [{ function: 'cart', ratePerSecond: 10, p50Ms: 4, p99Ms: 9, samples: 100 }],
    functions: [
      { function: 'cart', cpuMs: 2 },
      { function: 'stock', cpuMs: 1, waitingMs: 5, samples: 100, failures: 1 },
    ],
    edges: [{ from: 'cart', to: 'stock', callsPerExecution: 2, overheadMs: { Node: 0.4 } }],
  },
};

type Json = Record<string, unknown>;

/** The file by hand with one value changed; `path` as messages write it. */
function changed(path: string, value: unknown): string {
  const file: unknown = structuredClone(BY_HAND);
  const parts = path.split(/[.[\]]+/).filter((part) => part !== '');
  let at = file as Json;
  for (const part of parts.slice(0, -1)) at = (at[part] ??= {}) as Json;
  at[parts.at(-1) ?? ''] = value;
  return JSON.stringify(file);
}

const read = (text: string): Snapshot => {
  const reading = readSnapshot(text);
  assert.ok(reading.ok, JSON.stringify(reading));
  return reading.snapshot;
};

test('a graph, figures, machines and a policy are enough', () => {
  const snapshot = read(JSON.stringify(BY_HAND));
  assert.deepEqual(
    snapshot.functions.map((f) => [f.name, f.functionName, f.artifacts.map((a) => a.type).join()]),
    [
      ['cart', 'cart', 'JavaScript'],
      ['stock', 'stock', 'JavaScript'],
    ],
  );
  assert.equal(snapshot.policy.spec.rollout.minimumGainPercent, 5);
  assert.equal(snapshot.functions[0]?.spec.resources.limits.cpu, '1');
  assert.equal(snapshot.observations.edges[0]?.callsPerExecution, 2);
  assert.ok(Object.isFrozen(snapshot.observations.functions[0]));
});

test('what was written is read as it was', () => {
  const lost = { hash: '0123456789', units: [{ functions: ['a'] }], untilMs: 9, reason: 'Worse' };
  const snapshot = snapshotOf({
    functions: { b: { env: [{ name: 'X', value: '1' }] }, a: {} },
    edges: ['a>b'],
    observations: { functions: [{ function: 'a', cpuMs: 1.5 }], windowSeconds: 60 },
    current: { hash: 'ffffffffff', units: [{ functions: ['a', 'b'] }], sinceMs: 3 },
    trials: { coolingUntilMs: 7, candidate: null, lost: [lost] },
    nowMs: 5,
  });
  const text = snapshotText(snapshot);
  assert.ok(!text.includes('export default'), "no module's text is in a file");
  assert.equal(snapshotText(read(text)), text);
  const { functions, ...rest } = read(text);
  const { functions: before, ...restBefore } = snapshot;
  assert.deepEqual(rest, restBefore);
  assert.deepEqual(
    functions.map((fn) => ({ ...fn, spec: { ...fn.spec, artifacts: [] } })),
    before.map((fn) => ({ ...fn, spec: { ...fn.spec, artifacts: [] } })),
  );
});

const text = JSON.stringify(BY_HAND, undefined, 2);

/** A file with one mistake: what it is told. */
const MISTAKES: Readonly<Record<string, readonly [string, RegExp]>> = {
  'an empty file': ['', /is empty: a snapshot is a JSON object/],
  'a truncated file': [text.slice(0, 300), /it is truncated; write it again/],
  'a file of another form': ['[]', /must be an object/],
  YAML: ['workflow:\n  name: shop\n', /truncated|not JSON/],
  NaN: [
    text.replace('"cpuMs": 2', '"cpuMs": NaN'),
    /it has NaN, which is no number there; leave the field out/,
  ],
  'a number as text': [
    changed('observations.functions[0].cpuMs', 'NaN'),
    /observations\.functions\[0\]\.cpuMs: 'NaN' must be a number, not a string/,
  ],
  'a number beyond all bounds': [
    text.replace('"cpuMs": 2', '"cpuMs": 1e999'),
    /observations\.functions\[0\]\.cpuMs: 'null' must be a number, not Infinity/,
  ],
  'a negative duration': [
    changed('observations.functions[1].waitingMs', -5),
    /observations\.functions\[1\]\.waitingMs: '-5' must be at least 0/,
  ],
  'a duration longer than any timeout': [
    changed('observations.edges[0].overheadMs.Node', 1e12),
    /observations\.edges\[0\]\.overheadMs\.Node: .* must be at most 86400000/,
  ],
  'a share above one': [
    changed('observations.edges[0].parallel', 7),
    /edges\[0\]\.parallel: '7' must be at most 1/,
  ],
  'a field that there is not': [
    changed('observations.functions[0].cpuMS', 5),
    /is in an unknown field `cpuMS`: did you mean `cpuMs`\?/,
  ],
  'a channel that there is not': [
    changed('observations.edges[0].overheadMs.Radio', 5),
    /observations\.edges\[0\]\.overheadMs\.Radio/,
  ],
  'no graph': [changed('workflow', undefined), /workflow: must be set/],
  'a sync cycle': [
    changed('workflow.spec.edges', [
      { from: 'cart', to: 'stock' },
      { from: 'stock', to: 'cart' },
    ]),
    /workflow\.spec\.edges: 'cart → stock → cart' must have no cycle of Sync edges.*make one of them Async/,
  ],
  'an edge to nobody': [
    changed('workflow.spec.edges[0].to', 'nobody'),
    /workflow\.spec\.edges\[0\]\.to: 'nobody'/,
  ],
  'figures of a function that is not in the graph': [
    changed('observations.roots[0].function', 'basket'),
    /observations\.roots\[0\]\.function: 'basket' is no function of workflow\.spec\.functions: correct the name/,
  ],
  'figures of an edge that is not in the graph': [
    changed('observations.edges[0].from', 'stock'),
    /observations\.edges\[0\]: 'stock → stock' is no edge of workflow\.spec\.edges/,
  ],
  'a process with a function that is not in the graph': [
    changed('observations.units', [{ functions: ['cart', 'x'] }]),
    /observations\.units\[0\]\.functions\[1\]: 'x' is no function/,
  ],
  'figures that stand there twice': [
    changed('observations.functions[1].function', 'cart'),
    /observations\.functions\[1\]: 'cart' must be unique .* already at observations\.functions\[0\]/,
  ],
  'percentiles that contradict each other': [
    changed('observations.roots[0].p50Ms', 10),
    /observations\.roots\[0\]\.p50Ms: '10' must be at most p99Ms, which is 9/,
  ],
  'more failures than calls': [
    changed('observations.functions[1].failures', 101),
    /observations\.functions\[1\]\.failures: '101' must be at most samples, which is 100/,
  ],
  'a window that ends after now': [
    changed('observations.untilMs', 12),
    /observations\.untilMs: '12' must not be after nowMs, which is 0: a clock ran backwards/,
  ],
  'a plan that runs since tomorrow': [
    changed('current', { units: [{ functions: ['cart', 'stock'] }], sinceMs: 9 }),
    /current\.sinceMs: '9' must not be after nowMs/,
  ],
  'a price below nothing': [
    changed('policy.spec.price', { gigabyteSecond: '-1' }),
    /policy\.spec\.price\.gigabyteSecond: '-1' must be a decimal number that is not negative/,
  ],
  'groups that overlap': [
    changed('policy.spec.fusion', {
      mode: 'Manual',
      groups: [
        { name: 'x', functions: ['cart'] },
        { name: 'y', functions: ['cart', 'stock'] },
      ],
    }),
    /policy\.spec\.fusion\.groups\[0\]\.functions: .* must not share a function/,
  ],
  'a list of functions that leaves one out': [
    changed('functions', [{ name: 'cart' }]),
    /functions: 'stock' is in the graph and not in the list: add \{"name": "stock"\}/,
  ],
  'a Function that the API would refuse': [
    changed('functions', [
      { name: 'stock' },
      { name: 'cart', spec: { scaling: { minInstances: 5, maxInstances: 2 } } },
    ]),
    /functions\[1\]\.spec\.scaling/,
  ],
};

for (const [sentence, [file, says]] of Object.entries(MISTAKES)) {
  test(`${sentence} is told`, () => {
    const reading = readSnapshot(file);
    assert.ok(!reading.ok);
    const lines = reading.problems.map((p) => `${p.field}: '${p.given}' ${p.message}`.replace(/^: /, ''));
    assert.match(lines.join('\n').replaceAll("'' ", ''), says);
  });
}

test('a snapshot of another workflow is told', () => {
  const reading = readSnapshot(text, { namespace: 'default', workflow: 'traffic' });
  assert.ok(!reading.ok);
  assert.match(reading.problems[0]?.message ?? '', /must be 'default\/traffic': this snapshot is of another/);
  assert.ok(readSnapshot(text, { namespace: 'default', workflow: 'shop' }).ok);
});

test('whatever the text, there is an answer and no exception', () => {
  const cuts = fc.nat(text.length).map((n) => text.slice(0, n));
  fc.assert(
    fc.property(fc.oneof(cuts, fc.string(), fc.json()), (given) => !readSnapshot(given).ok || given === text),
  );
});

test('the JSON Schema in the repository is the one in force', () => {
  const path = join(import.meta.dirname, '../../../docs/reference/snapshot.schema.json');
  assert.deepEqual(
    JSON.parse(readFileSync(path, 'utf8')),
    JSON.parse(JSON.stringify(snapshotJsonSchema())),
    'run node scripts/schemas.ts',
  );
});
