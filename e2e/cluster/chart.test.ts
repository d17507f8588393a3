/**
 * The chart on a real API server: it takes everything that is rendered, for every set of values, and fields that it does not
 * know are none of ours. A dry run: nothing is made but a namespace.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { KubeClient } from '../../operator/src/kube/client.ts';
import { KINDS } from '../../operator/src/kube/objects.ts';
import { CHART, NO_HELM, objectsIn, runHelm } from '../../test/chart/helm.ts';
import { VALUE_SETS } from '../../test/chart/valueSets.ts';
import { clusterClient, newNamespace } from './client.ts';
import { tryKubectl } from './harness.ts';

/** Kinds that are not Kubernetes' own: no operator for them is here. */
const ELSEWHERE = ['monitoring.coreos.com/v1', 'cert-manager.io/v1', 'gateway.networking.k8s.io/v1'];

describe('the API server takes what the chart renders', { skip: NO_HELM }, () => {
  let client: KubeClient;
  let namespace = '';
  before(async () => {
    client = await clusterClient();
    namespace = await newNamespace(client, 'chart');
  });
  after(() => client.delete(KINDS.namespaces, { name: namespace }));

  for (const [name, values] of Object.entries(VALUE_SETS))
    it(name, async () => {
      // CRDs are the cluster's: others test with them at the same time. Their own test is crds.test.ts.
      const watched = 'watchNamespaces' in values ? { watchNamespaces: [namespace] } : {};
      const input = JSON.stringify({ ...values, ...watched, crds: { install: false } });
      const args = ['template', 'probe', CHART, '--namespace', namespace, '--values', '-'];
      const rendered = await runHelm(args, input);
      assert.equal(rendered.code, 0, rendered.stderr);
      const own = objectsIn(rendered.stdout).filter(({ apiVersion }) => !ELSEWHERE.includes(apiVersion));
      const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: own });
      const dry = [
        'apply',
        '--dry-run=server',
        '--server-side',
        '--validate=strict',
        '-n',
        namespace,
        '-f',
        '-',
      ];
      const { ok, said } = await tryKubectl(dry, { input: list });
      assert.ok(ok, said);
      assert.doesNotMatch(said, /warning/i);
      assert.equal(said.split('\n').length, own.length);
    });
});
