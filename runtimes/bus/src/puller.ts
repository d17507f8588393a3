/**
 * Async work taken on: pulled while there is room, renewed while it runs, acknowledged after success (D6).
 *
 * Owns: the pull loop of one function, acknowledgement, back-off and dead letters. What a run does is `run`'s business.
 * Invariants:
 *  1. A call is acknowledged only after its run succeeded or its dead letter is stored.
 *  2. No more is asked for than could start at once: what lies unpulled is another instance's to take.
 *  3. Deliveries are counted here and not limited by the server: with `max_deliver` a call whose host dies on the last
 *     attempt would be stranded.
 */
import {
  CallError,
  JS_API_PREFIX,
  WORK_CONSUMER,
  asyncStream,
  backoffMs,
  deadSubject,
  parseWorkSubject,
  readCall,
} from '@sinter/contract';
import type { Call, RetryTerms, WorkflowKey } from '@sinter/contract';
import type { Msg, Subscription } from '@nats-io/transport-node';
import type { Gate } from './gate.ts';
import { HeaderBlock, headersOf } from './headers.ts';
import type { Link } from './link.ts';
import type { Rider, Session } from './session.ts';

export interface PulledWork {
  readonly call: Call;
  readonly caller: string;
  /** 1 for the first delivery. */
  readonly deliveries: number;
  /** When the bus accepted it, in milliseconds since 1970 by the server's clock. */
  readonly acceptedAtMs: number;
  /** No further attempt follows this one. */
  readonly last: boolean;
}

export interface PullerOptions {
  readonly session: Session;
  readonly workflow: WorkflowKey;
  readonly function: string;
  readonly gate: Gate;
  readonly retryOf: (caller: string) => RetryTerms;
  readonly run: (work: PulledWork, signal: AbortSignal) => Promise<void>;
  readonly onProblem: (problem: string) => void;
}

export interface PullerCounters {
  executed: number;
  failed: number;
  /** Deliveries of a call that had been delivered before. */
  redelivered: number;
  dead: number;
}

const PULL_MS = 5_000;
const RENEW_MS = 4_000;
const ACK_MS = 2_000;
const BATCH_LIMIT = 32;
const encoder = new TextEncoder();

export class Puller implements Rider {
  readonly counters: PullerCounters = { executed: 0, failed: 0, redelivered: 0, dead: 0 };
  readonly #options: PullerOptions;
  readonly #running = new Map<string, { readonly msg: Msg; readonly link: Link; ackTo: string }>();
  readonly #abort = new AbortController();
  #active = false;
  #asked: { readonly link: Link; readonly subscription: Subscription } | undefined;
  #expecting = 0;
  #askedUntilMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #renewing: NodeJS.Timeout | undefined;
  #pulls = 0;

  constructor(options: PullerOptions) {
    this.#options = options;
    options.session.add(this);
    options.gate.onChange(() => {
      this.#ask();
    });
  }

