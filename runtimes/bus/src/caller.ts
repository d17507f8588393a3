/**
 * Calls over the bus: drives the contract's state machine with real messages and real time.
 *
 * Owns: reply addresses, timers, and what is left to do after a call was given up (telling a callee that accepts late to
 * stop). `calls.ts` of the contract decides; this carries out.
 * Invariant: one timer serves all calls in flight; a call costs no timer of its own.
 */
import {
  CallError,
  CallMachine,
  HOPS_LIMIT,
  callSubject,
  readAnswer,
  writeCall,
  writeCancel,
} from '@sinter/contract';
import type { CallHead, CallStep, CallTerms, Outcome, Payload, WorkflowKey } from '@sinter/contract';
import type { Msg } from '@nats-io/transport-node';
import type { Clock } from './clock.ts';
import { HeaderBlock, headersOf, isNoResponders } from './headers.ts';
import type { Link } from './link.ts';
import type { Rider, Session } from './session.ts';

/** Where a call goes. */
export interface Callee extends WorkflowKey {
  readonly revision: string;
  readonly function: string;
}

export type OutgoingHead = Omit<CallHead, 'attempt' | 'timeoutMs' | 'revision'>;

export interface CallerCounters {
  calls: number;
  /** Sends of an attempt that had been sent before: such a call may have run twice. */
  resends: number;
}

const TICK_MS = 5;
/** How long a call that was given up is remembered, to stop a callee that accepts it late. */
const LINGER_MS = 1_000;
const CONNECT_WAIT_MS = 2_000;
const EMPTY = new Uint8Array(0);

interface Pending {
  readonly machine: CallMachine;
  link: Link;
  readonly subject: string;
  readonly head: OutgoingHead & { readonly revision: string };
  readonly payload: Payload;
  readonly resolve: (outcome: Outcome) => void;
  reply: string;
  stop: () => void;
  forgetAtMs: number;
}

export class Caller implements Rider {
  readonly counters: CallerCounters = { calls: 0, resends: 0 };
  readonly #session: Session;
  readonly #clock: Clock;
  readonly #pending = new Set<Pending>();
  readonly #watched = new WeakSet<Link>();
  #timer: NodeJS.Timeout | undefined;

  constructor(session: Session, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
    session.add(this);
  }

  /** Calls a function and gives its outcome; never rejects. */
  async call(
    callee: Callee,
    head: OutgoingHead,
    payload: Payload,
    terms: CallTerms,
    signal?: AbortSignal,
  ): Promise<Outcome> {
    const refused = refusal(callee, head, signal);
    if (refused) return { ok: false, error: refused };
    const startedAt = this.#clock.now();
    if (!this.#session.link.up && !(await this.#session.whenUp(Math.min(CONNECT_WAIT_MS, terms.timeoutMs))))
      return { ok: false, error: disconnected(callee) };
    const left = terms.timeoutMs - (this.#clock.now() - startedAt);
    return await this.#start(callee, head, payload, { ...terms, timeoutMs: left }, signal);
  }

  async moved(): Promise<void> {
    // Nothing to move: new calls take the session's current link by themselves.
  }

  busy(link: Link): number {
    let n = 0;
    for (const p of this.#pending) if (p.link === link && !p.machine.settled) n += 1;
    return n;
  }

  #start(
    callee: Callee,
    head: OutgoingHead,
    payload: Payload,
    terms: CallTerms,
    signal: AbortSignal | undefined,
  ): Promise<Outcome> {
    this.counters.calls += 1;
    return new Promise<Outcome>((resolve) => {
      const link = this.#session.link;
      const p: Pending = {
        machine: new CallMachine(
          `${head.caller} → ${callee.function}`,
          terms,
          this.#clock.now(),
          link.roundTripMs,
        ),
        link,
        subject: callSubject(callee, callee.revision, callee.function),
        head: { ...head, revision: callee.revision },
        payload,
        resolve: (outcome) => {
          signal?.removeEventListener('abort', onAbort);
          resolve(outcome);
        },
        reply: '',
        stop: () => undefined,
        forgetAtMs: Infinity,
      };
      const onAbort = (): void => {
        this.#carryOut(p, p.machine.cancel());
      };
      this.#bind(p, link);
      this.#pending.add(p);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#carryOut(p, p.machine.start(this.#clock.now()));
      this.#timer ??= setInterval(() => {
        this.#tick();
      }, TICK_MS);
    });
  }

