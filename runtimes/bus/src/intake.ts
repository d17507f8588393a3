/**
 * Calls that come in, whatever link brought them: accepted once, kept alive, answered, cancelled.
 *
 * Owns: the memory of accepted calls (a resend of one is answered, never run again), signs of life, deadlines, and which
 * frame answers what. `listener.ts` brings the messages; `run` (the host, a sidecar) does the work.
 * Invariants:
 *  1. One attempt of a call id runs at most once in this instance.
 *  2. Every accepted call is answered: with a result, or with a code.
 *  3. One timer serves all running calls.
 */
import {
  ACCEPT_AFTER_MS,
  ALIVE_EVERY_MS,
  CallError,
  HOPS_LIMIT,
  NO_ROOM,
  controlSubject,
  readCall,
  readCancel,
  within,
  writeAnswer,
} from '@sinter/contract';
import type { Answer, Call, Payload } from '@sinter/contract';
import type { Msg } from '@nats-io/transport-node';
import type { Clock } from './clock.ts';
import type { Gate } from './gate.ts';
import { HeaderBlock, headersOf } from './headers.ts';
import type { HeaderMap } from './headers.ts';
import type { Link } from './link.ts';

/** Runs a call that has been let in; rejects with a CallError. */
export type Run = (fn: string, call: Call, signal: AbortSignal) => Promise<Payload>;

export interface IntakeOptions {
  readonly machine: string;
  readonly instance: string;
  readonly clock: Clock;
  readonly run: Run;
  readonly gateOf: (fn: string) => Gate | undefined;
  /** The link in use: answers go over it when the one that brought the call is down. */
  readonly link?: () => Link;
}

export interface IntakeCounters {
  accepted: number;
  /** Resends of calls that had been accepted here: dropped. */
  repeated: number;
  refused: number;
  unreadable: number;
}

const SWEEP_MS = 25;
const REMEMBER_MS = 10_000;
/** A larger result is not kept, nor are more bytes than this in all: who asks again for one of these is told so. */
const REMEMBER_BYTES = 64 * 1024;
const REMEMBER_BYTES_IN_ALL = 16 * 1024 * 1024;

interface Accepted {
  readonly callId: string;
  readonly startedAtMs: number;
  readonly abort: AbortController;
  /** The last who asked: a resend may come over another link. */
  link: Link;
  reply: string;
  saidAccepted: boolean;
  lastAliveAtMs: number;
  deadlineAtMs: number;
}

/** A call that was answered: what is left of it, for who asks again. */
interface Done {
  readonly answer: Answer;
  readonly bytes: number;
  readonly answeredAtMs: number;
}

export class Intake {
  readonly counters: IntakeCounters = { accepted: 0, repeated: 0, refused: 0, unreadable: 0 };
  readonly #options: IntakeOptions;
  readonly #running = new Map<string, Accepted>();
  /** In the order of their end, so that forgetting looks at the front only. */
  readonly #done = new Map<string, Done>();
  #doneBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  busy(link: Link): number {
    let n = 0;
    for (const a of this.#running.values()) if (a.link === link) n += 1;
    return n;
  }

  get running(): number {
    return this.#running.size;
  }

