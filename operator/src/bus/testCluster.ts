/**
 * The servers of a cluster as real processes, told what the chart and the operator's Secrets would tell them: a hub of one
 * or three servers, leaves, TLS or not. Files stand where a pod would have them mounted, and can be changed like a Secret.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fmtCreds } from '@nats-io/jwt';
import { HUB_DOMAIN } from '@sinter/contract';
import { locateNatsServer } from '../local/nats/locate.ts';
import { freePorts } from '../local/nats/ports.ts';
import { startProcess } from '../local/nats/process.ts';
import type { NatsProcess } from '../local/nats/process.ts';
import { authConf } from './auth.ts';
import { newAuthority, newServerCertificate, trustOf } from './certificates.ts';
import type { Authority } from './certificates.ts';
import { keyOf } from './claims.ts';
import { signLeaf } from './credentials.ts';
import type { NewCredential } from './credentials.ts';
import { createKeys } from './keys.ts';
import type { BusKeys } from './keys.ts';

export const HUB_REQUEST = { dns: ['sinter-nats', 'localhost'], isClientToo: true } as const;
export const LEAF_REQUEST = { dns: ['sinter-nats-leaf', 'localhost'], isClientToo: false } as const;

export interface TestServer {
  readonly name: string;
  readonly role: 'hub' | 'leaf';
  readonly port: number;
  /** For clients. */
  readonly url: string;
  process: NatsProcess | undefined;
}

export interface TestClusterOptions {
  readonly hubs?: 1 | 3;
  readonly leaves?: readonly string[];
  /** Default true. */
  readonly tls?: boolean;
  readonly keys?: BusKeys;
  /** Life of the leaves' credential. */
  readonly leafLifetimeMs?: number;
  /** Servers are not started, and have no files but their configuration: whoever calls writes those, and starts them. */
  readonly bare?: boolean;
}

interface Ports {
  readonly client: number;
  readonly cluster: number;
  readonly leafnodes: number;
}

export class TestCluster {
  readonly keys: BusKeys;
  readonly folder: string;
  readonly tls: boolean;
  readonly servers: TestServer[] = [];
  leafCredential: NewCredential;
  authority: Authority | undefined;
  readonly #binary: string;
  readonly #ports = new Map<string, Ports>();

  private constructor(folder: string, binary: string, options: TestClusterOptions) {
    this.folder = folder;
    this.#binary = binary;
    this.keys = options.keys ?? createKeys();
    this.tls = options.tls ?? true;
    this.leafCredential = signLeaf(this.keys, 'all', {
      nowMs: Date.now(),
      ...(options.leafLifetimeMs === undefined ? {} : { lifetimeMs: options.leafLifetimeMs }),
    });
  }

  static async start(options: TestClusterOptions = {}): Promise<TestCluster> {
    const { path } = await locateNatsServer({ env: process.env });
    const folder = await mkdtemp(join(tmpdir(), 'sinter-cluster-'));
    const cluster = new TestCluster(folder, path, options);
    try {
      await cluster.#prepare(options);
      if (!options.bare) await cluster.startAll();
    } catch (cause) {
      await cluster.stop();
      throw cause;
    }
    return cluster;
  }

  get hubs(): readonly TestServer[] {
    return this.servers.filter((s) => s.role === 'hub');
  }

  get leaves(): readonly TestServer[] {
    return this.servers.filter((s) => s.role === 'leaf');
  }

  server(name: string): TestServer {
    const found = this.servers.find((s) => s.name === name);
    if (!found) throw new Error(`no server ${name}`);
    return found;
  }

  /** What a client is to trust, PEM. */
  get trust(): string | undefined {
    return this.authority && trustOf(this.authority, Date.now());
  }

