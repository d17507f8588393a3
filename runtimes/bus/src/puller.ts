/**
 * Async work taken on: pulled while there is room, renewed while it runs, acknowledged after success (D6).
 *
 * Owns: the pull loop of one function, acknowledgement, back-off and dead letters. What a run does is `run`'s business.
 * Invariants:
 *  1. A call is acknowledged only after its run succeeded or its dead letter is stored.
 *  2. No more is asked for than could start at once: what lies unpulled is another instance's to take.
 *  3. What was asked for may still come, so a puller that stops or moves listens until it has come or the request has
 *     expired: a call sent to nobody would lie there until the wait for its acknowledgement ends, with an attempt gone.
 *     (Neither `unsubscribe` nor `drain` will do: the server looks for interest first and sends later.)
 *  4. Of several plans' pullers each takes what it asks for first, so one that is to have a share asks for little of the time.
 *  5. Deliveries are counted here and not limited by the server: with `max_deliver` a call whose host dies on the last
 *     attempt would be stranded.
 */
import {
  CallError,
  JS_API_PREFIX,
  WORK_CONSUMER,
  asyncStream,
  backoffMs,
  deadSubject,
  newId,
  parseWorkSubject,
  readCall,
} from '@sinter/contract';
import type { Call, RetryTerms, WorkflowKey } from '@sinter/contract';
import type { Msg, Subscription } from '@nats-io/transport-node';
import type { Gate } from './gate.ts';
import { HeaderBlock, headersOf, isNoResponders } from './headers.ts';
import type { Link } from './link.ts';
import { readAck } from './acks.ts';
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

/** A call that will not run any more. */
export type DeadWork = Pick<PulledWork, 'caller' | 'deliveries' | 'acceptedAtMs'> & {
  readonly callId: string;
};

export interface PullerOptions {
  readonly session: Session;
  readonly workflow: WorkflowKey;
  readonly function: string;
  readonly gate: Gate;
  /** At most so much of the work is taken while others ask for it as well, 0 to 1; absent: all that there is room for. */
  readonly share?: () => number;
  readonly retryOf: (caller: string) => RetryTerms;
  readonly run: (work: PulledWork, signal: AbortSignal) => Promise<void>;
  /** Told of a call that became a dead letter without a last run: its host died in it, or it could not be read. */
  readonly onDead?: (work: DeadWork, error: CallError) => void;
  readonly onProblem: (problem: string) => void;
}

export interface PullerCounters {
  executed: number;
  failed: number;
  /** Deliveries of a call that had been delivered before. */
  redelivered: number;
  dead: number;
}

/** A request expires after this: so long an idle puller takes to stop. */
const PULL_MS = 2_000;
const PULL_SLACK_MS = 500;
const POLL_MS = 250;
/** For so long is asked at a time where a share is to be taken; of 0.05 every second. */
const TURN_MS = 50;
const RENEW_MS = 4_000;
const ACK_MS = 2_000;
/** How long the server is told again and again that a call is settled: beyond it the call runs once more. */
const SETTLE_LIMIT_MS = 60_000;
const BATCH_LIMIT = 32;
const encoder = new TextEncoder();
const IN_PROGRESS = encoder.encode('+WPI');

/** What was asked of the server, and the subscription on which it comes. */
interface Asked {
  readonly link: Link;
  readonly subscription: Subscription;
  /** Still to come of what was asked for; nothing may come after `untilMs`. */
  expecting: number;
  untilMs: number;
}

interface Turn {
  readonly batch: number;
  readonly ms: number;
  /** From one to the next; absent: at once. */
  readonly everyMs?: number;
}

/** A call that is being worked on; the address is that of its newest delivery. */
interface Running {
  ackTo: string;
}

