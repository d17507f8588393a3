/**
 * One call inside a function's thread: its `ctx`, and what it has asked for.
 *
 * Owns: encoding of what goes out, the checks of options, the ending of requests when their call ends, and the form in
 * which an escaped error reaches the caller. `jsWorker.ts` owns the handler and the port's messages.
 * Invariants:
 *  1. A scope ends once: by its handler's end, or by an abort. Calls still in flight are rejected then; sends are not.
 *  2. The signal is made when it is first asked for: most functions never do.
 */
import { format, inspect } from 'node:util';
import { CallError, decodeValue, encodeValue } from '@sinter/contract';
import type { CallOptions, Context, Log, Payload, SendOptions, WireError } from '@sinter/contract';
import type { Line } from './jsConsole.ts';
import { copied, fillsItsBuffer, transferOf } from './protocol.ts';
import type { FromJs } from './protocol.ts';

/** Requests of one thread that may be unanswered at once: a loop that never awaits would else fill the main thread. */
export const REQUESTS_LIMIT = 10_000;

export type Post = (message: FromJs, transfer?: readonly ArrayBuffer[]) => void;

/** A value as a payload whose bytes are nobody else's. */
export function ownPayload(value: unknown, what: string): Payload {
  const payload = encodeValue(value, what);
  return payload.bytes === value || !fillsItsBuffer(payload) ? copied(payload) : payload;
}

interface Request {
  readonly callee: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: CallError) => void;
}

/** Requests of all calls of this thread, by seq. */
export class Requests {
  readonly #open = new Map<number, Request>();
  #nextSeq = 1;

  open(request: Request): number {
    if (this.#open.size >= REQUESTS_LIMIT)
      throw new CallError(
        'QuotaExceeded',
        `more than ${String(REQUESTS_LIMIT)} calls of this function wait for an answer: await some before making more`,
      );
    const seq = this.#nextSeq++;
    this.#open.set(seq, request);
    return seq;
  }

  /** Takes a request out; undefined where it was settled already. */
  take(seq: number): Request | undefined {
    const request = this.#open.get(seq);
    this.#open.delete(seq);
    return request;
  }

  answered(seq: number, output: Payload): void {
    const request = this.take(seq);
    if (request === undefined) return;
    try {
      request.resolve(decodeValue(output));
    } catch (thrown) {
      const { code, message, reason = 'BadPayload' } = CallError.from(thrown);
      request.reject(
        new CallError(code, `the answer of '${request.callee}': ${message}`, { reason, cause: thrown }),
      );
    }
  }
}

/** Errors that a callee answered with, and which callee that was: to tell them from a function's own when they escape. */
const callees = new WeakMap<object, string>();

export interface ScopeOptions {
  readonly id: number;
  readonly callId: string;
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  readonly post: Post;
  readonly line: Line;
  readonly requests: Requests;
}

export class Scope {
  readonly ctx: Context;
  readonly #options: ScopeOptions;
  #controller: AbortController | undefined;
  /** Once it has ended: why. */
  #ended: (() => CallError) | undefined;
  /** Seqs of calls in flight, with what takes them back. */
  #calls: Map<number, (error: CallError) => void> | undefined;

  constructor(options: ScopeOptions) {
    this.#options = options;
    this.ctx = this.#context();
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** Settled by the other side: the signal aborts, and so does what is in flight. */
  abort(error: CallError): void {
    this.#end(() => error);
    this.#controller?.abort(error);
  }

  /** The handler is through. The error is made when somebody sees it: making one takes a tenth of a call's time. */
  finish(): void {
    this.#end(() => callEnded(this.#options.callId, this.#options.name));
  }

  #end(why: () => CallError): void {
    if (this.#ended !== undefined) return;
    this.#ended = why;
    const calls = this.#calls;
    this.#calls = undefined;
    if (calls !== undefined) for (const takeBack of calls.values()) takeBack(why());
  }

  #context(): Context {
    const { callId, env } = this.#options;
    const signal = (): AbortSignal => this.#signal();
    const log = (): Log => this.#log();
    return {
      call: (name, input, options) => this.#call(name, input, options),
      send: (name, input, options) => this.#send(name, input, options),
      env,
      callId,
      get signal() {
        return signal();
      },
      get log() {
        return log();
      },
    };
  }

