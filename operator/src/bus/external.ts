/**
 * A NATS of the user's own (D11): what the user hands over, and what it must let us do.
 *
 * Owns: reading the user's Secret, and the claims that the user's accounts must carry (`accountClaims`, as JSON; steps in
 * docs/guides/nats.md). Two ways:
 *
 *  SigningKey        two accounts of the user's, with Sinter's exports and imports, and a signing key for each. Units get
 *                    credentials of their own: the graph is enforced. Sinter cannot change an account, so it cannot revoke.
 *  SharedCredential  one account, one credential, for everybody. Nothing is enforced.
 */
import { HUB_DOMAIN } from '@sinter/contract';
import { callsClaims, storeClaims } from './accounts.ts';
import { keyOf, publicKeyOf } from './claims.ts';
import type { Signers } from './keys.ts';
import { parseCredsFile, tokenFacts } from './tokens.ts';
import type { FileCredential } from './tokens.ts';

/** Values of a Secret, decoded. */
type Data = Readonly<Record<string, string | undefined>>;

/** What was read, or one sentence on what is wrong; it never quotes a value. */
export type Given<T> = { readonly given: T } | { readonly problem: string };

/** The Secret for SigningKey: `calls-account`, `calls-signing-seed`, `store-account`, `store-signing-seed`. */
export function parseSigning(data: Data): Given<Signers & { readonly signingFor: object }> {
  const calls = accountAndSeed(data, 'calls');
  if ('problem' in calls) return calls;
  const store = accountAndSeed(data, 'store');
  if ('problem' in store) return store;
  if (calls.given.account === store.given.account)
    return { problem: 'calls-account and store-account must be two accounts' };
  return {
    given: {
      accountSeed: calls.given.seed,
      storeSeed: store.given.seed,
      signingFor: { calls: calls.given.account, store: store.given.account },
    },
  };
}

/** The Secret for SharedCredential: `creds`, a file as tools of NATS write it. */
export function parseShared(data: Data): Given<FileCredential & { readonly expiresAtMs?: number }> {
  const read = parseCredsFile(data['creds'] ?? '');
  const facts = read && tokenFacts(read.jwt);
  if (!read || !facts || !isSeed(read.seed, 'SU'))
    return { problem: "creds must be a credentials file of NATS: a user's JWT and the seed of its key" };
  const { expiresAtMs } = facts;
  return { given: { ...read, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) } };
}

function accountAndSeed(
  data: Data,
  which: 'calls' | 'store',
): Given<{ readonly account: string; readonly seed: string }> {
  const [account = '', seed = ''] = [data[`${which}-account`]?.trim(), data[`${which}-signing-seed`]?.trim()];
  if (!/^A[A-Z2-7]{55}$/.test(account))
    return {
      problem: `${which}-account must be the public key of an account: 56 characters, the first an A`,
    };
  if (!isSeed(seed, 'SA'))
    return {
      problem: `${which}-signing-seed must be the seed of a signing key of that account: it begins with SA`,
    };
  if (publicKeyOf(seed) === account)
    return { problem: `${which}-signing-seed must be that of a signing key, not of the account itself` };
  return { given: { account, seed } };
}

function isSeed(value: string, prefix: string): boolean {
  if (!value.startsWith(prefix)) return false;
  try {
    keyOf(value);
    return true;
  } catch {
    return false;
  }
}

/** Sinter says the hub's domain in its requests; a server of the user's may have another one, or none. */
const MAPPINGS = Object.fromEntries(
  [
    ['API.>', '$JS.API.>'],
    ['API.$KV.>', '$KV.>'],
    ['API.$O.>', '$O.>'],
  ].map(([from = '', to = '']) => [`$JS.${HUB_DOMAIN}.${from}`, [{ subject: to, weight: 100 }]]),
);

/**
 * The `nats` part of the two accounts' claims, for whoever signs accounts on the user's side. Signing keys are added to it.
 */
export const accountClaims = (calls: string, store: string) => ({
  calls: callsClaims(store),
  store: { ...storeClaims(calls), mappings: MAPPINGS },
});