export class Puller implements Rider {
  readonly counters: PullerCounters = { executed: 0, failed: 0, redelivered: 0, dead: 0 };
  readonly #options: PullerOptions;
  readonly #running = new Map<string, Running>();
  readonly #never = new AbortController().signal;
  #active = false;
  #asked: Asked | undefined;
  /** Until when it keeps from asking, because of its share. */
  #restsUntilMs = 0;
  /** Requests that were left while something may come of them. */
  readonly #left = new Set<Asked>();
  #poll: NodeJS.Timeout | undefined;
  #renewing: NodeJS.Timeout | undefined;
  readonly #watched = new WeakSet<Link>();

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
    // Neither is a reason for the process to live on: the connection is.
    this.#poll = setInterval(() => {
      this.#ask();
    }, POLL_MS).unref();
    this.#renewing ??= setInterval(() => {
      this.#renew();
    }, RENEW_MS).unref();
    this.#ask();
  }

  /** Asks for no more; what was taken is finished. Resolves when nothing runs, or when it was started again. */
  async stop(): Promise<void> {
    this.#active = false;
    clearInterval(this.#poll);
    this.#leave();
    while ((this.#running.size > 0 || this.#left.size > 0) && !this.#isActive()) {
      this.#forgetExpired();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    if (this.#isActive()) return;
    clearInterval(this.#renewing);
    this.#renewing = undefined;
  }

  moved(): Promise<void> {
    this.#leave();
    this.#ask();
    return Promise.resolve();
  }

  /** Requests over that link of which something may still come. What runs is settled over whichever link is in use. */
  busy(link: Link): number {
    this.#forgetExpired();
    return [...this.#left].filter((asked) => asked.link === link).length;
  }

  get running(): number {
    return this.#running.size;
  }

  #isActive(): boolean {
    return this.#active;
  }

  #ask(): void {
    const { session, gate } = this.#options;
    const { link } = session;
    if (!this.#active || !link.up) return;
    if (this.#asked && this.#asked.link !== link) this.#leave();
    const asked = (this.#asked ??= this.#takeBack(link) ?? this.#listen(link));
    if (isOpen(asked)) return;
    const turn = this.#turn(Math.min(BATCH_LIMIT, gate.room));
    if (turn === undefined) return;
    const stream = asyncStream(this.#options.workflow, this.#options.function);
    const next = `${JS_API_PREFIX}.CONSUMER.MSG.NEXT.${stream}.${WORK_CONSUMER}`;
    const request = encoder.encode(JSON.stringify({ batch: turn.batch, expires: turn.ms * 1e6 }));
    if (!link.publish(next, request, undefined, asked.subscription.getSubject())) return;
    asked.expecting = turn.batch;
    asked.untilMs = performance.now() + turn.ms + PULL_SLACK_MS;
    if (turn.everyMs !== undefined) this.#rest(turn.everyMs);
  }

  /** How much is to be asked for, and for how long; undefined: nothing now. */
  #turn(room: number): Turn | undefined {
    if (room === 0) return undefined;
    const share = this.#options.share?.() ?? 1;
    if (share >= 1) return { batch: room, ms: PULL_MS };
    if (share <= 0 || performance.now() < this.#restsUntilMs) return undefined;
    return { batch: Math.ceil(room * share), ms: TURN_MS, everyMs: TURN_MS / share };
  }

  #rest(ms: number): void {
    this.#restsUntilMs = performance.now() + ms;
    setTimeout(() => {
      this.#ask();
    }, ms + 1).unref();
  }

  #listen(link: Link): Asked {
    this.#watch(link);
    // Random, as every reply address: who could guess it could say that the request has ended.
    const inbox = `${link.inbox}.p.${newId()}`;
    const subscription = link.subscribe(inbox, (msg) => {
      this.#received(msg, asked);
    });
    const asked: Asked = { link, subscription, expecting: 0, untilMs: 0 };
    return asked;
  }

  /** Asks for no more over it, and listens for what it may still bring. */
  #leave(): void {
    const asked = this.#asked;
    this.#asked = undefined;
    if (!asked) return;
    this.#left.add(asked);
    this.#forgetExpired();
  }

  /** What was left and is on this link after all. */
  #takeBack(link: Link): Asked | undefined {
    const asked = [...this.#left].find((a) => a.link === link);
    if (asked) this.#left.delete(asked);
    return asked;
  }

  #forgetExpired(): void {
    for (const asked of this.#left)
      if (!isOpen(asked) || !asked.link.up) {
        this.#left.delete(asked);
        asked.subscription.unsubscribe();
      }
  }

  /** With a connection goes what was asked over it; what runs must be renewed as soon as it is back. */
  #watch(link: Link): void {
    if (this.#watched.has(link)) return;
    this.#watched.add(link);
    link.onUp(() => {
      // A new address, so that what the server may still hold of the old request is not sent as well.
      if (this.#asked?.link === link) {
        this.#asked.subscription.unsubscribe();
        this.#asked = undefined;
      }
      this.#renew();
      this.#ask();
    });
  }

  #renew(): void {
    const { link } = this.#options.session;
    for (const { ackTo } of this.#running.values()) link.publish(ackTo, IN_PROGRESS);
  }

  #received(msg: Msg, asked: Asked): void {
    const subject = parseWorkSubject(msg.subject);
    if (subject?.fn !== this.#options.function) {
      // A status of the request itself. After the usual ones (expired, nothing there) it is made again at once, after a
      // refusal with the next poll: the server would else be asked and refuse in turn without a pause.
      asked.expecting = 0;
      const code = isNoResponders(msg) ? 503 : (msg.headers?.code ?? 0);
      if (code === 404 || code === 408) this.#ask();
      this.#forgetExpired();
      return;
    }
    asked.expecting = Math.max(0, asked.expecting - 1);
    this.#forgetExpired();
    void this.#execute(msg, subject.caller, subject.callId);
  }

  async #execute(msg: Msg, caller: string, callId: string): Promise<void> {
    const ackTo = msg.reply ?? '';
    const known = this.#running.get(msg.subject);
    const deliveries = deliveriesOf(ackTo);
    if (deliveries > 1) this.counters.redelivered += 1;
    if (known) {
      // Redelivered while it runs here (its renewal was late): the newest delivery is the one to acknowledge.
      known.ackTo = ackTo;
      this.#options.session.link.publish(ackTo, IN_PROGRESS);
      return;
    }
    const entry: Running = { ackTo };
    this.#running.set(msg.subject, entry);
    try {
      await this.#attempt(msg, caller, callId, deliveries, entry);
    } catch (cause) {
      this.#options.onProblem(`${this.#options.function}: ${callId} was not settled: ${String(cause)}`);
    } finally {
      this.#running.delete(msg.subject);
      this.#ask();
    }
  }

  async #attempt(
    msg: Msg,
    caller: string,
    callId: string,
    deliveries: number,
    entry: Running,
  ): Promise<void> {
    const retry = this.#options.retryOf(caller);
    const call = readCall(headersOf(msg), msg.data);
    const dead = { caller, callId, deliveries, acceptedAtMs: acceptedAt(entry.ackTo) };
    if ('unreadable' in call) {
      const error = new CallError('FunctionFailed', call.unreadable, { reason: 'BadFrame' });
      await this.#bury(msg, dead, error, entry, this.#options.onDead);
      return;
    }
    if (deliveries > retry.attempts) {
      const why = `${String(retry.attempts)} attempts ended without a result`;
      const error = new CallError('CalleeLost', why, { function: this.#options.function });
      await this.#bury(msg, { ...dead, deliveries: deliveries - 1 }, error, entry, this.#options.onDead);
      return;
    }
    const failed = await this.#run({
      call,
      caller,
      deliveries,
      acceptedAtMs: dead.acceptedAtMs,
      last: deliveries >= retry.attempts,
    });
    if (!failed) await this.#settle(entry, '+ACK');
    else if (deliveries >= retry.attempts) await this.#bury(msg, dead, failed, entry);
    else {
      const delay = Math.round(backoffMs(retry, deliveries) * 1e6);
      await this.#settle(entry, `-NAK ${JSON.stringify({ delay })}`);
    }
  }

  /** Runs it when there is room; gives the error that it ended with. */
  async #run(work: PulledWork): Promise<CallError | undefined> {
    await this.#options.gate.enter(this.#never);
    try {
      await this.#options.run(work, this.#never);
      this.counters.executed += 1;
      return undefined;
    } catch (thrown) {
      this.counters.failed += 1;
      return CallError.from(thrown, this.#options.function);
    } finally {
      this.#options.gate.leave();
    }
  }

  /** Stores the dead letter (the call as it came, with why it died), then lets go of the call. */
  async #bury(
    msg: Msg,
    dead: DeadWork,
    error: CallError,
    entry: Running,
    tell?: PullerOptions['onDead'],
  ): Promise<void> {
    const headers = new HeaderBlock();
    for (const [name, values] of msg.headers ?? [])
      if (!name.startsWith('Nats-')) headers.set(name, values[0] ?? '');
    const { message } = error;
    const told = { ...error.toWire(), message: message.slice(0, ERROR_LIMIT) };
    headers.set('Sinter-Error', JSON.stringify(told));
    headers.set('Sinter-Deliveries', String(dead.deliveries));
    headers.set('Nats-Msg-Id', `dead.${dead.callId}`);
    const to = deadSubject(this.#options.workflow, this.#options.function, dead.caller, dead.callId);
    await this.#untilTold(async () => {
      readAck(await this.#options.session.link.request(to, msg.data, ACK_MS, headers), to);
    });
    this.counters.dead += 1;
    tell?.(dead, error);
    await this.#settle(entry, '+TERM');
  }

  /** Tells the server, and waits for its word: an acknowledgement that is lost means another run. */
  async #settle(entry: Running, verdict: string): Promise<void> {
    await this.#untilTold(async () => {
      await this.#options.session.link.request(entry.ackTo, encoder.encode(verdict), ACK_MS);
    });
  }

  /** Tries until the server has answered; while that is down, for SETTLE_LIMIT_MS. */
  async #untilTold(tell: () => Promise<void>): Promise<void> {
    const untilMs = performance.now() + SETTLE_LIMIT_MS;
    for (;;) {
      try {
        await this.#options.session.whenUp(ACK_MS);
        await tell();
        return;
      } catch (cause) {
        const { link } = this.#options.session;
        if (link.closed || performance.now() >= untilMs) throw cause;
        if (link.up) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    }
  }
}

/** Something may still come of it. */
const isOpen = (asked: Asked): boolean => asked.expecting > 0 && performance.now() < asked.untilMs;

/** The longest message of an error in a dead letter's header. */
const ERROR_LIMIT = 1024;

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
