/**
 * A WASM function on the main thread: its queue, and up to min(concurrency, cores) threads that run one call each (D4).
 *
 * Owns: settling of invocations, the queue, and when threads are started and ended. `wasmModule.ts` compiles and limits,
 * once for all threads; `thread.ts` owns the life of one thread, `wasmWorker.ts` what happens in it.
 * Invariants:
 *  1. A thread runs at most one call, and has nothing else to lose: it is ended at the call's deadline or cancellation.
 *  2. While a call waits, every thread is busy or starting, or all threads allowed are there.
 *  3. One thread is kept, so that a call from idle starts none.
 */
import { availableParallelism } from 'node:os';
import { CallError } from '@sinter/contract';
import type { Payload } from '@sinter/contract';
import { Backoff } from './backoff.ts';
import { cancelledBy, closing, outOfMemory, threadLost, timedOut } from './losses.ts';
import { cutLine } from './lines.ts';
import { copied, transferOf } from './protocol.ts';
import type { FunctionRuntime, FunctionSpec, Invocation, Log, Outgoing, RuntimeStats } from './runtime.ts';
import { Thread } from './thread.ts';
import type { Loss } from './thread.ts';
import { Usage } from './usage.ts';
import type { RuntimeUse } from './usage.ts';
import type { Module } from './webAssembly.ts';
import { compileCommand } from './wasmModule.ts';
import type { FromWasm, ToWasm } from './wasmProtocol.ts';

/** The longest that a timer of Node can run, in milliseconds. */
const TIMER_LIMIT_MS = 2 ** 31 - 1;
/** JavaScript heap of a WASM thread: what passes the calls on; a module's own memory does not count here. */
const HEAP_MB = 64;

interface WasmCall {
  readonly id: number;
  readonly invocation: Invocation;
  readonly outgoing: Outgoing;
  readonly resolve: (output: Payload) => void;
  readonly reject: (error: CallError) => void;
  readonly onAbort: () => void;
  timer: NodeJS.Timeout;
  /** Where it runs; until then it waits. */
  slot: Slot | undefined;
}

interface Slot {
  readonly thread: Thread<ToWasm, FromWasm>;
  /** Has it been given the module? */
  given: boolean;
  call: WasmCall | undefined;
}

export class WasmRuntime implements FunctionRuntime {
  readonly ready: Promise<void>;
  readonly #spec: FunctionSpec;
  readonly #log: Log;
  readonly #limit: number;
  readonly #slots = new Set<Slot>();
  readonly #calls = new Set<WasmCall>();
  readonly #waiting = new Set<WasmCall>();
  readonly #backoff = new Backoff();
  readonly #usage = new Usage('Wasm');
  #starting: NodeJS.Timeout | undefined;
  #module: Module | undefined;
  #refusal: CallError | undefined;
  #closed = false;
  #restarts = 0;
  #nextId = 1;
  readonly #settleReady: { readonly resolve: () => void; readonly reject: (error: CallError) => void };

