/**
 * A hub and a leaf for each machine, on this computer: the bus of `sinter run` and of the tests.
 *
 * Owns: files, ports, order of start and end, readiness. Its neighbours: `config.ts` (what a server is told),
 * `process.ts` (one child), `../../bus/` (keys, and everything that is done over a connection).
 * Invariants:
 *  1. The hub counts as started when JetStream answers, a leaf when what is said at it is heard at the hub.
 *  2. A server keeps its port and its data over a restart.
 *  3. Credentials lie in files that only the user can read; `stop` leaves no process. The folder is the caller's.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fmtCreds } from '@nats-io/jwt';
import { GATEWAY_CALLER, liveSubject } from '@sinter/contract';
import { pushAccount } from '../../bus/account.ts';
import { accountsOf } from '../../bus/auth.ts';
import { keyOf } from '../../bus/claims.ts';
import { connectAs } from '../../bus/connect.ts';
import { signGateway, signLeaf, signOperator, signSystem } from '../../bus/credentials.ts';
import type { NewCredential } from '../../bus/credentials.ts';
import type { BusKeys } from '../../bus/keys.ts';
import type { NatsConnection } from '@nats-io/transport-node';
import { hubConfig, leafConfig } from './config.ts';
import { locateNatsServer } from './locate.ts';
import { freePorts } from './ports.ts';
import { startProcess } from './process.ts';
import type { NatsProcess } from './process.ts';

export const HUB = 'hub';
const READY_LIMIT_MS = 20_000;
const TRY_LIMIT_MS = 5_000;
const START_ATTEMPTS = 5;
const TAIL_CHARACTERS = 1500;

/** Nobody's workflow: a leaf says it when it is ready. */
const READY = { namespace: '_sinter', workflow: '_ready', unit: GATEWAY_CALLER };
const ONCE = { reconnect: false, timeout: 2000 } as const;

export interface StartOptions {
  /** Must exist. Holds configuration, credentials, logs and what JetStream stores. */
  readonly folder: string;
  /** A leaf for each. */
  readonly machines: readonly string[];
  readonly keys: BusKeys;
  /** Path of the nats-server; found by `locateNatsServer` where it is not given. */
  readonly natsServer?: string;
  /** See `HubConfig.sync`; `default` where it is not given. */
  readonly sync?: 'always' | 'default';
  readonly now?: () => number;
  /** Told of a server that ended without having been asked to, with the end of its log. */
  readonly onLost?: (name: string, problem: string) => void;
}

export interface Servers {
  readonly hub: { readonly url: string };
  readonly leaves: readonly { readonly machine: string; readonly url: string }[];
  /** Address of `hub` or of the leaf of a machine. */
  readonly urlOf: (name: string) => string;
  readonly pidOf: (name: string) => number | undefined;
  /** Ends the server (in order, if it still runs), starts it on the same port and waits until it is ready. */
  readonly restart: (name: string) => Promise<void>;
  /** SIGKILL; it stays down until `restart`. */
  readonly kill: (name: string) => Promise<void>;
  /** Makes all running servers go by changed keys: what is revoked in them is refused and cut off from now on. */
  readonly applyKeys: (keys: BusKeys) => Promise<void>;
  /** Ends all, leaves first. Idempotent. */
  readonly stop: () => Promise<void>;
}

/** A server that did not come up, with the end of what it said. */
export class ServerNotReady extends Error {
  override readonly name = 'ServerNotReady';
}

/** Starts all and waits until they are ready; on failure nothing stays behind. */
export async function startServers(options: StartOptions): Promise<Servers> {
  const path = options.natsServer ?? (await locateNatsServer({ env: process.env })).path;
  const bus = new LocalBus({ ...options, natsServer: path });
  try {
    await bus.start();
  } catch (cause) {
    await bus.stop();
    throw cause;
  }
  return bus;
}

type Options = StartOptions & { readonly natsServer: string };

/** One server: what is fixed about it, and its process while it has one. */
interface Server {
  readonly name: string;
  port: number;
  process: NatsProcess | undefined;
}

class LocalBus implements Servers {
  readonly #options: Options;
  readonly #hub: Server = { name: HUB, port: 0, process: undefined };
  readonly #leaves: readonly Server[];
  readonly #now: () => number;
  readonly #operator: NewCredential;
  #keys: BusKeys;
  #leafPort = 0;

