/**
 * One leader among several operators, by a Lease.
 */
import type { Clock } from './clock.ts';
import type { KubeClient } from './client.ts';

export interface ElectorOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Of this process; differs from every other, also from its own former life. */
  readonly identity: string;
  /** Default 15 s, 10 s, 2 s. */
  readonly leaseMs?: number;
  readonly renewMs?: number;
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
  readonly leading: boolean;
  /** Who holds it, as last seen. */
  readonly leader: string | undefined;
  /**
   * Waits to become leader, runs `lead` once with a signal that aborts when the lease is lost or `signal` aborts, and
   * resolves after `lead` ended and the lease is released: `lost` (then the process should end) or `stopped`.
   */
  run(signal: AbortSignal, lead: (signal: AbortSignal) => Promise<void>): Promise<'lost' | 'stopped'>;
}

export declare function elector(options: ElectorOptions): Elector;
