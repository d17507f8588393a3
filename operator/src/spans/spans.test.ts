import assert from 'node:assert/strict';
import { test } from 'node:test';
import { derive } from './derive.ts';
import type { Derived } from './derive.ts';
import type { Grain } from './graph.ts';
import { textOf } from './testSpans.ts';
import type { SpanLine } from './testSpans.ts';

function derived(lines: readonly SpanLine[], grain: Grain = 'Operation'): Derived {
  const reading = derive(textOf(lines), { workflow: 'w', grain });
  assert.ok(reading.ok, JSON.stringify(reading));
  return reading.value;
}

const rowsOf = ({ snapshot }: Derived) => {
  const { functions = [], edges = [], roots = [] } = snapshot.observations ?? {};
  return { functions, edges, roots };
};
const edgesOf = ({ snapshot }: Derived): readonly string[] =>
  (snapshot.workflow.spec.edges ?? []).map((e) => `${e.from} ${e.call ?? ''} ${e.to}`);
const functionNamed = (d: Derived, name: string) => rowsOf(d).functions.find((row) => row.function === name);
const says = (d: Derived, what: RegExp): void => {
  assert.ok(
    d.assumptions.some((text) => what.test(text)),
    d.assumptions.join('\n'),
  );
};

/** A shop that asks for a cart, which asks a database; as often as that. */
const shop = (at = 0, trace = 't1'): readonly SpanLine[] => [
  { service: 'shop', id: 's', trace, at: [at, at + 20], name: 'GET /checkout' },
  { service: 'shop', id: 'c', parent: 's', trace, kind: 'client', at: [at + 2, at + 10] },
  { service: 'cart', id: 'k', parent: 'c', trace, at: [at + 3, at + 9] },
  { service: 'cart', id: 'd', parent: 'k', trace, kind: 'client', at: [at + 4, at + 7] },
];
const twice = [...shop(), ...shop(1000, 't2')];

test('functions, an edge, and where the time went', () => {
  const d = derived(twice);
  assert.deepEqual(edgesOf(d), ['shop Sync cart']);
  assert.deepEqual(
    rowsOf(d).functions.map((row) => [row.function, row.samples, row.cpuMs, row.waitingMs]),
    [
      ['cart', 2, 3, 3],
      ['shop', 2, 12, 0],
    ],
  );
  const [edge] = rowsOf(d).edges;
  assert.deepEqual([edge?.samples, edge?.callsPerExecution, edge?.overheadMs], [2, 1, { Remote: 2 }]);
  const [root] = rowsOf(d).roots;
  assert.deepEqual([root?.function, root?.p50Ms, root?.samples], ['shop', 20, 2]);
  assert.ok(Math.abs((root?.ratePerSecond ?? 0) - 2 / 1.02) < 0.001);
  assert.deepEqual(d.snapshot.current?.units, [{ functions: ['cart'] }, { functions: ['shop'] }]);
  assert.equal(d.snapshot.policy?.spec?.mode, 'Observe');
  says(d, /spans have no CPU time/);
  says(d, /spans do not name their machines/);
});

test('one object, a list of objects, and the names of another encoding are read as the same', () => {
  const lines = textOf(twice).trim().split('\n');
  const merged = {
    resourceSpans: lines.flatMap((l) => (JSON.parse(l) as { resourceSpans: object[] }).resourceSpans),
  };
  const wanted = derived(twice);
  for (const text of [
    JSON.stringify(merged),
    JSON.stringify(merged, undefined, 2),
    `[${lines.join(',')}]`,
    JSON.stringify({ batches: merged.resourceSpans }),
    lines
      .join('\n')
      .replaceAll('"kind":2', '"kind":"SPAN_KIND_SERVER"')
      .replaceAll('"kind":3', '"kind":"SPAN_KIND_CLIENT"'),
  ]) {
    const reading = derive(text, { workflow: 'w', grain: 'Operation' });
    assert.deepEqual(reading.ok && reading.value, wanted);
  }
});

