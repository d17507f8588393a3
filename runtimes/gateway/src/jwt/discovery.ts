/**
 * The public keys of an issuer, by OpenID Connect Discovery 1.0: `<issuer>/.well-known/openid-configuration` names the
 * document `jwks_uri` that holds them (RFC 7517).
 *
 * Owns: what of both documents is believed. Nothing is kept here: `issuerKeys.ts` says when to ask again.
 */
import { fetchJson } from './fetch.ts';
import type { IssuerSettings } from './places.ts';

/** A public key as the issuer publishes it; only what `verify.ts` may choose by is looked at. */
export type PublishedKey = Readonly<Record<string, unknown>> & { readonly kty: string };

const KEYS_LIMIT = 100;
/** 8192 bits in base64url: a longer key makes each signature a burden for everybody's requests. */
const RSA_MODULUS_LIMIT = 1_366;
const RSA_EXPONENT_LIMIT = 6;

/** Rejects with an Error for the gateway's log. */
export async function fetchKeys(
  issuer: string,
  settings: IssuerSettings,
  stopped: AbortSignal,
): Promise<readonly PublishedKey[]> {
  const root = URL.parse(issuer);
  if (!root) throw new Error(`issuer '${issuer}' is no URL`);
  const at = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const found = await fetchJson(new URL(at), settings, stopped);
  const said = fieldOf(found, 'issuer');
  if (said !== issuer) throw new Error(`${at}: names issuer '${shown(said)}', where '${issuer}' is expected`);
  const keysAt = URL.parse(String(fieldOf(found, 'jwks_uri')));
  if (!keysAt) throw new Error(`${at}: has no jwks_uri that is a URL`);
  return keysOf(keysAt, await fetchJson(keysAt, settings, stopped));
}

function keysOf(at: URL, found: unknown): readonly PublishedKey[] {
  const keys = fieldOf(found, 'keys');
  if (!Array.isArray(keys)) throw new Error(`${at.href}: is no set of keys`);
  if (keys.length > KEYS_LIMIT)
    throw new Error(`${at.href}: has ${String(keys.length)} keys, ${String(KEYS_LIMIT)} are taken at most`);
  return keys.filter(isVerifying);
}

/** Keys that sign and that the public may have; anything else in a set is passed over, as RFC 7517 asks. */
function isVerifying(key: unknown): key is PublishedKey {
  if (typeof key !== 'object' || key === null) return false;
  const { kty, n, e } = key as Readonly<Record<string, unknown>>;
  if (kty === 'EC' || kty === 'OKP') return true;
  return kty === 'RSA' && isShort(n, RSA_MODULUS_LIMIT) && isShort(e, RSA_EXPONENT_LIMIT);
}

const isShort = (text: unknown, limit: number): boolean => typeof text === 'string' && text.length <= limit;

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;

const shown = (value: unknown): string => String(value).slice(0, 200);
