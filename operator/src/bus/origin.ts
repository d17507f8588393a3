/**
 * Pure: where a credential comes from, as a short text that can be kept beside it.
 *
 *   <issuer> <authority> <authority> …     16 hex digits each: who signed, then whom its holder is told to trust
 *
 * A unit's Secret is written and never read (decision 0012). By this text on its Deployment it is known that what lies in it
 * was issued by keys that are lost, or leads to authorities that nobody shows a certificate of any more.
 */
import { createHash } from 'node:crypto';
import { certificatesIn } from './certificates.ts';
import { publicKeyOf } from './claims.ts';
import type { Issuing } from './units.ts';

/** `ca`: PEM; undefined: no TLS, or the authorities of the machine. */
export const originOf = (issuing: Issuing, ca: string | undefined): string =>
  [issuerOf(issuing), ...certificatesIn(ca ?? '')].map(digestOf).join(' ');

const issuerOf = (issuing: Issuing): string =>
  issuing.kind === 'Shares'
    ? issuing.credential.jwt
    : `${issuing.signers.signingFor?.calls ?? ''} ${publicKeyOf(issuing.signers.accountSeed)}`;

const digestOf = (text: string): string =>
  createHash('sha256').update(text.trim()).digest('hex').slice(0, 16);

/** Credentials of the one are of the same issuer as those of the other. */
export const isSameIssuer = (a: string, b: string): boolean => issuerIn(a) === issuerIn(b);

const issuerIn = (origin: string): string => origin.split(' ')[0] ?? '';

/**
 * Who holds what is of `before` cannot go on once `now` is all that there is: its token is void, or it trusts nobody who is
 * trusted now. One authority in common is enough, because a new one is crossed by the one before it (decision 0016).
 */
export function isCutOff(before: string, now: string): boolean {
  if (!isSameIssuer(before, now)) return true;
  const [, ...trusted] = before.split(' ');
  const [, ...shown] = now.split(' ');
  return trusted.length + shown.length > 0 && !trusted.some((one) => shown.includes(one));
}