  #signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      // After a normal end nothing is left to abort; after an abort the signal has aborted, whenever it is asked for.
      const why = this.#ended?.();
      if (why !== undefined && why.reason !== CALL_ENDED) this.#controller.abort(why);
    }
    return this.#controller.signal;
  }

  #log(): Log {
    const { id, line } = this.#options;
    return {
      debug: (...args) => {
        line('debug', format(...args), id);
      },
      info: (...args) => {
        line('info', format(...args), id);
      },
      warn: (...args) => {
        line('warn', format(...args), id);
      },
      error: (...args) => {
        line('error', format(...args), id);
      },
    };
  }

  async #call(callee: string, value: unknown, options: CallOptions = {}): Promise<unknown> {
    const { id, post, requests } = this.#options;
    checkName('call', callee);
    const timeoutMs = milliseconds('ctx.call', 'timeoutSeconds', options.timeoutSeconds);
    const { signal } = options;
    if (signal !== undefined && !(signal instanceof AbortSignal))
      throw new TypeError(`ctx.call: signal must be an AbortSignal, not ${inspect(signal)}`);
    this.#refuseWhenEnded();
    if (signal?.aborted) throw abandoned(callee, signal);
    const input = ownPayload(value, `input of the call to '${callee}'`);
    let seq = 0;
    let onAbort: (() => void) | undefined;
    try {
      return await new Promise((resolve, reject) => {
        seq = requests.open({ callee, resolve, reject: from(callee, reject) });
        (this.#calls ??= new Map()).set(seq, reject);
        onAbort = (): void => {
          post({ kind: 'Unask', id, seq });
          reject(abandoned(callee, signal));
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        post({ kind: 'Ask', id, seq, callee, input, timeoutMs }, transferOf(input));
      });
    } finally {
      requests.take(seq);
      this.#calls?.delete(seq);
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
    }
  }

  async #send(callee: string, value: unknown, options: SendOptions = {}): Promise<string> {
    const { id, post, requests } = this.#options;
    checkName('send', callee);
    const startDeadlineMs = milliseconds('ctx.send', 'startDeadlineSeconds', options.startDeadlineSeconds);
    const { key } = options;
    if (key !== undefined && typeof key !== 'string')
      throw new TypeError(`ctx.send: key must be a string, not ${inspect(key)}`);
    this.#refuseWhenEnded();
    const input = ownPayload(value, `input of the send to '${callee}'`);
    const callId = await new Promise((resolve, reject) => {
      const seq = requests.open({ callee, resolve, reject: from(callee, reject) });
      post({ kind: 'Send', id, seq, callee, input, key, startDeadlineMs }, transferOf(input));
    });
    return String(callId);
  }

  #refuseWhenEnded(): void {
    if (this.#ended !== undefined) throw this.#ended();
  }
}

const CALL_ENDED = 'CallEnded';

const callEnded = (callId: string, name: string): CallError =>
  new CallError(
    'Cancelled',
    `the call ${callId} of function '${name}' has ended: await every ctx.call before returning, or use ctx.send`,
    { reason: CALL_ENDED, function: name },
  );

const from =
  (callee: string, reject: (error: CallError) => void) =>
  (error: CallError): void => {
    callees.set(error, callee);
    reject(error);
  };

function checkName(method: 'call' | 'send', name: unknown): void {
  if (typeof name !== 'string' || name === '')
    throw new TypeError(`ctx.${method}: the first argument is the name of a function, not ${inspect(name)}`);
}

function milliseconds(method: string, field: string, seconds: unknown): number | undefined {
  if (seconds === undefined) return undefined;
  if (typeof seconds === 'number' && seconds > 0 && Number.isFinite(seconds)) return seconds * 1_000;
  throw new TypeError(`${method}: ${field} must be a number of seconds above 0, not ${inspect(seconds)}`);
}

const abandoned = (callee: string, signal: AbortSignal | undefined): CallError =>
  new CallError('Cancelled', `the call to '${callee}' was cancelled by the signal given to ctx.call`, {
    cause: signal?.reason,
  });

/** What a handler let escape, as its caller sees it (the rule is in `runtime.ts`). */
export function escaped(thrown: unknown, fn: string): WireError {
  if (thrown instanceof CallError) {
    const callee = callees.get(thrown);
    const reason = thrown.code === 'FunctionFailed' ? (thrown.reason ?? thrown.code) : thrown.code;
    if (callee === undefined)
      return { code: 'FunctionFailed', message: thrown.message, reason, function: thrown.function ?? fn };
    const message = `its call to '${callee}' failed with ${thrown.code}: ${thrown.message}`;
    return { code: 'FunctionFailed', message, reason, function: thrown.function ?? callee };
  }
  return { code: 'FunctionFailed', message: wordsOf(thrown), function: fn };
}

/** The message of anything thrown, with the kind of error where it says more than `Error`. */
function wordsOf(thrown: unknown): string {
  try {
    if (thrown instanceof Error)
      return thrown.name === 'Error' && thrown.message !== '' ? thrown.message : String(thrown);
    return typeof thrown === 'string' ? thrown : `it threw ${inspect(thrown, { breakLength: Infinity })}`;
  } catch (unspeakable) {
    return `it threw what cannot be printed: ${typeof unspeakable}`;
  }
}
