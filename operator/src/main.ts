/**
 * The operator. Composition root: the only file of the control plane in a cluster that reads the environment and the clock, and
 * that names concrete parts.
 *
 *   environment ─▶ API server ─▶ copies of the cluster (every replica)   ─▶ bus (every replica; writes: the leader)
 *                                └─ Lease ─▶ controllers (the leader)
 *
 * Invariants:
 *  1. A replica that does not lead keeps its copies warm and writes nothing.
 *  2. Who loses the lease writes nothing any more and ends; it starts anew as one that waits.
 *  3. Neither the bus nor the API server being away ends the process: it reports, and goes on when they are back.
 */
import { randomUUID } from 'node:crypto';
import type { WorkflowKey } from '@sinter/contract';
import { clusterBus } from './reconcile/bus.ts';
import type { ClusterBusRun } from './reconcile/bus.ts';
import { busPodOf, secretStore } from './reconcile/busKube.ts';
import { parseConfig } from './config/config.ts';
import type { Config } from './config/config.ts';
import { applyObject } from './kube/apply.ts';
import { connection } from './kube/connection.ts';
import { kubeClient } from './kube/client.ts';
import type { KubeClient } from './kube/client.ts';
import { systemClock } from './kube/clock.ts';
import { elector } from './kube/elector.ts';
import { recorder } from './kube/events.ts';
import { tokenBucket } from './kube/throttle.ts';
import type { ControllerHooks } from './kube/controller.ts';
import { isConflict } from './kube/errors.ts';
import { controllers, followPods } from './reconcile/controllers.ts';
import type { Controllers } from './reconcile/controllers.ts';
import { faultPoint } from './reconcile/faults.ts';
import { MANAGER, SINTER } from './reconcile/kinds.ts';
import { Scenery } from './reconcile/scenery.ts';
import { declaresIn, watches } from './reconcile/stores.ts';
import type { Stores } from './reconcile/stores.ts';
import type { PodSettings } from './resources/index.ts';
import { NO_MEMORY, trialsOf } from './rollout/index.ts';
import { PageServer } from './web/server.ts';
import { Metrics, errorText, newLogger, telemetryServer } from './telemetry/index.ts';
import type { Logger, Verdict } from './telemetry/index.ts';

const VERSION = '0.1.0';
/** Requests to the API server: on average, and at once. */
const PER_SECOND = 50;
const BURST = 100;
/** After a signal: to end what is under way, give up the lease and say the last words. */
const ENDING_MS = 20_000;
const FORGET_MS = 60_000;

async function main(): Promise<void> {
  const config = parseConfig(process.env);
  const log = newLogger(config.SINTER_LOG_LEVEL);
  const ending = endWhenAsked(log);
  const operator = new Operator(config, log, await clientsOf(config, log), ending);
  await operator.run();
}

interface Clients {
  readonly metrics: Metrics;
  readonly client: KubeClient;
  /** For the lease alone: other work must not make it wait. */
  readonly urgent: KubeClient;
}

async function clientsOf(config: Config, log: Logger): Promise<Clients> {
  const metrics = new Metrics();
  const server = await connection({ environment: process.env });
  log.info({ server: server.server, namespace: config.SINTER_NAMESPACE, version: VERSION }, 'starting');
  const options = {
    connection: server,
    userAgent: `sinter-operator/${VERSION}`,
    onRequest: metrics.request.bind(metrics),
  };
  const throttle = tokenBucket({ perSecond: PER_SECOND, burst: BURST, clock: systemClock });
  return { metrics, client: kubeClient({ ...options, throttle }), urgent: kubeClient(options) };
}

class Operator {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #clients: Clients;
  readonly #ending: AbortSignal;
  readonly #stores: Stores;
  readonly #informers: ReturnType<typeof watches>['informers'];
  readonly #bus: ClusterBusRun;
  /** The client of the leader: none leads, none writes. */
  #writer: KubeClient | undefined;
  /** What the leader knows of workflows. */
  #known: Pick<Controllers, 'sight' | 'rollouts'> | undefined;
  /** Whether the lease holds, at this moment. */
  #holds = (): boolean => false;

