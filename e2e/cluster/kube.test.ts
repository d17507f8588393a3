/**
 * What `operator/src/kube` promises, asked of a real API server: applies that write nothing, watches that resume, one leader
 * at a time, events that `kubectl describe` shows, and every way to log in.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  KINDS,
  applyObject,
  applyStatus,
  connection,
  elector,
  inCluster,
  informer,
  isConflict,
  isGone,
  keyOf,
  kind,
  kubeClient,
  recorder,
} from '../../operator/src/kube/index.ts';
import type {
  Applied,
  Connection,
  Informer,
  InformerOptions,
  Kind,
  KubeClient,
  KubeObject,
  Lease,
  RequestReport,
} from '../../operator/src/kube/index.ts';
import { idle, step } from '../../operator/src/kube/watcher.ts';
import { TARGET, eventually, kubectl, withNamespace } from './harness.ts';

const MANAGER = 'sinter-kube-test';
const LIMIT = { timeout: 180_000 };

/** What the test asked of the server, and how it was answered. */
const requests: RequestReport[] = [];
let here: Connection;
let client: KubeClient;

before(async () => {
  here = await connection({ environment: process.env, kubeconfig: TARGET.kubeconfig });
  client = clientOf(here);
});

after(() => client.close());

const clientOf = (at: Connection): KubeClient =>
  kubeClient({ connection: at, userAgent: 'sinter-kube-test', onRequest: (report) => requests.push(report) });

const writesSince = (count: number): readonly RequestReport[] =>
  requests.slice(count).filter(({ verb }) => verb !== 'GET' && verb !== 'WATCH');

interface Following<T extends KubeObject> extends Informer<T> {
  /** The copy, once the watch has brought what a write gave. */
  caughtUp(written: Applied<T>): Promise<T>;
}

/** An informer that runs for the time of `work`. */
async function following<T extends KubeObject, R>(
  options: Omit<InformerOptions<T>, 'client'> & { readonly client?: KubeClient },
  work: (informer: Following<T>) => Promise<R>,
): Promise<R> {
  const running = informer<T>({ client, keepFieldsOf: [MANAGER], ...options });
  const seen = new Set<string | undefined>();
  running.store.onChange(({ object }) => seen.add(object.metadata.resourceVersion));
  const caughtUp = ({ object: { metadata } }: Applied<T>): Promise<T> =>
    eventually(
      'the copy has the write',
      () => seen.has(metadata.resourceVersion) && running.store.get(keyOf(metadata)),
    );
  const ending = new AbortController();
  const ended = running.run(ending.signal);
  try {
    await running.store.whenSynced(AbortSignal.timeout(30_000));
    return await work({ ...running, caughtUp });
  } finally {
    ending.abort();
    await ended;
  }
}

const signal = new AbortController().signal;

type Desired = KubeObject & Readonly<Record<string, unknown>>;

function desiredOf(of: Kind, namespace: string, rest: object, name = 'one'): Desired {
  return {
    apiVersion: of.apiVersion,
    kind: of.kind,
    metadata: { name, namespace, labels: { app: 'x' } },
    ...rest,
  };
}

const SELECTOR = { matchLabels: { app: 'x' } };

