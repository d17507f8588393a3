/**
 * `npm run bench -- cluster`: what Sinter costs on a cluster, as ratios to plain Deployments and Services of the same
 * Node 24 function in the same run. Needs KUBECONFIG and an installed chart; makes its own namespace and removes it.
 *
 * Every figure is taken in rounds, baseline and subject by turns. Loads go to pods' own addresses, so the machine that runs
 * this must reach them (`npm run testbed -- up` makes such a cluster).
 */
import { setTimeout as pause } from 'node:timers/promises';
import { connection } from '@sinter/operator/kube/connection';
import { kubeClient } from '@sinter/operator/kube/client';
import type { KubeClient } from '@sinter/operator/kube/client';
import { KINDS, kind } from '@sinter/operator/kube/objects';
import type { Kind, KubeObject, Node, Pod } from '@sinter/operator/kube/objects';
import { KILOBYTE } from './apps.ts';
import { NAMESPACE, PORT, app, plain } from './clusterApps.ts';
import { closedLoop, openLoop } from './load.ts';
import type { Load, Target } from './load.ts';
import { quantile, shown, summary } from './stats.ts';

export interface ClusterOptions {
  readonly rounds: number;
  /** Of each load, in seconds. */
  readonly seconds: number;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const met = (holds: boolean): string => (holds ? 'met' : 'MISSED');
const MANAGER = 'sinter-bench';
const SINTER = 'sinter.dev/v1alpha1';
const READY_LIMIT_MS = 120_000;
const BODY = Buffer.from(JSON.stringify(KILOBYTE));

const KIND_OF: Readonly<Record<string, Kind>> = {
  Deployment: KINDS.deployments,
  Service: KINDS.services,
  Function: kind(SINTER, 'Function', 'functions'),
  Workflow: kind(SINTER, 'Workflow', 'workflows'),
  OptimizationPolicy: kind(SINTER, 'OptimizationPolicy', 'optimizationpolicies'),
};
const kindOf = (object: KubeObject): Kind => {
  const found = KIND_OF[object.kind];
  if (!found) throw new Error(`a benchmark makes no ${object.kind}`);
  return found;
};

/** What the benchmark knows of the cluster that it runs on. */
interface Site {
  readonly client: KubeClient;
  readonly image: string;
  readonly gateway: Target;
  /** The gateway's machine, and another one of the same architecture. */
  readonly near: string;
  readonly far: string | undefined;
  readonly addressOf: ReadonlyMap<string, string>;
}

export async function cluster(options: ClusterOptions): Promise<void> {
  const path = process.env['KUBECONFIG'];
  if (path === undefined || path === '')
    throw new Error('KUBECONFIG is not set; npm run testbed -- up makes a cluster and prints it');
  const client = kubeClient({
    connection: await connection({ environment: process.env }),
    userAgent: MANAGER,
  });
  try {
    const site = await siteOf(client);
    say(`# cluster, ${String(options.rounds)} rounds; median ± half the quartile distance\n`);
    await atRest(site);
    await firstAnswer(site, options);
    await warm(site, options);
    await chain(site, options);
    say(
      '\nLeft out: machines with cores and links of their own (here all share two cores, and a link is a bridge),',
    );
    say('large payloads, other images than one of Node 24 that is present on every machine.');
  } finally {
    await client.delete(KINDS.namespaces, { name: NAMESPACE });
    client.close();
  }
}

async function siteOf(client: KubeClient): Promise<Site> {
  const pods = await client.list<Pod>(KINDS.pods, { labelSelector: 'app.kubernetes.io/component=gateway' });
  const [gateway] = pods.items.filter((p) => p.status?.podIP !== undefined);
  if (!gateway) throw new Error('no gateway runs here; install the chart: helm install sinter helm/sinter');
  const nodes = (await client.list<Node>(KINDS.nodes)).items;
  const near = gateway.spec?.nodeName ?? '';
  const archOf = (name: string): string =>
    nodes.find((n) => n.metadata.name === name)?.metadata.labels?.['kubernetes.io/arch'] ?? '';
  const far = nodes.map((n) => n.metadata.name).find((n) => n !== near && archOf(n) === archOf(near));
  await client.apply(
    KINDS.namespaces,
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    { fieldManager: MANAGER },
  );
  return {
    client,
    image: gateway.spec?.containers[0]?.image ?? '',
    gateway: { host: gateway.status?.podIP ?? '', port: PORT, path: '/', body: BODY },
    near,
    far,
    addressOf: new Map(
      nodes.map((n) => [
        n.metadata.name,
        n.status?.addresses?.find((a) => a.type === 'InternalIP')?.address ?? '',
      ]),
    ),
  };
}

async function apply(site: Site, objects: readonly KubeObject[]): Promise<void> {
  for (const object of objects) await site.client.apply(kindOf(object), object, { fieldManager: MANAGER });
}

async function remove(site: Site, objects: readonly KubeObject[]): Promise<void> {
  for (const object of [...objects].reverse()) await site.client.delete(kindOf(object), object.metadata);
}

/** Waits until the target answers a call with 200; gives the milliseconds that it took. */
async function untilAnswered(target: () => Promise<Target | undefined>): Promise<number> {
  const at = performance.now();
  for (;;) {
    const known = await target();
    if (known && (await answers(known))) return performance.now() - at;
    if (performance.now() - at > READY_LIMIT_MS)
      throw new Error(`no answer at ${known?.path ?? 'a plain pod'}`);
    await pause(5);
  }
}

async function answers({ host = '127.0.0.1', port, path, body }: Target): Promise<boolean> {
  const signal = AbortSignal.timeout(2_000);
  const headers = { 'content-type': 'application/json' };
  try {
    const url = `http://${host}:${String(port)}${path}`;
    const res = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body), signal });
    await res.arrayBuffer();
    return res.status === 200;
  } catch {
    return false;
  }
}

