/** Spans that are not as they should be: each is refused with what to do, or something is assumed and said. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { plan } from '../planner/planner.ts';
import { readSnapshot } from '../snapshot/file.ts';
import { derive } from './derive.ts';
import type { Derived } from './derive.ts';
import { nanoseconds, textOf } from './testSpans.ts';
import type { SpanLine } from './testSpans.ts';

const GOOD: readonly SpanLine[] = [
  { service: 'shop', id: 's', at: [0, 20] },
  { service: 'shop', id: 'c', parent: 's', kind: 'client', at: [2, 10] },
  { service: 'cart', id: 'k', parent: 'c', at: [3, 9] },
];
const TERMS = { workflow: 'w', grain: 'Operation' } as const;
const good = textOf(GOOD);

/** What is wrong with a text: what is said of it, as `field 'given' message`. */
const REFUSED: Readonly<Record<string, readonly [string, RegExp]>> = {
  'an empty file': ['\n', /is empty/],
  'a truncated object': [
    good.slice(0, 120),
    /'….{30,40}' is how it ends, .* it is truncated; export it again/,
  ],
  'a line in the middle that is cut off': [
    good.replace('\n', '\n{"resourceSpans":[\n'),
    /is how line 2 ends, and it is not JSON: remove it/,
  ],
  protobuf: ['\n\u0012\u0003abc', /it is not JSON: export OTLP\/JSON, not protobuf/],
  NaN: [
    good.split('\n')[0]?.replace(`"${nanoseconds(0)}"`, 'NaN') ?? '',
    /it has NaN, which is no number there/,
  ],
  'a time that is no number': [
    good.replace(nanoseconds(10), 'NaN'),
    /^line 2: resourceSpans\[0\]\.scopeSpans\[0\]\.spans\[0\]\.endTimeUnixNano '?NaN/,
  ],
  'a negative time': [good.replace(nanoseconds(10), '-5'), /line 2: .*endTimeUnixNano '-5'/],
  'a kind that there is not': [good.replace('"kind":3', '"kind":9'), /line 2: .*\.kind '9'/],
  'a span without an id': [good.replace('"spanId":"k",', ''), /line 3: .*\.spanId .*must be set/],
  'resourceSpans that are no list': [
    '{"resourceSpans": {}}',
    /resourceSpans .*must be a list|resourceSpans .*array/,
  ],
  'no object at all': ['17', /must be an object with resourceSpans; export OTLP\/JSON/],
  Jaeger: ['{"data":[{"traceID":"1","spans":[]}]}', /the form of Jaeger; export OTLP\/JSON/],
  Zipkin: ['[{"traceId":"1","localEndpoint":{}}]', /\[0\] .*the form of Zipkin/],
  'snake case': ['{"resource_spans":[]}', /camel case/],
  'metrics alone': ['{"resourceMetrics":[]}', /has metrics or logs, but no resourceSpans/],
  'no span': ['{"resourceSpans":[]}', /has no span/],
  'clients alone': [
    textOf([{ service: 'a', id: 'c', kind: 'client', at: [0, 1] }]),
    /has 1 spans and none of kind Server or Consumer/,
  ],
};

for (const [sentence, [text, says]] of Object.entries(REFUSED)) {
  test(`${sentence} is refused`, () => {
    const reading = derive(text, TERMS);
    assert.ok(!reading.ok);
    const said = reading.problems.map((p) => `${p.field} '${p.given}' ${p.message}`).join('\n');
    assert.match(said, says);
    assert.ok(reading.problems.length <= 5);
  });
}

function derived(text: string): Derived {
  const reading = derive(text, TERMS);
  assert.ok(reading.ok, JSON.stringify(reading));
  return reading.value;
}
const changed = (id: string, more: Partial<SpanLine>): string =>
  textOf(GOOD.map((line) => (line.id === id ? { ...line, ...more } : line)));
const edgeOf = (d: Derived) => d.snapshot.observations?.edges?.[0];
const busyOf = (d: Derived, name: string) =>
  d.snapshot.observations?.functions?.find((row) => row.function === name)?.cpuMs;