const CONTAINER = {
  name: 'host',
  image: 'example.invalid/none:1',
  args: [],
  env: [
    { name: 'EMPTY', value: '' },
    { name: 'LOOKS_LIKE_A_QUANTITY', value: '1000m' },
    { name: 'HOST_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
    { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
    { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
  ],
  envFrom: [{ secretRef: { name: 'q' }, prefix: 'X_' }],
  ports: [
    { containerPort: 80, name: 'http' },
    { containerPort: 80, protocol: 'UDP', name: 'udp' },
  ],
  resources: { limits: { cpu: '1000m', memory: '0.5Gi' }, requests: { cpu: '0.5', memory: '64Mi' } },
  readinessProbe: { httpGet: { path: '/readyz', port: 80 }, periodSeconds: 5 },
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  volumeMounts: [{ name: 'v', mountPath: '/v' }],
};

const TERM = { matchExpressions: [{ key: 'kubernetes.io/arch', operator: 'In', values: ['amd64'] }] };

const POD = {
  enableServiceLinks: false,
  automountServiceAccountToken: false,
  hostNetwork: false,
  terminationGracePeriodSeconds: 20,
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  tolerations: [{ key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' }],
  affinity: {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [TERM] } },
  },
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'ScheduleAnyway',
      labelSelector: SELECTOR,
    },
  ],
  imagePullSecrets: [{ name: 'p' }],
  volumes: [
    { name: 'v', emptyDir: {} },
    { name: 's', secret: { secretName: 'x', items: [{ key: 'a', path: 'b' }] } },
  ],
  containers: [CONTAINER],
};

const deployment = (namespace: string, container: object = {}, spec: object = {}): Desired =>
  desiredOf(KINDS.deployments, namespace, {
    spec: {
      replicas: 0,
      selector: SELECTOR,
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels: { app: 'x' }, annotations: {} },
        spec: { ...POD, containers: [{ ...CONTAINER, ...container }] },
      },
      ...spec,
    },
  });

/** Objects that the server fills with defaults, normalises, or keeps in associative and atomic lists. */
const OBJECTS: readonly (readonly [Kind, (namespace: string) => Desired])[] = [
  [KINDS.deployments, (namespace) => deployment(namespace)],
  [
    KINDS.podDisruptionBudgets,
    (namespace) =>
      desiredOf(KINDS.podDisruptionBudgets, namespace, { spec: { maxUnavailable: 1, selector: SELECTOR } }),
  ],
  [
    KINDS.networkPolicies,
    (namespace) =>
      desiredOf(KINDS.networkPolicies, namespace, {
        spec: {
          podSelector: {},
          policyTypes: ['Ingress', 'Egress'],
          egress: [],
          ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 80 }] }],
        },
      }),
  ],
  [
    KINDS.services,
    (namespace) =>
      desiredOf(KINDS.services, namespace, {
        spec: {
          selector: { app: 'x' },
          ports: [
            { port: 80, name: 'a' },
            { port: 81, name: 'b', targetPort: 'http' },
          ],
        },
      }),
  ],
  [KINDS.configMaps, (namespace) => desiredOf(KINDS.configMaps, namespace, { data: { a: 'b', empty: '' } })],
  [
    KINDS.horizontalPodAutoscalers,
    (namespace) =>
      desiredOf(KINDS.horizontalPodAutoscalers, namespace, {
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'one' },
          minReplicas: 1,
          maxReplicas: 3,
          metrics: [
            {
              type: 'Resource',
              resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
            },
          ],
          behavior: { scaleDown: { stabilizationWindowSeconds: 30 } },
        },
      }),
  ],
];

/** What a new process knows of an object: its copy, and no memory of earlier applies (which goes by uid). */
const seenByAnother = <T extends KubeObject>(object: T): T => ({
  ...object,
  metadata: { ...object.metadata, uid: `${object.metadata.uid ?? ''} as seen by another process` },
});

