/**
 * The verdict of `validate` and that of a server that has nothing but the generated CRD must agree: on every sample,
 * and on random objects made to stand near the edges of the rules.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { GROUP, KINDS } from './kinds.ts';
import { RULES } from './rules/index.ts';
import { aFunction, aPlan, aPolicy, aWorkflow, javascript, unit } from './testing/builders.ts';
import { BAD_SHAPES, GOOD_SHAPES, RULE_SAMPLES, type Accepted, type Rejected } from './testing/samples.ts';
import { serverOf, type Server } from './testing/server.ts';
import { validate } from './validate.ts';

const CRDS = join(import.meta.dirname, '..', 'generated', 'crds');

const servers = new Map<string, Server>(
  KINDS.map((kind) => [
    kind.kind,
    serverOf(parse(readFileSync(join(CRDS, `${GROUP}_${kind.plural}.yaml`), 'utf8'), { version: '1.1' })),
  ]),
);

function serverFor(object: unknown): Server {
  const server = servers.get((object as { kind: string }).kind);
  assert.ok(server, 'no CRD for the sample');
  return server;
}

function expectAgreement({ object, old }: Accepted | Rejected): void {
  const ours = validate(object, old === undefined ? {} : { old });
  const theirs = serverFor(object)(object, old);
  const why = JSON.stringify({ ours: ours.ok ? [] : ours.problems, theirs: theirs.errors, object });
  assert.equal(ours.ok, theirs.errors.length === 0, why);
  if (ours.ok) assert.deepEqual(ours.object, theirs.object, 'defaults differ');
}

describe('validate and the CRD agree', () => {
  const tables: Readonly<Record<string, Readonly<Record<string, Accepted | Rejected>>>> = {
    ...Object.fromEntries(
      Object.entries(RULE_SAMPLES).map(([name, all]) => [name, { ...all.accepts, ...all.rejects }]),
    ),
    'good shapes': GOOD_SHAPES,
    'bad shapes': BAD_SHAPES,
  };
  for (const [name, samples] of Object.entries(tables)) {
    it(`on the samples of ${name}`, () => Object.values(samples).forEach(expectAgreement));
  }

  it('in words: each rule names the same value in the same sentence', () => {
    for (const rule of RULES) {
      for (const [sentence, sample] of Object.entries(RULE_SAMPLES[rule.name]?.rejects ?? {})) {
        const error = serverFor(sample.object)(sample.object, sample.old).errors.find(
          (one) => one.rule === rule.rule,
        );
        assert.equal(error?.message, `'${sample.given}' ${rule.message}`, `${rule.name}: ${sentence}`);
      }
    }
  });
});

const name = fc.constantFrom('a', 'b', 'c', 'd');
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 3 });
const small = fc.integer({ min: -1, max: 3 });

const edge = fc.record({
  from: name,
  to: name,
  call: some(fc.constantFrom('Sync', 'Async')),
  timeoutSeconds: some(small),
  retry: some(fc.record({ backoffSeconds: some(small), maxBackoffSeconds: some(small) })),
  durability: some(fc.constantFrom('AtLeastOnce', 'BestEffort', 'Never')),
  deferral: some(fc.record({ startDeadlineSeconds: some(small) })),
  deadLetter: some(fc.constant({})),
});

const trigger = fc.record({
  name,
  to: name,
  type: fc.constantFrom('Http', 'Cron', 'Grpc', 'Dapr', 'Nats'),
  http: some(
    fc.record({
      path: some(fc.constantFrom('/', '/a', 'a')),
      hosts: some(fc.array(fc.constantFrom('a.example', 'b.example', '*.example', 'A'), { maxLength: 3 })),
      methods: some(fc.array(fc.constantFrom('GET', 'POST', 'get'), { maxLength: 2 })),
      auth: some(
        fc.record({
          type: fc.constantFrom('None', 'Jwt', 'Key'),
          key: some(fc.constant({ secretRef: { name: 'k' } })),
        }),
      ),
    }),
  ),
  cron: some(
    fc.record({
      schedule: fc
        .array(fc.constantFrom('*', '0', '7', '59', '*/5', '1-5', 'mon', ' ', ','), { maxLength: 11 })
        .map((parts) => parts.join('')),
    }),
  ),
  nats: some(fc.record({ subject: fc.constantFrom('a', 'fn', 'fn.a', '*', 'a.>', '$SYS', 'a..b') })),
  dapr: some(fc.record({ component: name, topic: some(name), binding: some(name) })),
  grpc: some(fc.constant({})),
});

