/**
 * Sinter's namespace for tests of the bus: Secrets as an API server keeps them (versions, conflicts), a kubelet that brings
 * them to real servers, and operators that look after both.
 */
import { TestCluster } from '../bus/testCluster.ts';
import type { TestClusterOptions } from '../bus/testCluster.ts';
import { clusterBus } from './bus.ts';
import type { BusPod, ClusterBusRun, SecretStore } from './bus.ts';
import type { BusSettings } from './busPlan.ts';
import { secretNames } from './busSecrets.ts';
import type { SecretWrite, StoredSecret } from './busSecrets.ts';

export const DAY_MS = 24 * 3600 * 1000;
const NAMES = secretNames('sinter');

export class TestSecrets implements SecretStore {
  readonly kept = new Map<string, StoredSecret>();
  /** Names of Secrets in the order in which they were written. */
  readonly written: string[] = [];
  #version = 0;

  read(name: string): Promise<StoredSecret | undefined> {
    return Promise.resolve(this.kept.get(name));
  }

  write(secret: SecretWrite): Promise<'Written' | 'Conflict'> {
    const found = this.kept.get(secret.name);
    if (found?.resourceVersion !== secret.over) return Promise.resolve('Conflict');
    this.put(
      secret.name,
      { ...found?.data, ...secret.data },
      { ...found?.annotations, ...secret.annotations },
    );
    this.written.push(secret.name);
    return Promise.resolve('Written');
  }

  put(name: string, data: StoredSecret['data'], annotations: StoredSecret['annotations'] = {}): void {
    this.#version += 1;
    this.kept.set(name, { resourceVersion: String(this.#version), data, annotations });
  }

  value(name: keyof typeof NAMES, key: string): string {
    return this.kept.get(NAMES[name])?.data[key] ?? '';
  }
}

export class TestWorld {
  readonly secrets = new TestSecrets();
  readonly cluster: TestCluster;
  readonly logged: string[] = [];
  readonly #buses: ClusterBusRun[] = [];
  readonly #starts = new Map<string, number>();
  gateways: readonly string[] = [];
  /** What is added to the real time. */
  offsetMs = 0;

  private constructor(cluster: TestCluster) {
    this.cluster = cluster;
  }

  static async start(options: TestClusterOptions = {}): Promise<TestWorld> {
    return new TestWorld(await TestCluster.start({ ...options, bare: true }));
  }

  get now(): number {
    return Date.now() + this.offsetMs;
  }

  settings(more: Partial<BusSettings> = {}): BusSettings {
    return {
      mode: 'Bundled',
      fullname: 'sinter',
      namespace: 'sinter-system',
      clusterDomain: 'cluster.local',
      tls: this.cluster.tls ? 'Operator' : 'Off',
      hasLeaves: true,
      credentialLifetimeMs: 30 * DAY_MS,
      leafLifetimeMs: 365 * DAY_MS,
      urls: this.cluster.hubs.map((h) => h.url),
      replicas: 1,
      externalSecret: 'user-nats',
      ...more,
    };
  }

  operator(more: Partial<BusSettings> = {}, isLeader = true): ClusterBusRun {
    const bus = clusterBus({
      settings: this.settings(more),
      secrets: this.secrets,
      pods: () => this.pods(),
      isLeader: () => isLeader,
      now: () => this.now,
      onLog: ({ level, message }) => this.logged.push(`${level} ${message}`),
    });
    this.#buses.push(bus);
    return bus;
  }

  pods(): readonly BusPod[] {
    const servers = this.cluster.servers
      .filter((s) => s.process)
      .map(({ name, role, port }) => ({
        ...{ name, role, port },
        ip: '127.0.0.1',
        incarnation: String(this.#starts.get(name) ?? 0),
      }));
    const gateways = this.gateways.map((name) => ({
      name,
      ...{ role: 'gateway' as const, ip: '127.0.0.1', port: 0, incarnation: '1' },
    }));
    return [...servers, ...gateways];
  }

  /** Brings what the Secrets hold to the servers' files, as a kubelet does a while after a Secret changed. */
  async deliver(names: readonly string[] = this.cluster.servers.map((s) => s.name)): Promise<void> {
    for (const s of this.cluster.servers.filter(({ name }) => names.includes(name))) {
      await this.#copy(s.name, s.role === 'hub' ? NAMES.hub : NAMES.leaf, 'auth');
      await this.#copy(s.name, s.role === 'hub' ? NAMES.hubTls : NAMES.leafTls, 'tls');
    }
  }

  async restart(name: string): Promise<void> {
    await this.cluster.restart(name);
    this.#starts.set(name, (this.#starts.get(name) ?? 0) + 1);
  }

  /** Rounds until the condition holds. */
  async rounds(bus: ClusterBusRun, condition: () => boolean, what: string): Promise<void> {
    const limit = Date.now() + 60_000;
    for (;;) {
      await bus.round();
      if (condition()) return;
      if (Date.now() > limit)
        throw new Error(`not within a minute: ${what}\n${this.logged.slice(-20).join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Secrets, servers, connection: all there. */
  async settle(bus: ClusterBusRun): Promise<void> {
    while ((await bus.round()) === 0);
    await this.deliver();
    await this.cluster.startAll();
    await this.rounds(bus, () => bus.state().ready, 'the bus is ready');
  }

  async stop(): Promise<void> {
    await Promise.all(this.#buses.map((bus) => bus.close()));
    await this.cluster.stop();
  }

  async #copy(server: string, secret: string, folder: string): Promise<void> {
    for (const [key, value] of Object.entries(this.secrets.kept.get(secret)?.data ?? {}))
      await this.cluster.write(server, `${folder}/${key}`, value);
  }
}
