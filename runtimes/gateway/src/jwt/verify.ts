/**
 * Is a token one that opens a trigger? The only file that knows `jose`; it is loaded with the first token (`tokens.ts`).
 *
 * Owns: which algorithms count, which claims a token must have, and the words for what is wrong with one.
 * Invariants:
 *  1. Only signatures with a key pair count: never `none`, never a shared secret.
 *  2. What throws, throws: every way out that is not `Known` keeps the door shut.
 */
import { createLocalJWKSet, errors, jwtVerify } from 'jose';
import type { JSONWebKeySet, JWTPayload } from 'jose';
import type { PublishedKey } from './discovery.ts';
import { Unavailable } from './issuerKeys.ts';
import type { IssuerKeys } from './issuerKeys.ts';
import { MALFORMED, OF_ANOTHER, refused } from './verdict.ts';
import type { Refusal, Verdict } from './verdict.ts';

/** What finds a token's key among those of an issuer. */
export type KeySet = ReturnType<typeof createLocalJWKSet>;

export interface Demand {
  readonly issuer: string;
  readonly audiences: readonly string[];
}

const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
/** How far the clocks of issuer and gateway may be apart. */
const TOLERANCE_SECONDS = 30;

export const keySetOf = (keys: readonly PublishedKey[]): KeySet =>
  createLocalJWKSet({ keys } as unknown as JSONWebKeySet);

/** `nowMs` since 1970. Rejects only for a fault of the gateway's own. */
export async function verify(
  token: string,
  demand: Demand,
  keys: IssuerKeys<KeySet>,
  nowMs: number,
): Promise<Verdict> {
  try {
    const { sub } = await verified(token, demand, keys, nowMs);
    return { is: 'Known', subject: typeof sub === 'string' && sub !== '' ? sub : undefined };
  } catch (cause) {
    if (cause instanceof Unavailable) return { is: 'Unavailable' };
    return refusalOf(cause);
  }
}

async function verified(
  token: string,
  { issuer, audiences }: Demand,
  keys: IssuerKeys<KeySet>,
  nowMs: number,
): Promise<JWTPayload> {
  const options = {
    issuer,
    audience: [...audiences],
    algorithms: ALGORITHMS,
    requiredClaims: ['exp'],
    clockTolerance: TOLERANCE_SECONDS,
    currentDate: new Date(nowMs),
  };
  const known = await keys.current();
  try {
    return (await jwtVerify(token, known, options)).payload;
  } catch (cause) {
    if (!(cause instanceof errors.JWKSNoMatchingKey)) throw cause;
    const newer = await keys.newerThan(known);
    if (!newer) throw cause;
    return (await jwtVerify(token, newer, options)).payload;
  }
}

const BY_CODE: Readonly<Record<string, Refusal>> = {
  ERR_JWT_EXPIRED: refused('TokenExpired', 'the token has expired: get a new one'),
  ERR_JOSE_ALG_NOT_ALLOWED: refused(
    'AlgorithmNotAllowed',
    'the token is not signed with an algorithm that counts here: RS, PS, ES or EdDSA',
  ),
  ERR_JWKS_NO_MATCHING_KEY: refused(
    'KeyUnknown',
    'the token is signed with a key that its issuer does not publish',
  ),
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: refused(
    'KeyNotNamed',
    'the token does not say which key of its issuer signed it: it needs a kid in its header',
  ),
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: refused('SignatureWrong', "the token's signature does not verify"),
};

const BY_CLAIM: Readonly<Record<string, Refusal>> = {
  aud: refused('AudienceWrong', 'the token is for another audience'),
  iss: OF_ANOTHER,
  nbf: refused('TokenNotYetValid', 'the token is not valid yet'),
  exp: refused('TokenWithoutEnd', 'the token has no time at which it expires (exp)'),
};

function refusalOf(cause: unknown): Refusal {
  if (cause instanceof errors.JWTClaimValidationFailed) return BY_CLAIM[cause.claim] ?? MALFORMED;
  return (cause instanceof errors.JOSEError ? BY_CODE[cause.code] : undefined) ?? MALFORMED;
}
