/**
 * A run on this machine: the same manifests, planner, bus, hosts and gateway as in a cluster, as child processes.
 * Composition root: the only file of `local/` that reads the clock and the environment.
 *
 * Owns: starting and ending of everything: servers, gateway, units, credentials. `applier.ts` decides what runs,
 * `deployment.ts` changes one workflow, `nats/` has the servers.
 * Invariants:
 *  1. `apply` never disturbs what runs by what is wrong in what it is given.
 *  2. After `stop`, or after this process died however, no process of the run is left, and no file but what
 *     `stateFolder` keeps.
 */
import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { ROUTES_BUCKET, kvStream, newId } from '@sinter/contract';
import type { InstanceKey, WorkflowKey } from '@sinter/contract';
import { connectAs } from '../bus/connect.ts';
import { signOperator } from '../bus/credentials.ts';
import type { NewCredential } from '../bus/credentials.ts';
import { CREDENTIAL_LIFETIME_MS, createKeys, revoke } from '../bus/keys.ts';
import type { BusKeys, Validity } from '../bus/keys.ts';
import { listenToInstances } from '../bus/listen.ts';
import { RecordKeeper } from '../bus/recordKeeper.ts';
import { Sight } from '../bus/sight.ts';
import { PageServer } from '../web/server.ts';
import { putModule } from '../bus/modules.ts';
import { hubManager, provisionAsync, provisionBuckets, provisionNamespace } from '../bus/provision.ts';
import { Reports } from '../bus/reports.ts';
import { openRoutes } from '../bus/routes.ts';
import type { RouteBook } from '../bus/routes.ts';
import { Applier } from './applier.ts';
import { GATEWAY_BUNDLE, assertBuilt } from './bundles.ts';
import { Child } from './child.ts';
import { Control } from './control.ts';
import { CredentialKeeper } from './credentials.ts';
import { Deployment } from './deployment.ts';
import type { DeploymentPorts, UnitTarget } from './deployment.ts';
import { Fleet, logRecord } from './fleet.ts';
import { keptKeys, temporaryFolder } from './folders.ts';
import { localMachines } from './machines.ts';
import { locateNatsServer } from './nats/locate.ts';
import { HUB, startServers } from './nats/servers.ts';
import type { Servers } from './nats/servers.ts';
import { userDockerConfig } from './pulling.ts';
import { snapshotText } from '../snapshot/index.ts';
import type { ApplyReport, LocalRun, LocalRunOptions, LogRecord, RawObject, WorkflowFigures } from './run.ts';
import { Scenery } from './scenery.ts';
import { removeState, runsFolder, stateFileOf, writeState } from './stateFile.ts';
import { sweepAfter } from './sweeper.ts';
import type { Sweeper } from './sweeper.ts';
import type { LocalMachine } from './targets.ts';

/** What the gateway has under way when a run ends. */
const STOP_GRACE_MS = 1_500;
/** Nobody waits for a unit then: what it does of a queue is kept there, and done again in a run that goes on from here. */
const UNIT_GRACE_MS = 400;
const GATEWAY_LIMIT_MS = 15_000;
/** First and longest pause before a server or the gateway is started once more. */
const RETURN_MS = 100;
const RETURN_LIMIT_MS = 5_000;
const TRIES = 3;
/** A server that dies while the client greets it keeps the client waiting for so long (twenty seconds by default). */
const DIAL_MS = 2_000;
/** How long revocations are gathered. */
const REVOKE_MS = 1_000;
/** How often what was observed is looked at, whether it is to be kept. */
const KEEP_MS = 5_000;
/** How often plans are looked at: as often as figures come. */
const LOOK_MS = 1_000;

/** What tests and benchmarks may reach for besides: the parts of a run, to look at and to break. */
export interface LocalRunParts {
  readonly servers: Servers;
  readonly operator: NatsConnection;
  readonly keys: () => BusKeys;
  readonly machines: readonly LocalMachine[];
  deployment(namespace: string, workflow: string): Deployment | undefined;
  gatewayPid(): number | undefined;
  renewCredentials(): Promise<void>;
}

