/**
 * The bus of the chart on this machine, for tests: the rendered configuration, the Secrets that the operator would make, and
 * real servers.
 *
 * Only what must differ is exchanged: folders, ports, and host names, which all become `localhost`. A pod's mounts are folders
 * beside each other: etc/nats, etc/nats-auth, etc/nats-tls, data, run.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { planSecrets } from '../../operator/src/reconcile/busSecrets.ts';
import type { StoredSecret } from '../../operator/src/reconcile/busSecrets.ts';
import { locateNatsServer } from '../../operator/src/local/nats/locate.ts';
import { freePorts } from '../../operator/src/local/nats/ports.ts';
import { startProcess } from '../../operator/src/local/nats/process.ts';
import type { NatsProcess } from '../../operator/src/local/nats/process.ts';
import { NAMESPACE, one, render } from './helm.ts';

const DAY_MS = 24 * 3600 * 1000;
/** Ports of a pod. */
const PORTS = { client: 4222, monitor: 8222, leafnode: 7422, cluster: 6222 } as const;
type Ports = Record<keyof typeof PORTS, number>;

export interface ChartServer {
  readonly name: string;
  readonly ports: Ports;
}

export interface ChartBus {
  readonly hubs: readonly ChartServer[];
  readonly leaf: ChartServer;
  /** What the operator stored, by name of the Secret. */
  readonly secrets: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly stop: () => Promise<void>;
}

/** The chart with these values, which ask for three hub servers and leaves. */
export async function startChartBus(values: object): Promise<ChartBus> {
  const [objects, nats, secrets, folder] = await Promise.all([
    render(values),
    locateNatsServer({ env: process.env }),
    secretsOfOperator(),
    mkdtemp(join(tmpdir(), 'sinter-chart-')),
  ]);
  const [a, b, c, leaf] = (await serversWithPorts()) as [ChartServer, ChartServer, ChartServer, ChartServer];
  const running: NatsProcess[] = [];
  const start = async (server: ChartServer, part: 'sinter-nats-hub' | 'sinter-nats-leaf'): Promise<void> => {
    const conf = one(objects, 'ConfigMap', part).data['nats.conf'] ?? '';
    const home = join(folder, server.name);
    const files = [
      ['etc/nats/nats.conf', localized(conf, server, [a, b, c], home)] as const,
      ...mounted('etc/nats-auth', secrets.get(part), home),
      ...mounted('etc/nats-tls', secrets.get(`${part}-tls`), home),
    ];
    for (const path of ['run/nats', 'data']) await mkdir(join(home, path), { recursive: true });
    for (const [path, text] of files) await write(join(home, path), text);
    running.push(await startProcess(nats.path, join(home, 'etc/nats/nats.conf')));
  };
  const stop = async (): Promise<void> => {
    await Promise.all(running.map((server) => server.stop()));
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  for (const hub of [a, b, c]) await start(hub, 'sinter-nats-hub');
  await start(leaf, 'sinter-nats-leaf');
  return { hubs: [a, b, c], leaf, secrets, stop };
}

async function serversWithPorts(): Promise<readonly ChartServer[]> {
  const names = ['sinter-nats-hub-0', 'sinter-nats-hub-1', 'sinter-nats-hub-2', 'sinter-nats-leaf-x'];
  const free = await freePorts(names.length * 4);
  return names.map((name, i) => {
    const [client = 0, monitor = 0, leafnode = 0, cluster = 0] = free.slice(i * 4, i * 4 + 4);
    return { name, ports: { client, monitor, leafnode, cluster } };
  });
}

/** What the operator's keeper of the bus stores, with TLS of its own. */
async function secretsOfOperator(): Promise<ChartBus['secrets']> {
  const settings = {
    fullname: 'sinter',
    namespace: NAMESPACE,
    clusterDomain: 'cluster.local',
    tls: 'Operator',
    hasLeaves: true,
    credentialLifetimeMs: 30 * DAY_MS,
    leafLifetimeMs: 365 * DAY_MS,
  } as const;
  const stored = new Map<string, StoredSecret>();
  for (;;) {
    const { writes } = await planSecrets(settings, stored, Date.now());
    for (const { name, data, annotations } of writes)
      stored.set(name, { resourceVersion: '1', data, annotations });
    if (writes.length === 0) return new Map([...stored].map(([name, { data }]) => [name, data]));
  }
}

function mounted(
  folder: string,
  data: Readonly<Record<string, string>> = {},
  home: string,
): readonly (readonly [string, string])[] {
  return Object.entries(data).map(([key, text]) => [
    `${folder}/${key}`,
    text.replaceAll('/data/accounts', join(home, 'data/accounts')),
  ]);
}

function localized(conf: string, own: ChartServer, hubs: readonly ChartServer[], home: string): string {
  const [hub] = hubs;
  const withPorts = (text: string): string =>
    Object.entries(PORTS).reduce(
      (all, [name, port]) => all.replaceAll(`port: ${port}\n`, `port: ${own.ports[name as keyof Ports]}\n`),
      text,
    );
  const host = /[-a-z0-9.]+\.svc/;
  return withPorts(conf)
    .replace('$SINTER_SERVER_NAME', own.name)
    .replaceAll(/"nats-route:\/\/sinter-nats-hub-(\d)\.[^"]+"/g, (_, i: string) => {
      return `"nats-route://localhost:${hubs[Number(i)]?.ports.cluster ?? 0}"`;
    })
    .replaceAll(new RegExp(`${host.source}:7422`, 'g'), `localhost:${hub?.ports.leafnode ?? 0}`)
    .replaceAll(/(?<=[ "])\/(etc|data|run)\//g, `${home}/$1/`);
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text, { mode: 0o600 });
}
