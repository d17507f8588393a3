/**
 * Calls over the bus: drives the contract's state machine with real messages and real time.
 *
 * Owns: reply addresses, timers, and what is left to do after a call was given up (telling a callee that accepts late to
 * stop). `calls.ts` of the contract decides; this carries out.
 * Invariants:
 *  1. One timer serves all calls in flight; a call costs no timer of its own.
 *  2. Every attempt has a reply address of its own, so that a late answer to an older one is known as such.
 *  3. A call stays on the link on which it was sent last; only a link that is down is left.
 */
import {
  ACCEPT_AFTER_MS,
  CallError,
  CallMachine,
  HOPS_LIMIT,
  Patience,
  callLabel,
  callSubject,
  isControl,
  readAnswer,
  within,
  writeCall,
  writeCancel,
} from '@sinter/contract';
import type { Answer, CallHead, CallStep, CallTerms, Outcome, Payload, WorkflowKey } from '@sinter/contract';
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
  readonly callee: Callee;
  link: Link;
  attempt: number;
  readonly head: OutgoingHead & { readonly revision: string };
  readonly payload: Payload;
  readonly resolve: (outcome: Outcome) => void;
  reply: string;
  /** First send of an attempt that no sign of life has come for; undefined: one has. */
  sentAtMs: number | undefined;
  /** Stops listening for answers, to whichever attempt. */
  readonly stops: (() => void)[];
  forgetAtMs: number;
}

export class Caller implements Rider {
  readonly counters: CallerCounters = { calls: 0, resends: 0 };
  readonly #session: Session;
  readonly #clock: Clock;
  readonly #patience = new Patience();
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
    const refused = refusal(callee, head, payload);
    if (refused) return { ok: false, error: refused };
    const startedAt = this.#clock.now();
    const waitMs = Math.max(0, Math.min(CONNECT_WAIT_MS, terms.timeoutMs));
    const up = this.#session.link.up || (await this.#session.whenUp(waitMs, signal));
    if (signal?.aborted) return { ok: false, error: cancelled(callee, head) };
    if (!up) return { ok: false, error: disconnected(callee) };
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
          callLabel(head.caller, callee.function),
          terms,
          this.#clock.now(),
          this.#patience.resendAfterMs(link.roundTripMs),
        ),
        callee,
        link,
        attempt: 0,
        head: { ...head, revision: callee.revision },
        payload,
        resolve: (outcome) => {
          signal?.removeEventListener('abort', onAbort);
          resolve(outcome);
        },
        reply: '',
        sentAtMs: undefined,
        stops: [],
        forgetAtMs: Infinity,
      };
      const onAbort = (): void => {
        this.#carryOut(p, p.machine.cancel());
      };
      this.#pending.add(p);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#carryOut(p, p.machine.start(this.#clock.now()));
      this.#timer ??= setInterval(() => {
        this.#tick();
      }, TICK_MS);
    });
  }

  #received(p: Pending, attempt: number, msg: Msg): void {
    const now = this.#clock.now();
    if (isNoResponders(msg)) {
      if (attempt === p.attempt) this.#carryOut(p, p.machine.noResponders(now));
      return;
    }
    const answer = readAnswer(headersOf(msg), msg.data);
    if (!answer) return;
    if (p.machine.settled) {
      if (answer.kind === 'Accepted') this.#tellToStop(p, answer.cancelTo);
      return;
    }
    if (attempt === p.attempt) this.#learn(p, answer, now);
    this.#carryOut(p, p.machine.answer(answer, now, attempt));
  }

  /** How long signs of life take; of a call that was sent again from its first send on: rather too long than too short. */
  #learn(p: Pending, answer: Answer, nowMs: number): void {
    if (p.sentAtMs === undefined) return;
    const onPurposeMs = answer.kind === 'Accepted' ? ACCEPT_AFTER_MS : 0;
    if (answer.kind !== 'Alive') this.#patience.heardAfter(Math.max(0, nowMs - p.sentAtMs - onPurposeMs));
    p.sentAtMs = undefined;
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

  /** Answers to this attempt come over that link from now on. */
  #bind(p: Pending, link: Link, attempt: number): void {
    this.#watch(link);
    const expected = link.expect((msg) => {
      this.#received(p, attempt, msg);
    });
    p.link = link;
    p.attempt = attempt;
    p.reply = expected.reply;
    p.sentAtMs = this.#clock.now();
    p.stops.push(() => {
      expected.stop();
    });
  }

  #send(p: Pending, attempt: number, timeoutMs: number): void {
    const link = p.attempt === attempt && p.link.up ? p.link : this.#session.link;
    if (link !== p.link || attempt !== p.attempt) this.#bind(p, link, attempt);
    const headers = new HeaderBlock();
    writeCall(headers, { head: { ...p.head, attempt, timeoutMs }, payload: p.payload });
    const subject = callSubject(p.callee, p.callee.revision, p.callee.function);
    if (!link.publish(subject, p.payload.bytes, headers, p.reply))
      this.#carryOut(p, p.machine.unsent(this.#clock.now()));
  }

  #tellToStop(p: Pending, cancelTo: string): void {
    if (isControl(p.callee, cancelTo)) {
      const headers = new HeaderBlock();
      writeCancel(headers, p.head.callId);
      const link = p.link.up ? p.link : this.#session.link;
      link.publish(cancelTo, EMPTY, headers);
    }
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
    for (const stop of p.stops) stop();
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

function refusal(callee: Callee, head: OutgoingHead, payload: Payload): CallError | undefined {
  const what = callLabel(head.caller, callee.function);
  if (head.hops >= HOPS_LIMIT)
    return new CallError('TooManyHops', `${what}: a chain has at most ${String(HOPS_LIMIT)} calls`);
  try {
    within(payload, `input of ${what}`);
    return undefined;
  } catch (tooLarge) {
    return CallError.from(tooLarge);
  }
}

const cancelled = (callee: Callee, head: OutgoingHead): CallError =>
  new CallError('Cancelled', `${callLabel(head.caller, callee.function)}: cancelled by its caller`);

const disconnected = (callee: Callee): CallError =>
  new CallError('BusUnavailable', `${callee.function} cannot be called: no server of the bus is reachable`);
