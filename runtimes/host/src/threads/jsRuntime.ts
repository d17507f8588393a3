/**
 * A JavaScript function on the main thread: its calls, and the one thread after the other that runs them (D4).
 *
 * Owns: settling of invocations (result, timeout, cancellation, loss), nested requests of a running call, and when a new
 * thread is started. `thread.ts` owns the life of one thread, `jsWorker.ts` what happens in it.
 * Invariants:
 *  1. `#calls` holds exactly the invocations that are not settled; one timer each.
 *  2. A call that was settled here without its function must be acknowledged by the thread (`Aborted`, or its late
 *     result) within a second of its deadline, or the thread is taken for stuck and ended.
 *  3. While an acknowledgement is missing new calls wait: a stuck thread takes with it only what it had begun.
 *  4. What a settled call had asked for is cancelled (`send` is not: it was handed on).
 *
 *   waiting ── thread loaded ──▶ running ── Result, Failed ─────────────▶ settled
 *      │                            ├────── deadline, cancellation ─────▶ settled, unacknowledged ── 1 s ──▶ thread ended
 *      │                            └────── thread lost ────────────────▶ settled
 *      └── deadline, cancellation, module refused ──────────────────────▶ settled
 */
import { CallError } from '@sinter/contract';
import type { Payload } from '@sinter/contract';
import { Backoff } from './backoff.ts';
import { cancelledBy, closing, outOfMemory, threadLost, timedOut } from './losses.ts';
import { MemoryWatch, resourceLimits } from './memoryWatch.ts';
import type { Sample } from './memoryWatch.ts';
import { copied, transferOf } from './protocol.ts';
import type { FromJs, ToJs } from './protocol.ts';
import type { FunctionRuntime, FunctionSpec, Invocation, Log, Outgoing, RuntimeStats } from './runtime.ts';
import { Thread } from './thread.ts';
import type { Loss } from './thread.ts';
import { Usage } from './usage.ts';
import type { RuntimeUse } from './usage.ts';

/** A thread that has not answered this long after a deadline is stuck. */
export const ANSWER_LIMIT_MS = 1_000;
/** The longest that a timer of Node can run, in milliseconds. */
const TIMER_LIMIT_MS = 2 ** 31 - 1;

interface RunningCall {
  readonly id: number;
  readonly invocation: Invocation;
  readonly outgoing: Outgoing;
  readonly deadlineAtMs: number;
  readonly resolve: (output: Payload) => void;
  readonly reject: (error: CallError) => void;
  readonly onAbort: () => void;
  timer: NodeJS.Timeout;
  posted: boolean;
  /** Controllers of its nested calls, by seq; made with the first. */
  nested: Map<number, AbortController> | undefined;
}

type JsThread = Thread<ToJs, FromJs>;

export class JavaScriptRuntime implements FunctionRuntime {
  readonly ready: Promise<void>;
  readonly #spec: FunctionSpec;
  readonly #log: Log;
  readonly #calls = new Map<number, RunningCall>();
  /** Settled calls that the thread has not acknowledged, with the timer of their last moment. */
  readonly #unacknowledged = new Map<number, NodeJS.Timeout>();
  readonly #backoff = new Backoff();
  readonly #usage = new Usage('JavaScript');
  #thread: JsThread | undefined;
  #watch: MemoryWatch | undefined;
  #starting: NodeJS.Timeout | undefined;
  /** Why the last thread did not load; while set, and within the back-off, calls get it at once. */
  #refusal: CallError | undefined;
  #lastLoss: string | undefined;
  #everLoaded = false;
  #closed = false;
  #starts = 0;
  #nextId = 1;
  #settleReady: { resolve: () => void; reject: (error: CallError) => void };

  constructor(spec: FunctionSpec, log: Log) {
    this.#spec = spec;
    this.#log = log;
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
    this.#start();
  }