  constructor(config: Config, log: Logger, clients: Clients, ending: AbortSignal) {
    this.#config = config;
    this.#log = log;
    this.#clients = clients;
    this.#ending = ending;
    const watched = watches({
      client: clients.client,
      namespace: config.SINTER_NAMESPACE,
      namespaces: config.SINTER_WATCH_NAMESPACES,
      hooks: {
        trouble: ({ kind, error, againInMs }) => {
          clients.metrics.watchTrouble(kind);
          log.warn({ kind, againInMs }, `watch: ${errorText(error)}`);
        },
        broken: (error) => {
          log.error({ err: error }, 'a listener failed');
        },
      },
    });
    this.#stores = watched.stores;
    this.#informers = watched.informers;
    this.#bus = this.#newBus();
  }

  async run(): Promise<void> {
    const { metrics } = this.#clients;
    const server = await telemetryServer({
      port: this.#config.SINTER_METRICS_PORT,
      health: () => ({ ok: true, says: 'alive' }),
      readiness: () => this.#readiness(),
      metrics: async () => ({ type: metrics.registry.contentType, text: await metrics.registry.metrics() }),
      figures: (namespace, workflow) => this.#figuresOf({ namespace, workflow }),
    });
    const stop = this.#follow();
    const watching = Promise.all(this.#informers.map((i) => i.run(this.#ending)));
    const bus = this.#bus.run(this.#ending);
    const result = await this.#elect();
    if (result === 'lost') {
      // Whoever leads now must be alone: this process ends at once.
      this.#log.error('the lease was lost; this replica ends and starts anew');
      process.exit(1);
    }
    await Promise.all([watching, bus]);
    stop();
    await server.close();
    this.#clients.client.close();
    this.#clients.urgent.close();
    this.#log.info('ended');
  }

  async #elect(): Promise<'lost' | 'stopped' | 'done'> {
    const { SINTER_LEADER_ELECTION, SINTER_NAMESPACE, SINTER_FULLNAME, SINTER_POD_NAME } = this.#config;
    const { metrics, urgent } = this.#clients;
    const name = `${SINTER_FULLNAME}-operator`;
    metrics.leading(name, false);
    if (!SINTER_LEADER_ELECTION) {
      metrics.leading(name, true);
      await this.#lead(this.#ending);
      return 'stopped';
    }
    const election = elector({
      client: urgent,
      namespace: SINTER_NAMESPACE,
      name,
      identity: `${SINTER_POD_NAME}_${randomUUID()}`,
      hooks: {
        leading: (leads) => {
          metrics.leading(name, leads);
          this.#log.info({ leads }, leads ? 'leading' : 'not leading');
        },
        leader: (identity) => {
          this.#log.info({ identity }, 'the leader is known');
        },
        trouble: (error) => {
          this.#log.warn(`lease: ${errorText(error)}`);
        },
      },
    });
    return await election.run(this.#ending, (signal) => this.#lead(signal, () => election.leading));
  }

  /** Everything that writes. `holds` is asked before each write: a process that was frozen has not heard its timers yet. */
  async #lead(signal: AbortSignal, holds = (): boolean => true): Promise<void> {
    const { SINTER_POD_NAME, SINTER_GATEWAY_URL, SINTER_NAMESPACE, SINTER_SERVICE_ACCOUNT } = this.#config;
    const { SINTER_NATS_MODE, SINTER_WATCH_NAMESPACES } = this.#config;
    const client = this.#clients.client.under(signal, holds);
    this.#writer = client;
    this.#holds = () => !signal.aborted && holds();
    this.#bus.wake();
    const events = recorder({
      // The last words are told after the signal, while the lease still holds.
      client: this.#clients.client.under(new AbortController().signal, holds),
      controller: 'sinter.dev/operator',
      instance: SINTER_POD_NAME,
      trouble: (error) => {
        this.#log.warn(`an event was not told: ${errorText(error)}`);
      },
    });
    const working = controllers({
      client,
      stores: this.#stores,
      bus: this.#bus,
      events,
      pods: () => podSettings(this.#config),
      gatewayUrl: SINTER_GATEWAY_URL,
      hosts: this.#config.SINTER_TRIGGER_HOSTS,
      account: `${SINTER_NAMESPACE}:${SINTER_SERVICE_ACCOUNT}`,
      fault: faultPoint(this.#config.SINTER_FAULT_POINT, dieAtOnce),
      clock: systemClock,
      hooks: (name, state) => this.#hooks(name, state),
      onPlanned: (durationMs) => {
        this.#clients.metrics.planned(durationMs);
      },
      // On a NATS of the user's own there may be another Sinter's.
      sweep: SINTER_NATS_MODE === 'Bundled' ? { namespaces: SINTER_WATCH_NAMESPACES } : undefined,
      onSwept: (found) => {
        if ([...found.workflows, ...found.namespaces, ...found.removed].length > 0)
          this.#log.info(found, 'the bus kept for nobody, and does no more');
      },
      onRollout: (kind) => {
        this.#clients.metrics.rolledOut(kind);
      },
      onProblem: (problem) => {
        this.#log.warn(problem);
      },
    });
    await this.#makeDefaultPolicy(client, signal);
    this.#known = working;
    const page = await this.#openPage(working);
    await working.run(signal);
    await page?.stop();
    this.#known = undefined;
    await events.flush();
    this.#writer = undefined;
  }

  /** The live page, where there is a key to it. Only who leads has something to show, so only the leader listens. */
  async #openPage({
    sight,
    rollouts,
  }: Pick<Controllers, 'sight' | 'rollouts'>): Promise<PageServer | undefined> {
    const { SINTER_PAGE_KEY: key, SINTER_PAGE_PORT: port } = this.#config;
    if (key === '') return undefined;
    return await PageServer.start({
      sights: new Scenery({
        stores: this.#stores,
        sight,
        now: Date.now,
        trialOf: (workflow) => rollouts.known(workflow)?.trial,
      }),
      key,
      host: '0.0.0.0',
      port,
      onProblem: (problem) => {
        this.#log.warn(problem);
      },
    });
  }

