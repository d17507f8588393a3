/**
 * The life of one call, seen by its caller: a pure state machine (D4).
 *
 * Owns: when to send, send again, wait for room, try again, give up, and with which code. It neither reads a clock nor
 * touches a network: the driver hands it the time, and carries out what `CallStep` says.
 * Invariants:
 *  1. A call is settled exactly once, at the latest at its deadline.
 *  2. Silence is answered by a resend under the same attempt, which instances that have accepted it drop; only the
 *     edge's `retry` raises the attempt, and so may run the function again.
 *  3. No answer and no sign of life within LOST_AFTER_MS settles the call: no caller hangs for the length of its timeout.
 *
 *            ┌── no responders / no room ──▶ NoRoom ──▶ (send again, until the deadline: Overloaded)
 *            │        └── no responders, and the caller has somewhere else to go ──▶ settled
 *            ├── the link is down ─────────▶ NoLink ──▶ (send again, for LINK_WAIT_MS: BusUnavailable, ConnectionLost)
 *   Sent ────┼── Accepted, Alive ──────────▶ Accepted ── silence ──▶ CalleeLost ── retry? ──▶ Backoff ──▶ Sent
 *            ├── silence, ≤ 5 sends ───────▶ Sent
 *            └── Result, Error ────────────▶ settled
 */
import { CallError } from './errors.ts';
import type { ErrorCode } from './errors.ts';
import type { Answer } from './frames.ts';
import type { RetryTerms } from './routes.ts';
import type { Payload } from './values.ts';

/** A callee that has no result yet says so after this long. */
export const ACCEPT_AFTER_MS = 50;
/** A callee that runs says so this often. */
export const ALIVE_EVERY_MS = 1_000;
/** A caller that has heard nothing for this long, of a call that was accepted or sent as often as may be, gives it up. */
export const LOST_AFTER_MS = 2_500;
/**
 * Sends of one attempt into silence. Each can be lost where interest goes while it is under way, which happens over and over
 * where all are full; the last ones are for servers that first have to notice the loss of another one.
 */
export const SENDS_LIMIT = 5;
/** Twice as long before each further send, up to this. */
export const RESEND_PAUSE_LIMIT_MS = 800;
/** First and longest pause while nobody has room. */
export const ROOM_PAUSE_MS = 2;
export const ROOM_PAUSE_LIMIT_MS = 50;
/** So long a call waits for room whose caller has somewhere else to go: a callee may be full for a moment. */
export const ELSEWHERE_AFTER_MS = 200;
/** How long a send waits for the connection to come back. */
export const LINK_WAIT_MS = 2_000;
const LINK_PAUSE_MS = 20;

/** Why a callee refuses a call that it has not accepted: the caller waits for room, as with no responders. */
export const NO_ROOM = 'NoRoom';

export interface CallTerms {
  /** The whole call, waiting and all attempts included. */
  readonly timeoutMs: number;
  readonly retry?: RetryTerms;
  /** Where nobody listens the call waits for room; where its caller has somewhere else to go, not for long. */
  readonly onNobody?: 'GiveUp';
}

export type Outcome =
  | {
      readonly ok: true;
      readonly payload: Payload;
      readonly machine: string;
      readonly instance: string;
      /** How long the callee had it, in milliseconds, where it says so. */
      readonly tookMs?: number;
    }
  /** `foundNobody`: given up where nobody listened, so it certainly ran nowhere. */
  | { readonly ok: false; readonly error: CallError; readonly foundNobody?: true };

export type CallStep =
  | { readonly do: 'Nothing' }
  /** Send (again) with this attempt and so much time left. */
  | { readonly do: 'Send'; readonly attempt: number; readonly timeoutMs: number }
  /** Done; and where `cancelTo` is given, tell the callee to stop. */
  | { readonly do: 'Settle'; readonly outcome: Outcome; readonly cancelTo?: string };

const NOTHING: CallStep = { do: 'Nothing' };

type Phase = 'Sent' | 'NoRoom' | 'NoLink' | 'Accepted' | 'Backoff' | 'Settled';

/** One call of a caller. The driver calls these methods in the order in which things happen to it. */
export class CallMachine {
  readonly #what: string;
  readonly #terms: CallTerms;
  readonly #deadlineAtMs: number;
  readonly #resendAfterMs: number;
  #phase: Phase = 'Sent';
  #attempt = 1;
  #sends = 0;
  #sendsInAll = 0;
  /** First of the sends that nothing has been heard of. */
  #silentSinceMs = 0;
  /** The last send, which was not the first, found nobody. */
  #foundNobody = false;
  /** When the server said for the first time that nobody listens. */
  #nobodySinceMs: number | undefined;
  #resends = 0;
  #pauses = 0;
  #linkDownAtMs: number | undefined;
  #nextAtMs = 0;
  #cancelTo: string | undefined;

