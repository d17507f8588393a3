/**
 * Makes the bus of a cluster and keeps it alive: keys and certificates in Secrets, servers told of accounts, the operator's own
 * connection, the gateways' credential, what is found wanting.
 *
 * Owns: the round, and what is remembered between rounds, which is only ever what could be found out again. `busPlan.ts` says
 * what should be, `busServers.ts` tells servers, `../bus/` speaks to them.
 *
 *   Secrets ─▶ plan ─▶ (leader) writes ─▶ connection moves ─▶ buckets, probe ─▶ (leader) servers told ─▶ (leader) gateways
 *
 * Invariants:
 *  1. Where nothing changed a round writes nothing: not to the API server, not to a server of the bus. Gateways may be told of
 *     a renewed credential more than once.
 *  2. A replica that does not lead has the same connection and hears the same; it writes nothing.
 *  3. A round that fails leaves what works working; the next one begins from what is there.
 */
import type { BusFinding, BusState, ClusterBus, UnitCredentials } from '../bus/cluster.ts';
import { connectAs } from '../bus/connect.ts';
import { signSystem } from '../bus/credentials.ts';
import { OperatorLink, tlsOf } from '../bus/link.ts';
import type { LinkSettings } from '../bus/link.ts';
import { probeBus } from '../bus/probe.ts';
import { provisionBuckets } from '../bus/provision.ts';
import { Reports } from '../bus/reports.ts';
import { storeOver } from '../bus/store.ts';
import { isDue, tokenFacts } from '../bus/tokens.ts';
import { deliverToGateways, unitCredentials } from '../bus/units.ts';
import { issuedAtMs, pemOf, planBus, secretsOf } from './busPlan.ts';
import type { BusSettings, BusWorld } from './busPlan.ts';
import { addRevoked } from './busRevoked.ts';
import type { SecretWrite, StoredSecret } from './busSecrets.ts';
import { BusServers } from './busServers.ts';
import type { Behind, BusServer } from './busServers.ts';

/** The Secrets of Sinter's own namespace. */
export interface SecretStore {
  read(name: string): Promise<StoredSecret | undefined>;
  /** `Conflict`: it is there already, or somebody wrote since. */
  write(secret: SecretWrite): Promise<'Written' | 'Conflict'>;
}

/** A pod of Sinter's own namespace that has to do with the bus, and runs. */
export interface BusPod {
  readonly role: 'hub' | 'leaf' | 'gateway';
  readonly name: string;
  readonly ip: string;
  /** Where clients are served. */
  readonly port: number;
  /** Another one after each start of its process. */
  readonly incarnation: string;
}

export interface BusLog {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
}

export interface ClusterBusOptions {
  readonly settings: BusSettings;
  readonly secrets: SecretStore;
  readonly pods: () => readonly BusPod[];
  /** By the clock, at this moment. */
  readonly isLeader: () => boolean;
  readonly now: () => number;
  readonly onLog: (line: BusLog) => void;
}

export interface ClusterBusRun extends ClusterBus {
  /** Something changed: a pod, a Secret, who leads. */
  wake(): void;
  /** Rounds, until the signal aborts; then it closes the connection. */
  run(signal: AbortSignal): Promise<void>;
  /** One round. Resolves to when the next is due, in milliseconds. */
  round(): Promise<number>;
  close(): Promise<void>;
}

/** Longest pause between rounds; shorter where credentials live so briefly that a twelfth of their life is. */
const LONGEST_QUIET_MS = 60_000;
const SOON_MS = 2_000;
const AFTER_FAILURE_MS = 5_000;
/** Gateways are told again, in each round, for so long after a renewal: one that was away hears it then. */
const TELL_AGAIN_MS = 3600 * 1000;
/** Servers that are behind for less than this are only on their way. */
const PATIENCE_MS = 120_000;
/** A server's settings change under a connection that goes on: it is asked again, sooner where something is missing. */
const PROBE_AGAIN_MS = 600_000;
const PROBE_SOON_MS = 30_000;
const SYSTEM_LIFETIME_MS = 600_000;

export const clusterBus = (options: ClusterBusOptions): ClusterBusRun => new Bus(options);

class Bus implements ClusterBusRun {
  readonly reports = new Reports({ figures: false });
  readonly store: ClusterBus['store'];
  readonly credentials: UnitCredentials;
  readonly #options: ClusterBusOptions;
  readonly #link: OperatorLink;
  readonly #servers = new BusServers();
  readonly #watchers = new Set<() => void>();
  readonly #quietMs: number;
  #world: BusWorld | undefined;
  #operator: (LinkSettings['credential'] & { readonly origin: string | undefined }) | undefined;
  #missing: BusFinding | undefined;
  #probed: readonly BusFinding[] = [];
  #probedAtMs = -Infinity;
  #behind: readonly Behind[] = [];
  #linkProblem = 'it has not been reached yet';
  /** The connections over which was probed, and provided, last. */
  #probedFor: unknown;
  #providedFor: unknown;
  #hasProvided = false;
  #losses = 0;
  #told = '';
  #wake: () => void = () => undefined;