describe('server-side apply', LIMIT, () => {
  it('writes once, whatever the server makes of it', async () => {
    await withNamespace('kube', async (namespace) => {
      for (const [of, make] of OBJECTS)
        await following({ kind: of, namespaces: [namespace] }, async (from) => {
          const request = { client, kind: of, manager: MANAGER, desired: make(namespace), signal };
          const made = await applyObject({ ...request, current: undefined });
          assert.equal(made.what, 'created');
          const copy = await from.caughtUp(made);
          const count = requests.length;
          const again = await applyObject({ ...request, desired: make(namespace), current: copy });
          const byAnother = await applyObject({ ...request, current: seenByAnother(copy) });
          assert.deepEqual([of.kind, again.what, byAnother.what], [of.kind, 'unchanged', 'unchanged']);
          assert.deepEqual(writesSince(count), []);
        });
    });
  });

  it('takes away what is not wanted any more, and takes back what others changed', async () => {
    await withNamespace('kube', (namespace) =>
      following({ kind: KINDS.deployments, namespaces: [namespace] }, async (from) => {
        const request = { client, kind: KINDS.deployments, manager: MANAGER, signal };
        const made = await applyObject({ ...request, desired: deployment(namespace), current: undefined });
        const slim = deployment(namespace, {
          env: CONTAINER.env.slice(0, 1),
          ports: [],
          readinessProbe: undefined,
        });
        const current = seenByAnother(await from.caughtUp(made));
        const slimmed = await applyObject({ ...request, desired: slim, current });
        assert.equal(slimmed.what, 'changed');
        const [container] = slimmed.object.spec?.template.spec?.containers ?? [];
        assert.deepEqual(
          container?.env?.map(({ name }) => name),
          ['EMPTY'],
        );
        assert.equal(container.ports?.length ?? 0, 0);
        assert.equal(container.readinessProbe, undefined);
        await from.caughtUp(slimmed);

        await kubectl(['set', 'image', 'deployment/one', 'host=example.invalid/foreign:2', '-n', namespace]);
        await kubectl([
          'label',
          'deployment/one',
          'app=foreign',
          'theirs=stays',
          '--overwrite',
          '-n',
          namespace,
        ]);
        const foreign = await eventually('the copy shows both foreign edits', () => {
          const copy = from.store.get(`${namespace}/one`);
          return copy?.metadata.labels?.['theirs'] === 'stays' ? copy : undefined;
        });
        const back = await applyObject({ ...request, desired: slim, current: foreign });
        assert.equal(back.what, 'changed');
        assert.equal(back.object.spec?.template.spec?.containers[0]?.image, CONTAINER.image);
        assert.deepEqual(back.object.metadata.labels, { app: 'x', theirs: 'stays' });
        const still = await applyObject({ ...request, desired: slim, current: await from.caughtUp(back) });
        assert.equal(still.what, 'unchanged');
      }),
    );
  });

  it('leaves fields alone that it does not name: an autoscaler keeps its replicas', async () => {
    await withNamespace('kube', (namespace) =>
      following({ kind: KINDS.deployments, namespaces: [namespace] }, async (from) => {
        const request = { client, kind: KINDS.deployments, manager: MANAGER, signal };
        const desired = deployment(namespace, {}, { replicas: undefined, paused: true });
        await from.caughtUp(await applyObject({ ...request, desired, current: undefined }));
        await kubectl(['scale', 'deployment/one', '--replicas=0', '-n', namespace]);
        const scaled = await eventually('the copy shows the scaling', () => {
          const copy = from.store.get(`${namespace}/one`);
          return copy?.spec?.replicas === 0 ? copy : undefined;
        });
        assert.equal((await applyObject({ ...request, desired, current: scaled })).what, 'unchanged');
      }),
    );
  });

  it('notices a new order of variables', async () => {
    await withNamespace('kube', async (namespace) => {
      const request = { client, kind: KINDS.deployments, manager: MANAGER, signal };
      const made = await applyObject({ ...request, desired: deployment(namespace), current: undefined });
      const desired = deployment(namespace, { env: CONTAINER.env.toReversed() });
      const turned = await applyObject({ ...request, desired, current: made.object });
      const names = turned.object.spec?.template.spec?.containers[0]?.env?.map(({ name }) => name);
      assert.deepEqual(names, CONTAINER.env.map(({ name }) => name).toReversed());
      assert.equal((await applyObject({ ...request, desired, current: turned.object })).what, 'unchanged');
    });
  });
});

interface Widget extends KubeObject {
  readonly spec?: object;
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly count?: number;
  };
}

const GROUP = 'kube-test.sinter.dev';
const WIDGETS = kind<Widget>(`${GROUP}/v1`, 'Widget', 'widgets');

