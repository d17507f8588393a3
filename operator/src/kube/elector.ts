/**
 * One leader among several operators, by a Lease.
 *
 * Owns: taking, renewing and releasing the lease, and the signal under which the leader works. Neighbour: `client.under`
 * keeps writes from leaving once that signal has aborted.
 * Invariants:
 *  1. Whether another's lease has ended is judged by our own clock since we last saw it change, never by the times in it:
 *     the clocks of two machines differ.
 *  2. A lease counts from the moment *before* its renewal was sent, so the holder gives up before anybody else may take it:
 *     `renewMs` after that, while others wait `leaseMs`.
 *  3. Every write of the lease is a compare-and-set on its resourceVersion.
 *  4. Leading ends once; to lead again a process starts anew.
 */
import { pause, systemClock, type Clock } from './clock.ts';
import type { KubeClient } from './client.ts';
import { isAlreadyExists, isConflict } from './errors.ts';
import { KINDS, type Lease } from './objects.ts';

export interface ElectorOptions {
  /** Not behind a throttle that other work can empty: a renewal that waits in line is a lost lease. */
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Of this process; differs from every other, also from its own former life. */
  readonly identity: string;
  /** How long others wait after the last renewal; default 15 s. */
  readonly leaseMs?: number;
  /** How long we lead after the last renewal; default 10 s. Shorter than `leaseMs`. */
  readonly renewMs?: number;
  /** Between two attempts; default 2 s. */
  readonly retryMs?: number;
  readonly clock?: Clock;
  readonly hooks?: ElectorHooks;
}

export interface ElectorHooks {
  readonly leading?: (leading: boolean) => void;
  /** Somebody (we too) holds the lease now. */
  readonly leader?: (identity: string) => void;
  readonly trouble?: (error: unknown) => void;
}

export interface Elector {
  /** By the clock, at this moment: false as soon as the last renewal is too old, even before the signal aborts. */
  readonly leading: boolean;
  /** Who holds it, as last seen. */
  readonly leader: string | undefined;
  /**
   * Waits to become leader, runs `lead` once with a signal that aborts when the lease is lost or `signal` aborts, and
   * resolves after `lead` ended and the lease is released: `lost` (then the process should end), `stopped`, or `done` when
   * `lead` ended by itself. Rejects when `lead` does.
   */
  run(
    signal: AbortSignal,
    lead: (signal: AbortSignal) => Promise<void>,
  ): Promise<'lost' | 'stopped' | 'done'>;
}

export const elector = (options: ElectorOptions): Elector => new LeaseElector(options);

export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

interface Observed {
  readonly lease: Lease;
  /** When we first saw it like this. */
  readonly atMs: number;
}

/** So much longer, at random, does a candidate wait: two that start together do not collide for ever. */
const JITTER = 0.2;
const FIELD_MANAGER = 'sinter-elector';

class LeaseElector implements Elector {
  readonly #options: ElectorOptions;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #renewMs: number;
  readonly #retryMs: number;
  #observed: Observed | undefined;
  /** When the renewal that counts was sent. */
  #renewedAtMs = -Infinity;
  #told: string | undefined;

  constructor(options: ElectorOptions) {
    const { leaseMs = 15_000, renewMs = 10_000, retryMs = 2_000, clock = systemClock } = options;
    if (!(retryMs < renewMs && renewMs < leaseMs))
      throw new TypeError(`retryMs ${retryMs} < renewMs ${renewMs} < leaseMs ${leaseMs} must hold`);
    this.#options = options;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#renewMs = renewMs;
    this.#retryMs = retryMs;
  }

  get leading(): boolean {
    return this.#clock.now() - this.#renewedAtMs < this.#renewMs;
  }

  get leader(): string | undefined {
    const holder = this.#observed?.lease.spec?.holderIdentity;
    return holder === '' ? undefined : holder;
  }

