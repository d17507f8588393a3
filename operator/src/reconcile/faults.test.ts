/** Counting to the write before which a test ends the process. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultPoint } from './faults.ts';

const endsAt = (text: string, writes: readonly string[]): readonly number[] => {
  const ends: number[] = [];
  let i = 0;
  const point = faultPoint(text, () => ends.push(i));
  for (const name of writes) {
    void point(name);
    i++;
  }
  return ends;
};

test('ends before the n-th write of a name, or of all, once', () => {
  const writes = ['Route', 'Deployment', 'Deployment', 'Route', 'Deployment'];
  assert.deepEqual(endsAt('Deployment:2', writes), [2]);
  assert.deepEqual(endsAt('*:4', writes), [3]);
  assert.deepEqual(endsAt('', writes), []);
});

test('what is no fault point is refused', () => {
  for (const text of ['Deployment', 'Deployment:0', ':1', 'a b:1'])
    assert.throws(() => faultPoint(text, () => undefined), /must be like Deployment:2/);
});
