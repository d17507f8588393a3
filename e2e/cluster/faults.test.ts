/** The control plane away, a machine away, the operator twice or not at all: what runs goes on (D1). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AppOptions } from '../application.ts';
import { countBy } from '../load.ts';
import {
  auditEntries,
  cutOff,
  inNetworkOf,
  reconnect,
  startApiServer,
  stopApiServer,
} from '../testbed/cluster.ts';
import {
  RELEASE,
  SINTER_NAMESPACE,
  WITHOUT_SINTER,
  WITHOUT_TESTBED,
  apply,
  eventually,
  get,
  kubectl,
  list,
  rolledOut,
} from './harness.ts';
import type { ClusterObject } from './harness.ts';
import { withLab } from './lab.ts';
import type { PodObject } from './lab.ts';

const skip = WITHOUT_SINTER || WITHOUT_TESTBED;
const OPERATOR = `deployment/${RELEASE}-operator`;
const OPERATOR_USER = `system:serviceaccount:${SINTER_NAMESPACE}:${RELEASE}-operator`;
const AMD64 = { placement: { architectures: ['amd64'] } };
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const chain = {
  root: { code: async (input, ctx) => ctx.call('callee', input), spec: AMD64 },
  callee: { code: (input) => `got ${JSON.stringify(input)}`, spec: AMD64 },
} satisfies AppOptions['functions'];
const edges = ['root>callee'];

interface Lease extends ClusterObject {
  readonly spec: { readonly holderIdentity?: string; readonly leaseTransitions?: number };
}
const lease = async (): Promise<Lease | undefined> =>
  (await list<Lease>('leases.coordination.k8s.io', SINTER_NAMESPACE)).find((l) =>
    l.metadata.name.startsWith(RELEASE),
  );

/**
 * What the operator wrote since: here, in its own namespace and for the whole cluster, but for its Lease, which says that it
 * lives.
 */
async function writesSince(since: Date, namespace: string): Promise<readonly string[]> {
  const entries = await auditEntries({ since, user: OPERATOR_USER });
  return entries
    .filter((e) => ['create', 'update', 'patch', 'delete'].includes(e.verb))
    .filter((e) => e.objectRef?.resource !== 'leases')
    .filter((e) => [namespace, SINTER_NAMESPACE, ''].includes(e.objectRef?.namespace ?? ''))
    .map((e) => `${e.verb} ${e.requestURI}`);
}

const operators = async (): Promise<readonly PodObject[]> =>
  (await list<PodObject>('pods', SINTER_NAMESPACE, 'app.kubernetes.io/component=operator')).filter(
    (p) => p.metadata.deletionTimestamp === undefined,
  );

/** Waits until one of the operators that are there leads. */
const led = (): Promise<string> =>
  eventually('an operator leads', async () => {
    const holder = (await lease())?.spec.holderIdentity ?? '';
    return (await operators()).some((p) => holder.startsWith(p.metadata.name)) && holder;
  });

