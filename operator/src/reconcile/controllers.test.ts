/** Who is listened to. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Pod } from '../kube/objects.ts';
import { storeOf } from '../kube/testStore.ts';
import { hasPod } from './controllers.ts';

it('an instance without a pod wakes nobody, a gateway does', () => {
  const pods = storeOf<Pod>([
    { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'n', name: 'a', uid: '1' } },
  ]);
  const key = { namespace: 'n', workflow: 'w', unit: 'u', instance: 'a' };
  assert.equal(hasPod({ pods }, key), true);
  assert.equal(hasPod({ pods }, { ...key, instance: 'made-up' }), false);
  assert.equal(hasPod({ pods }, { ...key, namespace: 'other' }), false);
  assert.equal(hasPod({ pods }, { ...key, unit: '_gateway', instance: 'g' }), true);
});