const CONDITION = {
  type: 'object',
  required: ['type', 'status'],
  properties: {
    type: { type: 'string' },
    status: { type: 'string' },
    reason: { type: 'string', default: 'Unknown' },
  },
};

const WIDGET_SCHEMA = {
  type: 'object',
  properties: {
    spec: { type: 'object', properties: { size: { type: 'integer', default: 3 }, cpu: { type: 'string' } } },
    status: {
      type: 'object',
      properties: {
        count: { type: 'integer' },
        conditions: {
          type: 'array',
          items: CONDITION,
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['type'],
        },
      },
    },
  },
};

const WIDGET_CRD: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `widgets.${GROUP}` },
  ...{
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { kind: 'Widget', plural: 'widgets', singular: 'widget' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: WIDGET_SCHEMA },
        },
      ],
    },
  },
};

describe('status of a custom resource', LIMIT, () => {
  before(async () => {
    await client.apply(KINDS.customResourceDefinitions, WIDGET_CRD, { fieldManager: MANAGER });
    await eventually(
      'widgets are served',
      async () => (await client.list(WIDGETS).catch(() => undefined)) !== undefined,
    );
  });
  after(() => client.delete(KINDS.customResourceDefinitions, { name: `widgets.${GROUP}` }));

  const ready = (status: string): object => ({ type: 'Ready', status, reason: 'Asked' });

  it('is written once, loses what is not said any more, and two managers share it', async () => {
    await withNamespace('kube', (namespace) =>
      following(
        { kind: WIDGETS, namespaces: [namespace], keepFieldsOf: [MANAGER, 'other'] },
        async (from) => {
          const desired = desiredOf(WIDGETS, namespace, { spec: { cpu: '1000m' } });
          const made = await applyObject({
            client,
            kind: WIDGETS,
            desired,
            current: undefined,
            manager: MANAGER,
            signal,
          });
          let current = await from.caughtUp(made);
          const report = async (status: object, manager = MANAGER, by = current): Promise<string> => {
            const applied = await applyStatus({
              client,
              kind: WIDGETS,
              current: by,
              status,
              manager,
              signal,
            });
            current = applied.what === 'unchanged' ? current : await from.caughtUp(applied);
            return applied.what;
          };
          assert.equal(await report({ count: 1, conditions: [ready('True')] }), 'changed');
          assert.equal(
            await report({ conditions: [{ type: 'Theirs', status: 'True', reason: 'Other' }] }, 'other'),
            'changed',
          );
          const count = requests.length;
          assert.equal(await report({ count: 1, conditions: [ready('True')] }), 'unchanged');
          const byAnother = seenByAnother(current);
          assert.equal(
            await report({ count: 1, conditions: [ready('True')] }, MANAGER, byAnother),
            'unchanged',
          );
          assert.deepEqual(writesSince(count), []);
          const whole = await applyObject({
            client,
            kind: WIDGETS,
            desired,
            current: byAnother,
            manager: MANAGER,
            signal,
          });
          assert.equal(whole.what, 'unchanged', 'the status of an object is not part of it');
          assert.equal(await report({ conditions: [ready('False')] }), 'changed');
          assert.equal(current.status?.count, undefined);
          assert.deepEqual(
            current.status?.conditions?.map(({ type, status }) => `${type} ${status}`).sort(),
            ['Ready False', 'Theirs True'],
          );
        },
      ),
    );
  });

  it('says a conflict when the object was made anew meanwhile', async () => {
    await withNamespace('kube', async (namespace) => {
      const request = {
        client,
        kind: WIDGETS,
        desired: desiredOf(WIDGETS, namespace, {}),
        manager: MANAGER,
        signal,
      };
      const { object: first } = await applyObject({ ...request, current: undefined });
      await client.delete(WIDGETS, first.metadata, { uid: first.metadata.uid });
      await applyObject({ ...request, current: undefined });
      const late = { client, kind: WIDGETS, current: first, status: { count: 1 }, manager: MANAGER, signal };
      await assert.rejects(applyStatus(late), isConflict);
      await assert.rejects(client.delete(WIDGETS, first.metadata, { uid: first.metadata.uid }), isConflict);
    });
  });
});

