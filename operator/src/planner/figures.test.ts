/** What the model takes a call for, out of what was measured of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MACHINE, snapshotOf } from '../snapshot/testSnapshot.ts';
import { factsOf } from './facts.ts';
import { figuresOf } from './figures.ts';
import { PRIOR_OVERHEAD_MS } from './priors.ts';

/** What a call from a to b takes beyond b, apart and together. */
function callOf(edge: string, observed: object, machines = [MACHINE]) {
  const observations = { edges: [{ from: 'a', to: 'b', ...observed }] };
  const figures = figuresOf(
    factsOf(snapshotOf({ functions: ['a', 'b'], edges: [edge], machines, observations })),
  );
  return { apartMs: figures.apartMs[0], togetherMs: figures.togetherMs[0] };
}

/** With a second one a call between two units is planned as `Remote`. */
const TWO = [MACHINE, { ...MACHINE, name: 'm2' }];

describe('a hop', () => {
  it('takes what was measured of it', () => {
    assert.equal(callOf('a>b', { overheadMs: { Node: 7 } }).apartMs, 7);
  });

  it('takes what was measured of it the other way, before any prior', () => {
    assert.equal(callOf('a>b', { overheadMs: { Node: 7 } }, TWO).apartMs, 7);
    assert.equal(callOf('a>b', { overheadMs: { Remote: 7 } }).apartMs, 7);
  });

  it('inside a process is no hop: its prior holds', () => {
    assert.equal(callOf('a>b', { overheadMs: { Node: 7 } }).togetherMs, PRIOR_OVERHEAD_MS.InProcess);
  });
});

describe('sent work', () => {
  it('is in what its sender was seen to wait, and not counted again', () => {
    const seen = { samples: 9, overheadMs: { Queue: 7 } };
    assert.deepEqual(callOf('a~b', seen), { apartMs: 0, togetherMs: 0 });
  });

  it('takes what a person wrote of it', () => {
    assert.deepEqual(callOf('a~b', { overheadMs: { Queue: 7 } }), { apartMs: 7, togetherMs: 7 });
  });
});