  constructor(options: ClusterBusOptions) {
    this.#options = options;
    this.#quietMs = Math.min(LONGEST_QUIET_MS, options.settings.credentialLifetimeMs / 12);
    this.#link = new OperatorLink({
      listener: {
        onAnnouncement: (a) => {
          this.reports.announced(a);
        },
        onObservation: (o) => {
          this.reports.observed(o);
        },
      },
      onState: (up, why) => {
        this.#linkProblem = why;
        if (up) this.wake();
        this.#changed();
      },
      onProblem: (message) => {
        options.onLog({ level: 'warn', message: `bus: ${message}` });
      },
    });
    this.store = storeOver(this.#link, options.settings.replicas, options.isLeader);
    this.credentials = unitCredentials({
      issuing: () => this.#world?.issuing,
      ca: () => pemOf(this.#world?.ca),
      revoke: (publicKeys) => this.#revoke(publicKeys),
      link: this.#link,
      lifetimeMs: options.settings.credentialLifetimeMs,
      now: options.now,
    });
  }

  readonly state = (): BusState => {
    const findings = [
      ...this.#connectionFindings(),
      ...(this.#world?.findings ?? []),
      ...this.#serverFindings(),
    ];
    const losses = this.#losses > 0 ? { losses: this.#losses } : {};
    return { ready: findings.every((f) => f.severity !== 'Error'), findings, ...losses };
  };

  readonly onChange = (changed: () => void): (() => void) => {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  };

  wake(): void {
    this.#wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // What happens during a round is looked at in the next one.
      const woken = this.#woken(signal);
      const afterMs = await this.round().catch((cause: unknown) => {
        this.#log('error', `bus: ${cause instanceof Error ? cause.message : String(cause)}`);
        return AFTER_FAILURE_MS;
      });
      await woken(afterMs);
    }
    await this.close();
  }

  async close(): Promise<void> {
    await this.#link.close();
  }

  async round(): Promise<number> {
    const nowMs = this.#options.now();
    const plan = await planBus(this.#options.settings, await this.#read(), nowMs);
    // What stands goes on while something of it is written anew: a renewal, a revocation.
    if (plan.writes.length === 0 || !this.#world) this.#missing = plan.missing;
    if (plan.writes.length > 0) return await this.#write(plan.writes);
    this.#world = plan.world;
    if (!plan.world) {
      this.#changed();
      return SOON_MS;
    }
    this.#connect(plan.world, nowMs);
    const prepared = await this.#prepare(plan.world).then(
      () => true,
      (cause: unknown) => {
        // Servers are told all the same: what is missing may be that they do not know us.
        this.#log('warn', `bus: not ready yet: ${String(cause)}`);
        return false;
      },
    );
    const againMs = this.#options.isLeader() ? await this.#lead(plan.world, nowMs) : this.#quietMs;
    this.#changed();
    const isLacking = this.#probed.some((f) => f.severity === 'Error');
    return Math.min(againMs, prepared ? Infinity : AFTER_FAILURE_MS, isLacking ? PROBE_SOON_MS : Infinity);
  }

  async #read(): Promise<ReadonlyMap<string, StoredSecret>> {
    const names = secretsOf(this.#options.settings);
    const read = await Promise.all(
      names.map(async (name) => [name, await this.#options.secrets.read(name)] as const),
    );
    return new Map(read.flatMap(([name, secret]) => (secret ? [[name, secret] as const] : [])));
  }

  /** The next round sees what was written, by us or by whoever was faster. */
  async #write(writes: readonly SecretWrite[]): Promise<number> {
    if (!this.#options.isLeader()) return SOON_MS;
    for (const write of writes) {
      const outcome = await this.#options.secrets.write(write);
      if (outcome === 'Written') this.#log('info', `Secret ${write.name} written: ${write.because}`);
    }
    return 0;
  }

  /** Not waited for: servers may be waiting for the Secrets that were just made. */
  #connect(world: BusWorld, nowMs: number): void {
    const { urls, credentialLifetimeMs } = this.#options.settings;
    const origin = this.credentials.origin();
    const facts = this.#operator?.origin === origin && tokenFacts(this.#operator?.jwt ?? '');
    if (!facts || isDue(facts, nowMs) || !this.#operator)
      this.#operator = { ...world.operator({ nowMs, lifetimeMs: credentialLifetimeMs }), origin };
    const { ca } = world;
    const settings = { servers: urls, credential: this.#operator, ...(ca === undefined ? {} : { ca }) };
    this.#link.use(settings).catch((cause: unknown) => {
      this.#log('error', `bus: the connection did not move: ${String(cause)}`);
    });
  }

  /** For each connection, and now and then: what the servers allow, and (by the leader) what must be there. */
  async #prepare(world: BusWorld): Promise<void> {
    const nc = this.#link.connection;
    if (!nc) return;
    if (this.#probedFor !== nc || this.#isProbeDue()) {
      this.#probed = await probeBus(nc, (name) => this.#connectNamed(world, name));
      this.#probedFor = nc;
      this.#probedAtMs = this.#options.now();
      this.#providedFor = undefined;
    }
    if (!this.#options.isLeader() || this.#providedFor === nc) return;
    if (this.#probed.some((f) => f.severity === 'Error')) return;
    const changes = await this.#link.ask(() => provisionBuckets(nc, this.#options.settings.replicas));
    for (const { kind, stream } of changes) this.#log('info', `bus: stream ${stream}: ${kind}`);
    if (this.#hasProvided && changes.some(({ kind }) => kind === 'Created')) this.#losses += 1;
    this.#hasProvided = true;
    this.#providedFor = nc;
  }

  #isProbeDue(): boolean {
    const isLacking = this.#probed.some((f) => f.severity === 'Error');
    return Math.abs(this.#options.now() - this.#probedAtMs) >= (isLacking ? PROBE_SOON_MS : PROBE_AGAIN_MS);
  }

  async #connectNamed(world: BusWorld, name: string) {
    const { urls } = this.#options.settings;
    const credential = this.#operator ?? world.operator({ nowMs: this.#options.now() });
    const { ca } = world;
    return await connectAs([...urls], credential, {
      name,
      reconnect: false,
      timeout: 5000,
      ...tlsOf(ca),
    });
  }

  async #lead(world: BusWorld, nowMs: number): Promise<number> {
    const again = world.servers ? await this.#tellServers(world.servers, world.ca, nowMs) : this.#quietMs;
    await this.#tellGateways(world.gatewayJwt, nowMs);
    return Math.min(again, this.#quietMs, this.#link.up ? Infinity : AFTER_FAILURE_MS);
  }

  async #tellServers(
    { keys, wanted }: NonNullable<BusWorld['servers']>,
    ca: string | undefined,
    nowMs: number,
  ): Promise<number> {
    const servers = this.#options.pods().flatMap((pod) => this.#serverOf(pod, ca));
    const system = () => signSystem(keys, { nowMs, lifetimeMs: SYSTEM_LIFETIME_MS });
    const {
      behind,
      changed,
      againAfterMs = this.#quietMs,
    } = await this.#servers.round(servers, wanted, system, nowMs);
    this.#behind = behind;
    for (const what of changed) this.#log('info', `bus: told ${what}`);
    return againAfterMs;
  }

  #serverOf({ role, name, ip, port, incarnation }: BusPod, ca: string | undefined): readonly BusServer[] {
    if (role === 'gateway') return [];
    const { fullname } = this.#options.settings;
    const servername = role === 'hub' ? `${fullname}-nats` : `${fullname}-nats-leaf`;
    const tls = ca === undefined ? {} : { tls: { servername, ca } };
    return [{ name, role, incarnation, address: { host: ip, port, ...tls } }];
  }

  /** Each gateway that lives; one that has the token already lets it be, one that starts reads it from the Secret. */
  async #tellGateways(jwt: string, nowMs: number): Promise<void> {
    if (nowMs > issuedAtMs(jwt) + TELL_AGAIN_MS) return;
    const gateways = this.#options.pods().filter((pod) => pod.role === 'gateway');
    if (gateways.length === 0 || !this.#link.up) return;
    const names = gateways.map((pod) => pod.name);
    await deliverToGateways(this.#link, jwt, names);
  }

  async #revoke(publicKeys: readonly string[]): Promise<'Revoked' | 'NotPossible'> {
    const { settings, secrets, now } = this.#options;
    if (settings.mode !== 'Bundled') return 'NotPossible';
    const lifetimeMs = settings.credentialLifetimeMs;
    await addRevoked(secrets, settings.fullname, publicKeys, { nowMs: now(), lifetimeMs });
    this.wake();
    return 'Revoked';
  }

  #connectionFindings(): readonly BusFinding[] {
    if (this.#missing) return [this.#missing];
    if (this.#link.up) return this.#probed;
    return [{ reason: 'BusUnavailable', severity: 'Error', message: `the bus: ${this.#linkProblem}` }];
  }

  #serverFindings(): readonly BusFinding[] {
    const nowMs = this.#options.now();
    const late = this.#behind.filter((b) => nowMs - b.sinceMs >= PATIENCE_MS);
    if (late.length === 0) return [];
    const named = late.map((b) => `${b.name} (${b.why})`).slice(0, 5);
    const message = `${String(late.length)} servers of the bus are not up to date: ${named.join('; ')}`;
    return [{ reason: 'BusServersBehind', severity: 'Warning', message }];
  }

  /** Only what is new is told: rounds are many. */
  #changed(): void {
    const now = JSON.stringify([this.state(), this.credentials.origin()]);
    if (now === this.#told) return;
    this.#told = now;
    for (const changed of [...this.#watchers]) changed();
  }

  #log(level: BusLog['level'], message: string): void {
    this.#options.onLog({ level, message });
  }

  /** Waits so long, or until it is woken (from now on) or the end. */
  #woken(signal: AbortSignal): (ms: number) => Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const wake = (): void => {
      resolve(undefined);
    };
    this.#wake = wake;
    return async (ms) => {
      const timer = setTimeout(wake, ms);
      signal.addEventListener('abort', wake, { once: true });
      if (signal.aborted) wake();
      await promise;
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
    };
  }
}