  #hooks(controller: string, state: Parameters<Metrics['controller']>[1]): ControllerHooks {
    const told = this.#clients.metrics.controller(controller, state);
    return {
      ...told,
      finished: (report) => {
        told.finished?.(report);
        const [namespace, name] = report.key.includes('/') ? report.key.split('/') : ['', report.key];
        const { reconcileId, durationMs, outcome, error } = report;
        const about = {
          controller,
          namespace,
          name,
          reconcileID: reconcileId,
          durationMs: Math.round(durationMs),
        };
        if (error === undefined) this.#log.debug({ ...about, outcome }, 'reconciled');
        else this.#log.warn({ ...about, outcome, failures: report.failures }, errorText(error));
      },
    };
  }

  /** The chart's policy for the cluster; whoever has changed it since keeps it as it is. */
  async #makeDefaultPolicy(client: KubeClient, signal: AbortSignal): Promise<void> {
    const spec = this.#config.SINTER_DEFAULT_POLICY;
    if (spec === undefined) return;
    const { apiVersion, kind } = SINTER.clusterPolicies;
    const desired = { apiVersion, kind, metadata: { name: 'default' }, spec };
    try {
      const current = await client.find(SINTER.clusterPolicies, desired.metadata, { signal });
      const manager = MANAGER.defaults;
      await applyObject({
        client,
        kind: SINTER.clusterPolicies,
        desired,
        current,
        manager,
        force: false,
        signal,
      });
    } catch (cause) {
      const why = isConflict(cause) ? 'somebody else has changed it, so it stays' : errorText(cause);
      this.#log.info(`ClusterOptimizationPolicy default was not written: ${why}`);
    }
  }

  #newBus(): ClusterBusRun {
    const { client } = this.#clients;
    const { SINTER_NAMESPACE } = this.#config;
    const secrets = secretStore(client, SINTER_NAMESPACE);
    return clusterBus({
      settings: busSettings(this.#config),
      secrets: {
        read: (name) => secrets.read(name),
        write: (secret) =>
          this.#writer
            ? secretStore(this.#writer, SINTER_NAMESPACE).write(secret)
            : Promise.resolve('Conflict'),
      },
      pods: () => this.#stores.busPods.list().flatMap((pod) => busPodOf(pod) ?? []),
      isLeader: () => this.#writer !== undefined && this.#holds(),
      now: Date.now,
      onLog: ({ level, message }) => {
        this.#log[level](message);
      },
    });
  }

  /** As much of a snapshot as was measured and tried; undefined: nothing is known here. */
  #figuresOf(workflow: WorkflowKey): object | undefined {
    const known = this.#known?.sight.known(workflow);
    if (!known) return undefined;
    const memory = this.#known?.rollouts.known(workflow) ?? NO_MEMORY;
    return { observations: known.figures(known.current, Date.now()), trials: trialsOf(memory) };
  }

  /** What every replica does with what it hears. Returns the way to stop. */
  #follow(): () => void {
    const { reports } = this.#bus;
    const stops = [
      followPods(this.#stores, reports),
      this.#stores.workflows.onChange(({ type, object: { metadata } }) => {
        if (type === 'deleted') this.#clients.metrics.forget(metadata.namespace ?? '', metadata.name);
      }),
      this.#stores.busPods.onChange(() => {
        this.#bus.wake();
      }),
      reports.onObservation((seen) => {
        // What an instance makes up is no label of ours.
        this.#clients.metrics.seen(seen, declaresIn(this.#stores, `${seen.namespace}/${seen.workflow}`));
      }),
    ];
    const timer = setInterval(() => {
      if (!this.#stores.pods.synced || !this.#stores.busPods.synced) return;
      reports.forget(({ namespace, instance, unit }) =>
        unit.startsWith('_')
          ? this.#stores.busPods.get(`${this.#config.SINTER_NAMESPACE}/${instance}`) !== undefined
          : this.#stores.pods.get(`${namespace}/${instance}`) !== undefined,
      );
    }, FORGET_MS);
    timer.unref();
    return () => {
      clearInterval(timer);
      for (const stop of stops) stop();
    };
  }

  /** A replica is of use once its copies are whole, whether it leads or not, and whether the bus is there or not. */
  #readiness(): Verdict {
    const waiting = this.#informers.filter((i) => !i.store.synced).map((i) => i.kind.plural);
    if (waiting.length > 0) return { ok: false, says: `not all is known yet of: ${waiting.join(', ')}` };
    const { ready, findings } = this.#bus.state();
    const bus = ready ? 'the bus answers' : `the bus is away: ${findings[0]?.message ?? 'no answer'}`;
    return { ok: true, says: `${this.#writer ? 'leads' : 'waits'}; ${bus}` };
  }
}

