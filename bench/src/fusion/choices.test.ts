/** Which plans are measured, from a snapshot of a graph that the exact search can take. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { randomFrom } from '@sinter/operator/planner/assignment';
import { randomSnapshot } from '@sinter/operator/planner/testGraphs';
import { APART, FUSIONIZE, TOGETHER, choicesOf, keyOf, wishOf } from './choices.ts';
import { PRICES } from './fusion.ts';

describe('the plans to measure', () => {
  const snapshot = randomSnapshot(randomFrom(11), { functions: 6 });
  const plans = choicesOf({ snapshot, prices: PRICES, objective: 'Latency', most: 5 });
  const named = (name: string) => plans.find((plan) => plan.names.includes(name));

  it('have each function once, and no two are the same', () => {
    const functions = snapshot.functions.map((f) => f.name).sort();
    for (const plan of plans) assert.deepEqual(plan.groups.flat().sort(), functions);
    assert.equal(new Set(plans.map((plan) => keyOf(plan.groups))).size, plans.length);
  });

  it('are what is compared, and the best of each price model in order', () => {
    for (const name of [APART, TOGETHER, FUSIONIZE, ...PRICES.map(wishOf)]) assert.ok(named(name), name);
    for (const { name } of PRICES) {
      const scores = [1, 2, 3, 4, 5].map((n) => named(`${name} #${String(n)}`)?.said.get(name)?.score ?? NaN);
      assert.ok(
        scores.every((s) => s > 0),
        `${name}: ${scores.join()}`,
      );
    }
  });

  it('are the same for the same snapshot', () => {
    const again = choicesOf({ snapshot, prices: PRICES, objective: 'Latency', most: 5 });
    assert.deepEqual(
      again.map((p) => [p.key, p.names]),
      plans.map((p) => [p.key, p.names]),
    );
  });
});
