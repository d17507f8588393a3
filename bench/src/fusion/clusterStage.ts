/**
 * The stage on a cluster: declared as users do, waited for by what the Workflow's status says.
 *
 * It hears what hosts report, which takes the keys of the bundled NATS: for clusters that are there to be measured on. Needs
 * KUBECONFIG and a machine that reaches the addresses of pods and Services, as on the testbed.
 */
import { execFile } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connectAs } from '@sinter/operator/bus/connect';
import { signOperator } from '@sinter/operator/bus/credentials';
import { parseKeys } from '@sinter/operator/bus/keys';
import { kubeClient } from '@sinter/operator/kube/client';
import type { KubeClient } from '@sinter/operator/kube/client';
import { connection } from '@sinter/operator/kube/connection';
import { KINDS, kind } from '@sinter/operator/kube/objects';
import type { Kind, KubeObject, Pod, Secret } from '@sinter/operator/kube/objects';
import type { RawObject } from '@sinter/operator/local/run';
import { readSnapshot } from '@sinter/operator/snapshot/index';
import { Hearing } from './hearing.ts';
import type { Stage } from './stage.ts';
import type { Groups, Subject } from './subject.ts';

const SINTER = 'sinter.dev/v1alpha1';
const MANAGER = 'sinter-bench';
const UNIT_LABEL = 'sinter.dev/unit';
const READY_LIMIT_MS = 180_000;
const CLI = fileURLToPath(new URL('../../../cli/src/main.ts', import.meta.url));

const WORKFLOWS = kind<WorkflowObject>(SINTER, 'Workflow', 'workflows');
const PLANS = kind<PlanObject>(SINTER, 'WorkflowPlan', 'workflowplans');
const KIND_OF: Readonly<Record<string, Kind>> = {
  ConfigMap: KINDS.configMaps,
  Function: kind(SINTER, 'Function', 'functions'),
  Workflow: WORKFLOWS,
  OptimizationPolicy: kind(SINTER, 'OptimizationPolicy', 'optimizationpolicies'),
};

interface WorkflowObject extends KubeObject {
  readonly status?: {
    readonly plan?: {
      readonly current?: string;
      readonly candidate?: string;
      readonly draining?: readonly string[];
    };
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message?: string;
    }[];
  };
}

interface PlanObject extends KubeObject {
  readonly spec: { readonly units: readonly { readonly functions: readonly string[] }[] };
}

export async function clusterStage(): Promise<Stage> {
  const path = process.env['KUBECONFIG'];
  if (path === undefined || path === '')
    throw new Error('KUBECONFIG is not set; npm run testbed -- up makes a cluster and prints it');
  const client = kubeClient({
    connection: await connection({ environment: process.env }),
    userAgent: MANAGER,
  });
  const pods = await sinterPods(client);
  const machine = pods.gateway.spec?.nodeName ?? '';
  const home = pods.hub.metadata.namespace ?? '';
  const tls = { ca: await authorityOf(client, home), servername: 'sinter-nats' };
  const credential = signOperator(await keysOf(client, home), { nowMs: Date.now() });
  const nc = await connectAs(`tls://${pods.hub.status?.podIP ?? ''}:4222`, credential, {
    name: MANAGER,
    tls,
  });
  const said = new Set<string>();
  const write = (object: RawObject): Promise<unknown> => {
    const found = KIND_OF[String(object['kind'])];
    if (!found) throw new Error(`a benchmark makes no ${String(object['kind'])}`);
    return client.apply(found, object as unknown as KubeObject, { fieldManager: MANAGER });
  };
  return {
    gateway: `http://${pods.gatewayAddress}`,
    machine,
    hear: (namespace) => new Hearing(nc, namespace),
    declare: async (subject, policy, groups) => {
      const { namespace } = subject;
      if (!said.has(namespace)) {
        const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
        await client.apply(KINDS.namespaces, object, { fieldManager: MANAGER });
        for (const one of subject.objects(policy)) await write(one);
        said.add(namespace);
      } else await write(subject.policy(policy));
      await untilRunning(client, subject, groups);
    },
    change: async (subject, policy) => {
      await write(subject.policy(policy));
    },
    delayHops: async (delayMs) => {
      const leaf = await leafOn(client, machine);
      const { delayHops } = await import('./hopDelay.ts');
      return await delayHops(machine, leaf, delayMs);
    },
    running: (subject) => runningOf(client, subject),
    snapshot: snapshotOf,
    remove: async ({ namespace }) => {
      said.delete(namespace);
      await client.delete(KINDS.namespaces, { name: namespace });
      const until = performance.now() + READY_LIMIT_MS;
      while (performance.now() < until && (await client.find(KINDS.namespaces, { name: namespace })))
        await pause(250);
    },
    close: async () => {
      await nc.close();
      client.close();
    },
  };
}