export interface LocalRunSettings extends LocalRunOptions {
  /** Life of the credentials of children, in milliseconds; 30 days where it is not given. */
  readonly credentialLifetimeMs?: number;
  /** The host that runs a unit, where it is not the one that was built with this operator: hosts of older contracts. */
  readonly hostBundle?: (functions: readonly string[]) => string | undefined;
  /** See `StartOptions.sync` of the servers. */
  readonly sync?: 'always' | 'default';
}

/** Starts servers and gateway; rejects with what stands in the way, and leaves nothing behind then. */
export async function startLocalRun(
  options: LocalRunSettings,
): Promise<LocalRun & { readonly parts: LocalRunParts }> {
  assertBuilt();
  const run = new Run(options);
  try {
    await run.start();
  } catch (cause) {
    await run.stop();
    throw cause;
  }
  return run;
}

class Run implements LocalRun {
  readonly #options: LocalRunSettings;
  readonly #reports = new Reports();
  readonly #sequences = new Map<string, number>();
  /** How far the route of each workflow has come, also of those that were taken away. */
  readonly #generations = new Map<string, () => number>();
  readonly #token = newId(40);
  #gatewayInstance = '';
  readonly #startedAt = new Date().toISOString();
  readonly stateFile = stateFileOf(runsFolder(), process.pid);
  #folder = '';
  #sweeper: Sweeper | undefined;
  #keys: BusKeys = createKeys();
  #servers: Servers | undefined;
  #nc: NatsConnection | undefined;
  #book: RouteBook | undefined;
  #keeper: CredentialKeeper | undefined;
  #sight: Sight | undefined;
  /** Where the run's state is kept: what was observed is, too. */
  #records: RecordKeeper | undefined;
  #keeping: NodeJS.Timeout | undefined;
  #applier: Applier | undefined;
  #gateway: Child | undefined;
  #gatewayCredential: NewCredential | undefined;
  #gatewayUrl = '';
  #machines: readonly LocalMachine[] = [];
  #renewal: NodeJS.Timeout | undefined;
  #control: Control | undefined;
  readonly #scenery = new Scenery(() => this.#needApplier(), Date.now);
  readonly #pageKey = newId(32);
  #page: PageServer | undefined;
  #looking: NodeJS.Timeout | undefined;
  /** What changes what runs, one after the other. */
  #changing: Promise<unknown> = Promise.resolve();
  #stopping: Promise<void> | undefined;
  /** Seeds of units' credentials, by their public key. */
  readonly #seeds = new Map<string, string>();
  #revoking: NodeJS.Timeout | undefined;
  /** Servers and gateway on their way back. */
  readonly #returning = new Map<string, Promise<void>>();

  constructor(options: LocalRunSettings) {
    this.#options = options;
  }