  /** `what` names the call in messages: `ingest → count`. `resendAfterMs`: the first wait for a sign of life (`patience.ts`). */
  constructor(what: string, terms: CallTerms, nowMs: number, resendAfterMs: number) {
    this.#what = what;
    this.#terms = terms;
    this.#deadlineAtMs = nowMs + (Number.isNaN(terms.timeoutMs) ? 0 : terms.timeoutMs);
    this.#resendAfterMs = resendAfterMs;
  }

  /** When the driver has to call `tick` at the latest. */
  get dueAtMs(): number {
    return Math.min(this.#nextAtMs, this.#deadlineAtMs);
  }

  get settled(): boolean {
    return this.#phase === 'Settled';
  }

  /** How often an attempt was sent again into silence: such a call may have run twice. */
  get resends(): number {
    return this.#resends;
  }

  start(nowMs: number): CallStep {
    if (nowMs >= this.#deadlineAtMs) return this.#giveUp(this.#outOfTime());
    return this.#send(nowMs);
  }

  /**
   * A frame came. `attempt` says which attempt it answers: of an older one only a result counts, because its error has
   * been dealt with and its signs of life are not this attempt's.
   */
  answer(answer: Answer, nowMs: number, attempt = this.#attempt): CallStep {
    if (this.#phase === 'Settled') return NOTHING;
    if (attempt !== this.#attempt && answer.kind !== 'Result') return NOTHING;
    switch (answer.kind) {
      case 'Result': {
        const { payload, machine, instance, tookMs } = answer;
        const outcome = { ok: true, payload, machine, instance } as const;
        return this.#settle(tookMs === undefined ? outcome : { ...outcome, tookMs });
      }
      case 'Error':
        if (answer.error.code === 'Overloaded' && answer.error.reason === NO_ROOM)
          return this.#waitForRoom(nowMs);
        return this.#failed(answer.error, nowMs);
      case 'Accepted':
        this.#cancelTo = answer.cancelTo;
        return this.#lives(nowMs);
      case 'Alive':
        // Its Accepted may have been lost: it runs all the same.
        return this.#lives(nowMs);
    }
  }

  /** What was to be sent could not be: the connection is down. Tried again for LINK_WAIT_MS. */
  unsent(nowMs: number): CallStep {
    if (this.#phase !== 'Sent') return NOTHING;
    this.#sends -= 1;
    this.#sendsInAll -= 1;
    if (this.#sends > 0) this.#resends -= 1;
    this.#linkDownAtMs ??= nowMs;
    if (nowMs - this.#linkDownAtMs >= LINK_WAIT_MS) return this.#failed(this.#linkLost(), nowMs);
    this.#phase = 'NoLink';
    this.#nextAtMs = nowMs + LINK_PAUSE_MS;
    return NOTHING;
  }

  /** The server says that nobody listens: nobody is there, or all are full (D17). */
  noResponders(nowMs: number): CallStep {
    if (this.#phase !== 'Sent') return NOTHING;
    if (this.#sends === 1) {
      this.#nobodySinceMs ??= nowMs;
      const isSoon = nowMs - this.#nobodySinceMs < ELSEWHERE_AFTER_MS;
      if (this.#terms.onNobody === undefined || isSoon) return this.#waitForRoom(nowMs);
      const error = this.#error('Overloaded', 'no instance listens');
      return this.#settle({ ok: false, error, foundNobody: true });
    }
    // A resend may find nobody while the first send still runs, and is about to say so.
    this.#foundNobody = true;
    this.#nextAtMs = Math.min(this.#nextAtMs, nowMs + this.#resendAfterMs);
    return NOTHING;
  }

  connectionLost(nowMs: number): CallStep {
    if (this.#phase !== 'Sent' && this.#phase !== 'Accepted') return NOTHING;
    return this.#failed(this.#linkLost(), nowMs);
  }

  cancel(): CallStep {
    if (this.#phase === 'Settled') return NOTHING;
    return this.#giveUp(this.#error('Cancelled', 'cancelled by its caller'));
  }

  /** Time has passed. */
  tick(nowMs: number): CallStep {
    if (this.#phase === 'Settled') return NOTHING;
    if (nowMs >= this.#deadlineAtMs) return this.#giveUp(this.#outOfTime());
    if (nowMs < this.#nextAtMs) return NOTHING;
    switch (this.#phase) {
      case 'NoRoom':
      case 'NoLink':
        return this.#send(nowMs);
      case 'Backoff':
        this.#attempt += 1;
        this.#sends = 0;
        return this.#send(nowMs);
      case 'Sent':
        if (this.#sends < SENDS_LIMIT) return this.#send(nowMs);
        // Nobody runs it, then, and nobody could take it: a send is lost where interest goes while it is under way, which
        // is what happens where all are full.
        if (this.#foundNobody) return this.#waitForRoom(nowMs);
        return this.#failed(
          this.#error('CalleeLost', `no sign of life after ${String(SENDS_LIMIT)} sends`),
          nowMs,
        );
      case 'Accepted':
        return this.#failed(
          this.#error('CalleeLost', `accepted, then no sign of life for ${String(LOST_AFTER_MS)} ms`),
          nowMs,
        );
    }
  }

  #send(nowMs: number): CallStep {
    if (this.#phase !== 'NoLink') this.#linkDownAtMs = undefined;
    this.#phase = 'Sent';
    if (this.#sends > 0) this.#resends += 1;
    this.#sends += 1;
    this.#sendsInAll += 1;
    this.#foundNobody = false;
    if (this.#sends === 1) this.#silentSinceMs = nowMs;
    // The last send waits out the silence: a callee may be short of processor time, as it may be while it runs.
    const lostAtMs = this.#sends < SENDS_LIMIT ? 0 : this.#silentSinceMs + LOST_AFTER_MS;
    const pauseMs = Math.min(this.#resendAfterMs * 2 ** (this.#sends - 1), RESEND_PAUSE_LIMIT_MS);
    this.#nextAtMs = Math.max(nowMs + Math.max(this.#resendAfterMs, pauseMs), lostAtMs);
    return { do: 'Send', attempt: this.#attempt, timeoutMs: this.#deadlineAtMs - nowMs };
  }

  #lives(nowMs: number): CallStep {
    this.#phase = 'Accepted';
    this.#nextAtMs = nowMs + LOST_AFTER_MS;
    return NOTHING;
  }

  #waitForRoom(nowMs: number): CallStep {
    if (this.#phase === 'Accepted' || this.#phase === 'Backoff') return NOTHING;
    this.#phase = 'NoRoom';
    this.#sends = 0;
    this.#nextAtMs = nowMs + Math.min(ROOM_PAUSE_LIMIT_MS, ROOM_PAUSE_MS * 2 ** Math.min(this.#pauses, 10));
    this.#pauses += 1;
    return NOTHING;
  }

  #failed(error: CallError, nowMs: number): CallStep {
    const retry = this.#terms.retry;
    if (!retry || this.#attempt >= retry.attempts || !retry.on.includes(error.code))
      return this.#giveUp(error);
    const pauseMs = backoffMs(retry, this.#attempt);
    if (nowMs + pauseMs >= this.#deadlineAtMs) return this.#giveUp(error);
    this.#phase = 'Backoff';
    this.#cancelTo = undefined;
    this.#nextAtMs = nowMs + pauseMs;
    return NOTHING;
  }

  #giveUp(error: CallError): CallStep {
    const stop = error.code === 'Timeout' || error.code === 'Cancelled' ? this.#cancelTo : undefined;
    return this.#settle({ ok: false, error }, stop);
  }

  #settle(outcome: Outcome, cancelTo?: string): CallStep {
    this.#phase = 'Settled';
    return { do: 'Settle', outcome, ...(cancelTo === undefined ? {} : { cancelTo }) };
  }

  #linkLost(): CallError {
    return this.#sendsInAll > 0
      ? this.#error('ConnectionLost', 'the connection to the bus was lost before an answer came')
      : this.#error('BusUnavailable', 'no server of the bus is reachable');
  }

  #outOfTime(): CallError {
    const limit = `${String(Math.round(this.#terms.timeoutMs))} ms`;
    // The last send may just be asking for room again.
    const asking = this.#phase === 'Sent' && this.#sends === 1 && this.#pauses > 0;
    if (this.#phase === 'NoRoom' || asking)
      return this.#error(
        'Overloaded',
        `no instance had room within ${limit}: raise concurrency or instances, or the timeout`,
      );
    return this.#error('Timeout', `no result within ${limit}`);
  }

  #error(code: ErrorCode, why: string): CallError {
    return new CallError(code, `${this.#what}: ${why}`);
  }
}

/** Pause before the attempt after this one, in milliseconds: doubling from `backoffSeconds` to `maxBackoffSeconds`. */
export const backoffMs = (retry: RetryTerms, attempt: number): number =>
  Math.min(retry.maxBackoffSeconds, retry.backoffSeconds * 2 ** Math.min(attempt - 1, 30)) * 1000;