  /** Writes a file as a mounted Secret would have it. */
  async write(server: string, path: string, content: string | Uint8Array): Promise<void> {
    const file = join(this.folder, server, path);
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, content, { mode: 0o600 });
  }

  async log(name: string): Promise<string> {
    return await readFile(join(this.folder, name, 'log'), 'utf8').catch(() => '');
  }

  async restart(name: string): Promise<void> {
    const server = this.server(name);
    await server.process?.stop();
    const before = (await this.log(name)).length;
    server.process = await startProcess(this.#binary, join(this.folder, name, 'nats.conf'));
    await this.#listening(server, before);
  }

  async startAll(): Promise<void> {
    await Promise.all(this.servers.map((s) => this.restart(s.name)));
  }

  async kill(name: string): Promise<void> {
    await this.server(name).process?.kill();
    this.server(name).process = undefined;
  }

  async stop(): Promise<void> {
    for (const s of [...this.leaves, ...this.hubs]) await s.process?.stop();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Puts keys into the servers' files, as the operator's Secrets would. */
  async writeAuth(keys: BusKeys, nowMs: number): Promise<void> {
    for (const s of this.servers) await this.write(s.name, 'auth/auth.conf', authConf(keys, nowMs, s.role));
  }

  async writeLeafCredential(credential: NewCredential): Promise<void> {
    this.leafCredential = credential;
    const file = fmtCreds(credential.jwt, keyOf(credential.seed));
    for (const s of this.leaves) await this.write(s.name, 'auth/leaf.creds', file);
  }

  /** Puts new certificates of this authority into the servers' files. */
  async writeCertificates(authority: Authority, trust = trustOf(authority, Date.now())): Promise<void> {
    this.authority = authority;
    for (const role of ['hub', 'leaf'] as const) {
      const made = await newServerCertificate(
        authority,
        role === 'hub' ? HUB_REQUEST : LEAF_REQUEST,
        Date.now(),
      );
      for (const s of this.servers.filter((one) => one.role === role)) {
        await this.write(s.name, 'tls/tls.crt', made.certificate);
        await this.write(s.name, 'tls/tls.key', made.key);
        await this.write(s.name, 'tls/ca.crt', trust);
      }
    }
  }

  async #prepare(options: TestClusterOptions): Promise<void> {
    const hubs = options.hubs === 3 ? ['hub-0', 'hub-1', 'hub-2'] : ['hub-0'];
    const names = [...hubs, ...(options.leaves ?? [])];
    const free = await freePorts(3 * names.length);
    for (const [i, name] of names.entries()) {
      const [client = 0, cluster = 0, leafnodes = 0] = free.slice(3 * i);
      this.#ports.set(name, { client, cluster, leafnodes });
      const role = hubs.includes(name) ? 'hub' : 'leaf';
      this.servers.push({ name, role, port: client, url: this.#url(client), process: undefined });
    }
    for (const s of this.servers)
      await this.write(s.name, 'nats.conf', s.role === 'hub' ? this.#hubConf(s) : this.#leafConf(s));
    if (options.bare) return;
    await this.writeAuth(this.keys, Date.now());
    await this.writeLeafCredential(this.leafCredential);
    if (this.tls) await this.writeCertificates(await newAuthority(Date.now()));
  }

  #url(port: number): string {
    return `${this.tls ? 'tls' : 'nats'}://localhost:${String(port)}`;
  }

  #common(s: TestServer): string {
    return `
      server_name: ${s.name}
      host: 127.0.0.1
      port: ${String(s.port)}
      log_file: "${join(this.folder, s.name, 'log')}"
      max_control_line: 262144
      lame_duck_duration: 30s
      ${this.#tlsBlock(s)}
      include "./auth/auth.conf"
    `
      .replaceAll('/data/accounts', join(this.folder, s.name, 'accounts'))
      .concat(
        `resolver: { type: full, dir: "${join(this.folder, s.name, 'accounts')}", allow_delete: false }\n`,
      );
  }

  #tlsBlock(s: TestServer, more = ''): string {
    const file = (name: string): string => `"${join(this.folder, s.name, 'tls', name)}"`;
    const files = `cert_file: ${file('tls.crt')}, key_file: ${file('tls.key')}, ca_file: ${file('ca.crt')}`;
    return this.tls ? `tls { ${files}${more} }` : '';
  }

  #hubConf(s: TestServer): string {
    const { cluster = 0, leafnodes = 0 } = this.#ports.get(s.name) ?? {};
    const scheme = this.tls ? 'tls' : 'nats-route';
    const routes = this.hubs.map(
      (h) => `"${scheme}://localhost:${String(this.#ports.get(h.name)?.cluster)}"`,
    );
    return `
      ${this.#common(s)}
      jetstream { domain: ${HUB_DOMAIN}, store_dir: "${join(this.folder, s.name, 'store')}", max_file_store: 1GB, max_memory_store: 64MB }
      leafnodes { host: 127.0.0.1, port: ${String(leafnodes)}, no_advertise: true, ${this.#tlsBlock(s)} }
      ${this.hubs.length > 1 ? `cluster { name: sinter, host: 127.0.0.1, port: ${String(cluster)}, no_advertise: true, routes: [${routes.join(', ')}], ${this.#tlsBlock(s, ', verify: true')} }` : ''}
    `;
  }

  #leafConf(s: TestServer): string {
    const scheme = this.tls ? 'tls' : 'nats-leaf';
    const urls = this.hubs.map(
      (h) => `"${scheme}://localhost:${String(this.#ports.get(h.name)?.leafnodes)}"`,
    );
    const tls = this.tls ? `, tls { ca_file: "${join(this.folder, s.name, 'tls/ca.crt')}" }` : '';
    return `
      ${this.#common(s)}
      leafnodes { reconnect: "250ms", remotes: [ { urls: [${urls.join(', ')}], account: $SINTER_ACCOUNT, credentials: "${join(this.folder, s.name, 'auth/leaf.creds')}" ${tls} } ] }
    `;
  }

  async #listening(server: TestServer, before: number): Promise<void> {
    const limit = Date.now() + 20_000;
    const { process: started } = server;
    const ended = new AbortController();
    void started?.exited.then(() => {
      ended.abort();
    });
    for (;;) {
      const log = (await this.log(server.name)).slice(before);
      if (/Server is ready/.test(log)) return;
      if (ended.signal.aborted || Date.now() > limit)
        throw new Error(`${server.name}: ${log.slice(-2000)}${started?.said() ?? ''}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