const ours = (site: Site, workflow: string): Target => ({ ...site.gateway, path: `/${workflow}` });

/** The pod of a plain Deployment. */
async function plainTarget(site: Site, name: string): Promise<Target | undefined> {
  const pods = await site.client.list<Pod>(KINDS.pods, {
    namespace: NAMESPACE,
    labelSelector: `app=${name}`,
  });
  const host = pods.items.find((p) => p.status?.podIP !== undefined)?.status?.podIP;
  return host === undefined ? undefined : { host, port: PORT, path: '/', body: BODY };
}

/** The Service of a plain Deployment, at the port of a machine: only what is ready is behind it. */
async function serviceTarget(site: Site, name: string): Promise<() => Promise<Target | undefined>> {
  const service = await site.client.get(KINDS.services, { namespace: NAMESPACE, name });
  const port = service.spec?.ports?.[0]?.nodePort ?? 0;
  const target = { host: site.addressOf.get(site.near) ?? '', port, path: '/', body: BODY };
  return () => Promise.resolve(target);
}

async function firstAnswer(site: Site, { rounds }: ClusterOptions): Promise<void> {
  const plainMs: number[] = [];
  const oursMs: number[] = [];
  for (let i = 0; i <= rounds; i++) {
    const name = `first-${String(i)}`;
    const baseline = plain({ name, image: site.image, machine: site.near });
    const startedPlain = performance.now();
    await apply(site, baseline);
    await untilAnswered(await serviceTarget(site, name));
    const tookPlain = performance.now() - startedPlain;
    await remove(site, baseline);
    const subject = app({ workflow: name, machine: site.near, functions: ['echo'] });
    const started = performance.now();
    await apply(site, subject);
    await untilAnswered(() => Promise.resolve(ours(site, name)));
    const took = performance.now() - started;
    await remove(site, subject);
    await pause(1_000); // what was removed ends
    if (i === 0) continue;
    plainMs.push(tookPlain);
    oursMs.push(took);
  }
  const ratio = summary(oursMs.map((ms, i) => ms / (plainMs[i] ?? NaN)));
  say(`apply → first answer, Deployment and Service   ${shown(summary(plainMs), 'ms', 0)}`);
  say(`apply → first answer, Sinter                   ${shown(summary(oursMs), 'ms', 0)}`);
  say(`  ratio ${shown(ratio, '')}, goal at most 0.6: ${met(ratio.median <= 0.6)}\n`);
}