  /** A message on a function's subject whose reply address has been judged. */
  receive(fn: string, msg: Msg, link: Link, headers: HeaderMap | undefined = headersOf(msg)): void {
    const reply = msg.reply ?? '';
    const call = readCall(headers, msg.data);
    if ('unreadable' in call) {
      this.counters.unreadable += 1;
      this.#reply(
        link,
        reply,
        this.#error(new CallError('FunctionFailed', call.unreadable, { reason: 'BadFrame' })),
      );
      return;
    }
    const key = `${fn}/${call.head.callId}/${String(call.head.attempt)}`;
    const running = this.#running.get(key);
    const done = this.#done.get(key);
    if (running || done) this.counters.repeated += 1;
    if (running) this.#again(running, link, reply);
    else if (done) this.#reply(link, reply, done.answer);
    else this.#admit(key, fn, call, link, reply);
  }

  /** A message on the instance's control address. */
  control(msg: Msg): void {
    const callId = readCancel(headersOf(msg));
    if (callId === undefined) return;
    for (const a of this.#running.values())
      if (a.callId === callId) a.abort.abort(new CallError('Cancelled', 'cancelled by its caller'));
  }

  #admit(key: string, fn: string, call: Call, link: Link, reply: string): void {
    const gate = this.#options.gateOf(fn);
    const refused = this.#refusal(fn, call, gate);
    if (!gate || refused) {
      this.counters.refused += 1;
      if (refused) this.#reply(link, reply, this.#error(refused));
      return;
    }
    const now = this.#options.clock.now();
    const accepted: Accepted = {
      callId: call.head.callId,
      startedAtMs: now,
      abort: new AbortController(),
      link,
      reply,
      saidAccepted: false,
      lastAliveAtMs: now,
      deadlineAtMs: now + call.head.timeoutMs,
    };
    this.counters.accepted += 1;
    this.#running.set(key, accepted);
    // Not a reason for the process to live on: what is remembered of ended calls would keep it for ten seconds.
    this.#timer ??= setInterval(() => {
      this.#sweep();
    }, SWEEP_MS).unref();
    void this.#run(key, fn, call, accepted, gate);
  }

  #refusal(fn: string, call: Call, gate: Gate | undefined): CallError | undefined {
    if (call.head.hops > HOPS_LIMIT)
      return new CallError('TooManyHops', `${fn}: a chain has at most ${String(HOPS_LIMIT)} calls`);
    if (gate && !gate.overfull) return undefined;
    const why = gate ? 'has no room' : `does not serve '${fn}' any more`;
    return new CallError('Overloaded', `instance ${this.#options.instance} ${why}`, { reason: NO_ROOM });
  }

  async #run(key: string, fn: string, call: Call, a: Accepted, gate: Gate): Promise<void> {
    let answer: Answer;
    try {
      const entered = gate.enter(a.abort.signal);
      if (entered === true || (await entered)) {
        try {
          const left = Math.max(1, a.deadlineAtMs - this.#options.clock.now());
          const head = { ...call.head, timeoutMs: left };
          const payload = await this.#options.run(fn, { head, payload: call.payload }, a.abort.signal);
          answer = {
            kind: 'Result',
            payload: within(payload, `result of ${fn}`),
            machine: this.#options.machine,
            instance: this.#options.instance,
            tookMs: this.#options.clock.now() - a.startedAtMs,
          };
        } finally {
          gate.leave();
        }
      } else throw a.abort.signal.reason;
    } catch (thrown) {
      // Why it was stopped is known here: who runs it sees an aborted signal, be it by its caller or by the clock.
      const { signal } = a.abort;
      answer = this.#error(CallError.from(signal.aborted ? signal.reason : thrown, fn));
    }
    this.#running.delete(key);
    this.#reply(a.link, a.reply, answer);
    this.#remember(key, answer);
  }

  #remember(key: string, answer: Answer): void {
    const bytes = answer.kind === 'Result' ? answer.payload.bytes.byteLength : 0;
    const keep = bytes <= REMEMBER_BYTES && this.#doneBytes + bytes <= REMEMBER_BYTES_IN_ALL;
    const kept = keep
      ? answer
      : this.#error(new CallError('CalleeLost', 'the result was sent once and is too large to be kept'));
    this.#doneBytes += keep ? bytes : 0;
    this.#done.set(key, {
      answer: kept,
      bytes: keep ? bytes : 0,
      answeredAtMs: this.#options.clock.now(),
    });
  }

  #again(a: Accepted, link: Link, reply: string): void {
    a.link = link;
    a.reply = reply;
    this.#sayAccepted(a);
  }

  #sweep(): void {
    const now = this.#options.clock.now();
    for (const a of this.#running.values()) {
      if (!a.saidAccepted) {
        if (now - a.startedAtMs >= ACCEPT_AFTER_MS) this.#sayAccepted(a);
      } else if (now - a.lastAliveAtMs >= ALIVE_EVERY_MS && now < a.deadlineAtMs) {
        a.lastAliveAtMs = now;
        this.#reply(a.link, a.reply, { kind: 'Alive', instance: this.#options.instance });
      }
      if (now >= a.deadlineAtMs)
        a.abort.abort(new CallError('Timeout', `no result within the caller's time`));
    }
    for (const [key, { bytes, answeredAtMs }] of this.#done) {
      if (now - answeredAtMs < REMEMBER_MS) break;
      this.#done.delete(key);
      this.#doneBytes -= bytes;
    }
    if (this.#running.size === 0 && this.#done.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  #sayAccepted(a: Accepted): void {
    a.saidAccepted = true;
    a.lastAliveAtMs = this.#options.clock.now();
    this.#reply(a.link, a.reply, {
      kind: 'Accepted',
      cancelTo: controlSubject(this.#alive(a.link).inbox),
      machine: this.#options.machine,
      instance: this.#options.instance,
    });
  }

  #error(error: CallError): Answer {
    return { kind: 'Error', error, machine: this.#options.machine, instance: this.#options.instance };
  }

  #reply(link: Link, to: string, answer: Answer): void {
    if (to === '') return;
    const headers = new HeaderBlock();
    const bytes = writeAnswer(headers, answer);
    this.#alive(link).publish(to, bytes, headers);
  }

  /** The link that brought a call, or the one in use where that is down. */
  #alive(link: Link): Link {
    return link.up ? link : (this.#options.link?.() ?? link);
  }
}
