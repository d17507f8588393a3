/**
 * Who may come in: a trigger's key, or the token of a laptop's run.
 *
 * Owns: reading credentials from headers, and comparing them. Invariant: a comparison takes the same time whatever was
 * given: digests of fixed length are compared, and every one of them.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { EntryTrigger } from '@sinter/contract';

/** The sha256 of what a request showed; absent where it showed nothing. */
export interface Shown {
  readonly bearer: Buffer | undefined;
  readonly apiKey: Buffer | undefined;
}

const BEARER = /^Bearer +([^ ].*)$/i;

export const digest = (secret: string): Buffer => hash('sha256', secret, 'buffer');

export function shownBy(headers: IncomingHttpHeaders): Shown {
  const bearer = headers.authorization === undefined ? undefined : BEARER.exec(headers.authorization)?.[1];
  const apiKey = headers['x-api-key'];
  return {
    bearer: bearer === undefined ? undefined : digest(bearer.trim()),
    apiKey: typeof apiKey === 'string' && apiKey !== '' ? digest(apiKey) : undefined,
  };
}

/** Does the request show the token? Without a token nobody does. */
export const showsToken = (shown: Shown, token: Buffer | undefined): boolean =>
  token !== undefined && shown.bearer !== undefined && timingSafeEqual(shown.bearer, token);

export type Judged = 'Open' | 'Known' | 'Missing' | 'Wrong';

/** What a trigger makes of a request's credential. */
export function judge(auth: EntryTrigger['auth'], shown: Shown): Judged {
  if (auth.type === 'None') return 'Open';
  const given = [shown.bearer, shown.apiKey].filter((d) => d !== undefined);
  if (given.length === 0) return 'Missing';
  let known = false;
  for (const sha256 of auth.sha256) {
    const wanted = Buffer.from(sha256, 'hex');
    if (wanted.length !== 32) continue;
    for (const d of given) known = timingSafeEqual(d, wanted) || known;
  }
  return known ? 'Known' : 'Wrong';
}

export const admits = (auth: EntryTrigger['auth'], shown: Shown): boolean => {
  const judged = judge(auth, shown);
  return judged === 'Open' || judged === 'Known';
};