  constructor(spec: FunctionSpec, log: Log) {
    this.#spec = spec;
    this.#log = log;
    this.#limit = Math.max(1, Math.min(spec.concurrency, availableParallelism()));
    const ready = Promise.withResolvers<undefined>();
    this.ready = ready.promise;
    // Who does not look at `ready` learns the same from `invoke`.
    ready.promise.catch(() => undefined);
    this.#settleReady = {
      resolve: () => {
        ready.resolve(undefined);
      },
      reject: ready.reject,
    };
    this.#startThread();
    void this.#compile();
  }

  get stats(): RuntimeStats {
    return { restarts: this.#restarts, inFlight: this.#calls.size };
  }

  use(): Promise<RuntimeUse> {
    return this.#usage.read();
  }

  invoke(invocation: Invocation, outgoing: Outgoing): Promise<Payload> {
    const refused = this.#refusalOf(invocation);
    if (refused !== undefined) return Promise.reject(refused);
    return new Promise((resolve, reject) => {
      this.#admit(invocation, outgoing, resolve, reject);
      this.#pump();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#starting);
    const error = closing(this.#spec.name);
    this.#settleReady.reject(error);
    for (const call of [...this.#calls]) this.#fail(call, error);
    await this.#endAll();
  }

  #refusalOf({ signal, timeoutMs }: Invocation): CallError | undefined {
    if (this.#closed) return closing(this.#spec.name);
    if (signal.aborted) return cancelledBy(this.#spec.name);
    if (timeoutMs <= 0) return timedOut(this.#spec.name, 0);
    return this.#refusal;
  }

  #admit(
    invocation: Invocation,
    outgoing: Outgoing,
    resolve: (output: Payload) => void,
    reject: (error: CallError) => void,
  ): void {
    const call: WasmCall = {
      id: this.#nextId++,
      invocation,
      outgoing,
      resolve,
      reject,
      onAbort: () => {
        this.#cutShort(call, cancelledBy(this.#spec.name));
      },
      timer: setTimeout(
        () => {
          const waitedFor = call.slot === undefined ? this.#whatIsAwaited() : undefined;
          this.#cutShort(call, timedOut(this.#spec.name, invocation.timeoutMs, waitedFor));
        },
        Math.min(invocation.timeoutMs, TIMER_LIMIT_MS),
      ),
      slot: undefined,
    };
    invocation.signal.addEventListener('abort', call.onAbort, { once: true });
    this.#calls.add(call);
    this.#waiting.add(call);
  }

  #whatIsAwaited(): string {
    const busy = [...this.#slots].every((slot) => slot.call !== undefined);
    return busy && this.#slots.size > 0 ? 'all its threads were busy' : 'its thread is starting';
  }

  /** Gives waiting calls to idle threads, in order, and starts threads for what is left. */
  #pump(): void {
    for (const call of this.#waiting) {
      const idle = this.#idle();
      if (idle === undefined) break;
      this.#run(idle, call);
    }
    const starting = [...this.#slots].filter((slot) => !slot.thread.loaded).length;
    if (this.#waiting.size > starting || this.#slots.size === 0) this.#startSoon();
  }

  #idle(): Slot | undefined {
    for (const slot of this.#slots) if (slot.given && slot.call === undefined) return slot;
    return undefined;
  }

  #run(slot: Slot, call: WasmCall): void {
    this.#waiting.delete(call);
    slot.call = call;
    call.slot = slot;
    const input = copied(call.invocation.input);
    slot.thread.post({ kind: 'Run', id: call.id, input }, transferOf(input));
  }

  // ---- settling

  #settled(call: WasmCall): void {
    this.#calls.delete(call);
    this.#waiting.delete(call);
    clearTimeout(call.timer);
    call.invocation.signal.removeEventListener('abort', call.onAbort);
  }

  #fail(call: WasmCall, error: CallError): void {
    this.#settled(call);
    call.reject(error);
  }

  /** Deadline or cancellation: nothing else runs on its thread, so that is ended with it. */
  #cutShort(call: WasmCall, error: CallError): void {
    this.#fail(call, error);
    if (call.slot === undefined) return;
    call.slot.call = undefined;
    this.#drop(call.slot);
    this.#restarts += 1;
    this.#pump();
  }

  #heard(slot: Slot, message: FromWasm): void {
    const { call } = slot;
    this.#usage.saw(message.memoryBytes);
    this.#usage.slept(message.sleptMs);
    if (call?.id !== message.id) return;
    slot.call = undefined;
    this.#lines(call, message);
    this.#settled(call);
    if (message.kind === 'Result') call.resolve(message.output);
    else call.reject(CallError.fromWire(message.error));
    this.#pump();
  }

  #lines(call: WasmCall, { kind, stderr }: FromWasm): void {
    if (stderr === '') return;
    const level = kind === 'Failed' ? 'error' : 'info';
    for (const line of stderr.trimEnd().split('\n')) call.outgoing.log(level, cutLine(line));
  }

  // ---- module and threads

  async #compile(): Promise<void> {
    const { name, module, memoryBytes } = this.#spec;
    try {
      this.#module = await compileCommand(name, module, memoryBytes);
      for (const slot of this.#slots) this.#give(slot);
    } catch (thrown) {
      this.#refuse(CallError.from(thrown, name));
    }
  }

  /** The same bytes would not compile the next time either: there is no second attempt. */
  #refuse(error: CallError): void {
    if (this.#closed) return;
    this.#refusal = error;
    this.#settleReady.reject(error);
    this.#log('error', error.message);
    for (const call of [...this.#calls]) this.#fail(call, error);
    void this.#endAll();
  }

  #startSoon(): void {
    if (this.#closed || this.#refusal !== undefined || this.#starting !== undefined) return;
    if (this.#slots.size >= this.#limit) return;
    const pauseMs = this.#backoff.leftMs(performance.now());
    if (pauseMs === 0) this.#startThread();
    else
      this.#starting = setTimeout(() => {
        this.#starting = undefined;
        this.#pump();
      }, pauseMs);
  }

  #startThread(): void {
    const { name, env } = this.#spec;
    const thread: Slot['thread'] = new Thread<ToWasm, FromWasm>(
      {
        entry: 'wasmWorker',
        start: { name, env },
        resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
        log: this.#log,
      },
      {
        loaded: () => {
          this.#backoff.succeeded();
          this.#give(slot);
        },
        refused: (error) => {
          this.#lost(slot, { kind: 'NotLoaded', what: error.message }, false);
        },
        lost: (loss, wasLoaded) => {
          this.#lost(slot, loss, wasLoaded);
        },
        heard: (message) => {
          this.#heard(slot, message);
        },
      },
    );
    const slot: Slot = { thread, given: false, call: undefined };
    this.#slots.add(slot);
  }

  #give(slot: Slot): void {
    if (this.#module === undefined || !slot.thread.loaded || slot.given) return;
    slot.thread.post({ kind: 'Module', module: this.#module });
    slot.given = true;
    this.#usage.follow(slot.thread.worker);
    this.#settleReady.resolve();
    this.#pump();
  }

  #lost(slot: Slot, loss: Loss, wasLoaded: boolean): void {
    const { name, memoryBytes } = this.#spec;
    const error = threadLost(name, loss.kind === 'OutOfMemory' ? outOfMemory(memoryBytes) : loss.what);
    this.#log('error', error.message);
    this.#drop(slot);
    this.#restarts += 1;
    if (slot.call !== undefined) this.#fail(slot.call, error);
    if (!wasLoaded) {
      this.#backoff.failed(performance.now());
      this.#settleReady.reject(error);
    }
    this.#pump();
  }

  #drop(slot: Slot): void {
    this.#slots.delete(slot);
    this.#usage.leave(slot.thread.worker);
    void slot.thread.end();
  }

  async #endAll(): Promise<void> {
    const slots = [...this.#slots];
    this.#slots.clear();
    await Promise.all(slots.map((slot) => slot.thread.end()));
  }
}
