/**
 * What every pod of a unit is told alike: the image and the way to the bus.
 *
 * Owns: the form. The operator's configuration gives the values; they are no part of a unit's hash, so a change of them
 * (an upgrade) rolls the pods of units whose names stay.
 */
import type { PullPolicy } from './kubernetes.ts';

export interface PodSettings {
  /** The one image, with the host in it. */
  readonly image: string;
  readonly pullPolicy: PullPolicy;
  /** Addresses of the hub, as pods reach them: `tls://sinter-nats.sinter-system.svc:4222`. */
  readonly hub: readonly string[];
  /** The leaf server on every machine; null where there is none. */
  readonly leaf: LeafSettings | null;
  /** Registries that are spoken to without TLS, `host:port`. */
  readonly insecureRegistries: readonly string[];
}

export interface LeafSettings {
  readonly port: number;
  /** Whether it speaks TLS, as the hub does. */
  readonly tls: boolean;
  /** The name that its certificate is for: it is dialled by its machine's address. */
  readonly serverName: string;
}

/** Where a unit answers the kubelet's probes. */
export const HEALTH_PORT = 8081;
