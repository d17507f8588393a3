/**
 * What can be said of a token. `tokens.ts` and `verify.ts` say it, `asked.ts` answers with it.
 *
 * Invariant: a refusal tells what the token is, never what would be right: whoever has no token learns neither issuer nor
 * audience from it.
 */

/** `reason` is a word for programs, `says` a sentence for people. */
export interface Refusal {
  readonly is: 'Refused';
  readonly reason: string;
  readonly says: string;
}

export type Verdict =
  | {
      readonly is: 'Known';
      /** Who the token is about; undefined where it does not say. */
      readonly subject: string | undefined;
    }
  | Refusal
  /** It cannot be told now: the issuer's keys cannot be had. */
  | { readonly is: 'Unavailable' };

export const refused = (reason: string, says: string): Refusal => ({ is: 'Refused', reason, says });

export const MALFORMED = refused('TokenMalformed', 'what was sent is no signed token (JWT)');
export const OF_ANOTHER = refused('IssuerWrong', 'the token is of another issuer');