interface NamedLoad {
  readonly name: string;
  readonly run: (t: Target) => Promise<Load>;
}

async function warm(site: Site, { rounds, seconds }: ClusterOptions): Promise<void> {
  const places = [
    { where: 'same machine', machine: site.near },
    ...(site.far === undefined ? [] : [{ where: 'another machine', machine: site.far }]),
  ];
  for (const { where, machine } of places) {
    const name = machine === site.near ? 'near' : 'far';
    const objects = [
      ...plain({ name: `plain-${name}`, image: site.image, machine }),
      ...app({ workflow: name, machine, functions: ['echo'] }),
    ];
    await apply(site, objects);
    await untilAnswered(() => plainTarget(site, `plain-${name}`));
    await untilAnswered(() => Promise.resolve(ours(site, name)));
    const baseline = await plainTarget(site, `plain-${name}`);
    if (!baseline) throw new Error(`plain-${name} is gone`);
    await closedLoop(ours(site, name), 16, 3); // warm-up
    await closedLoop(baseline, 16, 3);
    const loads: readonly NamedLoad[] = [
      { name: 'one connection', run: (t) => closedLoop(t, 1, seconds) },
      { name: 'open loop, 50/s', run: (t) => openLoop(t, 50, seconds) },
      { name: 'open loop, 200/s', run: (t) => openLoop(t, 200, seconds) },
      { name: '16 connections', run: (t) => closedLoop(t, 16, seconds) },
    ];
    for (const load of loads) await compare(load, where, baseline, ours(site, name), rounds);
    await remove(site, objects);
  }
}

async function compare(
  load: NamedLoad,
  where: string,
  baseline: Target,
  subject: Target,
  rounds: number,
): Promise<void> {
  const added50: number[] = [];
  const added99: number[] = [];
  const p99: number[] = [];
  const throughput: number[] = [];
  let failed = 0;
  for (let i = 0; i < rounds; i++) {
    const a = await load.run(baseline);
    const b = await load.run(subject);
    failed += a.failed + b.failed;
    added50.push(quantile(b.latenciesMs, 0.5) - quantile(a.latenciesMs, 0.5));
    added99.push(quantile(b.latenciesMs, 0.99) - quantile(a.latenciesMs, 0.99));
    p99.push(quantile(b.latenciesMs, 0.99));
    throughput.push(b.latenciesMs.length / b.seconds / (a.latenciesMs.length / a.seconds));
  }
  say(`gateway to a unit on the ${where}, 1 KB, ${load.name}, ${String(failed)} failed`);
  const [m50, m99, ratio, tail] = [summary(added50), summary(added99), summary(throughput), summary(p99)];
  if (load.name.startsWith('16')) {
    say(`  throughput ratio ${shown(ratio, '', 3)}, goal at least 0.333: ${met(ratio.median >= 1 / 3)}`);
    say(`  p99 ${shown(tail, 'ms')}, goal at most 10: ${met(tail.median <= 10)}\n`);
    return;
  }
  say(`  added p50 ${shown(m50, 'ms')}, goal at most 0.35: ${met(m50.median <= 0.35)}`);
  say(`  added p99 ${shown(m99, 'ms')}, goal at most 2: ${met(m99.median <= 2)}`);
}

