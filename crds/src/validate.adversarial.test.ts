/** Objects made to confuse: prototypes, holes, NaN, depth, size, letters that look alike. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { aFunction, anEdge, aWorkflow, javascript } from './testing/builders.ts';
import { validate } from './validate.ts';

const fieldsOf = (raw: unknown): readonly string[] => {
  const verdict = validate(raw);
  return verdict.ok ? [] : verdict.problems.map((one) => one.field);
};

describe('validate under attack', () => {
  it('takes __proto__ and constructor for the unknown fields that they are', () => {
    const spec: unknown = JSON.parse('{"artifacts": [], "__proto__": {"suspend": true}, "constructor": 1}');
    assert.deepEqual(
      fieldsOf({ ...aFunction(), spec }).filter((field) => field !== 'spec.artifacts'),
      ['spec.__proto__', 'spec.constructor'],
    );
    assert.equal(({} as { suspend?: boolean }).suspend, undefined);
  });

  it('is not led astray by keys of the prototype', () => {
    assert.deepEqual(fieldsOf({ ...aWorkflow(), kind: '__proto__' }), ['kind']);
    assert.deepEqual(fieldsOf(aWorkflow({ toString: 1 })), ['spec.toString']);
  });

  it('refuses what JSON cannot say', () => {
    assert.deepEqual(fieldsOf(aFunction({ timeoutSeconds: Number.NaN })), ['spec.timeoutSeconds']);
    assert.deepEqual(fieldsOf(aFunction({ timeoutSeconds: Infinity })), ['spec.timeoutSeconds']);
    assert.deepEqual(fieldsOf(aFunction({ timeoutSeconds: 1n })), ['spec.timeoutSeconds']);
    assert.deepEqual(fieldsOf(aFunction({ trustDomain: new Date(0) })), ['spec.trustDomain']);
  });

  it('refuses a list with a hole', () => {
    assert.deepEqual(fieldsOf(aWorkflow({ edges: [,] })), ['spec.edges[0]']);
  });

  it('refuses names that only look right', () => {
    for (const name of ['аrchive', 'ingest\u0000', 'in\u200bgest', '-a', 'a-', 'A', '']) {
      assert.deepEqual(
        fieldsOf(aWorkflow({ functions: [{ name }] })),
        ['spec.functions[0].name'],
        JSON.stringify(name),
      );
    }
  });

  it('refuses subjects that would hear what is not theirs', () => {
    for (const subject of [
      '>',
      '*.>',
      'fn.>',
      'work.a',
      '_INBOX.>',
      '$SYS.>',
      '$KV.sinter-routes.>',
      'dead',
    ]) {
      const triggers = [{ name: 'n', to: 'ingest', type: 'Nats', nats: { subject } }];
      assert.deepEqual(fieldsOf(aWorkflow({ triggers })), ['spec.triggers[0].nats.subject'], subject);
    }
  });

  it('answers about the largest workflow within a second', () => {
    const name = (i: number): string => `f${i}`.padEnd(40, 'x');
    const functions = Array.from({ length: 200 }, (_, i) => ({ name: name(i) }));
    const edges = Array.from({ length: 500 }, (_, i) => ({
      from: name(i % 199),
      to: name(199 - (i % 3)),
      call: 'Async',
    }));
    const distinct = [...new Map(edges.map((edge) => [`${edge.from} ${edge.to}`, edge])).values()];
    const started = performance.now();
    assert.deepEqual(fieldsOf(aWorkflow({ functions, edges: distinct })), []);
    assert.ok(performance.now() - started < 1000);
  });

  it('refuses one function or edge more than there may be', () => {
    const functions = Array.from({ length: 201 }, (_, i) => ({ name: `f${i}` }));
    assert.deepEqual(fieldsOf(aWorkflow({ functions })), ['spec.functions']);
  });

  it('does not let a cron expression run away', () => {
    const started = performance.now();
    const schedule = `${'1,'.repeat(49)}!`;
    const triggers = [{ name: 'n', to: 'ingest', type: 'Cron', cron: { schedule } }];
    assert.deepEqual(fieldsOf(aWorkflow({ triggers })), ['spec.triggers[0].cron.schedule']);
    assert.ok(performance.now() - started < 1000);
  });

  it('refuses an object that contains itself, and one without an end', () => {
    const own: Record<string, unknown> = { ...aWorkflow() };
    own['spec'] = { functions: [own, own] };
    assert.deepEqual(fieldsOf(own), ['']);
    let deep: unknown = 1;
    for (let i = 0; i < 10_000; i++) deep = [deep];
    assert.deepEqual(fieldsOf(aWorkflow({ functions: deep })), ['']);
  });

  it('shows at most 120 characters of what was given', () => {
    const verdict = validate(anEdge({ from: 'x'.repeat(100_000) }));
    assert.ok(!verdict.ok);
    for (const problem of verdict.problems) assert.ok(problem.given.length <= 120);
  });

  it('judges an object again and again the same', () => {
    const raw = aFunction({ artifacts: [javascript, javascript] });
    assert.deepEqual(validate(raw), validate(raw));
  });
});
