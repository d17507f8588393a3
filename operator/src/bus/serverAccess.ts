/**
 * One server of the bus, spoken to directly: which certificate it shows, which accounts it goes by, and how both are changed
 * (D11). Every server is told by itself, because system accounts of hub and leaves are not linked (decision 0008).
 *
 * Owns: the look and the change, each level-triggered: what is so already is left alone. A changed account drops pulls
 * under way on that server, so an account is told only where the server has another token of it. Who is to be told when is
 * said by `reconcile/busServers.ts`.
 */
import { once } from 'node:events';
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { NatsConnection } from '@nats-io/transport-node';
import { pushAccount } from './account.ts';
import type { Accounts } from './auth.ts';
import { connectAs } from './connect.ts';
import type { NewCredential } from './credentials.ts';

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  /** The name in its certificate, and whom to trust, PEM; absent: no TLS. */
  readonly tls?: { readonly servername: string; readonly ca: string };
}

/** What a server is to show and to go by. */
export interface ServerState {
  readonly accounts: Accounts;
  /** Of its certificate; absent: whichever it has. */
  readonly fingerprint?: string;
}

/**
 * `changed`: accounts that were in use under another token, `certificate`. `Waiting`: it was asked to read its files anew and still shows what it had; they have not reached it yet.
 */
export type Told = { readonly kind: 'Current'; readonly changed: readonly string[] } | Waiting;
interface Waiting {
  readonly kind: 'Waiting';
  readonly why: string;
}

const DIAL_LIMIT_MS = 5000;

/** Brings one server up to date. `system` is a credential of the system account. Rejects where it cannot be reached. */
export async function bringUpToDate(
  server: ServerAddress,
  wanted: ServerState,
  system: NewCredential,
): Promise<Told> {
  const nc = await connectTo(server, system);
  try {
    const changed = await tellAccounts(nc, wanted.accounts);
    if (wanted.fingerprint === undefined || (await shown(server)) === wanted.fingerprint)
      return { kind: 'Current', changed };
    await reload(nc);
    return (await shown(server)) === wanted.fingerprint
      ? { kind: 'Current', changed: [...changed, 'certificate'] }
      : { kind: 'Waiting', why: 'its renewed certificate has not reached it yet' };
  } finally {
    await nc.close();
  }
}

const connectTo = (server: ServerAddress, credential: NewCredential): Promise<NatsConnection> =>
  connectAs(`${bracketed(server.host)}:${String(server.port)}`, credential, {
    name: 'sinter-operator: accounts',
    reconnect: false,
    timeout: DIAL_LIMIT_MS,
    ignoreClusterUpdates: true,
    ...(server.tls === undefined ? {} : { tls: server.tls }),
  });

async function tellAccounts(nc: NatsConnection, accounts: Accounts): Promise<readonly string[]> {
  const changed: string[] = [];
  for (const [account, token] of Object.entries(accounts)) {
    const used = await usedToken(nc, account);
    if (used === token) continue;
    await pushAccount(nc, account, token);
    if (used !== undefined) changed.push(account);
  }
  return changed;
}

/**
 * The token by which *this* server goes now (in a hub of several all would answer a plain lookup); undefined where nobody has
 * used the account there yet: telling it costs nobody anything then.
 */
async function usedToken(nc: NatsConnection, account: string): Promise<string | undefined> {
  const { data } = await ask<{ readonly account_detail?: { readonly jwt?: string } }>(nc, 'ACCOUNTZ', {
    account,
  });
  return data?.account_detail?.jwt;
}

/** Makes the server read its files anew: certificates, and whom it lets in. Connections stay. */
async function reload(nc: NatsConnection): Promise<void> {
  const { error } = await ask(nc, 'RELOAD', {});
  if (error) throw new Error(`the server did not reload: ${error.description ?? 'without a reason'}`);
}

interface ServerAnswer<T> {
  readonly error?: { readonly description?: string };
  readonly data?: T;
}

async function ask<T>(nc: NatsConnection, what: string, question: object): Promise<ServerAnswer<T>> {
  const subject = `$SYS.REQ.SERVER.${nc.info?.server_id ?? ''}.${what}`;
  const answer = await nc.request(subject, JSON.stringify(question), { timeout: DIAL_LIMIT_MS });
  return answer.json<ServerAnswer<T>>();
}

/** Fingerprint of the certificate that a server shows to a client who trusts us; rejects where it cannot be verified. */
async function shown({ host, port, tls }: ServerAddress): Promise<string | undefined> {
  if (tls === undefined) return undefined;
  const limit = AbortSignal.timeout(DIAL_LIMIT_MS);
  const plain = createConnection({ host, port });
  try {
    await firstLine(plain, limit);
    const socket = connectTls({ socket: plain, ...tls });
    await once(socket, 'secureConnect', { signal: limit });
    return socket.getPeerX509Certificate()?.fingerprint256;
  } finally {
    plain.destroy();
  }
}

/** A server speaks first, in the clear, and then waits for the handshake. */
async function firstLine(socket: Socket, signal: AbortSignal): Promise<void> {
  let text = '';
  while (!text.includes('\n')) {
    const [chunk] = (await once(socket, 'data', { signal })) as [Buffer];
    text += chunk.toString('latin1');
  }
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);
