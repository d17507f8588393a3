/**
 * What an author of a JavaScript function writes against: `export default async (input, ctx) => output`.
 *
 * Owns: the types of `ctx`. How each is carried out is the host's business.
 */

export interface CallOptions {
  /** At most this long, in seconds; the edge's and the callee's own limits and the caller's deadline bound it. */
  readonly timeoutSeconds?: number;
  /** Aborting it cancels the call; the callee's `ctx.signal` aborts too. */
  readonly signal?: AbortSignal;
}

export interface SendOptions {
  /** May wait this long, in seconds, for a better moment to start. */
  readonly startDeadlineSeconds?: number;
  /** Idempotency key: a second send with the same key along the same edge is accepted once. */
  readonly key?: string;
}

export interface Log {
  debug(...args: readonly unknown[]): void;
  info(...args: readonly unknown[]): void;
  warn(...args: readonly unknown[]): void;
  error(...args: readonly unknown[]): void;
}

export interface Context {
  /** Calls along a declared Sync edge and gives the callee's value. Throws a CallError with a stable code. */
  call(name: string, input?: unknown, options?: CallOptions): Promise<unknown>;
  /** Hands work on along a declared Async edge; resolves once it is durable. Gives the call's id. */
  send(name: string, input?: unknown, options?: SendOptions): Promise<string>;
  readonly env: Readonly<Record<string, string>>;
  /** The same for every attempt at one call: the key to make work idempotent with. */
  readonly callId: string;
  /** Aborts when the call is cancelled or out of time. */
  readonly signal: AbortSignal;
  readonly log: Log;
}

export type Handler = (input: unknown, ctx: Context) => unknown;
