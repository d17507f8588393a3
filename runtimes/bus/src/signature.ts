/**
 * Proof of who connects: signs the server's nonce with the seed of an nkey.
 *
 * Node's own Ed25519 instead of the client's (which is written in JavaScript): signing cold is part of every start of a
 * process, and takes a fraction of a millisecond here. The form of a seed is nkeys': base32 of two bytes of prefix, 32 bytes
 * of key, two bytes of checksum.
 */
import { createPrivateKey, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Authenticator } from '@nats-io/transport-node';

/** A signed JWT and the seed of its key. */
export interface Credential {
  readonly jwt: string;
  readonly seed: string;
}

/** PKCS #8 for a raw Ed25519 key, up to the key itself (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const SEED_BYTES = 36;

/** The client asks at every connection and reconnection; it wants the signature in base64url. */
export function authenticator({ jwt, seed }: Credential): Authenticator {
  const key = privateKey(seed);
  return (nonce) => ({
    jwt,
    nkey: '',
    sig: nonce === undefined ? '' : sign(null, Buffer.from(nonce), key).toString('base64url'),
  });
}

/** The public key that a JWT is for, unverified: what the server will check; undefined where it cannot be read. */
export function keyOf(jwt: string): string | undefined {
  const { sub } = claimsOf(jwt);
  return typeof sub === 'string' ? sub : undefined;
}

/** When a JWT ends, in milliseconds since 1970, unverified; undefined: it has no end, or cannot be read. */
export function endOf(jwt: string): number | undefined {
  const { exp } = claimsOf(jwt);
  return typeof exp === 'number' && exp > 0 ? exp * 1000 : undefined;
}

function claimsOf(jwt: string): { readonly sub?: unknown; readonly exp?: unknown } {
  try {
    const claims: unknown = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? claims : {};
  } catch {
    return {}; // no JWT: it says nothing
  }
}

function privateKey(seed: string): KeyObject {
  const raw = base32(seed);
  if (raw.byteLength !== SEED_BYTES) throw new Error('the credential holds no nkey seed');
  return createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, raw.subarray(2, 34)]),
    format: 'der',
    type: 'pkcs8',
  });
}

function base32(text: string): Buffer {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const character of text.trim()) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) throw new Error('the credential holds no nkey seed');
    value = ((value << 5) | digit) & 0xffff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((value >>> bits) & 0xff);
    }
  }
  return Buffer.from(bytes);
}
