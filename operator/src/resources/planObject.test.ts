import assert from 'node:assert/strict';
import { test } from 'node:test';
import { validate } from '@sinter/crds';
import type { WorkflowPlanObject } from '../model/nouns.ts';
import { randomFrom } from '../planner/assignment.ts';
import { plan } from '../planner/planner.ts';
import { randomSnapshot } from '../planner/testGraphs.ts';
import { manual, snapshotOf } from '../snapshot/testSnapshot.ts';
import type { World } from '../snapshot/testSnapshot.ts';
import { planHash } from './hashes.ts';
import { PLAN_BYTES_MAX, planShape, workflowPlanObject } from './planObject.ts';

const objectOf = (world: World): WorkflowPlanObject => {
  const snapshot = snapshotOf(world);
  return workflowPlanObject(plan(snapshot), snapshot);
};
const problems = (object: WorkflowPlanObject): unknown => {
  const verdict = validate(object);
  return verdict.ok ? [] : verdict.problems;
};

test('a plan is an object that the API takes, with everything that runs and every decision', () => {
  const world = { functions: ['a', 'b', 'c'], edges: ['a>b', 'b~c'], policy: manual('a,b') };
  const object = objectOf(world);
  assert.deepEqual(problems(object), []);
  assert.match(object.metadata.name, /^flow-[0-9a-f]{10}$/);
  assert.deepEqual(
    object.spec.units.map((u) => u.functions),
    [['a', 'b'], ['c']],
  );
  assert.deepEqual(
    object.spec.channels.map((c) => c.channel),
    ['InProcess', 'Queue'],
  );
  assert.equal(object.spec.decisions.length, plan(snapshotOf(world)).decisions.length);
});

/** The largest workflow that the API takes. */
const large: World = {
  functions: Array.from({ length: 200 }, (_, i) => `f${String(i).padStart(3, '0')}${'x'.repeat(36)}`),
  edges: Array.from({ length: 500 }, (_, i) => {
    const at = (n: number): string => `f${String(n).padStart(3, '0')}${'x'.repeat(36)}`;
    const from = i % 199;
    return `${at(from)}>${at(from + 1 + Math.floor(i / 199))}`;
  }).filter((e) => !e.includes('f200') && !e.includes('f201')),
};

test('the largest workflow fits into 256 KiB, and what is left out is said', () => {
  const object = objectOf(large);
  assert.deepEqual(problems(object), []);
  assert.ok(Buffer.byteLength(JSON.stringify(object)) <= PLAN_BYTES_MAX);
  assert.equal(object.spec.units.length, 200);
  assert.match(object.spec.decisions.at(-1)?.choice ?? '', /^\d+ left out$/);
});

test('the same plan has the same bytes', () => {
  assert.equal(JSON.stringify(objectOf(large)), JSON.stringify(objectOf(large)));
});

test('the shape of a plan is the same from the plan and from its object', () => {
  const snapshot = snapshotOf({ functions: ['a', 'b', 'c'], edges: ['a>b', 'b~c'], policy: manual('a,b') });
  const made = plan(snapshot);
  assert.deepEqual(planShape(workflowPlanObject(made, snapshot)), {
    hash: planHash(made, snapshot),
    units: made.units.map(({ functions, variants, resources }) => ({ functions, variants, resources })),
  });
});

test('200 functions with figures fit, with every decision on who shares a process and how calls travel', () => {
  const snapshot = randomSnapshot(randomFrom(1), { functions: 200 });
  const made = plan(snapshot);
  const object = workflowPlanObject(made, snapshot);
  assert.ok(Buffer.byteLength(JSON.stringify(object)) <= PLAN_BYTES_MAX);
  assert.deepEqual(problems(object), []);
  const of = (decisions: readonly { readonly kind: string }[]): number =>
    decisions.filter((d) => ['Rollout', 'Fusion', 'Channel'].includes(d.kind)).length;
  assert.equal(of(object.spec.decisions), of(made.decisions));
});

test('what a plan promises is kept, with what else could have been chosen', () => {
  const observations = {
    roots: [{ function: 'a', ratePerSecond: 5, samples: 300 }],
    functions: ['a', 'b'].map((fn) => ({ function: fn, cpuMs: 1, samples: 300 })),
    edges: [{ from: 'a', to: 'b', samples: 300, overheadMs: { Node: 5 } }],
  };
  const object = objectOf({ functions: ['a', 'b'], edges: ['a>b'], observations });
  assert.deepEqual(problems(object), []);
  assert.match(object.spec.prediction?.latency ?? '', /^2\.\d+ ms$/);
  assert.equal(object.spec.prediction?.entries[0]?.function, 'a');
  const pair = object.spec.decisions.find((d) => d.about === 'a → b' && d.kind === 'Fusion');
  assert.match(pair?.alternatives[0]?.latency ?? '', /^7(\.\d+)? ms$/);
  assert.match(pair?.alternatives[0]?.margin ?? '', /^[\d.]+ %$/);
  assert.ok(pair?.inputs.some((i) => i.samples === 300));
});
