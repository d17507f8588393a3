/**
 * One worker thread, from its start to its end.
 *
 * Owns: what the thread is told at its start, its loading
 * within a bound, the telling of the ways in which it can die, and its standard streams as lines. Its neighbours
 * `jsRuntime.ts` and `wasmRuntime.ts` own the calls, and whether another thread follows.
 * Invariants:
 *  1. `loaded` or `refused` or `lost` is told once at the start; afterwards at most one `lost`. After `end` nothing is told.
 *  2. The thread gets nothing of the host's: `env` and `argv` are empty, the start data is the function's own (D11).
 *
 *   loading ── Loaded ──▶ loaded ── died ──▶ lost
 *      ├────── Refused ─▶ refused (the module is at fault: the same again would not help)
 *      └────── died, or silent for 10 s ───▶ lost
 */
import type { MessagePort, ResourceLimits, Transferable, Worker } from 'node:worker_threads';
import { CallError } from '@sinter/contract';
import { LineSplitter } from './lines.ts';
import type { Greeting, WorkerStart } from './protocol.ts';
import type { Log } from './runtime.ts';
import { hatch, takeSpare } from './spares.ts';
import type { WorkerName } from './workerUrl.ts';

/**
 * A module that has not loaded after this long never will: an endless loop or a wait at its top level. An emulated machine
 * on which everything starts at once has needed more than ten seconds.
 */
export const LOAD_LIMIT_MS = 25_000;

/** Node's exit code for a top-level await that nothing can settle any more. */
const NEVER_SETTLED = 13;

export interface ThreadOptions {
  readonly entry: WorkerName;
  readonly start: Omit<WorkerStart, 'port'>;
  readonly resourceLimits: ResourceLimits;
  readonly log: Log;
}

export interface ThreadEvents<From> {
  loaded(): void;
  refused(error: CallError): void;
  /** Died by itself, after it was loaded or before. */
  lost(loss: Loss, wasLoaded: boolean): void;
  heard(message: From): void;
}

/** How a thread died; `what` continues "function 'x' lost its thread: …". */
export type Loss =
  { readonly kind: 'OutOfMemory' } | { readonly kind: 'Died' | 'NotLoaded'; readonly what: string };

export class Thread<To, From extends { readonly kind: string }> {
  readonly worker: Worker;
  readonly #port: MessagePort;
  readonly #events: ThreadEvents<From>;
  #state: 'Loading' | 'Loaded' | 'Over' = 'Loading';
  readonly #loadTimer: NodeJS.Timeout;

  constructor(options: ThreadOptions, events: ThreadEvents<From>) {
    const { entry, start, resourceLimits } = options;
    const spare = takeSpare(entry, resourceLimits);
    const { worker, port } = spare ?? hatch(entry, start.name, resourceLimits, start);
    spare?.port.postMessage(start);
    this.worker = worker;
    this.#port = port;
    this.#events = events;
    this.#loadTimer = setTimeout(() => {
      this.#lost({ kind: 'NotLoaded', what: `it did not load within ${String(LOAD_LIMIT_MS / 1000)} s` });
    }, LOAD_LIMIT_MS);
    port.on('message', (message: Greeting | From) => {
      this.#heard(message);
    });
    this.#listenForDeath();
    this.#listenForLines(options.log);
  }

  get loaded(): boolean {
    return this.#state === 'Loaded';
  }

  post(message: To, transfer: readonly Transferable[] = []): void {
    if (this.#state !== 'Over') this.#port.postMessage(message, transfer);
  }

  /** Ends the thread, whatever it does; resolves when it is gone. */
  async end(): Promise<void> {
    this.#over();
    await this.worker.terminate();
  }

  #over(): void {
    this.#state = 'Over';
    clearTimeout(this.#loadTimer);
    this.#port.close();
  }

  #heard(message: Greeting | From): void {
    if (this.#state === 'Over') return;
    if (this.#state === 'Loaded') {
      this.#events.heard(message as From);
      return;
    }
    // What a module logs at its top level comes before the greeting.
    if (message.kind === 'Loaded' || message.kind === 'Refused') this.#greeted(message as Greeting);
    else this.#events.heard(message as From);
  }

  #greeted(greeting: Greeting): void {
    if (greeting.kind === 'Loaded') {
      this.#state = 'Loaded';
      clearTimeout(this.#loadTimer);
      this.#events.loaded();
      return;
    }
    void this.end();
    this.#events.refused(CallError.fromWire(greeting.error));
  }

  #lost(loss: Loss): void {
    if (this.#state === 'Over') return;
    const wasLoaded = this.loaded;
    void this.end();
    this.#events.lost(loss, wasLoaded);
  }

  #listenForDeath(): void {
    this.worker.on('error', (error: Error) => {
      const outOfMemory = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      this.#lost(outOfMemory ? { kind: 'OutOfMemory' } : { kind: 'Died', what: `it threw ${String(error)}` });
    });
    this.worker.on('exit', (code) => {
      const what =
        code === NEVER_SETTLED
          ? 'a top-level await in it never ends'
          : `it ended itself (exit code ${String(code)})`;
      this.#lost({ kind: 'Died', what });
    });
  }

  #listenForLines(log: Log): void {
    const out = new LineSplitter((line) => {
      log('info', line);
    });
    const err = new LineSplitter((line) => {
      log('warn', line);
    });
    this.worker.stdout.on('data', (chunk: Buffer) => {
      out.push(chunk);
    });
    this.worker.stderr.on('data', (chunk: Buffer) => {
      err.push(chunk);
    });
  }
}
