import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { appliedFields, keptFields, ownsExactly, shows } from './owned.ts';
import type { FieldTree } from './owned.ts';
import type { KubeObject } from './objects.ts';

const object = (rest: object, metadata: object = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'a', namespace: 'b', ...metadata },
  ...rest,
});

const owns = (tree: FieldTree, desired: KubeObject): boolean => ownsExactly(JSON.stringify(tree), desired);

/** As the API server noted it for such a Deployment. */
const CONTAINERS: FieldTree = {
  'f:spec': {
    'f:template': {
      'f:spec': {
        'f:containers': {
          'k:{"name":"host"}': {
            '.': {},
            'f:args': {},
            'f:env': { 'k:{"name":"E"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
            'f:name': {},
            'f:ports': {
              'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} },
              'k:{"containerPort":80,"protocol":"UDP"}': { '.': {}, 'f:containerPort': {}, 'f:protocol': {} },
            },
          },
        },
      },
    },
  },
};

const TCP = { containerPort: 80 };
const UDP = { containerPort: 80, protocol: 'UDP' };

const deployment = (container: object): KubeObject =>
  object({
    spec: {
      template: {
        spec: {
          containers: [
            { name: 'host', args: [], env: [{ name: 'E', value: '' }], ports: [TCP, UDP], ...container },
          ],
        },
      },
    },
  });

const CASES: Readonly<Record<string, readonly [boolean, FieldTree, KubeObject]>> = {
  'what was applied is owned, with empty and defaulted parts': [true, CONTAINERS, deployment({})],
  'a defaulted key finds its item, whatever the order': [true, CONTAINERS, deployment({ ports: [UDP, TCP] })],
  'a field that is not owned yet': [false, CONTAINERS, deployment({ image: 'x' })],
  'a field that is owned and not wanted any more': [
    false,
    CONTAINERS,
    object({
      spec: {
        template: { spec: { containers: [{ name: 'host', args: [], env: [{ name: 'E', value: '' }] }] } },
      },
    }),
  ],
  'an item that is not owned yet': [
    false,
    CONTAINERS,
    deployment({
      env: [
        { name: 'E', value: '' },
        { name: 'F', value: '' },
      ],
    }),
  ],
  'an item that is owned and not wanted any more': [false, CONTAINERS, deployment({ ports: [TCP] })],
  'an item of another name': [false, CONTAINERS, deployment({ env: [{ name: 'F', value: '' }] })],
  'a list where there was a map': [
    false,
    { 'f:spec': { 'f:a': { 'f:b': {} } } },
    object({ spec: { a: ['b'] } }),
  ],
  'a scalar where there was a map': [
    false,
    { 'f:spec': { 'f:a': { 'f:b': {} } } },
    object({ spec: { a: 'b' } }),
  ],
  'nothing at all': [false, {}, object({ spec: { a: 1 } })],
  'only what says which object it is': [true, {}, object({})],
  'members of a set': [
    true,
    { 'f:metadata': { 'f:finalizers': { 'v:"x"': {}, 'v:"y"': {} } } },
    object({}, { finalizers: ['y', 'x'] }),
  ],
  'another member of a set': [
    false,
    { 'f:metadata': { 'f:finalizers': { 'v:"x"': {} } } },
    object({}, { finalizers: ['z'] }),
  ],
  'the name of the object is never noted': [
    true,
    { 'f:metadata': { 'f:labels': { 'f:app': {} } } },
    object({}, { labels: { app: 'x' } }),
  ],
  'a name further down is noted': [
    false,
    { 'f:spec': {}, 'f:metadata': { 'f:labels': {} } },
    object({ spec: {} }),
  ],
  'items by place are not understood, and thus applied': [
    false,
    { 'f:spec': { 'f:a': { 'i:0': {} } } },
    object({ spec: { a: ['b'] } }),
  ],
};

for (const [name, [expected, tree, desired]] of Object.entries(CASES))
  test(`owned exactly: ${name}: ${expected}`, () => {
    assert.equal(owns(tree, desired), expected);
  });

test('only an apply of this manager, subresource and version counts', () => {
  const entry = { manager: 'mine', operation: 'Apply', apiVersion: 'apps/v1', fieldsV1: { 'f:spec': {} } };
  const fields = (change: object): string | undefined =>
    appliedFields(object({}, { managedFields: [{ ...entry, ...change }] }), 'mine');
  assert.equal(fields({}), '{"f:spec":{}}');
  assert.equal(fields({ fieldsV1: '{"f:spec":{}}' }), '{"f:spec":{}}', 'as text, as stores keep it');
  assert.equal(fields({ manager: 'other' }), undefined);
  assert.equal(fields({ operation: 'Update' }), undefined);
  assert.equal(fields({ subresource: 'status' }), undefined);
  assert.equal(fields({ apiVersion: 'apps/v1beta1' }), undefined);
  assert.equal(appliedFields(object({}), 'mine'), undefined);
});

test('stores keep the trees of the asked managers as text', () => {
  const entries = [
    { manager: 'mine', fieldsV1: { 'f:a': {} } },
    { manager: 'other', fieldsV1: { 'f:b': {} } },
  ];
  assert.deepEqual(keptFields(entries, ['mine']), [{ manager: 'mine', fieldsV1: '{"f:a":{}}' }]);
  assert.deepEqual(keptFields(entries, []), []);
});

const STATUS = JSON.stringify({
  'f:status': {
    'f:conditions': { 'k:{"type":"Ready"}': { '.': {}, 'f:type': {}, 'f:status': {} } },
    'f:list': {},
    'f:count': {},
  },
});
const ready = (status: string): object => ({ type: 'Ready', status });

const SHOWN: Readonly<Record<string, readonly [boolean, object, object]>> = {
  'the same': [
    true,
    { conditions: [ready('True')], count: 1, list: [1, 2] },
    { conditions: [ready('True')], count: 1, list: [1, 2] },
  ],
  'the same beside the conditions of others': [
    true,
    { conditions: [ready('True')] },
    { conditions: [{ type: 'Other', status: 'False' }, ready('True')], more: 1 },
  ],
  'another value': [false, { count: 1 }, { count: 2 }],
  'another condition': [false, { conditions: [ready('True')] }, { conditions: [ready('False')] }],
  'another order of an atomic list': [false, { list: [1, 2] }, { list: [2, 1] }],
  'a shorter atomic list': [false, { list: [1] }, { list: [1, 2] }],
  'nothing there': [false, { count: 1 }, {}],
};

for (const [name, [expected, wanted, actual]] of Object.entries(SHOWN))
  test(`shown: ${name}: ${expected}`, () => {
    assert.equal(shows(STATUS, { status: wanted }, { status: actual }), expected);
  });

/** A small structured-merge-diff: maps are granular, lists of objects are keyed by `name` and defaulted `kind`, others atomic. */
type Item = { readonly name: string; readonly kind?: string; readonly value: Value };
type Value = string | number | readonly number[] | readonly Item[] | { readonly [name: string]: Value };

const isItems = (value: Value): value is readonly Item[] =>
  Array.isArray(value) && typeof value[0] === 'object';

function treeOf(value: Value): FieldTree {
  if (isItems(value))
    return Object.fromEntries(
      value.map((item) => [
        `k:${JSON.stringify({ kind: item.kind ?? 'plain', name: item.name })}`,
        { '.': {}, ...treeOf(item as unknown as Value) },
      ]),
    );
  if (typeof value !== 'object' || Array.isArray(value)) return {};
  const map = value as Readonly<Record<string, Value>>;
  return Object.fromEntries(Object.keys(map).map((name) => [`f:${name}`, treeOf(map[name] ?? '')]));
}

const word = fc.constantFrom('a', 'b', 'c', 'd');
const { value } = fc.letrec<{ value: Value; item: Item }>((tie) => ({
  item: fc.record(
    { name: word, kind: fc.constantFrom('plain', 'odd'), value: tie('value') },
    { requiredKeys: ['name', 'value'] },
  ),
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.integer({ min: 0, max: 3 }),
    word,
    fc.array(fc.nat(3), { maxLength: 3 }),
    fc.uniqueArray(tie('item'), {
      minLength: 1,
      maxLength: 3,
      selector: (item) => `${item.name} ${item.kind ?? 'plain'}`,
    }),
    fc.dictionary(word, tie('value'), { minKeys: 1, maxKeys: 3 }),
  ),
}));
const spec = fc.dictionary(word, value, { minKeys: 1, maxKeys: 3 });

