/**
 * Pure: what a token that was signed before says, so that it is kept while it is still right.
 *
 * Tokens are deterministic: the same claims at the same time give the same text. Whether a stored one is what would be
 * signed today is therefore asked by signing it again *for its own time*, never by guessing at its content.
 */

/** What every token of a user says. Times in milliseconds. */
export interface TokenFacts {
  /** Public key of the user. */
  readonly publicKey: string;
  readonly issuedAtMs: number;
  /** Absent: it does not end. */
  readonly expiresAtMs?: number;
}

/** Reads a token without verifying it; undefined where it is none. */
export function tokenFacts(jwt: string): TokenFacts | undefined {
  const { sub, iat, exp } = claimsOf(jwt);
  if (typeof sub !== 'string' || typeof iat !== 'number') return undefined;
  return {
    publicKey: sub,
    issuedAtMs: iat * 1000,
    ...(typeof exp === 'number' && exp > 0 ? { expiresAtMs: exp * 1000 } : {}),
  };
}

/** A third of its life is over. What has no end is never due. */
export const isDue = ({ issuedAtMs, expiresAtMs }: Omit<TokenFacts, 'publicKey'>, nowMs: number): boolean =>
  expiresAtMs !== undefined && nowMs >= issuedAtMs + (expiresAtMs - issuedAtMs) / 3;

interface Claims {
  readonly sub?: unknown;
  readonly iat?: unknown;
  readonly exp?: unknown;
}

function claimsOf(jwt: string): Claims {
  try {
    const found: unknown = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return typeof found === 'object' && found !== null ? found : {};
  } catch {
    return {}; // no token
  }
}

/** A credential as servers and tools of NATS keep it in a file: the token and the seed between lines of dashes. */
export interface FileCredential {
  readonly jwt: string;
  readonly seed: string;
}

const PART = /-{3,}\s*BEGIN ([A-Z ]+?)\s*-{3,}\s*(\S+)\s*-{3,}\s*END/g;

/** Reads such a file; undefined where a part is missing. */
export function parseCredsFile(text: string): FileCredential | undefined {
  const parts = new Map([...text.matchAll(PART)].map(([, name, value]) => [name, value] as const));
  const [jwt, seed] = [parts.get('NATS USER JWT'), parts.get('USER NKEY SEED')];
  return jwt === undefined || seed === undefined ? undefined : { jwt, seed };
}