  get gateway(): { readonly url: string; readonly token: string } {
    return { url: this.#gatewayUrl, token: this.#token };
  }

  get page(): { readonly url: string } {
    return { url: `http://127.0.0.1:${String(this.#page?.port ?? 0)}/${this.#pageKey}/` };
  }

  get parts(): LocalRunParts {
    return {
      servers: this.#needServers(),
      operator: this.#need(),
      keys: () => this.#keys,
      machines: this.#machines,
      deployment: (namespace, workflow) => this.#needApplier().deployment({ namespace, workflow }),
      gatewayPid: () => this.#gateway?.pid,
      renewCredentials: () => this.#renewAll(),
    };
  }

  async start(): Promise<void> {
    const { onProgress, signal } = this.#options;
    const { path } = await locateNatsServer({ env: process.env, onProgress, signal });
    await this.#openFolder();
    const names =
      this.#options.machines === 0 ? [] : localMachines(this.#options.machines).map((m) => m.name);
    this.#servers = await startServers({
      folder: this.#folder,
      machines: names,
      keys: this.#keys,
      natsServer: path,
      sync: this.#options.sync ?? 'default',
      onLost: (name, problem) => {
        this.#bringBack(`nats ${name}`, `ended: ${problem}`, () => this.#needServers().restart(name));
      },
    });
    signal?.throwIfAborted();
    this.#machines = machinesOf(names, this.#servers);
    const nc = await connectAs(this.#servers.hub.url, signOperator(this.#keys, { nowMs: Date.now() }), {
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
      timeout: DIAL_MS,
      name: 'operator',
    });
    this.#nc = nc;
    await provisionBuckets(nc);
    // Routes of an earlier run in the same folder lead to units that are no more.
    await (await hubManager(nc)).streams.purge(kvStream(ROUTES_BUCKET));
    this.#book = await openRoutes(nc);
    this.#keeper = new CredentialKeeper(
      nc,
      () => this.#keys,
      () => this.#validity(),
    );
    this.#sight = this.#newSight(this.#book);
    listenToInstances(nc, {
      onAnnouncement: (announcement) => {
        this.#reports.announced(announcement);
      },
      onObservation: (observation) => {
        this.#needSight().heard(observation);
        this.#reports.observed(observation);
      },
    });
    this.#applier = new Applier({
      sight: this.#sight,
      machines: this.#machines,
      newDeployment: (workflow) => this.#newDeployment(workflow),
      now: Date.now,
      onNews: (news) => {
        this.#scenery.told(news);
        this.#options.onNews?.(news);
      },
      userConfig: userDockerConfig(),
    });
    await this.#startGateway();
    this.#control = await Control.start(
      {
        snapshot: (workflow) => snapshotText(this.#needApplier().snapshot(workflow)),
        choose: (workflow, hash) => this.#change(() => this.#choose(workflow, hash)),
      },
      this.#token,
    );
    this.#page = await PageServer.start({
      sights: this.#scenery,
      key: this.#pageKey,
      host: '127.0.0.1',
      port: 0,
      onProblem: (message) => {
        this.#log({ level: 'warn', source: 'run', message });
      },
    });
    this.#lookAgain();
    this.#renewal = setInterval(
      () => {
        this.#renewAll().catch((cause: unknown) => {
          this.#log({
            level: 'error',
            source: 'run',
            message: `credentials were not renewed: ${String(cause)}`,
          });
        });
      },
      (this.#validity().lifetimeMs ?? 0) / 3,
    );
    this.#renewal.unref();
    await this.#writeState();
  }

  apply(objects: readonly RawObject[]): Promise<ApplyReport> {
    return this.#change(() => this.#apply(objects));
  }

  #newSight(book: RouteBook): Sight {
    const machines = new Map(this.#machines.map((m) => [m.name, m] as const));
    const sight = new Sight({ machine: (name) => machines.get(name), now: Date.now });
    if (this.#options.stateFolder === undefined) return sight;
    const records = new RecordKeeper({
      sight,
      records: book.observations,
      clock: () => performance.now(),
      onProblem: ({ workflow }, cause) => {
        if (this.#stopping) return;
        const message = `what was observed of ${workflow} was not kept: ${String(cause)}`;
        this.#log({ level: 'warn', source: 'run', message });
      },
    });
    this.#records = records;
    this.#keeping = setInterval(() => void records.round(), KEEP_MS).unref();
    return sight;
  }

  #change<T>(change: () => Promise<T>): Promise<T> {
    const next = this.#changing.then(change, change);
    this.#changing = next;
    return next;
  }

  async #choose(workflow: WorkflowKey, hash: string): Promise<string> {
    const running = await this.#needApplier().choose(workflow, hash);
    await this.#writeState();
    return running;
  }

  /** After a while, and after whatever is being changed then. */
  #lookAgain(): void {
    this.#looking = setTimeout(() => {
      this.#change(() => this.#look())
        .catch((cause: unknown) => {
          if (this.#stopping) return;
          this.#log({ level: 'error', source: 'run', message: `plans were not looked at: ${String(cause)}` });
        })
        .finally(() => {
          if (!this.#stopping) this.#lookAgain();
        });
    }, LOOK_MS);
    this.#looking.unref();
  }

  async #look(): Promise<void> {
    if (this.#stopping) return;
    if (await this.#needApplier().look()) await this.#writeState();
  }

  figures(namespace: string, workflow: string): WorkflowFigures {
    return this.#reports.figures(namespace, workflow);
  }

  resetFigures(): void {
    this.#reports.reset();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #apply(objects: readonly RawObject[]): Promise<ApplyReport> {
    if (this.#stopping) throw new Error('the run is ending: nothing is applied any more');
    const report = await this.#needApplier().apply(objects);
    await this.#writeState();
    return report;
  }

  #newDeployment(workflow: WorkflowKey): Deployment {
    const id = `${workflow.namespace}/${workflow.workflow}`;
    // Of a workflow that comes back the route goes on where it stopped: who missed its end takes no older generation.
    const deployment = new Deployment(workflow, this.#ports(), this.#generations.get(id)?.());
    this.#generations.set(id, () => deployment.generation);
    // The end of the run may come while several workflows are applied: what is made after it starts nothing.
    if (this.#stopping) void deployment.stop(0);
    return deployment;
  }

  #ports(): DeploymentPorts {
    const nc = this.#need();
    const book = this.#needBook();
    const writeOnce = async (what: 'routes' | 'entries', record: never, key: WorkflowKey): Promise<void> => {
      const id = `${what} ${key.namespace}/${key.workflow}`;
      const after = this.#sequences.get(id) ?? (await book[what].read(key)).sequence;
      this.#sequences.delete(id); // unknown until the server has said so
      const written = await book[what].write(record, after);
      if (written.kind === 'Conflict') throw new Error(`somebody else wrote the ${what} of ${key.workflow}`);
      this.#sequences.set(id, written.sequence);
    };
    // A server that is on its way back may have stored what it could not acknowledge: read anew, then written again.
    const write = (what: 'routes' | 'entries', record: never, key: WorkflowKey): Promise<void> =>
      this.#insist(() => writeOnce(what, record, key));
    return {
      reports: this.#reports,
      putModule: async (namespace, bytes) => {
        await this.#insist(() => putModule(nc, namespace, bytes));
      },
      provide: async (workflow, functions) => {
        const callees = functions.map((fn) => ({ fn }));
        await this.#insist(() => provisionNamespace(nc, workflow.namespace));
        await this.#insist(() => provisionAsync(nc, workflow, callees));
      },
      writeRoute: (route) => {
        this.#needSight().follow(route);
        return write('routes', route as never, route);
      },
      writeEntry: (entry) => write('entries', entry as never, entry),
      remove: async (workflow) => {
        for (const what of ['entries', 'routes'] as const) {
          const { sequence } = await book[what].read(workflow);
          await book[what].remove(workflow, sequence);
          this.#sequences.delete(`${what} ${workflow.namespace}/${workflow.workflow}`);
        }
      },
      newFleet: (unit) => this.#newFleet(unit),
      retire: (fleet, grants) => {
        this.#retire(fleet, grants);
      },
      entries: () => this.#gatewayKeys(),
      onLog: this.#options.onLog,
    };
  }

  /** What the bus does not answer is asked again: a server that ended is on its way back, and the question went with it. */
  async #insist<T>(ask: () => Promise<T>): Promise<T> {
    for (let left = TRIES; ; left--) {
      try {
        return await ask();
      } catch (cause) {
        if (left === 1 || this.#stopping) throw cause;
      }
      await new Promise((resolve) => setTimeout(resolve, RETURN_MS));
    }
  }

  #gatewayKeys(): readonly InstanceKey[] {
    if (!this.#gateway || this.#gateway.ended) return [];
    return [{ namespace: '', workflow: '', unit: '_gateway', instance: this.#gatewayInstance }];
  }

  #newFleet(unit: UnitTarget): Fleet {
    const credential = this.#needKeeper().forUnit(unit.scope);
    this.#seeds.set(credential.publicKey, credential.seed);
    const bundle = this.#options.hostBundle?.(unit.scope.functions);
    return new Fleet({
      ...unit,
      credential,
      ...(bundle === undefined ? {} : { bundle }),
      onLog: this.#options.onLog,
      onGone: (instance) => {
        this.#reports.gone(instance);
      },
    });
  }

  /**
   * A unit has ended. What was issued to it is void where it granted what is no longer declared (D11), together with that of
   * others that end now. Not more often than that: a server that is told of a changed account forgets which answers are
   * under way, and work that a unit has asked for then comes ten seconds late (seen on nats-server 2.15).
   */
  #retire(fleet: Fleet, grants: 'WhatIsDeclared' | 'More'): void {
    this.#seeds.delete(fleet.publicKey);
    if (grants === 'WhatIsDeclared') return;
    this.#keys = revoke(this.#keys, fleet.publicKey, this.#validity());
    this.#revoking ??= setTimeout(() => {
      this.#revoking = undefined;
      this.#needServers()
        .applyKeys(this.#keys)
        .catch((cause: unknown) => {
          // A server that is down goes by the changed keys when it is back.
          const message = `credentials of ended units may still be taken: ${String(cause)}`;
          if (!this.#stopping) this.#log({ level: 'warn', source: 'run', message });
        });
    }, REVOKE_MS);
  }

  /** Starts the gateway; on the port that it had, where it had one. */
  async #startGateway(port = this.#options.port ?? 0): Promise<void> {
    const [first] = this.#machines;
    if (!first) throw new Error('a run needs a machine');
    this.#gatewayInstance = newId(10);
    const credential = this.#needKeeper().forGateway();
    this.#gatewayCredential = credential;
    const { promise, resolve } = Promise.withResolvers<string>();
    let taken = false;
    const child = new Child({
      bundle: GATEWAY_BUNDLE,
      bootstrap: {
        servers: first.servers,
        credential,
        machine: first.name,
        architecture: first.architecture,
        instance: this.#gatewayInstance,
        token: this.#token,
        host: '127.0.0.1',
        port,
      },
      env: {},
      onLine: (line) => {
        const { listening } = line;
        if (typeof listening === 'object' && listening !== null && 'port' in listening)
          resolve(`http://127.0.0.1:${String(listening.port)}`);
        else if (!told(line).includes('EADDRINUSE')) this.#log(logRecord('gateway', line));
        else taken = true;
      },
    });
    this.#gateway = child;
    const ended = child.exited.then(({ code, signal }) => {
      if (taken) throw new Error(`port ${String(port)} is taken: give another, or none for a free one`);
      throw new Error(`the gateway ended with ${String(signal ?? code)} before it listened`);
    });
    const late = this.#after(GATEWAY_LIMIT_MS, 'the gateway did not listen in time');
    // Both reject for nobody once it listens.
    void ended.catch(() => undefined);
    void late.catch(() => undefined);
    this.#gatewayUrl = await Promise.race([promise, ended, late]).catch(async (cause: unknown) => {
      await child.stop(0);
      throw cause;
    });
    void child.exited.then(({ code, signal }) => {
      this.#bringBack('gateway', `ended with ${String(signal ?? code)}`, () =>
        this.#startGateway(Number(new URL(this.#gatewayUrl).port)),
      );
    });
  }

  async #after(ms: number, message: string): Promise<never> {
    await new Promise((resolve) => setTimeout(resolve, ms).unref());
    throw new Error(message);
  }

  /** What ended by itself is started again, until it stays; units and gateway reconnect to a server. */
  #bringBack(source: string, problem: string, start: () => Promise<void>): void {
    if (this.#stopping || this.#returning.has(source)) return;
    this.#log({ level: 'error', source, message: `${problem}; it is started again` });
    const returned = this.#startUntilItStays(source, start).finally(() => this.#returning.delete(source));
    this.#returning.set(source, returned);
  }

  async #startUntilItStays(source: string, start: () => Promise<void>): Promise<void> {
    for (let pauseMs = RETURN_MS; !this.#stopping; pauseMs = Math.min(RETURN_LIMIT_MS, 2 * pauseMs)) {
      try {
        await start();
        return;
      } catch (cause) {
        this.#log({ level: 'error', source, message: `not started again yet: ${String(cause)}` });
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  async #renewAll(): Promise<void> {
    const keeper = this.#needKeeper();
    for (const deployment of this.#needApplier().deployments)
      for (const fleet of deployment.fleets) {
        const seed = this.#seeds.get(fleet.publicKey);
        if (seed !== undefined) keeper.renewFleet(fleet, seed);
      }
    if (this.#gatewayCredential)
      keeper.renewGateway(this.#gatewayInstance, this.#gatewayCredential.publicKey);
    await this.#need().flush();
  }

  async #openFolder(): Promise<void> {
    const { stateFolder } = this.#options;
    this.#folder = stateFolder ?? (await temporaryFolder());
    if (stateFolder !== undefined) this.#keys = await keptKeys(stateFolder, this.#keys);
    const files = stateFolder === undefined ? [this.#folder, this.stateFile] : [this.stateFile];
    this.#sweeper = sweepAfter(files, dirname(this.stateFile));
  }

  async #writeState(): Promise<void> {
    if (this.#stopping) return;
    await writeState(this.stateFile, {
      version: 1,
      pid: process.pid,
      startedAt: this.#startedAt,
      gateway: this.gateway,
      ...(this.#control ? { control: { url: this.#control.url } } : {}),
      ...(this.#page ? { page: this.page } : {}),
      workflows: this.#applier?.state ?? [],
    });
  }

  async #stop(): Promise<void> {
    clearInterval(this.#renewal);
    clearTimeout(this.#looking);
    clearTimeout(this.#revoking);
    clearInterval(this.#keeping);
    await removeState(this.stateFile);
    await this.#control?.stop();
    await this.#page?.stop();
    await this.#gateway?.stop(STOP_GRACE_MS);
    await Promise.all((this.#applier?.deployments ?? []).map((d) => d.stop(UNIT_GRACE_MS)));
    await this.#records?.round('Last');
    await this.#nc?.close();
    await this.#servers?.stop();
    // What was on its way back has failed by now, or came back after all.
    await Promise.allSettled(this.#returning.values());
    await this.#gateway?.stop(STOP_GRACE_MS);
    await this.#servers?.stop();
    if (this.#folder !== '' && this.#options.stateFolder === undefined)
      await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
    await this.#sweeper?.dismiss();
  }

  #validity(): Validity {
    return { nowMs: Date.now(), lifetimeMs: this.#options.credentialLifetimeMs ?? CREDENTIAL_LIFETIME_MS };
  }

  #log(line: LogRecord): void {
    this.#options.onLog(line);
  }

  #need(): NatsConnection {
    return this.#nc ?? neverStarted();
  }
  #needServers(): Servers {
    return this.#servers ?? neverStarted();
  }
  #needBook(): RouteBook {
    return this.#book ?? neverStarted();
  }
  #needSight(): Sight {
    return this.#sight ?? neverStarted();
  }
  #needApplier(): Applier {
    return this.#applier ?? neverStarted();
  }
  #needKeeper(): CredentialKeeper {
    return this.#keeper ?? neverStarted();
  }
}

const told = (line: Readonly<Record<string, unknown>>): string =>
  typeof line['message'] === 'string' ? line['message'] : '';

function neverStarted(): never {
  throw new Error('the run was not started');
}

/** Each talks to its own leaf first; without leaves there is one machine, at the hub. */
function machinesOf(names: readonly string[], servers: Servers): readonly LocalMachine[] {
  const hub = servers.urlOf(HUB);
  return localMachines(names.length).map((machine) => ({
    ...machine,
    // What the processes of a run have between them: none has a limit.
    cpuMillis: 1000 * availableParallelism(),
    machine: machine.name,
    servers: names.includes(machine.name) ? [servers.urlOf(machine.name), hub] : [hub],
  }));
}
