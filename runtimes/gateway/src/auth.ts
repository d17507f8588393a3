/**
 * Who may come in: a trigger's key, or the token of a laptop's run.
 *
 * Owns: reading credentials from headers, and comparing keys; `jwt/` judges tokens of issuers. Invariant: a comparison
 * takes the same time whatever was given: digests of fixed length are compared, and every one of them.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { EntryAuth } from '@sinter/contract';

/** What a request showed; undefined where it showed nothing. Keys by their sha256. */
export interface Shown {
  readonly bearer: Buffer | undefined;
  readonly apiKey: Buffer | undefined;
  /** The bearer as it came, for who can read it as a token. */
  readonly token: string | undefined;
}

const BEARER = /^Bearer +([^ ].*)$/i;

export const digest = (secret: string): Buffer => hash('sha256', secret, 'buffer');

export function shownBy(headers: IncomingHttpHeaders): Shown {
  const token =
    headers.authorization === undefined ? undefined : BEARER.exec(headers.authorization)?.[1]?.trim();
  const apiKey = headers['x-api-key'];
  return {
    token,
    bearer: token === undefined ? undefined : digest(token),
    apiKey: typeof apiKey === 'string' && apiKey !== '' ? digest(apiKey) : undefined,
  };
}

/** Does the request show the token? Without a token nobody does. */
export const showsToken = (shown: Shown, token: Buffer | undefined): boolean =>
  token !== undefined && shown.bearer !== undefined && timingSafeEqual(shown.bearer, token);

/** An auth that is judged by what is known here, without asking an issuer. */
export type KnownAuth = Exclude<EntryAuth, { readonly type: 'Jwt' }>;

/** Does a request's credential open a trigger? */
export function admits(auth: KnownAuth, shown: Shown): boolean {
  if (auth.type === 'None') return true;
  const given = [shown.bearer, shown.apiKey].filter((d) => d !== undefined);
  let known = false;
  for (const sha256 of auth.sha256) {
    const wanted = Buffer.from(sha256, 'hex');
    if (wanted.length !== 32) continue;
    for (const d of given) known = timingSafeEqual(d, wanted) || known;
  }
  return known;
}