test('on one machine calls go by the machine, across machines by the network', () => {
  const on = (shopHost: string, cartHost: string) =>
    derived(twice.map((l) => ({ ...l, host: l.service === 'shop' ? shopHost : cartHost })));
  const [near, far] = [on('m1', 'm1'), on('m1', 'm2')];
  assert.deepEqual(rowsOf(near).edges[0]?.overheadMs, { Node: 2 });
  assert.deepEqual(near.snapshot.machines, [{ name: 'm1' }]);
  assert.deepEqual(rowsOf(far).edges[0]?.overheadMs, { Remote: 2 });
  assert.deepEqual(far.snapshot.machines, [{ name: 'm1' }, { name: 'm2' }]);
});

test('calls at once are told from calls in turn', () => {
  const calls = (second: readonly [number, number]): readonly SpanLine[] => [
    { service: 'a', id: 's', at: [0, 30] },
    { service: 'a', id: 'c1', parent: 's', kind: 'client', at: [1, 10] },
    { service: 'b', id: 'b1', parent: 'c1', at: [2, 9] },
    { service: 'a', id: 'c2', parent: 's', kind: 'client', at: second },
    { service: 'b', id: 'b2', parent: 'c2', at: [second[0] + 1, second[1] - 1] },
  ];
  const [atOnce, inTurn] = [derived(calls([1, 12])), derived(calls([10, 20]))];
  assert.deepEqual([rowsOf(atOnce).edges[0]?.parallel, rowsOf(inTurn).edges[0]?.parallel], [1, 0]);
  assert.equal(rowsOf(inTurn).edges[0]?.callsPerExecution, 2);
  assert.equal(functionNamed(atOnce, 'a')?.cpuMs, 30 - 11);
  assert.equal(functionNamed(inTurn, 'a')?.cpuMs, 30 - 19);
});

test('a queue makes an edge Async, by parent and by link', () => {
  const through = (consumer: Partial<SpanLine>): Derived =>
    derived([
      { service: 'shop', id: 's', at: [0, 10] },
      { service: 'shop', id: 'p', parent: 's', kind: 'producer', at: [8, 9] },
      { service: 'mail', id: 'm', kind: 'consumer', at: [50, 55], ...consumer },
    ]);
  for (const consumer of [{ parent: 'p' }, { trace: 't2', links: ['t1/p'] }]) {
    const d = through(consumer);
    assert.deepEqual(edgesOf(d), ['shop Async mail']);
    assert.deepEqual(rowsOf(d).edges[0]?.overheadMs, { Queue: 1 });
    assert.deepEqual(
      rowsOf(d).roots.map((r) => r.function),
      ['shop'],
    );
  }
  const alone = through({ trace: 't2' });
  assert.deepEqual(
    rowsOf(alone).roots.map((r) => [r.function, r.call]),
    [
      ['mail', 'Async'],
      ['shop', 'Sync'],
    ],
  );
});

test('a call that ends after its caller is one that nobody waits for', () => {
  const d = derived([
    { service: 'a', id: 's', at: [0, 10] },
    { service: 'a', id: 'c', parent: 's', kind: 'client', at: [5, 40] },
    { service: 'b', id: 'b', parent: 'c', at: [6, 39] },
  ]);
  assert.deepEqual(edgesOf(d), ['a Async b']);
  says(d, /1 edges are taken for Async/);
});

test('operations are functions, and their service is the process that they share', () => {
  const lines: readonly SpanLine[] = [
    { service: 'Cart Service', id: '1', at: [0, 1], name: 'GET /cart/17' },
    { service: 'Cart Service', id: '2', at: [2, 3], name: 'GET /cart/18' },
    { service: 'Cart Service', id: '3', at: [4, 5], name: 'shop.v1.Cart/AddItem' },
    { service: '3d', id: '4', at: [6, 7] },
  ];
  const d = derived(lines);
  assert.deepEqual(
    d.functions.map((fn) => [fn.name, fn.operation]),
    [
      ['f-3d', 'GET /'],
      ['cart-service-get-cart-id', 'GET /cart/{id}'],
      ['cart-service-add-item', 'shop.v1.Cart/AddItem'],
    ],
  );
  assert.deepEqual(d.snapshot.current?.units.at(-1), {
    functions: ['cart-service-get-cart-id', 'cart-service-add-item'],
  });
  assert.deepEqual(
    derived(lines, 'Service').functions.map((fn) => fn.name),
    ['f-3d', 'cart-service'],
  );
});