/** What spans do → what is assumed, and what comes of it. */
const ASSUMED: Readonly<Record<string, readonly [string, RegExp, (d: Derived) => unknown, unknown]>> = {
  'a clock that is an hour ahead': [
    changed('k', { at: [3_600_003, 3_600_009] }),
    /1 server spans lie outside of their client spans: clocks differ/,
    (d) => [edgeOf(d)?.overheadMs, busyOf(d, 'shop')],
    [{ Remote: 2 }, 12],
  ],
  'a server that takes longer than its client': [
    changed('k', { at: [3, 30] }),
    /1 server spans take longer than their client spans/,
    (d) => edgeOf(d)?.overheadMs,
    { Remote: 0 },
  ],
  'a client that lies outside of its caller': [
    changed('c', { at: [-5, 5] }),
    /1 client spans lie outside of the execution/,
    (d) => busyOf(d, 'shop'),
    15,
  ],
  'a span that ends before it begins': [
    changed('s', { at: [20, 0] }),
    /1 spans end before they begin: they are counted, and their times are not used/,
    (d) => [busyOf(d, 'shop'), d.functions.length],
    [0, 2],
  ],
  'a span of two days': [
    changed('k', { at: [0, 172_800_000] }),
    /1 spans take longer than a day/,
    (d) => edgeOf(d)?.overheadMs,
    {},
  ],
  'spans without a length': [
    textOf(GOOD.map((line) => ({ ...line, at: [1, 1] }))),
    /spans have no CPU time/,
    (d) => [busyOf(d, 'shop'), edgeOf(d)?.overheadMs],
    [0, { Remote: 0 }],
  ],
  'a parent that is not there': [
    changed('k', { parent: 'gone' }),
    /1 called spans have a parent that is not in the file/,
    (d) => [d.snapshot.workflow.spec.edges, d.snapshot.observations?.roots?.length],
    [[], 2],
  ],
  'a client whose parent is not there': [
    changed('c', { parent: 'gone' }),
    /1 spans belong to no execution/,
    (d) => d.snapshot.workflow.spec.edges,
    [],
  ],
  'parents that go in a circle': [
    changed('s', { parent: 'k' }),
    /3 spans have parents that go in a circle: the circle is cut/,
    (d) => d.functions.length,
    2,
  ],
  'a span that is its own parent': [
    changed('s', { parent: 's' }),
    /1 spans have parents that go in a circle/,
    (d) => d.snapshot.workflow.spec.edges,
    [{ from: 'shop', to: 'cart', call: 'Sync' }],
  ],
  'calls that go in a circle': [
    textOf([
      ...GOOD,
      { service: 'cart', id: 'c2', parent: 'k', kind: 'client', at: [4, 8] },
      { service: 'shop', id: 's2', parent: 'c2', at: [5, 7] },
    ]),
    /calls go in a circle \(cart → shop → cart\): cart → shop, the rarest edge of it, is left out/,
    (d) => [d.snapshot.workflow.spec.edges?.length, d.snapshot.observations?.functions?.[0]?.waitingMs],
    [1, 4],
  ],
  'a service that calls itself': [
    textOf([
      ...GOOD,
      { service: 'cart', id: 'c2', parent: 'k', kind: 'client', at: [4, 8] },
      { service: 'cart', id: 'k2', parent: 'c2', at: [5, 7] },
    ]),
    /1 calls go to their own function/,
    (d) => d.snapshot.workflow.spec.edges?.length,
    1,
  ],
  'spans that came twice': [good + good, /3 spans came more than once/, (d) => d.spans, 3],
  'a last line that is cut off': [
    `${good}{"resourceSpans":[{"resou`,
    /the last line is cut off in the middle: it is left out/,
    (d) => d.spans,
    3,
  ],
  'metrics beside spans': [`${good}{"resourceMetrics":[]}\n`, /spans have no CPU time/, (d) => d.spans, 3],
  'no name of a service': [
    good.replaceAll('service.name', 'other'),
    /3 spans have no service\.name/,
    (d) => d.functions.map((fn) => fn.name),
    ['unknown'],
  ],
  'a size that is no number': [
    changed('c', { attributes: { 'http.request.body.size': 'NaN' } }),
    /spans have no CPU time/,
    (d) => edgeOf(d)?.requestBytes,
    0,
  ],
  'a clock that begins in 1970': [
    good.replaceAll(nanoseconds(0), '0') +
      textOf([{ service: 'shop', id: 'x', trace: 't2', at: [1000, 1010] }]),
    /1 spans take longer than a day/,
    (d) => d.snapshot.observations?.windowSeconds,
    0,
  ],
};

for (const [sentence, [text, says, of, wanted]] of Object.entries(ASSUMED)) {
  test(`${sentence}: something is assumed, and said`, () => {
    const d = derived(text);
    assert.ok(
      d.assumptions.some((a) => says.test(a)),
      d.assumptions.join('\n'),
    );
    assert.deepEqual(of(d), wanted);
    assertPlannable(d);
  });
}

/** What comes out is a snapshot by its own rules, and a plan can be made in it. */
function assertPlannable(d: Derived): void {
  const read = readSnapshot(JSON.stringify(d.snapshot));
  assert.ok(read.ok, JSON.stringify(read));
  const made = plan(read.snapshot);
  assert.deepEqual(made.findings, []);
  for (const value of Object.values(made.prediction ?? {}).flat())
    assert.ok(typeof value !== 'number' || Number.isFinite(value));
}

const line: fc.Arbitrary<SpanLine> = fc.record({
  service: fc.constantFrom('a', 'b', 'c', 'Ä ö', ''),
  id: fc.constantFrom('1', '2', '3', '4', '5', '6', '7', '8'),
  parent: fc.constantFrom('', '1', '2', '3', '4', '5', '6', '7', '8', '9'),
  trace: fc.constantFrom('t1', 't1', 't2'),
  kind: fc.constantFrom('internal', 'server', 'client', 'producer', 'consumer'),
  at: fc.tuple(fc.integer({ min: -50, max: 200 }), fc.integer({ min: -50, max: 200 })),
  name: fc.constantFrom('GET /', 'GET /x', '', '%&/'),
  host: fc.constantFrom('', 'm1', 'm2'),
  links: fc.subarray(['t1/1', 't1/2', 't2/3', 'no/no']),
});

test('whatever spans come, there is a reason against them or a snapshot that can be planned', () => {
  let plannable = 0;
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1, maxLength: 14 }),
      fc.constantFrom('Operation', 'Service'),
      (lines, grain) => {
        const reading = derive(textOf(lines), { workflow: 'w', grain });
        if (!reading.ok) {
          assert.ok(reading.problems.every((p) => p.message !== ''));
          return;
        }
        plannable++;
        assertPlannable(reading.value);
        assert.deepEqual(derive(textOf(lines), { workflow: 'w', grain }), reading);
      },
    ),
    { numRuns: 60, seed: 5 },
  );
  assert.ok(plannable > 30, String(plannable));
});