test('property: whatever was applied is owned exactly', () => {
  fc.assert(
    fc.property(spec, (given) => owns({ 'f:spec': treeOf(given) }, object({ spec: given }))),
    { numRuns: 1000 },
  );
});

test('property: two objects with different sets of fields never pass for each other', () => {
  fc.assert(
    fc.property(spec, spec, (one, other) => {
      const [tree, wanted] = [treeOf(one), treeOf(other)];
      // An empty or atomic part is owned whole: below it, values decide, and those have their hash.
      const same = JSON.stringify(sorted(tree)) === JSON.stringify(sorted(wanted));
      fc.pre(!same && !atomicMeetsGranular(tree, wanted));
      return !owns({ 'f:spec': tree }, object({ spec: other }));
    }),
    { numRuns: 2000 },
  );
});

test('property: what the server has is shown; a change of one value is seen', () => {
  fc.assert(
    fc.property(spec, spec, (given, other) => {
      const tree = JSON.stringify({ 'f:spec': treeOf(given) });
      assert.ok(shows(tree, { spec: given }, { spec: { ...given, foreign: 1 } }));
      const same = JSON.stringify(sorted(given)) === JSON.stringify(sorted(other));
      if (!same && Object.keys(other).length >= Object.keys(given).length)
        assert.equal(shows(tree, { spec: given }, { spec: {} }), false);
    }),
    { numRuns: 500 },
  );
});

const sorted = (part: unknown): unknown => {
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
  const map = part as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.keys(map)
      .sort()
      .map((name) => [name, sorted(map[name])]),
  );
};

function atomicMeetsGranular(one: FieldTree, other: FieldTree): boolean {
  const [left, right] = [Object.keys(one), Object.keys(other)];
  if (left.length === 0) return right.length > 0;
  return left.some(
    (step) =>
      one[step] !== undefined && other[step] !== undefined && atomicMeetsGranular(one[step], other[step]),
  );
}
