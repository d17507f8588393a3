import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { didYouMean, fieldPath, problemLine, shown } from './problem.ts';

describe('problems', () => {
  it('write paths as Kubernetes does', () => {
    assert.equal(fieldPath(['spec', 'edges', 0, 'to']), 'spec.edges[0].to');
    assert.equal(fieldPath(['metadata', 'labels', 'example.com/a']), 'metadata.labels[example.com/a]');
    assert.equal(fieldPath([]), '');
  });

  it('show values as JSON, strings as they are, and cut what is long', () => {
    assert.equal(shown('a'), 'a');
    assert.equal(shown({ a: [1] }), '{"a":[1]}');
    assert.equal(shown(undefined), '');
    assert.equal(shown('x'.repeat(200)).length, 120);
  });

  it('read as one line', () => {
    assert.equal(problemLine({ field: 'a.b', given: 'c', message: 'must be d' }), "a.b: 'c' must be d");
    assert.equal(problemLine({ field: 'a.b', given: '', message: 'must be set' }), 'a.b: must be set');
    assert.equal(
      problemLine({ field: '', given: '3', message: 'must be an object' }),
      "'3' must be an object",
    );
  });
});

describe('didYouMean', () => {
  const fields = ['from', 'to', 'call', 'timeoutSeconds', 'retry'];
  const MEANT: Readonly<Record<string, string | undefined>> = {
    form: 'from',
    too: 'to',
    Call: 'call',
    timeout: undefined,
    timeoutSecs: 'timeoutSeconds',
    timoutSecond: 'timeoutSeconds',
    xx: undefined,
    '': undefined,
  };
  for (const [given, meant] of Object.entries(MEANT)) {
    it(`${given} → ${meant ?? 'nothing'}`, () => assert.equal(didYouMean(given, fields), meant));
  }
});
