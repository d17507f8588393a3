/**
 * Pure: what a server must know to let the right ones in, as the hub or as a leaf: operator, accounts, resolver (D11).
 *
 * Owns: that part of a server's configuration, on a laptop and in a cluster. Ports, TLS, storage and the cluster are said by
 * whoever starts the server (`local/nats/config.ts`, the chart).
 * Invariants:
 *  1. System accounts are not linked: each server knows the accounts as it was told, and is told by itself. Linked servers
 *     give each other the newest token of an account, and a leaf must not have the hub's (`accounts.ts`, invariant 4).
 *  2. The same keys at the same time give the same text. The operator's token does not even depend on the time: a server
 *     refuses to reload anything once that token has changed (seen on nats-server 2.15).
 */
import {
  accountKey,
  signAccountToken,
  signOperatorToken,
  signStoreToken,
  signSystemToken,
  storeKey,
  systemKey,
} from './accounts.ts';
import type { BusKeys } from './keys.ts';

/** Accounts by public key, as the hub or a leaf is to know them. */
export type Accounts = Readonly<Record<string, string>>;

export type Role = 'hub' | 'leaf';

export const accountsOf = (keys: BusKeys, nowMs: number, role: Role): Accounts => ({
  [accountKey(keys)]: signAccountToken(keys, nowMs, role),
  ...(role === 'hub' ? { [storeKey(keys)]: signStoreToken(keys, nowMs) } : {}),
});

/** Settings of a server, under the names that it has for them. */
export interface ServerAuth {
  readonly operator: string;
  readonly system_account: string;
  readonly resolver: Readonly<Record<string, unknown>>;
  readonly resolver_preload: Accounts;
}

/** `accountsFolder`: where the server keeps what it is told later. */
export const serverAuth = (keys: BusKeys, nowMs: number, role: Role, accountsFolder: string): ServerAuth => ({
  operator: signOperatorToken(keys),
  system_account: systemKey(keys),
  resolver: { type: 'full', dir: accountsFolder, allow_delete: false, interval: '2m' },
  resolver_preload: { ...accountsOf(keys, nowMs, role), [systemKey(keys)]: signSystemToken(keys) },
});

/** Where a server of a cluster keeps accounts. */
const ACCOUNTS_FOLDER = '/data/accounts';

/**
 * The file `auth.conf` that the chart's `nats.conf` includes. A leaf's has the account of calls besides, as the variable
 * `SINTER_ACCOUNT`: its remote must name the account, and the chart cannot know it.
 */
export function authConf(keys: BusKeys, nowMs: number, role: Role): string {
  const auth = serverAuth(keys, nowMs, role, ACCOUNTS_FOLDER);
  const all = role === 'leaf' ? { ...auth, SINTER_ACCOUNT: accountKey(keys) } : auth;
  return `${JSON.stringify(all, undefined, 1)}\n`;
}
