/**
 * Running functions in threads: the one interface that the rest of the host knows of this folder (D4).
 *
 * Owns: what a function runtime promises. `jsRuntime.ts` keeps it with one thread a function, `wasmRuntime.ts` with one
 * thread a call. Neighbours: the unit decides who may call (edges, room, retries) and carries calls on; nothing here
 * knows the bus.
 * Invariants:
 *  1. An invocation is settled exactly once, at the latest at its timeout; what the code does later is dropped.
 *  2. No two parties ever share the memory of a value: payloads given in are copied, payloads given out belong to who
 *     gets them.
 *  3. Whatever a function does ends at most its own thread. (Two limits of V8: one allocation that passes the memory
 *     limit by more than a gigabyte at once ends the process; and code in a unit is not walled off from its unit, D11.)
 *  4. The number of calls at once is the unit's business (D17) for JavaScript; for WASM what exceeds the threads waits.
 *
 * Errors. What a function throws is `FunctionFailed` with its message. An error of a callee that a function lets escape
 * is `FunctionFailed` of that function too: its message says which callee failed with which code and keeps the callee's
 * message, `reason` is the callee's code (or its own reason where that code was `FunctionFailed`: the first cause is kept
 * through a chain), `function` the function where it began. Reasons of this folder:
 *
 *   | reason      | the function …                                                        |
 *   |-------------|-----------------------------------------------------------------------|
 *   | LoadFailed  | could not be loaded: syntax, imports, no handler, not a WASI command    |
 *   | ThreadLost  | lost its thread: an endless loop, too much memory, its own exit         |
 *   | ExitCode    | (WASM) ended with an exit code that is not 0                            |
 *   | Trap        | (WASM) trapped                                                          |
 *   | CallEnded   | used its `ctx` after its call had ended                                 |
 *   | Closing     | was closed by its unit (code `CalleeLost`)                              |
 */
import type { Payload } from '@sinter/contract';
import { JavaScriptRuntime } from './jsRuntime.ts';
import type { RuntimeUse } from './usage.ts';
import { WasmRuntime } from './wasmRuntime.ts';

export interface FunctionSpec {
  readonly name: string;
  readonly type: 'JavaScript' | 'Wasm';
  /** ES module text or WASM binary. */
  readonly module: Uint8Array;
  /** Calls at once: how many threads WASM may take; the unit's business for JavaScript. */
  readonly concurrency: number;
  /** Limit for the thread (JavaScript) or the instance (WASM), in bytes. */
  readonly memoryBytes: number;
  readonly env: Readonly<Record<string, string>>;
}

export interface Invocation {
  readonly callId: string;
  readonly input: Payload;
  /** Left for this run, in milliseconds. */
  readonly timeoutMs: number;
  /** Cancellation by the caller. */
  readonly signal: AbortSignal;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type Log = (level: LogLevel, text: string) => void;

/** What a function asks for while it runs. `call` and `send` reject with CallError. */
export interface Outgoing {
  call(
    callee: string,
    input: Payload,
    options: { readonly timeoutMs?: number; readonly signal: AbortSignal },
  ): Promise<Payload>;
  send(
    callee: string,
    input: Payload,
    options: { readonly key?: string; readonly startDeadlineMs?: number },
  ): Promise<string>;
  log(level: LogLevel, text: string): void;
}

export interface RuntimeStats {
  /** Threads started in place of one that was lost. */
  readonly restarts: number;
  /** Invocations that are not settled. */
  readonly inFlight: number;
}

export interface FunctionRuntime {
  /** Resolves with the result or rejects with a CallError: FunctionFailed, Timeout, Cancelled, PayloadTooLarge, … */
  invoke(invocation: Invocation, outgoing: Outgoing): Promise<Payload>;
  /** Resolves when loaded (module evaluated, default export checked / compiled); rejects with a CallError saying why not. */
  readonly ready: Promise<void>;
  readonly stats: RuntimeStats;
  /** What its threads have used since it was started; asks them. */
  use(): Promise<RuntimeUse>;
  /** Ends the threads. What is still in flight is rejected with `CalleeLost`. */
  close(): Promise<void>;
}

/**
 * Starts a function's thread and loads its module; `ready` tells how that went.
 *
 * `log` gets what belongs to no call: console output, errors after a call's end, problems of the thread. Without it they
 * go to standard error with the function's name.
 */
export function startFunction(spec: FunctionSpec, log: Log = toStandardError(spec.name)): FunctionRuntime {
  switch (spec.type) {
    case 'JavaScript':
      return new JavaScriptRuntime(spec, log);
    case 'Wasm':
      return new WasmRuntime(spec, log);
  }
}

const toStandardError =
  (name: string): Log =>
  (level, text) => {
    process.stderr.write(`${name}: ${level}: ${text}\n`);
  };
