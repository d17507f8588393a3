/**
 * Pure: what a hub and its leaves on one machine are told. The server reads JSON as well as its own notation. Whom
 * they let in is said by `bus/auth.ts`.
 *
 * Invariants:
 *  1. Loopback only; nobody without a credential gets in (operator mode has no anonymous user).
 *  2. Only the hub stores, in the domain that the contract names, so that a leaf can have storage of its own later.
 *  3. Control lines are long enough for credentials with hundreds of subjects (D11).
 */
import { HUB_DOMAIN } from '@sinter/contract';
import { accountKey } from '../../bus/accounts.ts';
import { serverAuth } from '../../bus/auth.ts';
import type { Role } from '../../bus/auth.ts';
import type { BusKeys } from '../../bus/keys.ts';

export const MAX_CONTROL_LINE_BYTES = 262_144;
export const MAX_PAYLOAD_BYTES = 1_048_576;
/** JetStream refuses what goes beyond: accepted calls are never dropped to make room (D6). */
export const STORE_BYTES = 8 * 1024 ** 3;

/** What differs between servers. */
export interface ServerConfig {
  readonly name: string;
  readonly folder: string;
  readonly port: number;
  readonly keys: BusKeys;
  readonly nowMs: number;
}

export interface HubConfig extends ServerConfig {
  readonly leafPort: number;
  /** `always`: on the disk before it is acknowledged, which a power cut needs; a killed server does not. */
  readonly sync: 'always' | 'default';
}

export interface LeafConfig extends ServerConfig {
  readonly hubLeafPort: number;
  /** File with the leaf's credential in the account of calls. */
  readonly credentials: string;
}

const common = (c: ServerConfig, role: Role): Readonly<Record<string, unknown>> => ({
  server_name: c.name,
  host: '127.0.0.1',
  port: c.port,
  max_control_line: MAX_CONTROL_LINE_BYTES,
  max_payload: MAX_PAYLOAD_BYTES,
  log_file: `${c.folder}/${c.name}.log`,
  logfile_size_limit: 8 * 1024 * 1024,
  logfile_max_num: 2,
  ...serverAuth(c.keys, c.nowMs, role, `${c.folder}/${c.name}.accounts`),
});

export const hubConfig = (c: HubConfig): string =>
  JSON.stringify({
    ...common(c, 'hub'),
    jetstream: {
      domain: HUB_DOMAIN,
      store_dir: `${c.folder}/${c.name}.store`,
      max_memory_store: 64 * 1024 * 1024,
      max_file_store: STORE_BYTES,
      ...(c.sync === 'always' ? { sync_interval: 'always' } : {}),
    },
    leafnodes: { host: '127.0.0.1', port: c.leafPort, no_advertise: true, compression: 'off' },
  });

export const leafConfig = (c: LeafConfig): string => {
  const url = `nats-leaf://127.0.0.1:${c.hubLeafPort}`;
  return JSON.stringify({
    ...common(c, 'leaf'),
    leafnodes: {
      reconnect: '250ms',
      remotes: [{ url, account: accountKey(c.keys), credentials: c.credentials, compression: 'off' }],
    },
  });
};