  constructor(options: Options) {
    this.#options = options;
    this.#keys = options.keys;
    this.#now = options.now ?? Date.now;
    this.#leaves = options.machines.map((name) => ({ name, port: 0, process: undefined }));
    this.#operator = signOperator(this.#keys, { nowMs: this.#now() });
    assertDistinct([HUB, ...options.machines]);
  }

  get hub(): { readonly url: string } {
    return { url: this.urlOf(HUB) };
  }

  get leaves(): readonly { readonly machine: string; readonly url: string }[] {
    return this.#leaves.map((s) => ({ machine: s.name, url: this.urlOf(s.name) }));
  }

  readonly urlOf = (name: string): string => `nats://127.0.0.1:${this.#find(name).port}`;
  readonly pidOf = (name: string): number | undefined => this.#find(name).process?.pid;

  async start(): Promise<void> {
    await onFreePorts(async () => {
      [this.#hub.port = 0, this.#leafPort = 0] = await freePorts(2);
      await this.#startOne(this.#hub);
    });
    await Promise.all(this.#leaves.map((leaf) => this.#startLeaf(leaf)));
  }

  readonly restart = async (name: string): Promise<void> => {
    const server = this.#find(name);
    await this.#end(server, 'stop');
    await onSamePorts(() => this.#startOne(server));
  };

  readonly kill = async (name: string): Promise<void> => this.#end(this.#find(name), 'kill');

  readonly stop = async (): Promise<void> => {
    await Promise.all(this.#leaves.map((leaf) => this.#end(leaf, 'stop')));
    await this.#end(this.#hub, 'stop');
  };

  readonly applyKeys = async (keys: BusKeys): Promise<void> => {
    this.#keys = keys;
    const running = [this.#hub, ...this.#leaves].filter((s) => s.process !== undefined);
    await Promise.all(running.map((s) => this.#pushKeys(s)));
  };

  async #pushKeys(server: Server): Promise<void> {
    const nowMs = this.#now();
    const accounts = accountsOf(this.#keys, nowMs, server === this.#hub ? 'hub' : 'leaf');
    const nc = await connectAs(this.urlOf(server.name), signSystem(this.#keys, { nowMs }));
    try {
      for (const [account, token] of Object.entries(accounts)) await pushAccount(nc, account, token);
    } finally {
      await nc.close();
    }
  }

  async #startLeaf(leaf: Server): Promise<void> {
    await this.#writeLeafCredentials(leaf.name);
    await onFreePorts(async () => {
      [leaf.port = 0] = await freePorts(1);
      await this.#startOne(leaf);
    });
  }

  async #startOne(server: Server): Promise<void> {
    const configPath = this.#file(server, 'conf');
    await writeSecret(configPath, server === this.#hub ? this.#hubConfig() : this.#leafConfig(server));
    const started = await startProcess(this.#options.natsServer, configPath);
    server.process = started;
    void started.exited.then(() => this.#noticeLoss(server, started));
    try {
      await this.#ready(server, started);
    } catch (cause) {
      await this.#end(server, 'kill');
      throw cause;
    }
  }

  #hubConfig(): string {
    const { folder, sync = 'default' } = this.#options;
    return hubConfig({ ...this.#serverConfig(this.#hub, folder), leafPort: this.#leafPort, sync });
  }

  #leafConfig(leaf: Server): string {
    return leafConfig({
      ...this.#serverConfig(leaf, this.#options.folder),
      hubLeafPort: this.#leafPort,
      credentials: this.#file(leaf, 'creds'),
    });
  }

  #serverConfig(server: Server, folder: string) {
    return { name: server.name, folder, port: server.port, keys: this.#keys, nowMs: this.#now() };
  }

  async #writeLeafCredentials(machine: string): Promise<void> {
    const leaf = this.#find(machine);
    const validity = { nowMs: this.#now() };
    await writeSecret(this.#file(leaf, 'creds'), credsFile(signLeaf(this.#keys, machine, validity)));
  }

  /** Settles when JetStream answers through the server; rejects when it ends before, or takes too long. */
  async #ready(server: Server, started: NatsProcess): Promise<void> {
    const abort = new AbortController();
    const limit = setTimeout(() => {
      abort.abort(`was not ready within ${READY_LIMIT_MS / 1000} s`);
    }, READY_LIMIT_MS);
    void started.exited.then(({ code, signal }) => {
      abort.abort(`ended with ${String(signal ?? code)}`);
    });
    try {
      await this.#untilAnswered(server, abort.signal);
    } catch (cause) {
      const said = await this.#lastWords(server, started);
      throw new ServerNotReady(`nats-server ${server.name} ${String(abort.signal.reason)}\n${said}`, {
        cause,
      });
    } finally {
      clearTimeout(limit);
    }
  }

  async #untilAnswered(server: Server, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      // A question to a server that dies at that moment is never settled.
      const limit = AbortSignal.any([signal, AbortSignal.timeout(TRY_LIMIT_MS)]);
      if (await Promise.race([this.#tryOnce(server), unless(limit)])) return;
      await pause(20, signal);
    }
  }

  async #tryOnce(server: Server): Promise<boolean> {
    try {
      return await (server === this.#hub ? this.#hubAnswers() : this.#leafIsHeard(server));
    } catch {
      return false; // not yet: it does not listen, or its storage or its link to the hub is not up
    }
  }

  async #hubAnswers(): Promise<boolean> {
    await using hub = disposable(await connectAs(this.urlOf(HUB), this.#operator, ONCE));
    await hub.nc.request('$JS.API.INFO', '', { timeout: 1000 });
    return true;
  }

  /** Only after the link has carried the hub's interest in announcements; all its other interest comes with it. */
  async #leafIsHeard(leaf: Server): Promise<boolean> {
    const gateway = signGateway(this.#keys, { nowMs: this.#now() });
    await using hub = disposable(await connectAs(this.urlOf(HUB), this.#operator, ONCE));
    await using machine = disposable(await connectAs(this.urlOf(leaf.name), gateway, ONCE));
    const subject = liveSubject({ ...READY, instance: randomUUID() });
    const heard: string[] = [];
    hub.nc.subscribe(subject, { max: 1, callback: (_, msg) => void heard.push(msg.subject) });
    await hub.nc.flush();
    for (let i = 0; i < 50 && heard.length === 0; i++) {
      machine.nc.publish(subject);
      await machine.nc.flush();
      await pause(5, AbortSignal.timeout(1000));
    }
    return heard.length > 0;
  }

  async #end(server: Server, how: 'stop' | 'kill'): Promise<void> {
    const running = server.process;
    server.process = undefined;
    await running?.[how]();
  }

  /** Who ends a server takes its process away first; what is still there ended by itself. */
  async #noticeLoss(server: Server, ended: NatsProcess): Promise<void> {
    if (server.process !== ended) return;
    server.process = undefined;
    this.#options.onLost?.(server.name, await this.#lastWords(server, ended));
  }

  async #lastWords(server: Server, ended: NatsProcess): Promise<string> {
    const log = await readFile(this.#file(server, 'log'), 'utf8').catch(() => '');
    return (log + ended.said()).slice(-TAIL_CHARACTERS);
  }

  #find(name: string): Server {
    const server = [this.#hub, ...this.#leaves].find((s) => s.name === name);
    if (!server) throw new Error(`no server ${name}: there are ${HUB}, ${this.#options.machines.join(', ')}`);
    return server;
  }

  #file(server: Server, extension: string): string {
    return join(this.#options.folder, `${server.name}.${extension}`);
  }
}

/** Between finding a port free and binding it somebody else may take it: then others are tried. */
async function onFreePorts(start: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    if (await startedOnPort(start, attempt < START_ATTEMPTS)) return;
  }
}

/** Clients know the port of a server that comes back: it waits until whoever took it is gone. */
async function onSamePorts(start: () => Promise<void>): Promise<void> {
  const limit = AbortSignal.timeout(READY_LIMIT_MS);
  while (!(await startedOnPort(start, !limit.aborted))) await pause(100, limit);
}

/** False where somebody else has the port, and there is to be another try. */
async function startedOnPort(start: () => Promise<void>, again: boolean): Promise<boolean> {
  try {
    await start();
    return true;
  } catch (cause) {
    if (again && cause instanceof ServerNotReady && cause.message.includes('address already in use'))
      return false;
    throw cause;
  }
}

function assertDistinct(names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`machines: ${twice} is there twice, or the hub's name`);
}

const credsFile = (credential: NewCredential): Uint8Array => fmtCreds(credential.jwt, keyOf(credential.seed));

async function writeSecret(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, content, { mode: 0o600 });
}

/** Resolves to false when the signal aborts. */
const unless = (signal: AbortSignal): Promise<false> =>
  new Promise((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        resolve(false);
      },
      { once: true },
    );
  });

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
  });
}

const disposable = (nc: NatsConnection) => ({ nc, [Symbol.asyncDispose]: () => nc.close() });
