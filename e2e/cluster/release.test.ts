/**
 * The life of a release: installed beside the one of the other scenarios, in a namespace of its own, tested as `helm test` does,
 * upgraded, taken away, and installed again over what it left.
 *
 * CRDs and the default policy are the cluster's and not of this release: other scenarios use them.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  CHART,
  WITHOUT_SINTER,
  describeNamespace,
  eventually,
  get,
  helm,
  kubectl,
  list,
  rolledOut,
  serviceUrl,
} from './harness.ts';
import type { ClusterObject } from './harness.ts';
import { isReady, restarts } from './lab.ts';
import type { PodObject } from './lab.ts';

const VALUES =
  process.env['SINTER_VALUES'] ?? fileURLToPath(new URL('../testbed/values.yaml', import.meta.url));
const INSTALL_LIMIT_MS = 300_000;

describe('a release', { skip: WITHOUT_SINTER }, () => {
  const namespace = `t-release-${randomBytes(3).toString('hex')}`;
  const own = { namespace, name: 'sinter' };

  const install = (...more: readonly string[]): Promise<string> =>
    helm(
      [
        ...['upgrade', '--install', own.name, CHART, '--namespace', namespace, '--create-namespace'],
        ...['--values', VALUES, '--set', 'crds.install=false', '--set', 'defaultPolicy.create=false'],
        ...['--set', `watchNamespaces={${namespace}}`, '--set', 'nats.leaf.hostPort=14222'],
        ...['--set', 'gateway.replicas=2', '--wait', '--timeout', '5m'],
        ...more.flatMap((value) => ['--set', value]),
      ],
      INSTALL_LIMIT_MS + 30_000,
    );

  const podsOf = (component: string): Promise<readonly PodObject[]> =>
    list<PodObject>('pods', namespace, `app.kubernetes.io/component=${component}`);

  const uidsOf = async (component: string): Promise<readonly string[]> =>
    (await podsOf(component)).map(({ metadata }) => metadata.uid).sort();

  const allReady = (): Promise<true> =>
    eventually('every pod is ready', async () => {
      const pods = await list<PodObject>('pods', namespace);
      return pods.length >= 5 && pods.every(isReady) ? true : undefined;
    });

  before(async () => {
    try {
      await install();
    } catch (cause) {
      console.error(await describeNamespace(namespace));
      throw cause;
    }
  });
  after(async () => {
    // First the release: some of it is the cluster's, and does not go with the namespace.
    await helm(['uninstall', own.name, '--namespace', namespace, '--ignore-not-found', '--wait']);
    await kubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--wait=false']);
  });

  it('comes up by itself: keys and certificates are made, and every pod is ready', async () => {
    await allReady();
    const kinds = await Promise.all(['operator', 'gateway', 'nats-hub', 'nats-leaf'].map(podsOf));
    assert.deepEqual(
      kinds.slice(0, 3).map((pods) => pods.length),
      [1, 2, 1],
    );
    assert.equal(kinds[3]?.length, (await list('nodes')).length);
  });

  it('passes its own test', async () => {
    await helm(['test', own.name, '--namespace', namespace, '--timeout', '3m'], 200_000);
    assert.equal(await get('pod', 'sinter-check', namespace), undefined);
  });

  it('upgraded to the same, restarts nothing', async () => {
    const before = await uidsOf('operator');
    const all = await list('pods', namespace);
    await install();
    assert.deepEqual(await uidsOf('operator'), before);
    const uids = (pods: readonly ClusterObject[]) => pods.map(({ metadata }) => metadata.uid).sort();
    assert.deepEqual(uids(await list('pods', namespace)), uids(all));
  });

  it('upgraded with a change for the hub, restarts the hub alone, and all is ready again', async () => {
    const others = ['operator', 'gateway', 'nats-leaf'];
    const before = await Promise.all(others.map(uidsOf));
    const hub = await uidsOf('nats-hub');
    await install('nats.hub.maxMemoryStoreBytes=33554432');
    await allReady();
    assert.notDeepEqual(await uidsOf('nats-hub'), hub);
    assert.deepEqual(await Promise.all(others.map(uidsOf)), before);
    assert.deepEqual((await podsOf('gateway')).map(restarts), [0, 0]);
  });

  it('replaces its gateways without refusing a request', async () => {
    const url = `${await serviceUrl(namespace, 'sinter-gateway')}/-/healthz`;
    let running = true;
    const outcomes: (number | string)[] = [];
    const caller = async (): Promise<void> => {
      while (running) outcomes.push(await statusOf(url));
    };
    const callers = [caller(), caller()];
    await kubectl(['rollout', 'restart', 'deployment/sinter-gateway', '--namespace', namespace]);
    await rolledOut('deployment/sinter-gateway', namespace);
    await eventually('only new gateways are left', async () => (await podsOf('gateway')).length === 2);
    running = false;
    await Promise.all(callers);
    assert.ok(outcomes.length > 100, String(outcomes.length));
    assert.deepEqual([...new Set(outcomes)], [200]);
  });

  it('taken away, leaves its keys and what the hub stored; installed again, goes on with them', async () => {
    const keys = await get('secret', 'sinter-bus-keys', namespace);
    await helm(['uninstall', own.name, '--namespace', namespace, '--wait', '--timeout', '3m'], 200_000);
    const kinds =
      'deployment,statefulset,daemonset,service,configmap,networkpolicy,role,rolebinding,serviceaccount';
    const left = (await list(kinds, namespace)).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    assert.deepEqual(left.sort(), ['ConfigMap kube-root-ca.crt', 'ServiceAccount default']);
    const cluster = await list('clusterrole,clusterrolebinding,validatingadmissionpolicy');
    assert.deepEqual(
      cluster.map(({ metadata }) => metadata.name).filter((name) => name.startsWith(namespace)),
      [],
    );
    const secrets = await list('secret', namespace);
    for (const { metadata } of secrets)
      assert.equal(metadata.labels?.['app.kubernetes.io/managed-by'], 'sinter', metadata.name);
    assert.equal((await list('persistentvolumeclaim', namespace)).length, 1);

    await install();
    await allReady();
    assert.equal((await get('secret', 'sinter-bus-keys', namespace))?.metadata.uid, keys?.metadata.uid);
    await helm(['test', own.name, '--namespace', namespace, '--timeout', '3m'], 200_000);
  });
});

/** Each over a connection of its own: what a load balancer would see. */
async function statusOf(url: string): Promise<number | string> {
  try {
    const answer = await fetch(url, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(10_000),
    });
    await answer.arrayBuffer();
    return answer.status;
  } catch (cause) {
    const { cause: inner } = cause as { readonly cause?: { readonly code?: string } };
    return inner?.code ?? String(cause);
  }
}
