import assert from 'node:assert/strict';
import { it } from 'node:test';
import { newStore } from '../kube/store.ts';
import { Sight } from '../bus/sight.ts';
import { documentOf } from '../page/index.ts';
import { HASH, planObject } from '../page/testScene.ts';
import { NO_OBSERVATIONS } from '../snapshot/index.ts';
import { startTrial } from '../rollout/index.ts';
import type { StoredObject } from './kinds.ts';
import { Scenery } from './scenery.ts';

const edges = [{ from: 'a', to: 'b', call: 'Sync' as const }];
const workflow = (name: string, conditions: readonly object[] = []): StoredObject => ({
  apiVersion: 'sinter.dev/v1alpha1',
  kind: 'Workflow',
  metadata: { name, namespace: 'shop' },
  spec: {
    functions: [{ name: 'a' }, { name: 'b' }],
    edges: [{ from: 'a', to: 'b', call: 'Sync' }],
    policyRef: { name: 'mine' },
  },
  status: { conditions },
});
const policy: StoredObject = {
  apiVersion: 'sinter.dev/v1alpha1',
  kind: 'OptimizationPolicy',
  metadata: { name: 'mine', namespace: 'shop' },
  spec: { objective: 'Cost' },
};

function storeOf(objects: readonly StoredObject[]) {
  const onError = (cause: unknown): never => {
    throw cause;
  };
  const store = newStore<StoredObject>({
    indexes: {
      workflow: ({ metadata: { namespace = '', name } }) => [`${namespace}/${name.split('-')[0] ?? ''}`],
    },
    onError,
  });
  for (const object of objects) store.partitions.get(undefined)?.put(object);
  return store;
}

const sceneryOf = (conditions: readonly object[] = []): Scenery => {
  const trial = startTrial('Plan', { hash: 'fedcba9876', units: [] }, HASH, 0);
  const candidate = planObject('fedcba9876', [['a', 'b']], edges, { sequence: 2, state: 'Candidate' });
  return new Scenery({
    stores: {
      workflows: storeOf([workflow('orders', conditions), workflow('bills')]),
      plans: storeOf([planObject(HASH, [['a'], ['b']], edges), candidate]),
      policies: storeOf([policy]),
      clusterPolicies: storeOf([]),
    },
    sight: new Sight({ machine: () => undefined, now: () => 0 }),
    trialOf: ({ workflow: name }) => (name === 'orders' ? trial : undefined),
    now: () => 0,
  });
};

it('workflows of a cluster are shown with their plans, their policy and what is compared', () => {
  const scenery = sceneryOf();
  assert.deepEqual(
    scenery.workflows().map((w) => w.workflow),
    ['bills', 'orders'],
  );
  const scene = scenery.scene({ namespace: 'shop', workflow: 'orders' });
  assert.ok(scene);
  assert.deepEqual([scene.current, scene.policy.objective, scene.plans.length], [HASH, 'Cost', 2]);
  assert.deepEqual(scene.graph.edges, edges);
  assert.equal(scene.observations, NO_OBSERVATIONS);
  assert.match(documentOf(scene, scenery.workflows()), /Under comparison[^]*fedcba9876/);
  const idle = scenery.scene({ namespace: 'shop', workflow: 'bills' });
  assert.deepEqual([idle?.current, idle?.plans, idle?.trial], ['', [], undefined]);
  assert.equal(scenery.scene({ namespace: 'other', workflow: 'orders' }), undefined);
});

it('conditions that do not hold are told', () => {
  const condition = {
    type: 'Ready',
    status: 'False',
    reason: 'UnitFailed',
    message: 'a unit failed',
    lastTransitionTime: '2026-01-02T03:04:05Z',
  };
  const scene = sceneryOf([condition]).scene({ namespace: 'shop', workflow: 'orders' });
  assert.deepEqual(
    scene?.findings.map((f) => [f.reason, f.message]),
    [['UnitFailed', 'a unit failed']],
  );
});
