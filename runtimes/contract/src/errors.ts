/**
 * The errors that a caller can see: the same codes whatever the channel (D4).
 *
 * Owns: codes, which of them may be tried again, and their form on the wire. It does not decide *whether* to try
 * again: the edge's terms do (`calls.ts`).
 */

export const ERROR_CODES = [
  'CalleeLost',
  'ConnectionLost',
  'Overloaded',
  'Timeout',
  'Cancelled',
  'FunctionFailed',
  'EdgeNotDeclared',
  'NotAllowed',
  'PayloadTooLarge',
  'BusUnavailable',
  'QuotaExceeded',
  'TooManyHops',
  'NoSuchFunction',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

const codes: ReadonlySet<string> = new Set(ERROR_CODES);
export const isErrorCode = (s: string): s is ErrorCode => codes.has(s);

/** An error as it travels: `reason` is a finer word within the code, such as `ThreadLost` within `FunctionFailed`. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly reason?: string;
  /** The function that raised it; kept unchanged while it passes through callers. */
  readonly function?: string;
}

/** The longest message; a longer one keeps its end, where the cause usually stands. The same on every channel. */
export const MESSAGE_LIMIT = 4096;

const bounded = (message: string): string =>
  message.length > MESSAGE_LIMIT ? `…${message.slice(-(MESSAGE_LIMIT - 1))}` : message;

/** What `ctx.call` throws, and what a runtime answers with. */
export class CallError extends Error {
  override readonly name = 'CallError';
  readonly code: ErrorCode;
  readonly reason: string | undefined;
  readonly function: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    more: { reason?: string; function?: string; cause?: unknown } = {},
  ) {
    super(bounded(message), more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.reason = more.reason;
    this.function = more.function;
  }

  toWire(): WireError {
    return {
      code: this.code,
      message: this.message,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
      ...(this.function === undefined ? {} : { function: this.function }),
    };
  }

  static fromWire(e: WireError): CallError {
    return new CallError(e.code, e.message, {
      ...(e.reason === undefined ? {} : { reason: e.reason }),
      ...(e.function === undefined ? {} : { function: e.function }),
    });
  }

  /** Anything thrown, as an error with a code: what is not one of ours is the function's own failure. */
  static from(thrown: unknown, fn?: string): CallError {
    if (thrown instanceof CallError) return thrown;
    const message = messageOf(thrown);
    return new CallError('FunctionFailed', message, {
      cause: thrown,
      ...(fn === undefined ? {} : { function: fn }),
    });
  }
}

/** The message of anything thrown: neither has `message` to be a string, nor everything a way to become one. */
function messageOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return 'something was thrown that has no text'; // e.g. an object without a prototype
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const encodeError = (e: WireError): Uint8Array =>
  encoder.encode(JSON.stringify({ ...e, message: bounded(e.message) }));

/** Reads an error frame's body; what cannot be read is the callee's failure, said so. */
export function decodeError(bytes: Uint8Array): WireError {
  try {
    const e: unknown = JSON.parse(decoder.decode(bytes));
    if (typeof e === 'object' && e !== null && 'code' in e && 'message' in e) {
      const { code, message } = e;
      if (typeof code === 'string' && typeof message === 'string') {
        return {
          // A code of a later version is told in the message.
          ...(isErrorCode(code)
            ? { code, message }
            : { code: 'FunctionFailed', message: `${code}: ${message}` }),
          ...('reason' in e && typeof e.reason === 'string' ? { reason: e.reason } : {}),
          ...('function' in e && typeof e.function === 'string' ? { function: e.function } : {}),
        };
      }
    }
  } catch (cause) {
    return { code: 'FunctionFailed', message: `the callee's error could not be read: ${String(cause)}` };
  }
  return { code: 'FunctionFailed', message: "the callee's error has no code and message" };
}