  get stats(): RuntimeStats {
    return { restarts: Math.max(0, this.#starts - 1), inFlight: this.#calls.size };
  }

  use(): Promise<RuntimeUse> {
    return this.#usage.read();
  }

  invoke(invocation: Invocation, outgoing: Outgoing): Promise<Payload> {
    const refused = this.#refusalOf(invocation);
    if (refused !== undefined) return Promise.reject(refused);
    return new Promise((resolve, reject) => {
      const call = this.#admit(invocation, outgoing, resolve, reject);
      if (this.#thread === undefined) this.#startSoon();
      else if (this.#thread.loaded && this.#unacknowledged.size === 0) this.#post(this.#thread, call);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#starting);
    const error = closing(this.#spec.name);
    for (const call of [...this.#calls.values()]) this.#fail(call, error);
    this.#settleReady.reject(error);
    await this.#drop();
  }

  #refusalOf({ signal, timeoutMs }: Invocation): CallError | undefined {
    if (this.#closed) return closing(this.#spec.name);
    if (signal.aborted) return cancelledBy(this.#spec.name);
    if (timeoutMs <= 0) return timedOut(this.#spec.name, 0);
    const pausing = this.#thread === undefined && this.#backoff.leftMs(performance.now()) > 0;
    return pausing ? this.#refusal : undefined;
  }

  #admit(
    invocation: Invocation,
    outgoing: Outgoing,
    resolve: (output: Payload) => void,
    reject: (error: CallError) => void,
  ): RunningCall {
    const call: RunningCall = {
      id: this.#nextId++,
      invocation,
      outgoing,
      deadlineAtMs: performance.now() + invocation.timeoutMs,
      resolve,
      reject,
      onAbort: () => {
        this.#cancelled(call);
      },
      timer: setTimeout(
        () => {
          this.#outOfTime(call);
        },
        Math.min(invocation.timeoutMs, TIMER_LIMIT_MS),
      ),
      posted: false,
      nested: undefined,
    };
    invocation.signal.addEventListener('abort', call.onAbort, { once: true });
    this.#calls.set(call.id, call);
    return call;
  }

  #post(thread: JsThread, call: RunningCall): void {
    call.posted = true;
    const input = copied(call.invocation.input);
    thread.post({ kind: 'Call', id: call.id, callId: call.invocation.callId, input }, transferOf(input));
    this.#watch?.wake();
  }

  // ---- settling

  #settled(call: RunningCall): void {
    this.#calls.delete(call.id);
    clearTimeout(call.timer);
    call.invocation.signal.removeEventListener('abort', call.onAbort);
    if (call.nested === undefined) return;
    const reason = new CallError('Cancelled', `its caller '${this.#spec.name}' has ended`);
    for (const controller of call.nested.values()) controller.abort(reason);
  }

  #fail(call: RunningCall, error: CallError): void {
    this.#settled(call);
    call.reject(error);
  }

  #outOfTime(call: RunningCall): void {
    const waitedFor = call.posted
      ? undefined
      : (this.#lastLoss ?? 'its thread is starting, or does not answer');
    const error = timedOut(this.#spec.name, call.invocation.timeoutMs, waitedFor);
    this.#fail(call, error);
    this.#expectAnswer(call, error);
  }

  #cancelled(call: RunningCall): void {
    const error = cancelledBy(this.#spec.name);
    this.#fail(call, error);
    this.#expectAnswer(call, error);
  }

  /** Tells the thread to end a settled call, and takes the thread for stuck when it does not acknowledge in time. */
  #expectAnswer(call: RunningCall, error: CallError): void {
    const thread = this.#thread;
    if (!call.posted || thread === undefined) return;
    thread.post({ kind: 'Abort', id: call.id, error: error.toWire() });
    const graceMs = Math.max(0, call.deadlineAtMs - performance.now()) + ANSWER_LIMIT_MS;
    const timer = setTimeout(
      () => {
        this.#lose(
          thread,
          `it did not answer for ${String(ANSWER_LIMIT_MS / 1000)} s after a deadline: an endless loop, or work that never awaits`,
        );
      },
      Math.min(graceMs, TIMER_LIMIT_MS),
    );
    this.#unacknowledged.set(call.id, timer);
  }

  #acknowledged(id: number): void {
    clearTimeout(this.#unacknowledged.get(id));
    this.#unacknowledged.delete(id);
    if (this.#unacknowledged.size === 0) this.#postWaiting();
  }

  #postWaiting(): void {
    if (!this.#thread?.loaded) return;
    for (const call of this.#calls.values()) if (!call.posted) this.#post(this.#thread, call);
  }

  // ---- what the thread says

  #heard(thread: JsThread, message: FromJs): void {
    switch (message.kind) {
      case 'Result':
      case 'Failed':
        this.#finished(message);
        return;
      case 'Aborted':
        this.#acknowledged(message.id);
        return;
      case 'Ask':
        void this.#ask(thread, message);
        return;
      case 'Unask':
        this.#calls.get(message.id)?.nested?.get(message.seq)?.abort(cancelledBy(this.#spec.name));
        return;
      case 'Send':
        void this.#send(thread, message);
        return;
      case 'Log':
        this.#line(message);
        return;
    }
  }

  #finished(message: Extract<FromJs, { kind: 'Result' | 'Failed' }>): void {
    const call = this.#calls.get(message.id);
    if (call === undefined) {
      this.#acknowledged(message.id);
      return;
    }
    this.#settled(call);
    if (message.kind === 'Result') call.resolve(message.output);
    else call.reject(CallError.fromWire(message.error));
  }

  async #ask(
    thread: JsThread,
    { id, seq, callee, input, timeoutMs }: Extract<FromJs, { kind: 'Ask' }>,
  ): Promise<void> {
    const call = this.#calls.get(id);
    // Its call was settled meanwhile: the worker has told the function so, or will with the Abort that is under way.
    if (call === undefined) return;
    const controller = new AbortController();
    const nested = (call.nested ??= new Map<number, AbortController>());
    nested.set(seq, controller);
    const options = { signal: controller.signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    try {
      const output = copied(await call.outgoing.call(callee, input, options));
      thread.post({ kind: 'Answer', seq, output }, transferOf(output));
    } catch (thrown) {
      thread.post({ kind: 'Denied', seq, error: CallError.from(thrown, callee).toWire() });
    } finally {
      nested.delete(seq);
    }
  }

  async #send(thread: JsThread, message: Extract<FromJs, { kind: 'Send' }>): Promise<void> {
    const { id, seq, callee, input, key, startDeadlineMs } = message;
    const call = this.#calls.get(id);
    if (call === undefined) return;
    try {
      const callId = await call.outgoing.send(callee, input, {
        ...(key === undefined ? {} : { key }),
        ...(startDeadlineMs === undefined ? {} : { startDeadlineMs }),
      });
      thread.post({ kind: 'Sent', seq, callId });
    } catch (thrown) {
      thread.post({ kind: 'Denied', seq, error: CallError.from(thrown, callee).toWire() });
    }
  }

  #line({ id, level, text }: Extract<FromJs, { kind: 'Log' }>): void {
    const call = id === undefined ? undefined : this.#calls.get(id);
    if (call === undefined) this.#log(level, text);
    else call.outgoing.log(level, text);
  }

  // ---- threads

  #start(): void {
    this.#starting = undefined;
    this.#starts += 1;
    const { name, env, module, memoryBytes } = this.#spec;
    const thread: JsThread = new Thread<ToJs, FromJs>(
      {
        entry: 'jsWorker',
        start: { name, env, source: module },
        resourceLimits: resourceLimits(memoryBytes),
        log: this.#log,
      },
      {
        loaded: () => {
          this.#loaded(thread);
        },
        refused: (error) => {
          this.#notLoaded(error, error);
        },
        lost: (loss, wasLoaded) => {
          if (wasLoaded) this.#lose(thread, this.#sentence(loss));
          else this.#notLoaded(this.#loadFailed(loss));
        },
        heard: (message) => {
          this.#heard(thread, message);
        },
      },
    );
    this.#thread = thread;
    const isBusy = (): boolean => !thread.loaded || this.#calls.size + this.#unacknowledged.size > 0;
    const exceeded = (): void => {
      if (thread.loaded) this.#lose(thread, outOfMemory(memoryBytes));
      else this.#notLoaded(this.#loadFailed({ kind: 'OutOfMemory' }));
    };
    const seen = ({ heapBytes, bufferBytes }: Sample): void => {
      this.#usage.saw(heapBytes + bufferBytes);
    };
    this.#watch = new MemoryWatch(thread.worker, memoryBytes, isBusy, exceeded, seen);
    this.#watch.wake();
  }

  #loaded(thread: JsThread): void {
    this.#usage.follow(thread.worker);
    this.#everLoaded = true;
    this.#refusal = undefined;
    this.#lastLoss = undefined;
    this.#backoff.succeeded();
    this.#settleReady.resolve();
    this.#postWaiting();
  }

  /** With `refusal` the module itself says no, and who waits is told; without, the thread died and is tried again. */
  #notLoaded(error: CallError, refusal?: CallError): void {
    void this.#drop();
    this.#backoff.failed(performance.now());
    this.#refusal = refusal;
    this.#lastLoss = error.message;
    this.#settleReady.reject(error);
    this.#log('error', error.message);
    if (refusal !== undefined) for (const call of [...this.#calls.values()]) this.#fail(call, refusal);
    else if (this.#everLoaded || this.#calls.size > 0) this.#startSoon();
  }

  #lose(thread: JsThread, why: string): void {
    if (this.#thread !== thread) return;
    void this.#drop();
    const error = threadLost(this.#spec.name, why);
    this.#log('error', error.message);
    for (const call of [...this.#calls.values()]) if (call.posted) this.#fail(call, error);
    this.#startSoon();
  }

  #startSoon(): void {
    if (this.#closed || this.#thread !== undefined || this.#starting !== undefined) return;
    const pauseMs = this.#backoff.leftMs(performance.now());
    if (pauseMs === 0) this.#start();
    else
      this.#starting = setTimeout(() => {
        this.#start();
      }, pauseMs);
  }

  async #drop(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    this.#watch?.stop();
    for (const timer of this.#unacknowledged.values()) clearTimeout(timer);
    this.#unacknowledged.clear();
    if (thread) this.#usage.leave(thread.worker);
    await thread?.end();
  }

  #sentence(loss: Loss): string {
    return loss.kind === 'OutOfMemory' ? outOfMemory(this.#spec.memoryBytes) : loss.what;
  }

  #loadFailed(loss: Loss): CallError {
    const message = `function '${this.#spec.name}' could not be loaded: ${this.#sentence(loss)}`;
    return new CallError('FunctionFailed', message, { reason: 'LoadFailed', function: this.#spec.name });
  }
}