  start(): void {
    if (this.#active) return;
    this.#active = true;
    this.#timer = setInterval(() => {
      this.#ask();
    }, 250);
    this.#renewing = setInterval(() => {
      for (const { link, ackTo } of this.#running.values()) link.publish(ackTo, encoder.encode('+WPI'));
    }, RENEW_MS);
    this.#ask();
  }

  /** Asks for no more; what was taken is finished. Resolves when nothing runs. */
  async stop(): Promise<void> {
    this.#active = false;
    clearInterval(this.#timer);
    this.#asked?.subscription.unsubscribe();
    this.#asked = undefined;
    this.#expecting = 0;
    while (this.#running.size > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    clearInterval(this.#renewing);
  }

  async moved(): Promise<void> {
    this.#asked?.subscription.unsubscribe();
    this.#asked = undefined;
    this.#expecting = 0;
    this.#ask();
  }

  busy(link: Link): number {
    let n = 0;
    for (const r of this.#running.values()) if (r.link === link) n += 1;
    return n;
  }

  get running(): number {
    return this.#running.size;
  }

  #ask(): void {
    const { session, gate, workflow } = this.#options;
    if (!this.#active || !session.link.up) return;
    const now = performance.now();
    if (this.#expecting > 0 && now < this.#askedUntilMs) return;
    const batch = Math.min(BATCH_LIMIT, gate.room);
    if (batch === 0) return;
    const link = session.link;
    if (this.#asked?.link !== link) {
      this.#asked?.subscription.unsubscribe();
      this.#pulls += 1;
      const inbox = `${link.inbox}.p.${this.#options.function}-${String(this.#pulls)}`;
      this.#asked = {
        link,
        subscription: link.subscribe(inbox, (msg) => {
          this.#received(msg, link);
        }),
      };
    }
    this.#expecting = batch;
    this.#askedUntilMs = now + PULL_MS + 500;
    const next = `${JS_API_PREFIX}.CONSUMER.MSG.NEXT.${asyncStream(workflow, this.#options.function)}.${WORK_CONSUMER}`;
    const request = encoder.encode(JSON.stringify({ batch, expires: PULL_MS * 1e6 }));
    link.nc.publish(next, request, { reply: this.#asked.subscription.getSubject() });
  }

  #received(msg: Msg, link: Link): void {
    const subject = parseWorkSubject(msg.subject);
    if (subject?.fn !== this.#options.function) {
      // A status of the pull itself: expired, nobody there. Ask again.
      this.#expecting = 0;
      if (msg.headers?.code === 503) return;
      this.#ask();
      return;
    }
    this.#expecting = Math.max(0, this.#expecting - 1);
    void this.#execute(msg, subject.caller, subject.callId, link);
  }

  async #execute(msg: Msg, caller: string, callId: string, link: Link): Promise<void> {
    const ackTo = msg.reply ?? '';
    const known = this.#running.get(callId);
    const deliveries = deliveriesOf(ackTo);
    if (deliveries > 1) this.counters.redelivered += 1;
    if (known) {
      // Redelivered while it runs here (its renewal was late): the newest delivery is the one to acknowledge.
      known.ackTo = ackTo;
      link.publish(ackTo, encoder.encode('+WPI'));
      return;
    }
    const entry = { msg, link, ackTo };
    this.#running.set(callId, entry);
    try {
      await this.#attempt(msg, caller, deliveries, entry);
    } catch (cause) {
      this.#options.onProblem(`${this.#options.function}: ${callId} was not settled: ${String(cause)}`);
    } finally {
      this.#running.delete(callId);
      this.#ask();
    }
  }

  async #attempt(msg: Msg, caller: string, deliveries: number, entry: { ackTo: string }): Promise<void> {
    const retry = this.#options.retryOf(caller);
    const call = readCall(headersOf(msg), msg.data);
    if ('unreadable' in call) {
      await this.#bury(
        msg,
        caller,
        new CallError('FunctionFailed', call.unreadable, { reason: 'BadFrame' }),
        deliveries,
      );
      await this.#settle(entry.ackTo, '+TERM');
      return;
    }
    if (deliveries > retry.attempts) {
      const error = new CallError('CalleeLost', `${String(retry.attempts)} attempts ended without a result`);
      await this.#bury(msg, caller, error, deliveries - 1);
      await this.#settle(entry.ackTo, '+TERM');
      return;
    }
    await this.#options.gate.enter(this.#abort.signal);
    try {
      const acceptedAtMs = acceptedAt(entry.ackTo);
      const last = deliveries >= retry.attempts;
      await this.#options.run({ call, caller, deliveries, acceptedAtMs, last }, this.#abort.signal);
      this.counters.executed += 1;
    } catch (thrown) {
      this.counters.failed += 1;
      await this.#failed(
        msg,
        caller,
        CallError.from(thrown, this.#options.function),
        deliveries,
        retry,
        entry,
      );
      return;
    } finally {
      this.#options.gate.leave();
    }
    await this.#settle(entry.ackTo, '+ACK');
  }

  async #failed(
    msg: Msg,
    caller: string,
    error: CallError,
    deliveries: number,
    retry: RetryTerms,
    entry: { readonly ackTo: string },
  ): Promise<void> {
    if (deliveries < retry.attempts) {
      const delay = Math.round(backoffMs(retry, deliveries) * 1e6);
      await this.#settle(entry.ackTo, `-NAK ${JSON.stringify({ delay })}`);
      return;
    }
    await this.#bury(msg, caller, error, deliveries);
    await this.#settle(entry.ackTo, '+TERM');
  }

  /** Stores the dead letter: the call as it came, with why it died. Rejects when it could not be stored. */
  async #bury(msg: Msg, caller: string, error: CallError, deliveries: number): Promise<void> {
    const subject = parseWorkSubject(msg.subject);
    if (!subject) return;
    const headers = new HeaderBlock();
    for (const [name, values] of msg.headers ?? [])
      if (!name.startsWith('Nats-')) headers.set(name, values[0] ?? '');
    headers.set('Sinter-Error', JSON.stringify(error.toWire()).slice(0, 4096));
    headers.set('Sinter-Deliveries', String(deliveries));
    headers.set('Nats-Msg-Id', `dead.${subject.callId}`);
    const to = deadSubject(this.#options.workflow, this.#options.function, caller, subject.callId);
    await this.#options.session.link.request(to, msg.data, ACK_MS, headers);
    this.counters.dead += 1;
  }

  /** Tells the server, and waits for its word: an acknowledgement that is lost means another run. */
  async #settle(ackTo: string, verdict: string): Promise<void> {
    for (let tries = 0; tries < 3; tries++) {
      try {
        await this.#options.session.whenUp(ACK_MS);
        await this.#options.session.link.request(ackTo, encoder.encode(verdict), ACK_MS);
        return;
      } catch (cause) {
        if (tries === 2) throw cause;
      }
    }
  }
}

/**
 * `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<timestamp ns>.<pending>`, or with domain and
 * account before the stream.
 */
function ackToken(ackTo: string, index: number): number {
  const parts = ackTo.split('.');
  return Number(parts[(parts.length >= 11 ? 6 : 4) + index]);
}

const deliveriesOf = (ackTo: string): number => ackToken(ackTo, 0) || 1;
const acceptedAt = (ackTo: string): number => Math.round(ackToken(ackTo, 3) / 1e6) || 0;