/** As it comes from a file: no fields that are undefined. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const agreesOn = (objects: fc.Arbitrary<unknown>, runs = 300): void =>
  fc.assert(
    fc.property(objects, (object) => expectAgreement({ object: plain(object) })),
    { numRuns: runs },
  );

describe('validate and the CRD agree on random objects', () => {
  it('workflows', () => {
    const vertex = fc.record({
      name,
      functionRef: some(fc.record({ name })),
      service: some(fc.record({ name, port: small })),
    });
    const spec = fc.record({
      functions: fc.uniqueArray(vertex, { maxLength: 4, selector: (one) => one.name }),
      edges: some(fc.array(edge, { maxLength: 3 })),
      triggers: some(fc.array(trigger, { maxLength: 2 })),
    });
    agreesOn(spec.map((one) => aWorkflow(one)));
  });

  it('functions', () => {
    const quantity = fc.constantFrom(
      0,
      1,
      -1,
      0.5,
      '1',
      '500m',
      '64Mi',
      '1e3',
      '1.5Gi',
      '64MB',
      '',
      '+1',
      '.5',
    );
    const spec = fc.record({
      artifacts: fc.constant([javascript]),
      resources: some(
        fc.record({
          requests: some(fc.record({ cpu: some(quantity), memory: some(quantity) })),
          limits: some(fc.record({ cpu: some(quantity), memory: some(quantity) })),
        }),
      ),
      scaling: some(
        fc.record({
          mode: some(fc.constantFrom('Auto', 'External', null)),
          minInstances: some(small),
          maxInstances: some(small),
          instances: some(small),
        }),
      ),
      trustDomain: some(fc.constantFrom('', 'a', 'a.b', null)),
      env: some(
        fc.array(
          fc.record({ name: fc.constantFrom('A', 'B', '1'), value: some(fc.string({ unit: 'grapheme' })) }),
          { maxLength: 3 },
        ),
      ),
    });
    agreesOn(spec.map((one) => aFunction(one)));
  });

  it('policies', () => {
    const group = fc.record({
      workflow: some(fc.constantFrom('', 'w', 'v')),
      name,
      functions: fc.array(name, { maxLength: 3 }),
    });
    const spec = fc.record({
      fusion: some(
        fc.record({
          mode: some(fc.constantFrom('Manual', 'Auto')),
          groups: some(fc.array(group, { maxLength: 4 })),
        }),
      ),
      deferral: some(fc.record({ busyAbovePercent: some(small), idleBelowPercent: some(small) })),
      price: some(fc.record({ cpuSecond: some(fc.constantFrom('0', '0.1', '-1', '1e3', '01', '.5', '1.')) })),
    });
    agreesOn(spec.map((one) => aPolicy(one)));
  });

  it('changes of plans', () => {
    const one = fc.constantFrom(
      aPlan(),
      aPlan({ decisions: [] }),
      aPlan({ units: [] }),
      aPlan({ units: [{ ...unit, functions: ['count', 'ingest'] }] }),
      aPlan({ channels: [{ from: 'ingest', to: 'count', channel: 'InProcess' }] }),
    );
    fc.assert(fc.property(one, one, (object, old) => expectAgreement({ object, old })));
  });
});
