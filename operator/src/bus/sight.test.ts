/** Whose words count for which workflow, and on machines of which class. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GATEWAY_CALLER } from '@sinter/contract';
import type { Observation, RouteRecord } from '@sinter/contract';
import { Sight } from './sight.ts';
import { observation } from './testObservation.ts';

const W = { namespace: 'n', workflow: 'w' };
const fn = {
  name: 'a',
  served: true,
  async: false,
  concurrency: 1,
  timeoutSeconds: 1,
  memoryBytes: 1,
  artifacts: [],
};
const route = (generation: number, current = 'r1'): RouteRecord => ({
  ...W,
  version: 1,
  generation,
  current,
  draining: [],
  revisions: { [current]: { units: [{ name: 'u', functions: [fn] }], edges: [] } },
});
const entered = (machine: string, workflow = 'w'): Observation =>
  observation(
    { ...W, workflow, unit: GATEWAY_CALLER, instance: 'g' },
    {
      machine,
      architecture: `${machine}-of-its-own`,
      entries: [
        {
          function: 'a',
          revision: 'r1',
          call: 'Sync',
          calls: 1,
          failures: 0,
          fellBack: 0,
          latencyMs: { counts: [1], sumMs: 1 },
          logSum: 0,
          logSquares: 0,
        },
      ],
    },
  );
const PRICING = { model: 'BusyTime', perByteSecond: 0, perCoreSecond: 0, reserved: () => undefined } as const;

const sighted = () => {
  const edge = { name: 'm2', architecture: 'arm64', tier: 'Edge' };
  return new Sight({ machine: (name) => (name === 'm2' ? edge : undefined), now: () => 1 });
};
const classesOf = (sight: Sight): readonly string[] =>
  sight
    .of(W)
    .evidence(PRICING, 1)
    .revisions['r1']?.roots.map((r) => `${r.machineClass} ${String(r.calls)}`) ?? [];

test('a class is what is known of the machine, not what an instance says of it', () => {
  const sight = sighted();
  sight.follow(route(1));
  for (const machine of ['m2', 'm3', 'm2', 'm4']) sight.heard(entered(machine));
  assert.deepEqual(classesOf(sight), ['arm64 Edge 2', 'unknown 2']);
});

test('nothing is heard of a workflow before its route, nor after it was forgotten', () => {
  const sight = sighted();
  sight.heard(entered('m2'));
  sight.follow(route(1));
  sight.heard(entered('m2', 'other'));
  assert.deepEqual(classesOf(sight), []);
  sight.heard(entered('m2'));
  sight.forget(W);
  assert.equal(sight.known(W), undefined);
});

test('an older route does not take the place of a newer one', () => {
  const sight = sighted();
  sight.follow(route(5));
  sight.follow(route(4, 'r0'));
  assert.equal(sight.of(W).current, 'r1');
  sight.follow(route(6, 'r2'));
  assert.equal(sight.of(W).current, 'r2');
});