/** A cable between us and the API server that can be cut. */
async function cable(to: URL): Promise<{ readonly port: number; cut(): void; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(to.port), to.hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    close: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('watches', LIMIT, () => {
  it('lists in pages and follows: edits, deletions, and what is made again', async () => {
    await withNamespace('kube', async (namespace) => {
      const put = (name: string, data: object): Promise<unknown> =>
        client.apply(KINDS.configMaps, desiredOf(KINDS.configMaps, namespace, { data }, name), {
          fieldManager: MANAGER,
        });
      for (let index = 0; index < 25; index += 1) await put(`many-${index}`, {});
      const before = requests.length;
      const told: string[] = [];
      await following(
        { kind: KINDS.configMaps, namespaces: [namespace], labelSelector: 'app=x', pageSize: 10 },
        async (from) => {
          assert.equal(requests.slice(before).filter(({ verb }) => verb === 'GET').length, 3);
          assert.equal(from.store.size, 25);
          from.store.onChange((change) => told.push(`${change.type} ${change.object.metadata.name}`));
          await put('one', { a: '1' });
          await put('one', { a: '2' });
          await client.delete(KINDS.configMaps, { namespace, name: 'one' });
          await put('one', { a: '3' });
          await eventually('all four changes are told', () => told.length >= 4);
        },
      );
      assert.deepEqual(told, ['added one', 'updated one', 'deleted one', 'added one']);
    });
  });

  it('goes on after a cut where it was, without a new list', async () => {
    const line = await cable(new URL(here.server));
    const through: Connection = {
      ...here,
      server: `https://127.0.0.1:${line.port}`,
      identity: async (options) => withServerName(await here.identity(options)),
    };
    const cabled = clientOf(through);
    const heard = { listed: 0, trouble: 0 };
    const hooks = { listed: () => (heard.listed += 1), trouble: () => (heard.trouble += 1) };
    try {
      await withNamespace('kube', (namespace) =>
        following(
          { client: cabled, kind: KINDS.configMaps, namespaces: [namespace], hooks },
          async (from) => {
            const put = (name: string): Promise<unknown> =>
              client.apply(KINDS.configMaps, desiredOf(KINDS.configMaps, namespace, {}, name), {
                fieldManager: MANAGER,
              });
            await put('before');
            await eventually('the first is seen', () => from.store.get(`${namespace}/before`));
            line.cut();
            await put('meanwhile');
            await eventually('what happened meanwhile is seen', () =>
              from.store.get(`${namespace}/meanwhile`),
            );
            assert.deepEqual(heard, { listed: 1, trouble: 1 });
          },
        ),
      );
    } finally {
      cabled.close();
      await line.close();
    }
  });

  it('understands the server’s 410', async () => {
    const ending = new AbortController();
    const options = { resourceVersion: '1', timeoutSeconds: 30, signal: ending.signal };
    try {
      const lines = await client.watch(KINDS.configMaps, options);
      const first = await lines[Symbol.asyncIterator]().next();
      const at = { nowMs: 0, random: 0 };
      const listed = step(idle, { type: 'begin' }, at).state;
      const watching = step(listed, { type: 'page', items: [], resourceVersion: '1' }, at).state;
      const opened = step(watching, { type: 'opened' }, at).state;
      const refused = step(opened, { type: 'line', line: String(first.value) }, at);
      assert.equal(refused.effect.do, 'wait');
      assert.equal(step(refused.state, { type: 'waited' }, at).effect.do, 'list');
    } catch (error) {
      assert.ok(isGone(error), String(error));
    } finally {
      ending.abort();
    }
  });

  it('brings only metadata where only metadata is asked for', async () => {
    await withNamespace('kube', async (namespace) => {
      const desired = desiredOf(KINDS.configMaps, namespace, { data: { big: 'x' } });
      await client.apply(KINDS.configMaps, desired, { fieldManager: MANAGER });
      await following(
        { kind: KINDS.configMaps, namespaces: [namespace], metadataOnly: true },
        async (from) => {
          const copy = from.store.get(`${namespace}/one`);
          assert.deepEqual(
            [copy?.kind, copy?.metadata.labels, copy?.data],
            ['ConfigMap', { app: 'x' }, undefined],
          );
          await kubectl(['label', 'configmap/one', 'more=yes', '-n', namespace]);
          const changed = await eventually('the label is seen', () => {
            const now = from.store.get(`${namespace}/one`);
            return now?.metadata.labels?.['more'] === 'yes' ? now : undefined;
          });
          assert.equal(changed.kind, 'ConfigMap');
          assert.equal(changed.data, undefined);
        },
      );
    });
  });
});

/** The certificate names the server, not the cable. */
async function withServerName(
  identity: Awaited<ReturnType<Connection['identity']>>,
): Promise<typeof identity> {
  cabledTls ??= { ...identity.tls, servername: 'kubernetes' };
  return Promise.resolve({ ...identity, tls: cabledTls });
}
let cabledTls: Awaited<ReturnType<Connection['identity']>>['tls'] | undefined;

describe('election', LIMIT, () => {
  interface Run {
    readonly ended: Promise<string>;
    readonly leads: () => boolean;
    stop(): void;
  }

  function run(by: KubeClient, namespace: string, identity: string): Run {
    const ending = new AbortController();
    const made = elector({
      client: by,
      namespace,
      name: 'kube-test',
      identity,
      leaseMs: 4000,
      renewMs: 3000,
      retryMs: 400,
    });
    const ended = made.run(
      ending.signal,
      (reign) => new Promise((resolve) => reign.addEventListener('abort', () => resolve(), { once: true })),
    );
    return { ended, leads: () => made.leading, stop: () => ending.abort() };
  }

  it('has one leader; a released lease is taken at once, a lost one when it has ended', async () => {
    const line = await cable(new URL(here.server));
    const cabled = clientOf({
      ...here,
      server: `https://127.0.0.1:${line.port}`,
      identity: async (options) => withServerName(await here.identity(options)),
    });
    await withNamespace('kube', async (namespace) => {
      const lease = (): Promise<Lease> => client.get(KINDS.leases, { namespace, name: 'kube-test' });
      const one = run(client, namespace, 'one');
      await eventually('one leads', one.leads);
      const two = run(cabled, namespace, 'two');
      await eventually('one renews', async () => {
        const { spec } = await lease();
        return spec?.renewTime !== spec?.acquireTime;
      });
      assert.equal(two.leads(), false);
      one.stop();
      assert.equal(await one.ended, 'stopped');
      await eventually('two leads', two.leads);
      assert.equal((await lease()).spec?.leaseTransitions, 1);

      const three = run(client, namespace, 'three');
      let both = false;
      const watching = setInterval(() => (both ||= two.leads() && three.leads()), 5);
      await line.close();
      cabled.close();
      assert.equal(await two.ended, 'lost');
      assert.equal(three.leads(), false, 'who loses stops before anybody follows');
      await eventually('three leads', three.leads);
      clearInterval(watching);
      assert.equal(both, false);
      three.stop();
      await three.ended;
      assert.equal((await lease()).spec?.holderIdentity, '');
    });
  });
});

describe('events', LIMIT, () => {
  it('are shown by kubectl describe, repeats as a count', async () => {
    await withNamespace('kube', async (namespace) => {
      const desired = desiredOf(KINDS.configMaps, namespace, {});
      const { object } = await applyObject({
        client,
        kind: KINDS.configMaps,
        desired,
        current: undefined,
        manager: MANAGER,
        signal,
      });
      const troubles: unknown[] = [];
      const told = recorder({
        client,
        controller: 'sinter.dev/kube-test',
        instance: 'test',
        trouble: (error) => troubles.push(error),
      });
      const event = {
        regarding: object,
        type: 'Warning',
        reason: 'TrustDomainsDiffer',
        action: 'Plan',
      } as const;
      for (let turn = 0; turn < 5; turn += 1) told.record({ ...event, note: 'a and b stay apart' });
      told.record({ ...event, type: 'Normal', reason: 'Planned', note: 'a and b share a process' });
      await told.flush();
      assert.deepEqual(troubles, []);
      const text = await eventually('describe shows both', async () => {
        const said = await kubectl(['describe', 'configmap', 'one', '-n', namespace]);
        return said.includes('share a process') && said.includes('stay apart') ? said : undefined;
      });
      assert.match(text, /Warning\s+TrustDomainsDiffer\s+.*sinter\.dev\/kube-test\s+a and b stay apart/);
      assert.match(text, /Normal\s+Planned\s+.*a and b share a process/);
      const seen = JSON.parse(
        await kubectl(['get', 'events.v1.events.k8s.io', '-n', namespace, '-o', 'json']),
      ) as { items: { reason: string; series?: { count: number } }[] };
      const counts = seen.items.map(({ reason, series }) => `${reason} ${series?.count ?? 1}`).sort();
      assert.deepEqual(counts, ['Planned 1', 'TrustDomainsDiffer 5']);
    });
  });
});

describe('logging in', LIMIT, () => {
  it('works as a pod does, by a token that is read anew', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sinter-kube-'));
    try {
      await withNamespace('kube', async (namespace) => {
        await kubectl(['create', 'serviceaccount', 'me', '-n', namespace]);
        const token = await kubectl(['create', 'token', 'me', '-n', namespace]);
        const { tls } = await here.identity();
        await writeFile(join(folder, 'ca.crt'), tls.ca ?? '');
        await writeFile(join(folder, 'namespace'), namespace);
        await writeFile(join(folder, 'token'), 'not a token');
        const { hostname, port } = new URL(here.server);
        const environment = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
        const pod = await inCluster({ environment, folder });
        assert.equal(pod?.namespace, namespace);
        const mine = clientOf(pod);
        const whoAmI = (): Promise<{ status: { userInfo: { username: string } } }> =>
          mine.request({
            method: 'POST',
            path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
            body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
          });
        await assert.rejects(whoAmI(), { status: 401 });
        await writeFile(join(folder, 'token'), token);
        assert.equal((await whoAmI()).status.userInfo.username, `system:serviceaccount:${namespace}:me`);
        mine.close();
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('works by an exec plugin that gives the credential of the kubeconfig', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sinter-kube-'));
    try {
      const { tls, headers } = await here.identity();
      const token = headers['authorization']?.replace(/^Bearer /, '');
      const status = { token, clientCertificateData: tls.cert, clientKeyData: tls.key };
      const answer = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status };
      await writeFile(join(folder, 'answer.json'), JSON.stringify(answer));
      await writeFile(join(folder, 'ca.crt'), tls.ca ?? '');
      const config = {
        'current-context': 'c',
        contexts: [{ name: 'c', context: { cluster: 'k', user: 'u', namespace: 'somewhere' } }],
        clusters: [{ name: 'k', cluster: { server: here.server, 'certificate-authority': 'ca.crt' } }],
        users: [
          {
            name: 'u',
            user: {
              exec: { apiVersion: answer.apiVersion, command: 'cat', args: [join(folder, 'answer.json')] },
            },
          },
        ],
      };
      await writeFile(join(folder, 'config'), JSON.stringify(config));
      const at = await connection({ environment: process.env, kubeconfig: join(folder, 'config') });
      assert.equal(at.namespace, 'somewhere');
      const mine = clientOf(at);
      assert.ok((await mine.list(KINDS.nodes)).items.length > 0);
      mine.close();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