describe('faults', { skip }, () => {
  it('restarted with nothing changed the operator writes nothing, and at rest neither', () =>
    withLab('quiet', async (lab) => {
      await lab.deploy({ functions: chain, edges });
      const before = { plan: await lab.plan(), pods: (await lab.pods()).map((p) => p.metadata.uid).sort() };
      await eventually('it has come to rest', async () => {
        const since = new Date();
        await pause(10_000);
        return (await writesSince(since, lab.namespace)).length === 0;
      });
      const since = new Date();
      await kubectl(['delete', 'pod', '-n', SINTER_NAMESPACE, '-l', 'app.kubernetes.io/component=operator']);
      await rolledOut(OPERATOR, SINTER_NAMESPACE);
      await led();
      await pause(20_000);
      assert.deepEqual(await writesSince(since, lab.namespace), []);
      const after = { plan: await lab.plan(), pods: (await lab.pods()).map((p) => p.metadata.uid).sort() };
      assert.deepEqual(after, before);
    }));

  it('of two operators one acts; when it goes, the other one does', () =>
    withLab('two', async (lab) => {
      await kubectl(['scale', OPERATOR, '--replicas=2', '-n', SINTER_NAMESPACE]);
      try {
        await rolledOut(OPERATOR, SINTER_NAMESPACE);
        const first = await led();
        await lab.deploy({ functions: chain, edges });
        const leader = (await operators()).find((p) => first.startsWith(p.metadata.name));
        assert.ok(leader, 'the leader is one of them');
        await kubectl([
          'delete',
          'pod',
          leader.metadata.name,
          '-n',
          SINTER_NAMESPACE,
          '--grace-period=0',
          '--force',
        ]);
        await eventually('another one leads', async () => (await lease())?.spec.holderIdentity !== first);
        await lab.change({ functions: { ...chain, callee: { code: () => 'changed', spec: AMD64 } }, edges });
        assert.equal((await lab.call()).text, 'changed');
      } finally {
        await kubectl(['scale', OPERATOR, '--replicas=1', '-n', SINTER_NAMESPACE]);
        await rolledOut(OPERATOR, SINTER_NAMESPACE);
      }
    }));

  it('the API server is away for a minute: calls go on, none fails', () =>
    withLab('api', async (lab) => {
      await lab.deploy({ functions: chain, edges });
      const restarts = await restartsOf(lab.namespace);
      await lab.underLoad(async (load) => {
        await stopApiServer();
        try {
          const until = load.started + 60 * 50;
          await eventually('a minute has passed', () => load.started >= until);
        } finally {
          await startApiServer();
        }
      });
      assert.deepEqual(await restartsOf(lab.namespace), restarts);
      await lab.change({ functions: { ...chain, callee: { code: () => 'after', spec: AMD64 } }, edges });
      // To the cluster the machines were away: until they are back, the Service has nobody behind it.
      await eventually('it answers', async () => (await lab.call()).text === 'after');
    }));

  /**
   * Long enough for the cluster to take the machine for lost. SINTER_CUT_SECONDS=330 goes beyond its patience with pods that
   * tolerate what every pod does: five minutes.
   */
  const AWAY_MS = Number(process.env['SINTER_CUT_SECONDS'] ?? '75') * 1_000;

  it('a machine is cut off: calls on it go on, and on its return nothing is restarted or lost', () =>
    withLab('cut', (lab) =>
      withGatewayOn('n2', async (gateway) => {
        const edge = { placement: { tiers: ['Edge'], architectures: ['amd64'] } };
        const functions = {
          root: { code: async (input, ctx) => ctx.call('callee', input), spec: edge },
          callee: { code: (input) => input, spec: edge },
        } satisfies AppOptions['functions'];
        await lab.deploy({ functions, edges });
        const before = await restartsOf(lab.namespace);
        assert.deepEqual(
          countBy(await lab.living(), (p) => p.spec.nodeName ?? ''),
          { n2: 2 },
        );
        const url = `http://${gateway}:8080${lab.path}`;
        const ask = (i: number): Promise<string> =>
          inNetworkOf('n2', [
            'curl',
            '-sS',
            '-m',
            '20',
            '-H',
            'content-type: application/json',
            '-d',
            String(i),
            url,
          ]);
        assert.equal(await ask(0), '0');
        const answers: string[] = [];
        await cutOff('n2');
        try {
          const until = performance.now() + AWAY_MS;
          for (let i = 1; performance.now() < until; i++) {
            answers.push(`${String(i)} ${await ask(i)}`);
            await pause(250);
          }
          const node = await get<Node>('node', 'n2');
          assert.notEqual(node && readyOf(node), 'True', 'the cluster has noticed');
          const pods = await lab.pods();
          assert.deepEqual(
            pods.map((p) => p.metadata.deletionTimestamp ?? 'stays'),
            ['stays', 'stays'],
          );
        } finally {
          await reconnect('n2');
        }
        assert.ok(answers.length > 50, String(answers.length));
        assert.deepEqual(
          answers.filter((answer, i) => answer !== `${String(i + 1)} ${String(i + 1)}`),
          [],
        );
        await eventually('the machine is back', async () => {
          const node = await get<Node>('node', 'n2');
          return node && readyOf(node) === 'True';
        });
        await eventually('calls from outside reach it again', async () => (await lab.call(7)).text === '7');
        assert.deepEqual(await restartsOf(lab.namespace), before, 'nothing was started again');
      }),
    ));
});

interface Deployment extends ClusterObject {
  readonly spec: {
    readonly selector: unknown;
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: object;
    };
  };
}

/** One more gateway, on this machine, for the time of a scenario, which gets its address. */
async function withGatewayOn(machine: string, scenario: (address: string) => Promise<void>): Promise<void> {
  const name = `gateway-${machine}`;
  const known = await get<Deployment>('deployment', `${RELEASE}-gateway`, SINTER_NAMESPACE);
  assert.ok(known, 'the chart has a gateway');
  const { labels } = known.spec.template.metadata;
  const template = {
    metadata: { labels: { ...labels, 'app.kubernetes.io/instance': name } },
    spec: { ...known.spec.template.spec, nodeSelector: { 'kubernetes.io/hostname': machine } },
  };
  const spec = { selector: { matchLabels: { 'app.kubernetes.io/instance': name } }, template };
  await apply(
    [{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: SINTER_NAMESPACE }, spec }],
    SINTER_NAMESPACE,
  );
  try {
    await rolledOut(`deployment/${name}`, SINTER_NAMESPACE);
    const pods = await list<PodObject>('pods', SINTER_NAMESPACE, `app.kubernetes.io/instance=${name}`);
    await scenario(pods[0]?.status.podIP ?? '');
  } finally {
    await kubectl(['delete', 'deployment', name, '-n', SINTER_NAMESPACE, '--cascade=foreground']);
  }
}

interface Node extends ClusterObject {
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
}

const readyOf = (node: Node): string | undefined =>
  node.status.conditions.find((c) => c.type === 'Ready')?.status;

/** Every pod with how often it was restarted. */
const restartsOf = async (namespace: string): Promise<Readonly<Record<string, number>>> =>
  Object.fromEntries(
    (await list<PodObject>('pods', namespace)).map((p) => [
      p.metadata.uid,
      p.status.containerStatuses?.[0]?.restartCount ?? 0,
    ]),
  );