  async run(
    signal: AbortSignal,
    lead: (signal: AbortSignal) => Promise<void>,
  ): Promise<'lost' | 'stopped' | 'done'> {
    while (!(await this.#attempt(signal))) {
      if (signal.aborted) return 'stopped';
      await pause(this.#clock, this.#retryMs * (1 + JITTER * this.#clock.random()), signal);
    }
    this.#options.hooks?.leading?.(true);
    try {
      return await this.#leadWhileHeld(signal, lead);
    } finally {
      this.#renewedAtMs = -Infinity;
      this.#options.hooks?.leading?.(false);
      await this.#release();
    }
  }

  async #leadWhileHeld(
    signal: AbortSignal,
    lead: (signal: AbortSignal) => Promise<void>,
  ): Promise<'lost' | 'stopped' | 'done'> {
    const reign = new AbortController();
    const stop = (): void => reign.abort(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    const over = new AbortController();
    const work = lead(reign.signal).finally(() => over.abort());
    work.catch(() => undefined); // Awaited below.
    const lost = await this.#renewUntil(AbortSignal.any([reign.signal, over.signal]));
    if (lost)
      reign.abort(new LeaseLost(`the lease ${this.#options.name} was not renewed in ${this.#renewMs} ms`));
    signal.removeEventListener('abort', stop);
    await work.catch((error: unknown) => {
      if (!reign.signal.aborted) throw error;
    });
    if (lost) return 'lost';
    return signal.aborted ? 'stopped' : 'done';
  }

  /** True when the lease is lost before the signal aborts. */
  async #renewUntil(ending: AbortSignal): Promise<boolean> {
    const over = (): boolean => ending.aborted;
    while (!over()) {
      await pause(this.#clock, Math.min(this.#retryMs, this.#leftMs()), ending);
      if (!over()) await this.#attempt(ending);
      if (!over() && (this.#heldByOther() || this.#leftMs() <= 0)) return true;
    }
    return false;
  }

  /** How long we may lead without another renewal. */
  #leftMs(): number {
    return this.#renewedAtMs + this.#renewMs - this.#clock.now();
  }

  #heldByOther(): boolean {
    const holder = this.leader;
    return holder !== undefined && holder !== this.#options.identity;
  }

  /** Takes or renews the lease if it is free, ours, or has ended. True when it is ours now. */
  async #attempt(signal: AbortSignal): Promise<boolean> {
    const sentAtMs = this.#clock.now();
    try {
      const found = await this.#current(signal);
      if (found !== undefined && !this.#mayTake(found)) return false;
      await this.#write(found, signal);
      this.#renewedAtMs = sentAtMs;
      return true;
    } catch (error) {
      // Somebody was faster: the next attempt sees whom.
      this.#forgetFastPath();
      if (!signal.aborted && !isConflict(error) && !isAlreadyExists(error))
        this.#options.hooks?.trouble?.(error);
      return false;
    }
  }

  /** While we hold it, the lease is as we wrote it, or our next write meets a conflict. */
  async #current(signal: AbortSignal): Promise<Lease | undefined> {
    if (this.leading && this.#fast) return this.#observed?.lease;
    const { client, namespace, name } = this.#options;
    const lease = await client.find(KINDS.leases, { namespace, name }, this.#bounds(signal));
    if (lease !== undefined) this.#observe(lease);
    return lease;
  }

  #fast = false;

  #forgetFastPath(): void {
    this.#fast = false;
  }

  #bounds(signal: AbortSignal): { readonly signal: AbortSignal; readonly timeoutMs: number } {
    const left = this.#leftMs();
    return {
      signal,
      timeoutMs: Math.max(1, left > 0 ? Math.min(left, this.#renewMs / 2) : this.#renewMs / 2),
    };
  }

  #observe(lease: Lease): void {
    if (this.#observed?.lease.metadata.resourceVersion !== lease.metadata.resourceVersion)
      this.#observed = { lease, atMs: this.#clock.now() };
    const leader = this.leader;
    if (leader !== undefined && leader !== this.#told) this.#options.hooks?.leader?.(leader);
    this.#told = leader;
  }

  #mayTake(lease: Lease): boolean {
    const holder = lease.spec?.holderIdentity ?? '';
    if (holder === '' || holder === this.#options.identity) return true;
    const promisedMs = (lease.spec?.leaseDurationSeconds ?? this.#leaseMs / 1000) * 1000;
    return this.#clock.now() - (this.#observed?.atMs ?? Infinity) >= promisedMs;
  }

  async #write(found: Lease | undefined, signal: AbortSignal): Promise<void> {
    const { client, namespace, name, identity } = this.#options;
    const now = microTime(this.#clock.date());
    const mine = found?.spec?.holderIdentity === identity;
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#leaseMs / 1000),
      renewTime: now,
      acquireTime: mine ? (found.spec.acquireTime ?? now) : now,
      leaseTransitions: transitionsAfter(found, mine),
    };
    const options = { fieldManager: FIELD_MANAGER, ...this.#bounds(signal) };
    const written =
      found === undefined
        ? await client.create(KINDS.leases, { ...lease(namespace, name), spec }, options)
        : await client.replace(KINDS.leases, { ...found, spec }, options);
    this.#fast = true;
    this.#observe(written);
  }

  /** Lets the next candidate lead at once instead of after `leaseMs`. */
  async #release(): Promise<void> {
    const held = this.#observed?.lease;
    if (held?.spec?.holderIdentity !== this.#options.identity) return;
    const spec: NonNullable<Lease['spec']> = {
      ...held.spec,
      holderIdentity: '',
      leaseDurationSeconds: 1,
      renewTime: microTime(this.#clock.date()),
    };
    try {
      const options = { fieldManager: FIELD_MANAGER, timeoutMs: this.#renewMs / 2 };
      this.#observe(await this.#options.client.replace(KINDS.leases, { ...held, spec }, options));
    } catch (error) {
      // It ends by itself, or has a new holder already.
      if (!isConflict(error)) this.#options.hooks?.trouble?.(error);
    }
  }
}

const lease = (namespace: string, name: string): Lease => ({
  apiVersion: KINDS.leases.apiVersion,
  kind: KINDS.leases.kind,
  metadata: { namespace, name },
});

const transitionsAfter = (found: Lease | undefined, mine: boolean): number => {
  const before = found?.spec?.leaseTransitions ?? 0;
  return found === undefined || mine ? before : before + 1;
};

/** As Kubernetes prints MicroTime: six digits after the point. */
export const microTime = (date: Date): string => date.toISOString().replace(/Z$/, '000Z');
