/** Sequences, states, and which plans go. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoredObject } from './kinds.ts';
import { PLANS_KEPT, judgePlans, superfluous } from './plan.ts';
import { Running } from './running.ts';

const plan = (hash: string, sequence?: number, created = hash): StoredObject => ({
  apiVersion: 'sinter.dev/v1alpha1',
  kind: 'WorkflowPlan',
  metadata: { name: `flow-${hash}`, namespace: 'ns', creationTimestamp: created },
  ...(sequence === undefined ? {} : { status: { sequence } }),
});
const RUNS = { current: 'c', draining: ['d'], candidate: 'k', planned: 'p', units: [] };

test('a plan without a number gets the next ones, by age; who has one keeps it', () => {
  const judged = judgePlans(
    [plan('new', undefined, '2'), plan('c', 4), plan('old', undefined, '1')],
    'flow',
    RUNS,
  );
  assert.deepEqual(
    judged.map((j) => [j.hash, j.sequence]),
    [
      ['c', 4],
      ['old', 5],
      ['new', 6],
    ],
  );
});

test('what became of each', () => {
  const judged = judgePlans(
    ['c', 'd', 'k', 'p', 'x'].map((h, i) => plan(h, i + 1)),
    'flow',
    RUNS,
  );
  assert.deepEqual(
    judged.map((j) => j.state),
    ['Current', 'Draining', 'Candidate', 'Proposed', 'Retired'],
  );
});

test('one that is about to be made is proposed before it runs', () => {
  const running = new Running();
  running.offers('ns/flow', 'x');
  assert.equal(running.get('ns/flow'), undefined, 'of what is not known nothing is told');
  running.set('ns/flow', RUNS);
  running.offers('ns/flow', 'x');
  running.offers('ns/flow', 'k');
  const [judged] = judgePlans([plan('x')], 'flow', running.get('ns/flow') ?? RUNS);
  assert.equal(judged?.state, 'Proposed');
});

test('the oldest go beyond what is kept; never one that is live, proposed or pinned', () => {
  const many = Array.from({ length: PLANS_KEPT + 3 }, (_, i) => plan(i === 0 ? 'c' : `r${String(i)}`, i + 1));
  const judged = judgePlans(many, 'flow', RUNS);
  assert.deepEqual(
    superfluous(judged, 'r1').map((j) => j.hash),
    ['r2', 'r3', 'r4'],
  );
  assert.deepEqual(superfluous(judged.slice(0, PLANS_KEPT), ''), []);
});