async function sinterPods(client: KubeClient) {
  const of = async (component: string): Promise<Pod> => {
    const labelSelector = `app.kubernetes.io/component=${component}`;
    const [pod] = (await client.list<Pod>(KINDS.pods, { labelSelector })).items;
    if (!pod)
      throw new Error(`no ${component} runs here; install the chart: helm install sinter helm/sinter`);
    return pod;
  };
  const [gateway, hub] = [await of('gateway'), await of('nats-hub')];
  return { gateway, hub, gatewayAddress: `${gateway.status?.podIP ?? ''}:8080` };
}

/** Address of the pod of a machine's own server. */
async function leafOn(client: KubeClient, machine: string): Promise<string> {
  const labelSelector = 'app.kubernetes.io/component=nats-leaf';
  const fieldSelector = `spec.nodeName=${machine}`;
  const [pod] = (await client.list<Pod>(KINDS.pods, { labelSelector, fieldSelector })).items;
  if (pod?.status?.podIP === undefined) throw new Error(`no leaf of the bus runs on ${machine}`);
  return pod.status.podIP;
}

const secretText = async (
  client: KubeClient,
  namespace: string,
  name: string,
  key: string,
): Promise<string> => {
  const secret = await client.get<Secret>(KINDS.secrets, { namespace, name });
  return Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
};
const keysOf = async (client: KubeClient, namespace: string) =>
  parseKeys(await secretText(client, namespace, 'sinter-bus-keys', 'keys.json'));
const authorityOf = (client: KubeClient, namespace: string): Promise<string> =>
  secretText(client, namespace, 'sinter-nats-hub-tls', 'ca.crt');

async function runningOf(client: KubeClient, { namespace, workflow }: Subject) {
  const found = await client.get(WORKFLOWS, { namespace, name: workflow });
  const hash = found.status?.plan?.current ?? '';
  const plan = hash === '' ? undefined : await client.find(PLANS, { namespace, name: `${workflow}-${hash}` });
  return { hash, groups: plan?.spec.units.map((u) => u.functions) ?? [], status: found.status };
}

export const groupsKey = (groups: Groups): string =>
  groups
    .map((group) => [...group].sort().join('+'))
    .sort()
    .join(' ');

/** The plan with these groups is the current one, nothing is beside it, and the pods of others have gone. */
async function untilRunning(client: KubeClient, subject: Subject, groups: Groups): Promise<void> {
  const at = performance.now();
  for (;;) {
    const { groups: now, status } = await runningOf(client, subject);
    const isReady = status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;
    const isAlone = status?.plan?.candidate === undefined && (status?.plan?.draining ?? []).length === 0;
    if (isReady && isAlone && groupsKey(now) === groupsKey(groups)) {
      const { items } = await client.list<Pod>(KINDS.pods, {
        namespace: subject.namespace,
        labelSelector: UNIT_LABEL,
      });
      if (items.length === groups.length && items.every((p) => p.metadata.deletionTimestamp === undefined))
        return;
    }
    if (performance.now() - at > READY_LIMIT_MS)
      throw new Error(
        `${subject.namespace}: after ${String(READY_LIMIT_MS / 1000)} s there runs ${groupsKey(now)}: ${JSON.stringify(status)}`,
      );
    await pause(250);
  }
}

/** As `sinter snapshot` says it. */
async function snapshotOf({ namespace, workflow }: Subject) {
  const args = [CLI, 'snapshot', workflow, '--namespace', namespace, '--cluster'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 64 * 2 ** 20 });
  const reading = readSnapshot(stdout);
  if (reading.ok) return reading.snapshot;
  throw new Error(`snapshot: ${reading.problems[0]?.field ?? ''} ${reading.problems[0]?.message ?? ''}`);
}