test('names that are too long, alike or too many are still names', () => {
  const long = 'x'.repeat(80);
  const d = derived(['a', 'b', 'B'].map((end, i) => ({ service: `${long}${end}`, id: end, at: [i, i + 1] })));
  const names = d.functions.map((fn) => fn.name);
  assert.equal(new Set(names).size, 3);
  assert.ok(
    names.every((name) => /^x{33}-[0-9a-f]{6}$/.test(name)),
    names.join(),
  );
  const many = derived(
    Array.from({ length: 30 }, (_, i) => ({
      service: 's',
      id: `i${i}`,
      at: [i, i + 1] as const,
      name: `op ${i}`,
    })),
  );
  assert.deepEqual(
    many.functions.map((fn) => fn.name),
    ['s'],
  );
  says(many, /s has 30 operations: it is taken for one function/);
});

test('what is nested in an execution is part of it', () => {
  const d = derived([
    { service: 'a', id: 's', at: [0, 10] },
    { service: 'a', id: 'n', parent: 's', at: [1, 9], name: 'middleware' },
    { service: 'a', id: 'i', parent: 'n', kind: 'internal', at: [2, 8] },
    { service: 'a', id: 'c', parent: 'i', kind: 'client', at: [3, 7] },
    { service: 'b', id: 'b', parent: 'c', at: [4, 6] },
  ]);
  assert.deepEqual(edgesOf(d), ['a Sync b']);
  assert.deepEqual([functionNamed(d, 'a')?.cpuMs, functionNamed(d, 'a')?.samples], [6, 1]);
});

test('a job is a root call, and so is what is called from a client outside', () => {
  const d = derived([
    { service: 'browser', id: 'o', kind: 'client', at: [0, 30] },
    { service: 'a', id: 's', parent: 'o', at: [1, 29] },
    { service: 'cron', id: 'j', trace: 't2', kind: 'internal', at: [0, 5], name: 'nightly' },
  ]);
  assert.deepEqual(
    rowsOf(d).roots.map((r) => [r.function, r.p50Ms]),
    [
      ['a', 28],
      ['cron', 5],
    ],
  );
  says(d, /1 executions are of jobs/);
});

test('where a sampler says its probability, rates are of all calls', () => {
  const every = derived(twice);
  const tenth = derived(twice.map((l) => ({ ...l, traceState: 'a=1,ot=th:e6666666666666;rv:1' })));
  const ratio = (rowsOf(tenth).roots[0]?.ratePerSecond ?? 0) / (rowsOf(every).roots[0]?.ratePerSecond ?? 1);
  assert.ok(Math.abs(ratio - 10) < 0.01, String(ratio));
  assert.equal(rowsOf(tenth).roots[0]?.samples, 2, 'samples are what was seen');
});

test('sizes are taken where spans say them', () => {
  const d = derived(
    twice.map((l) =>
      l.id === 'c'
        ? { ...l, attributes: { 'http.request.body.size': 100, 'http.response.body.size': 300 } }
        : l,
    ),
  );
  const [edge] = rowsOf(d).edges;
  assert.deepEqual([edge?.requestBytes, edge?.responseBytes], [100, 300]);
});

test('failures are counted', () => {
  const d = derived(twice.map((l, i) => (i === 2 ? { ...l, failed: true } : l)));
  assert.deepEqual([functionNamed(d, 'cart')?.failures, functionNamed(d, 'shop')?.failures], [1, 0]);
});

test('what is busy for more than a core has so many instances that it fits', () => {
  const lines = Array.from({ length: 40 }, (_, i) => ({
    service: 'a',
    id: `s${i}`,
    trace: `t${i}`,
    at: [i * 5, i * 5 + 10] as const,
  }));
  const d = derived(lines);
  assert.equal(d.snapshot.functions?.[0]?.spec?.scaling?.minInstances, 4);
  says(d, /a is busy for 2\.0? cores|a is busy for 2 cores|a is busy for 1\.9|a is busy for 2\.\d cores/);
});
