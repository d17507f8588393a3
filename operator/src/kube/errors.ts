/**
 * What an API server refuses, and what a controller gives up on.
 *
 * Owns: the error classes and the questions that callers ask of them. Not found and conflict are ordinary states: ask
 * with `isNotFound`, `isConflict`, do not let them surface as failures.
 */

/** The part of a `Status` object that says what was wrong. */
export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

/** An answer of the API server that is no success. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status, e.g. 409. */
  readonly status: number;
  /** The API server's word, e.g. `Conflict`, `AlreadyExists`, `Invalid`, `Expired`; empty when it gave none. */
  readonly reason: string;
  /** How long the server asks us to wait; undefined when it did not say. */
  readonly retryAfterMs: number | undefined;
  readonly causes: readonly StatusCause[];

  constructor(what: string, answer: ApiAnswer, options?: ErrorOptions) {
    super(`${what}: ${answer.status} ${answer.reason}: ${answer.message}`, options);
    this.status = answer.status;
    this.reason = answer.reason;
    this.retryAfterMs = answer.retryAfterMs;
    this.causes = answer.causes ?? [];
  }
}

export interface ApiAnswer {
  readonly status: number;
  readonly reason: string;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
  readonly causes?: readonly StatusCause[];
}

/** No answer came: connection refused or lost, time over, TLS. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/** A write was refused on our side, because the right to write (the lease) is lost. */
export class WritesForbidden extends Error {
  override readonly name = 'WritesForbidden';
}

/** No retry will help until the object changes: the controller records it and stops. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}

const hasStatus = (error: unknown, status: number): boolean =>
  error instanceof ApiError && error.status === status;

export const isNotFound = (error: unknown): boolean => hasStatus(error, 404);
/** The object was changed by somebody else, or has another uid or resourceVersion than asked for. */
export const isConflict = (error: unknown): boolean =>
  hasStatus(error, 409) && (error as ApiError).reason !== 'AlreadyExists';
export const isAlreadyExists = (error: unknown): boolean =>
  hasStatus(error, 409) && (error as ApiError).reason === 'AlreadyExists';
/** A resourceVersion or a continue token is too old: list again. */
export const isGone = (error: unknown): boolean => hasStatus(error, 410);
export const isForbidden = (error: unknown): boolean => hasStatus(error, 403);
/** The object itself is wrong: the same request will never pass. */
export const isInvalid = (error: unknown): boolean => hasStatus(error, 422) || hasStatus(error, 400);
