/**
 * Tokens of NATS's decentralised authentication (JWT version 2, signed with nkeys).
 *
 * Owns: the encoding of claims. What the claims grant is said by `keys.ts` and `credentials.ts`; keys and signatures are the library's.
 * It does not use the encoder of `@nats-io/jwt`, because that one reads the clock and here time is an argument (D13):
 * the same claims at the same time give the same token, so a second reconcile has nothing to write.
 */
import { createHash } from 'node:crypto';
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

/** Signs claims. */
export function encodeClaims(claims: Claims, signer: KeyPair): string {
  const issued = { ...claims, aud: 'NATS', iss: signer.getPublicKey(), nats: { ...claims.nats, version: 2 } };
  const jti = createHash('sha256').update(JSON.stringify(issued)).digest('base64url');
  const signed = `${HEADER}.${part({ ...issued, jti })}`;
  return `${signed}.${Buffer.from(signer.sign(Buffer.from(signed))).toString('base64url')}`;
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
