/** Why pods do not run, from what a cluster says of them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Deployment, Pod } from '../kube/objects.ts';
import { deploymentProblem, missingSecret, podProblem } from './problems.ts';

const pod = (status: object): Pod => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, status });
const waiting = (reason: string, message = 'm', lastState: object = {}): Pod =>
  pod({
    containerStatuses: [
      { name: 'a-sidecar', state: { running: {} } },
      { name: 'host', state: { waiting: { reason, message } }, lastState },
    ],
  });

describe('a pod', () => {
  const ROWS: Readonly<Record<string, readonly [Pod, string | undefined]>> = {
    'that is being made': [waiting('ContainerCreating'), undefined],
    'of which nothing is known': [pod({}), undefined],
    'whose image is not there': [waiting('ImagePullBackOff'), 'ImagePullBackOff'],
    'that ends again and again': [
      waiting('CrashLoopBackOff', 'm', { terminated: { exitCode: 1 } }),
      'CrashLoopBackOff',
    ],
    'that wanted too much memory': [
      waiting('CrashLoopBackOff', 'm', { terminated: { exitCode: 137, reason: 'OOMKilled' } }),
      'OutOfMemory',
    ],
    'that no machine takes': [
      pod({
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3' }],
      }),
      'Unschedulable',
    ],
  };
  for (const [what, [given, reason]] of Object.entries(ROWS))
    it(`${what}: ${String(reason)}`, () => {
      assert.equal(podProblem(given)?.reason, reason);
    });

  it('that lacks a Secret names it', () => {
    assert.equal(
      missingSecret(waiting('CreateContainerConfigError', 'secret "flow-a-1" not found')),
      'flow-a-1',
    );
    assert.equal(missingSecret(waiting('CreateContainerConfigError', 'configmap "x" not found')), undefined);
  });
});

it('a Deployment without room says whose limit it is', () => {
  const failed = (message: string): Deployment => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd' },
    status: { conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message }] },
  });
  assert.equal(
    deploymentProblem(failed('pods "x" is forbidden: exceeded quota: q'))?.reason,
    'QuotaExceeded',
  );
  assert.equal(deploymentProblem(failed('violates PodSecurity'))?.reason, 'FailedCreate');
});