  #received(p: Pending, msg: Msg): void {
    const now = this.#clock.now();
    if (isNoResponders(msg)) {
      this.#carryOut(p, p.machine.noResponders(now));
      return;
    }
    const answer = readAnswer(headersOf(msg), msg.data);
    if (!answer) return;
    if (p.machine.settled) {
      if (answer.kind === 'Accepted') this.#tellToStop(p, answer.cancelTo);
      return;
    }
    this.#carryOut(p, p.machine.answer(answer, now));
  }

  #carryOut(p: Pending, step: CallStep): void {
    switch (step.do) {
      case 'Nothing':
        return;
      case 'Send':
        this.#send(p, step.attempt, step.timeoutMs);
        return;
      case 'Settle':
        this.counters.resends += p.machine.resends;
        if (step.cancelTo !== undefined) this.#tellToStop(p, step.cancelTo);
        if (givenUp(step.outcome) && step.cancelTo === undefined)
          p.forgetAtMs = this.#clock.now() + LINGER_MS;
        else this.#forget(p);
        p.resolve(step.outcome);
    }
  }

  /** Answers to this call come over that link from now on. */
  #bind(p: Pending, link: Link): void {
    p.stop();
    this.#watch(link);
    const expected = link.expect((msg) => {
      this.#received(p, msg);
    });
    p.link = link;
    p.reply = expected.reply;
    p.stop = () => {
      expected.stop();
    };
  }

  #send(p: Pending, attempt: number, timeoutMs: number): void {
    if (!p.link.up && p.link !== this.#session.link) this.#bind(p, this.#session.link);
    const headers = new HeaderBlock();
    writeCall(headers, { head: { ...p.head, attempt, timeoutMs }, payload: p.payload });
    p.link.publish(p.subject, p.payload.bytes, headers, p.reply);
  }

  #tellToStop(p: Pending, cancelTo: string): void {
    const headers = new HeaderBlock();
    writeCancel(headers, p.head.callId);
    p.link.publish(cancelTo, EMPTY, headers);
    this.#forget(p);
  }

  #tick(): void {
    const now = this.#clock.now();
    for (const p of this.#pending) {
      if (p.machine.settled) {
        if (now >= p.forgetAtMs) this.#forget(p);
      } else if (now >= p.machine.dueAtMs) this.#carryOut(p, p.machine.tick(now));
    }
    if (this.#pending.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  #forget(p: Pending): void {
    p.stop();
    this.#pending.delete(p);
  }

  /** A lost connection settles the calls on it at once: their answers cannot come any more. */
  #watch(link: Link): void {
    if (this.#watched.has(link)) return;
    this.#watched.add(link);
    link.onDown(() => {
      const now = this.#clock.now();
      for (const p of this.#pending) if (p.link === link) this.#carryOut(p, p.machine.connectionLost(now));
    });
  }
}

const givenUp = (outcome: Outcome): boolean =>
  !outcome.ok && (outcome.error.code === 'Timeout' || outcome.error.code === 'Cancelled');

function refusal(callee: Callee, head: OutgoingHead, signal: AbortSignal | undefined): CallError | undefined {
  if (head.hops >= HOPS_LIMIT)
    return new CallError(
      'TooManyHops',
      `${head.caller} → ${callee.function}: a chain has at most ${String(HOPS_LIMIT)} calls`,
    );
  if (signal?.aborted)
    return new CallError('Cancelled', `${head.caller} → ${callee.function}: cancelled by its caller`);
  return undefined;
}

const disconnected = (callee: Callee): CallError =>
  new CallError('BusUnavailable', `${callee.function} cannot be called: no server of the bus is reachable`);
