/**
 * The keys of one bus, and what is revoked on it (D11).
 *
 * Owns: making, keeping and reading keys. Its neighbours: `accounts.ts` says what the accounts are for, `credentials.ts`
 * issues to users. `BusKeys` is plain data: it can be written to a file and read back (`parseKeys`).
 */
import { createAccount, createOperator, fromPublic } from '@nats-io/nkeys';
import { keyOf, seconds, seedOf } from './claims.ts';

/** A credential lives so long where nobody says otherwise (D11): 30 days. */
export const CREDENTIAL_LIFETIME_MS = 30 * 24 * 3600 * 1000;

/** Secret: it holds seeds. */
export interface BusKeys {
  readonly operatorSeed: string;
  /** The account of calls: units, gateways, leaves. */
  readonly accountSeed: string;
  /** The account of what is stored: the operator. */
  readonly storeSeed: string;
  /** The servers' own account. */
  readonly systemSeed: string;
  /** Public keys of users and the time, in seconds since 1970, up to which what was issued to them is void. */
  readonly revoked: Readonly<Record<string, number>>;
}

/** What it takes to issue credentials in the two accounts. */
export interface Signers {
  readonly accountSeed: string;
  readonly storeSeed: string;
  /** Public keys of the accounts, where the seeds are not their own but those of signing keys of them. */
  readonly signingFor?: { readonly calls: string; readonly store: string };
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
  storeSeed: seedOf(createAccount()),
  systemSeed: seedOf(createAccount()),
  revoked: {},
});

/** Reads keys that were kept as JSON. The error names the field, never its content. */
export function parseKeys(text: string): BusKeys {
  const fields = new Map<string, unknown>(Object.entries(parseObject(text)));
  return {
    operatorSeed: parseSeed(fields, 'operatorSeed', 'SO'),
    accountSeed: parseSeed(fields, 'accountSeed', 'SA'),
    storeSeed: parseSeed(fields, 'storeSeed', 'SA'),
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

/** Reads what is revoked. The error names the key. */
export function parseRevoked(value: unknown): Readonly<Record<string, number>> {
  const entries: [string, unknown][] = Object.entries(value ?? {});
  const bad = entries.find(([key, at]) => !key.startsWith('U') || !Number.isSafeInteger(at));
  if (bad) throw new Error(`bus keys: revoked.${bad[0]} must be a user's public key with seconds since 1970`);
  return Object.fromEntries(entries.map(([key, at]) => [key, Number(at)]));
}

/** Is it the public key of a user? NATS takes `*` in a list of what is revoked for everybody. */
export function isUserKey(publicKey: string): boolean {
  try {
    return publicKey.startsWith('U') && fromPublic(publicKey).getPublicKey() === publicKey;
  } catch {
    return false;
  }
}

/**
 * Voids all that was issued to a user up to and in this second. What is older than the longest life of a credential has
 * expired by itself and is dropped, so that the list does not grow for ever.
 */
export function revoke<T extends Pick<BusKeys, 'revoked'>>(keys: T, publicKey: string, v: Validity): T {
  const oldest = seconds(v.nowMs - (v.lifetimeMs ?? CREDENTIAL_LIFETIME_MS));
  const kept = Object.entries(keys.revoked).filter(([, at]) => at >= oldest);
  return { ...keys, revoked: { ...Object.fromEntries(kept), [publicKey]: seconds(v.nowMs) } };
}
