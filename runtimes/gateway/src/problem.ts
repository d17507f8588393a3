/**
 * What a client is told when a request does not end in a result: `application/problem+json` with a stable code.
 *
 * Owns: which code has which status, and the words that every code has in common. The detail is the case's own.
 * Invariants:
 *  1. One code has one status, whatever the path on which it came up.
 *  2. A problem names nothing of the inside: no subject, stream, address, file or stack.
 *
 * A function's own failure is 500; 502, 503 and 504 say that the platform between client and function failed, so that an
 * alert can tell the two apart.
 */
import type { CallError, ErrorCode } from '@sinter/contract';

/** Codes that only the way in has, beside those that a caller inside the graph can see. */
export type GatewayCode =
  | 'BadRequest'
  | 'NoSuchPath'
  | 'NoSuchCall'
  | 'MethodNotAllowed'
  | 'RequestTimeout'
  | 'UnsupportedMediaType'
  | 'HeadersTooLarge'
  | 'NotAsync'
  | 'NotDeployed'
  | 'Suspended'
  | 'AuthUnavailable'
  | 'Internal';

export type ProblemCode = ErrorCode | GatewayCode;

interface Kind {
  readonly status: number;
  readonly title: string;
}

const KINDS: Readonly<Record<ProblemCode, Kind>> = {
  BadRequest: { status: 400, title: 'The request cannot be understood' },
  NotAllowed: { status: 403, title: 'This is not allowed' },
  NoSuchPath: { status: 404, title: 'Nothing answers at this path' },
  NoSuchFunction: { status: 404, title: 'There is no such function' },
  NoSuchCall: { status: 404, title: 'There is no such call' },
  MethodNotAllowed: { status: 405, title: 'The path does not take this method' },
  RequestTimeout: { status: 408, title: 'The request came too slowly' },
  NotAsync: { status: 409, title: 'The function takes no asynchronous calls' },
  PayloadTooLarge: { status: 413, title: 'The payload is too large' },
  UnsupportedMediaType: { status: 415, title: 'The payload is in a form that is not taken' },
  QuotaExceeded: { status: 429, title: 'A quota is used up' },
  HeadersTooLarge: { status: 431, title: 'The headers are too large' },
  Cancelled: { status: 499, title: 'The call was cancelled' },
  FunctionFailed: { status: 500, title: 'The function failed' },
  EdgeNotDeclared: { status: 500, title: 'A function called along an edge that is not declared' },
  Internal: { status: 500, title: 'The gateway failed' },
  CalleeLost: { status: 502, title: 'The instance that ran the function was lost' },
  ConnectionLost: { status: 502, title: 'The connection was lost before an answer came' },
  BusUnavailable: { status: 503, title: 'The bus cannot be reached' },
  Overloaded: { status: 503, title: 'No instance has room' },
  NotDeployed: { status: 503, title: 'Nothing is deployed yet' },
  Suspended: { status: 503, title: 'The workflow is suspended' },
  AuthUnavailable: { status: 503, title: 'Who may come in cannot be told at the moment' },
  Timeout: { status: 504, title: 'No result came in time' },
  TooManyHops: { status: 508, title: 'The chain of calls is too long' },
};

/** Seconds after which it makes sense to ask again. */
const RETRY_AFTER: Partial<Record<ProblemCode, number>> = {
  Overloaded: 1,
  BusUnavailable: 1,
  NotDeployed: 1,
  AuthUnavailable: 2,
  QuotaExceeded: 5,
  Suspended: 60,
};

export interface ProblemOptions {
  /** Instead of the code's own: 401 for `NotAllowed` without a valid credential. */
  readonly status?: number;
  readonly callId?: string;
  readonly reason?: string;
  readonly function?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that is no result. A value, not something to throw. */
export class Problem {
  readonly code: ProblemCode;
  readonly status: number;
  readonly detail: string;
  readonly callId: string | undefined;
  readonly reason: string | undefined;
  readonly function: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, detail: string, more: ProblemOptions = {}) {
    this.code = code;
    this.status = more.status ?? KINDS[code].status;
    this.detail = detail;
    this.callId = more.callId;
    this.reason = more.reason;
    this.function = more.function;
    const after = RETRY_AFTER[code];
    this.headers = { ...(after === undefined ? {} : { 'Retry-After': String(after) }), ...more.headers };
  }

  /** The body, as RFC 9457 has it. */
  toJson(): string {
    return `${JSON.stringify({
      type: `urn:sinter:problem:${this.code}`,
      title: KINDS[this.code].title,
      status: this.status,
      code: this.code,
      detail: this.detail,
      callId: this.callId,
      reason: this.reason,
      function: this.function,
    })}\n`;
  }
}

export const PROBLEM_TYPE = 'application/problem+json';

/** A call that ended with an error, as the client of `fn` sees it. */
export function problemOf(error: CallError, fn: string, callId: string): Problem {
  const more: ProblemOptions = {
    callId,
    function: error.function ?? fn,
    ...(error.reason === undefined ? {} : { reason: error.reason }),
  };
  switch (error.code) {
    case 'BusUnavailable':
      // The bus's own words name subjects.
      return new Problem('BusUnavailable', `${fn} cannot be reached at the moment: try again`, more);
    case 'PayloadTooLarge':
      // The request was within the limit: what is too large was made inside, which is no fault of the client.
      return new Problem('PayloadTooLarge', error.message, { ...more, status: 500 });
    default:
      return new Problem(error.code, error.message, more);
  }
}
