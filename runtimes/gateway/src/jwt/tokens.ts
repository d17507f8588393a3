/**
 * Tokens of issuers: whether one opens a trigger of `auth: {type: Jwt}`.
 *
 * Owns: the issuers whose keys are known, and that whoever has no such trigger pays nothing for this: what verifies is
 * loaded with the first token that could be one. `verify.ts` judges, `issuerKeys.ts` keeps keys.
 * Invariant: an issuer is asked only for a token that names it, and only where a trigger names it too.
 */
import { hash } from 'node:crypto';
import type { Clock } from '@sinter/bus';
import type { EntryTrigger } from '@sinter/contract';
import { fetchKeys } from './discovery.ts';
import { IssuerKeys } from './issuerKeys.ts';
import type { IssuerSettings } from './places.ts';
import { MALFORMED, OF_ANOTHER } from './verdict.ts';
import type { Verdict } from './verdict.ts';
import type { KeySet } from './verify.ts';

export type JwtAuth = Extract<EntryTrigger['auth'], { type: 'Jwt' }>;

export interface TokensOptions {
  readonly settings: IssuerSettings;
  readonly clock: Clock;
  /** Milliseconds since 1970: what a token's times are compared with. */
  readonly wallClock: () => number;
  readonly onProblem: (problem: string) => void;
}

export type Judgement =
  { readonly is: 'Known'; readonly principal: string } | Exclude<Verdict, { readonly is: 'Known' }>;

/** More are not remembered: the one that was asked about longest ago is forgotten. */
const ISSUERS_LIMIT = 1_024;
const PARTS = /^[\w-]+\.([\w-]+)\.[\w-]+$/;

export class Tokens {
  readonly #options: TokensOptions;
  /** By issuer, the last used one last. */
  readonly #issuers = new Map<string, IssuerKeys<KeySet>>();
  readonly #stopped = new AbortController();

  constructor(options: TokensOptions) {
    this.#options = options;
  }

  async judge(auth: JwtAuth, token: string): Promise<Judgement> {
    const issuer = issuerOf(token);
    if (issuer === undefined) return MALFORMED;
    if (issuer !== auth.issuer) return OF_ANOTHER;
    const { keySetOf, verify } = await import('./verify.ts');
    const keys = this.#keysOf(issuer, async (signal) =>
      keySetOf(await fetchKeys(issuer, this.#options.settings, signal)),
    );
    const verdict = await verify(token, auth, keys, this.#options.wallClock());
    if (verdict.is !== 'Known') return verdict;
    return { is: 'Known', principal: principalOf(issuer, verdict.subject ?? token) };
  }

  /** Ends what is being fetched. */
  stop(): void {
    this.#stopped.abort();
  }

  #keysOf(issuer: string, fetch: (signal: AbortSignal) => Promise<KeySet>): IssuerKeys<KeySet> {
    const { clock, onProblem } = this.#options;
    const { signal } = this.#stopped;
    const keys =
      this.#issuers.get(issuer) ?? new IssuerKeys({ fetch: () => fetch(signal), clock, onProblem });
    this.#issuers.delete(issuer);
    this.#issuers.set(issuer, keys);
    const [oldest] = this.#issuers.keys();
    if (this.#issuers.size > ISSUERS_LIMIT && oldest !== undefined) this.#issuers.delete(oldest);
    return keys;
  }
}

/** Who asks, as idempotency keys tell clients apart. A token that names nobody stands for itself alone. */
const principalOf = (issuer: string, subject: string): string =>
  hash('sha256', `${issuer}\n${subject}`, 'hex').slice(0, 16);

/** The issuer that a token claims, before anything of it is believed; undefined: it is no signed token. */
function issuerOf(token: string): string | undefined {
  const claims = PARTS.exec(token)?.[1];
  if (claims === undefined) return undefined;
  try {
    const { iss } = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as { iss?: unknown };
    return typeof iss === 'string' ? iss : '';
  } catch {
    return undefined; // anybody may send anything
  }
}
