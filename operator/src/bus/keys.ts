/**
 * The trust chain of one bus: the keys of operator, account and system account, and what is revoked (D11).
 *
 * Owns: making, keeping and reading keys; the tokens of operator and accounts. Its neighbours: `credentials.ts` issues to
 * users, `claims.ts` writes tokens, `account.ts` brings a changed account to running servers.
 * Invariants:
 *  1. `BusKeys` is plain data: it can be written to a file and read back (`parseKeys`).
 *  2. A user's token without rights has none: the account's default permissions deny all.
 */
import { createAccount, createOperator } from '@nats-io/nkeys';
import { encodeClaims, keyOf, seconds, seedOf } from './claims.ts';

/** A credential lives so long where nobody says otherwise (D11): 30 days. */
export const CREDENTIAL_LIFETIME_MS = 30 * 24 * 3600 * 1000;

/** Secret: it holds seeds. */
export interface BusKeys {
  readonly operatorSeed: string;
  readonly accountSeed: string;
  readonly systemSeed: string;
  /** Public keys of users and the time, in seconds since 1970, up to which what was issued to them is void. */
  readonly revoked: Readonly<Record<string, number>>;
}

/** When something is issued, and for how long. */
export interface Validity {
  readonly nowMs: number;
  /** CREDENTIAL_LIFETIME_MS where it is not given. */
  readonly lifetimeMs?: number;
}

export const createKeys = (): BusKeys => ({
  operatorSeed: seedOf(createOperator()),
  accountSeed: seedOf(createAccount()),
  systemSeed: seedOf(createAccount()),
  revoked: {},
});

/** Reads keys that were kept as JSON. The error names the field, never its content. */
export function parseKeys(text: string): BusKeys {
  const fields = new Map<string, unknown>(Object.entries(parseObject(text)));
  return {
    operatorSeed: parseSeed(fields, 'operatorSeed', 'SO'),
    accountSeed: parseSeed(fields, 'accountSeed', 'SA'),
    systemSeed: parseSeed(fields, 'systemSeed', 'SA'),
    revoked: parseRevoked(fields.get('revoked')),
  };
}

function parseObject(text: string): object {
  try {
    const found: unknown = JSON.parse(text);
    if (typeof found === 'object' && found !== null) return found;
  } catch {
    // the parser's message would quote the text, which is secret
  }
  throw new Error('bus keys: not a JSON object; remove the file to have new keys made');
}

function parseSeed(fields: ReadonlyMap<string, unknown>, field: string, prefix: 'SO' | 'SA'): string {
  const value = fields.get(field);
  try {
    if (typeof value === 'string' && value.startsWith(prefix)) return seedOf(keyOf(value));
  } catch {
    // told below, without the value
  }
  throw new Error(`bus keys: ${field} must be an nkey seed that begins with ${prefix}`);
}

function parseRevoked(value: unknown): Readonly<Record<string, number>> {
  const entries: [string, unknown][] = Object.entries(value ?? {});
  const bad = entries.find(([key, at]) => !key.startsWith('U') || !Number.isSafeInteger(at));
  if (bad) throw new Error(`bus keys: revoked.${bad[0]} must be a user's public key with seconds since 1970`);
  return Object.fromEntries(entries.map(([key, at]) => [key, Number(at)]));
}

/**
 * Voids all that was issued to a user up to and in this second. What is older than the longest life of a credential has
 * expired by itself and is dropped, so that the list does not grow for ever.
 */
export function revoke(keys: BusKeys, publicKey: string, v: Validity): BusKeys {
  const oldest = seconds(v.nowMs - (v.lifetimeMs ?? CREDENTIAL_LIFETIME_MS));
  const kept = Object.entries(keys.revoked).filter(([, at]) => at >= oldest);
  return { ...keys, revoked: { ...Object.fromEntries(kept), [publicKey]: seconds(v.nowMs) } };
}

/** Public keys of the two accounts. */
export const accountKey = (keys: BusKeys): string => keyOf(keys.accountSeed).getPublicKey();
export const systemKey = (keys: BusKeys): string => keyOf(keys.systemSeed).getPublicKey();

/** The operator's token: what every server trusts. */
export function signOperatorToken(keys: BusKeys, nowMs: number): string {
  const key = keyOf(keys.operatorSeed);
  const nats = { type: 'operator' as const, system_account: systemKey(keys) };
  return encodeClaims({ name: 'sinter', sub: key.getPublicKey(), iat: seconds(nowMs), nats }, key);
}

const UNLIMITED = {
  ...{ subs: -1, data: -1, payload: -1 },
  ...{ imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 },
};
const STORAGE = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
const NO_RIGHTS = { pub: { deny: ['>'] }, sub: { deny: ['>'] } };

/** The account in which everything of Sinter lives, with what is revoked in it. */
export const signAccountToken = (keys: BusKeys, nowMs: number): string =>
  accountToken(keys, keys.accountSeed, 'sinter', nowMs, {
    limits: { ...UNLIMITED, ...STORAGE },
    default_permissions: NO_RIGHTS,
    revocations: keys.revoked,
  });

/** The account through which servers are told of changed accounts. */
export const signSystemToken = (keys: BusKeys, nowMs: number): string =>
  accountToken(keys, keys.systemSeed, 'system', nowMs, { limits: UNLIMITED });

function accountToken(keys: BusKeys, seed: string, name: string, nowMs: number, nats: object): string {
  const claims = { name, sub: keyOf(seed).getPublicKey(), iat: seconds(nowMs) };
  return encodeClaims({ ...claims, nats: { ...nats, type: 'account' } }, keyOf(keys.operatorSeed));
}