const busSettings = (config: Config): Parameters<typeof clusterBus>[0]['settings'] => ({
  mode: config.SINTER_NATS_MODE,
  urls: config.SINTER_NATS_URLS,
  replicas: config.SINTER_NATS_REPLICAS,
  externalSecret: config.SINTER_NATS_SECRET,
  fullname: config.SINTER_FULLNAME,
  namespace: config.SINTER_NAMESPACE,
  clusterDomain: config.SINTER_CLUSTER_DOMAIN,
  tls: config.SINTER_TLS,
  hasLeaves: config.SINTER_NATS_LEAF,
  credentialLifetimeMs: config.SINTER_CREDENTIAL_LIFETIME_SECONDS * 1000,
  leafLifetimeMs: config.SINTER_LEAF_CREDENTIAL_LIFETIME_SECONDS * 1000,
});

function podSettings(config: Config): PodSettings {
  const tls = config.SINTER_TLS !== 'Off';
  const serverName = config.SINTER_LEAF_SERVER_NAME || `${config.SINTER_FULLNAME}-nats-leaf`;
  return {
    image: config.SINTER_IMAGE,
    pullPolicy: config.SINTER_IMAGE_PULL_POLICY,
    hub: config.SINTER_NATS_URLS,
    leaf: config.SINTER_NATS_LEAF ? { port: config.SINTER_NATS_LEAF_PORT, tls, serverName } : null,
    insecureRegistries: config.SINTER_INSECURE_REGISTRIES,
  };
}

/** As a crash would; the first process of a container is spared by its own signals, and exits. */
function dieAtOnce(): never {
  process.kill(process.pid, 'SIGKILL');
  process.exit(137);
}

/** Aborts at the first signal; the process ends by itself then, or after ENDING_MS. */
function endWhenAsked(log: Logger): AbortSignal {
  const ending = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.once(name, () => {
      log.info({ signal: name }, 'ending');
      ending.abort(new Error(`ended by ${name}`));
      setTimeout(() => process.exit(1), ENDING_MS).unref();
    });
  return ending.signal;
}

try {
  await main();
} catch (cause) {
  process.stderr.write(`${errorText(cause)}\n`);
  process.exitCode = 1;
}
