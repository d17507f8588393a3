/** What is not Sinter's in a user's namespace: neither a name nor a copied label gives it away, and what is refused is told. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Code } from '../application.ts';
import { WORKFLOW } from '../application.ts';
import { WITHOUT_SINTER, apply, condition, eventually, get, kubectl, list } from './harness.ts';
import type { ClusterObject } from './harness.ts';
import { UNIT_LABEL, withLab } from './lab.ts';

const ONE: { readonly functions: Readonly<Record<string, Code>> } = {
  functions: { hello: `export default async () => 'hello';` },
};
const COPIED = {
  'app.kubernetes.io/managed-by': 'sinter',
  'sinter.dev/workflow': WORKFLOW,
};
const DATABASE = { app: 'database' };

const policy = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: `sinter-${WORKFLOW}` },
  spec: { podSelector: { matchLabels: DATABASE }, policyTypes: ['Ingress'] },
};

/** A Deployment without pods. */
const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'own', labels: { ...COPIED, [UNIT_LABEL]: 'own' } },
  spec: {
    replicas: 0,
    selector: { matchLabels: DATABASE },
    template: {
      metadata: { labels: DATABASE },
      spec: { containers: [{ name: 'c', image: 'none.invalid/none' }] },
    },
  },
};

/** As somebody makes who copies a unit's pod to look into it; no machine takes it. */
const pod = (unit: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'copy', labels: { ...COPIED, [UNIT_LABEL]: unit } },
  spec: {
    nodeSelector: { 'sinter.dev/none': 'none' },
    containers: [{ name: 'host', image: 'none.invalid/none' }],
  },
});

interface Policy extends ClusterObject {
  readonly spec: { readonly podSelector: unknown };
}

describe("a user's own objects", { skip: WITHOUT_SINTER }, () => {
  it('with the name of one of Sinter’s stays as it is, and the workflow says so', () =>
    withLab('taken', async (lab) => {
      await apply([policy], lab.namespace);
      await apply(lab.manifests(ONE), lab.namespace);
      const ready = await condition('workflow', WORKFLOW, lab.namespace, 'Ready', 'False');
      assert.equal(ready.reason, 'NameTaken', ready.message);
      const kept = await get<Policy>('networkpolicy', policy.metadata.name, lab.namespace);
      assert.deepEqual(kept?.spec.podSelector, policy.spec.podSelector);
      assert.deepEqual(await list('deployment', lab.namespace), [], 'nothing runs unguarded');
      await kubectl(['delete', 'networkpolicy', policy.metadata.name, '--namespace', lab.namespace]);
      await lab.ready();
    }));

  it('with copied labels are neither ended nor waited for', () =>
    withLab('copied', async (lab) => {
      await lab.deploy(ONE);
      const [unit] = await list('deployment', lab.namespace);
      await apply([deployment, pod(unit?.metadata.name ?? '')], lab.namespace);
      await lab.deploy({ functions: { hello: `export default async () => 'changed';` } });
      await kubectl(['delete', 'workflow', WORKFLOW, '--namespace', lab.namespace, '--timeout=100s'], {
        limitMs: 120_000,
      });
      assert.ok(await get('deployment', 'own', lab.namespace));
      assert.ok(await get('pod', 'copy', lab.namespace));
    }));

  it('a quota that forbids a NetworkPolicy is told, and nothing runs without one', () =>
    withLab('quota', async (lab) => {
      const quota = {
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { name: 'none' },
        spec: { hard: { 'count/networkpolicies.networking.k8s.io': '0' } },
      };
      await apply([quota], lab.namespace);
      await eventually('the quota holds', async () => {
        const now = await get<ClusterObject & { status?: { hard?: object } }>('quota', 'none', lab.namespace);
        return now?.status?.hard !== undefined;
      });
      await apply(lab.manifests(ONE), lab.namespace);
      const ready = await condition('workflow', WORKFLOW, lab.namespace, 'Ready', 'False');
      assert.equal(ready.reason, 'QuotaExceeded', ready.message);
      assert.deepEqual(await list('deployment', lab.namespace), []);
    }));
});
