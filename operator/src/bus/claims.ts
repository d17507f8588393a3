/**
 * Tokens of NATS's decentralised authentication (JWT version 2, signed with nkeys).
 *
 * Owns: the encoding of claims, and the signature. What the claims grant is said by `keys.ts` and `credentials.ts`. Signing is
 * Node's own: the library's, written in JavaScript, takes 14 ms where this takes 0.1, and a look at the Secrets signs a dozen
 * times. It does not use the encoder of `@nats-io/jwt`, because that one reads the clock and here time is an argument (D13):
 * the same claims at the same time give the same token, so a second reconcile has nothing to write.
 */
import { createHash, createPrivateKey, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { fromSeed } from '@nats-io/nkeys';
import type { KeyPair } from '@nats-io/nkeys';

/** Claims of any kind of token. Times are in seconds since 1970, as the format has them. */
export interface Claims {
  readonly name: string;
  /** Public key of whom the token is about. */
  readonly sub: string;
  readonly iat: number;
  readonly exp?: number;
  readonly nats: Readonly<Record<string, unknown>> & { readonly type: 'operator' | 'account' | 'user' };
}

export const keyOf = (seed: string): KeyPair => fromSeed(new TextEncoder().encode(seed));
export const seedOf = (key: KeyPair): string => new TextDecoder().decode(key.getSeed());

const HEADER = part({ typ: 'JWT', alg: 'ed25519-nkey' });

/** Tokens count in seconds. */
export const seconds = (ms: number): number => Math.floor(ms / 1000);

/** Signs claims with the key of this seed. */
export function encodeClaims(claims: Claims, seed: string): string {
  const { publicKey, key } = signerOf(seed);
  const issued = { ...claims, aud: 'NATS', iss: publicKey, nats: { ...claims.nats, version: 2 } };
  const jti = createHash('sha256').update(JSON.stringify(issued)).digest('base64url');
  const signed = `${HEADER}.${part({ ...issued, jti })}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`;
}

/** The public key to a seed. */
export const publicKeyOf = (seed: string): string => signerOf(seed).publicKey;

interface Signer {
  readonly publicKey: string;
  readonly key: KeyObject;
}

/** A bus has four keys that sign; a process of tests has those of many. */
const SIGNERS_KEPT = 32;
const signers = new Map<string, Signer>();

function signerOf(seed: string): Signer {
  const known = signers.get(seed);
  if (known) return known;
  const der = Buffer.concat([PKCS8_PREFIX, rawSeed(seed)]);
  const made = {
    publicKey: keyOf(seed).getPublicKey(),
    key: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }),
  };
  if (signers.size >= SIGNERS_KEPT) signers.clear();
  signers.set(seed, made);
  return made;
}

/** PKCS #8 for a raw Ed25519 key, up to the key itself (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** A seed is base32 of two bytes of prefix, 32 bytes of key and two of checksum; `keyOf` checks all of it. */
function rawSeed(seed: string): Buffer {
  const bits = Array.from(seed, (c) => BASE32.indexOf(c).toString(2).padStart(5, '0')).join('');
  const bytes = bits.match(/.{8}/g) ?? [];
  return Buffer.from(bytes.slice(2, 34).map((byte) => Number.parseInt(byte, 2)));
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
