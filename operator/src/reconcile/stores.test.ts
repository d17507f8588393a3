/** Which objects of a cluster are taken for a workflow's: labels are anybody's to copy. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '../kube/objects.ts';
import { workflowKeyOf } from './stores.ts';

const LABELS = {
  'app.kubernetes.io/managed-by': 'sinter',
  'sinter.dev/workflow': 'w',
  'sinter.dev/unit': 'w-a-1',
};
const WORKFLOW = {
  apiVersion: 'sinter.dev/v1alpha1',
  kind: 'Workflow',
  name: 'w',
  uid: 'u',
  controller: true,
};
const REPLICA_SET = {
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  name: 'w-a-1-7fc98',
  uid: 'r',
  controller: true,
};

const object = (kind: string, ownerReferences: readonly object[], labels: object = LABELS): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { namespace: 'n', name: 'o', labels: { ...labels }, ownerReferences },
});

describe('the workflow that an object belongs to', () => {
  const ROWS: Readonly<Record<string, readonly [KubeObject, readonly string[]]>> = {
    'a Deployment of ours': [object('Deployment', [WORKFLOW]), ['n/w']],
    'one of an earlier Workflow of the name': [object('Deployment', [{ ...WORKFLOW, uid: 'x' }]), ['n/w']],
    'one with copied labels': [object('Deployment', []), []],
    'one that another Workflow controls': [object('Deployment', [{ ...WORKFLOW, name: 'v' }]), []],
    'one that the Workflow owns, and does not control': [
      object('Deployment', [{ ...WORKFLOW, controller: false }]),
      [],
    ],
    'one of a Workflow of somebody else’s API': [
      object('Deployment', [{ ...WORKFLOW, apiVersion: 'argoproj.io/v1alpha1' }]),
      [],
    ],
    'one without our label': [object('Deployment', [WORKFLOW], {}), []],
    'a pod of a unit': [object('Pod', [REPLICA_SET]), ['n/w']],
    'a copy of such a pod': [object('Pod', []), []],
    'a pod of another Deployment, with copied labels': [
      object('Pod', [{ ...REPLICA_SET, name: 'other-7fc98' }]),
      [],
    ],
  };
  for (const [what, [given, keys]] of Object.entries(ROWS))
    it(`${what}: ${keys.join() || 'none'}`, () => {
      assert.deepEqual(workflowKeyOf(given), keys);
    });
});