async function chain(site: Site, { rounds, seconds }: ClusterOptions): Promise<void> {
  const names = ['a', 'b', 'c'];
  const objects = [
    ...names.flatMap((name, i) => {
      const next = names[i + 1];
      const link = { name: `chain-${name}`, image: site.image, machine: site.near };
      return plain(next === undefined ? link : { ...link, next: `chain-${next}` });
    }),
    ...app({ workflow: 'apart', machine: site.near, functions: names }),
    ...app({ workflow: 'grouped', machine: site.near, functions: names, grouped: true }),
  ];
  await apply(site, objects);
  await untilAnswered(() => plainTarget(site, 'chain-a'));
  for (const name of ['apart', 'grouped']) await untilAnswered(() => Promise.resolve(ours(site, name)));
  const baseline = await plainTarget(site, 'chain-a');
  if (!baseline) throw new Error('chain-a is gone');
  for (const t of [baseline, ours(site, 'apart'), ours(site, 'grouped')]) await closedLoop(t, 4, 3); // warm-up
  const p50: Record<'plain' | 'apart' | 'grouped', number[]> = { plain: [], apart: [], grouped: [] };
  for (let i = 0; i < rounds; i++) {
    p50.plain.push(quantile((await closedLoop(baseline, 1, seconds)).latenciesMs, 0.5));
    for (const name of ['apart', 'grouped'] as const)
      p50[name].push(quantile((await closedLoop(ours(site, name), 1, seconds)).latenciesMs, 0.5));
  }
  say(`chain of three, one connection: plain HTTP ${shown(summary(p50.plain), 'ms')}`);
  for (const [name, goal] of [
    ['apart', 2.2],
    ['grouped', 1],
  ] as const) {
    const ratio = summary(p50[name].map((ms, i) => ms / (p50.plain[i] ?? NaN)));
    say(
      `  ${name} ${shown(summary(p50[name]), 'ms')}, ratio ${shown(ratio, '')}, goal at most ${String(goal)}: ${met(ratio.median <= goal)}`,
    );
  }
  await remove(site, objects);
}

/** What kubelets say of our own containers' memory, with no workflow of ours under load. */
interface Stats {
  readonly pods: readonly {
    readonly podRef: { readonly name: string; readonly namespace: string };
    readonly containers: readonly { readonly memory?: { readonly rssBytes?: number } }[];
  }[];
}

async function atRest(site: Site): Promise<void> {
  const pods = await site.client.list<Pod>(KINDS.pods, { labelSelector: 'app.kubernetes.io/name=sinter' });
  const componentOf = new Map(
    pods.items.map((p) => [p.metadata.name, p.metadata.labels?.['app.kubernetes.io/component'] ?? '']),
  );
  const mb: Record<string, number[]> = {};
  for (const node of site.addressOf.keys()) {
    const stats = await site.client.request<Stats>({
      method: 'GET',
      path: `/api/v1/nodes/${node}/proxy/stats/summary`,
    });
    for (const { podRef, containers } of stats.pods) {
      const component = componentOf.get(podRef.name);
      if (component === undefined) continue;
      const bytes = containers.reduce((n, c) => n + (c.memory?.rssBytes ?? 0), 0);
      (mb[component] ??= []).push(bytes / 1024 ** 2);
    }
  }
  const sum = (component: string): number => (mb[component] ?? []).reduce((a, b) => a + b, 0);
  const control = sum('operator') + sum('nats-hub') + sum('gateway');
  const leaf = Math.max(0, ...(mb['nats-leaf'] ?? []));
  for (const [component, each] of Object.entries(mb).sort())
    say(`resident, ${component.padEnd(10)} ${each.map((v) => v.toFixed(0)).join(', ')} MB`);
  say(`  control plane and hub ${control.toFixed(0)} MB, goal at most 300: ${met(control <= 300)}`);
  say(`  on each machine ${leaf.toFixed(0)} MB, goal at most 40: ${met(leaf <= 40)}\n`);
}
