/**
 * Interest: on which subjects this instance listens, over which link, and when it does not (D2, D17).
 *
 * Owns: subscriptions. Its neighbour `intake.ts` owns the calls that they bring.
 * Invariants:
 *  1. A subject that is served is given up by draining its subscription, never by `unsubscribe` (that loses what is
 *     under way: 8 % measured).
 *  2. Interest follows the gate: dropped when full, renewed when eased; at most CHANGES_PER_SECOND in all.
 *  3. A message whose reply address no caller of this workflow can own is dropped: it was reflected by the server.
 */
import { CALL_QUEUE, HEADER, callSubject, controlSubject, isAnswerable, writeAnswer } from '@sinter/contract';
import type { WorkflowKey } from '@sinter/contract';
import type { Msg, Subscription } from '@nats-io/transport-node';
import type { Clock } from './clock.ts';
import type { Gate } from './gate.ts';
import { HeaderBlock, headersOf } from './headers.ts';
import type { Intake } from './intake.ts';
import type { Link } from './link.ts';
import { OVERLAP_MS } from './session.ts';
import type { Rider, Session } from './session.ts';

export interface ListenerOptions {
  readonly session: Session;
  readonly workflow: WorkflowKey;
  readonly intake: Intake;
  readonly gateOf: (fn: string) => Gate | undefined;
  readonly clock: Clock;
  readonly machine: string;
  readonly instance: string;
}

/** Most changes of interest in a second, all functions together. */
const CHANGES_PER_SECOND = 20;
const EMPTY = new Uint8Array(0);

interface Subject {
  readonly fn: string;
  readonly revision: string;
  subscription: Subscription | undefined;
}

export class Listener implements Rider {
  readonly counters = { changes: 0, reflected: 0 };
  readonly #options: ListenerOptions;
  readonly #subjects = new Map<string, Subject>();
  readonly #watched = new Set<Gate>();
  readonly #recent: number[] = [];
  #later: NodeJS.Timeout | undefined;
  #stopped = false;
  #moving: Promise<void> = Promise.resolve();

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#listenToControl(options.session.link);
    options.session.add(this);
  }

  /** Serves exactly these functions under exactly these revisions; what is no longer among them is drained. */
  async serve(wanted: readonly { readonly fn: string; readonly revision: string }[]): Promise<void> {
    if (this.#stopped) wanted = [];
    const keys = new Set(wanted.map(({ fn, revision }) => `${revision}.${fn}`));
    for (const { fn, revision } of wanted) {
      const key = `${revision}.${fn}`;
      if (this.#subjects.has(key)) continue;
      const subject: Subject = { fn, revision, subscription: undefined };
      this.#subjects.set(key, subject);
      this.#watch(fn);
      if (this.#options.gateOf(fn)?.full !== true) this.#open(subject);
    }
    const gone = [...this.#subjects].filter(([key]) => !keys.has(key));
    for (const [key] of gone) this.#subjects.delete(key);
    await Promise.all(gone.map(([, subject]) => this.#shut(subject)));
  }

  /** Revisions under which something is served. */
  get revisions(): readonly string[] {
    return [...new Set([...this.#subjects.values()].map((s) => s.revision))].sort();
  }

  /** Gives up all interest, for good; resolves when what was under way has been taken in. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#later);
    await Promise.all([this.serve([]), this.#moving]);
  }

  moved(to: Link, from: Link): Promise<void> {
    const moving = this.#move(to, from);
    this.#moving = moving.catch(() => undefined); // told to the session
    return moving;
  }

  async #move(to: Link, from: Link): Promise<void> {
    this.#listenToControl(to);
    const old = [...this.#subjects.values()].map((subject) => {
      const before = subject.subscription;
      if (before) subject.subscription = this.#subscribe(subject, to);
      return before;
    });
    // Should the new link go down at once, it subscribes again when it is back; the old interest goes all the same.
    await to.flush().catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, OVERLAP_MS));
    await Promise.all(old.map((s) => (s && from.up ? s.drain().catch(() => undefined) : Promise.resolve())));
  }

  busy(link: Link): number {
    return this.#options.intake.busy(link);
  }

  #listenToControl(link: Link): void {
    link.subscribe(controlSubject(link.inbox), (msg) => {
      this.#options.intake.control(msg);
    });
  }

  #watch(fn: string): void {
    const gate = this.#options.gateOf(fn);
    if (!gate || this.#watched.has(gate)) return;
    this.#watched.add(gate);
    gate.onChange(() => {
      this.#adjust(fn, gate);
    });
  }

  #adjust(fn: string, gate: Gate): void {
    if (this.#stopped) return;
    for (const subject of this.#subjects.values()) {
      if (subject.fn !== fn) continue;
      const change = subject.subscription ? gate.full : gate.eased;
      if (!change) continue;
      if (!this.#mayChange()) return;
      if (subject.subscription) void this.#shut(subject);
      else this.#open(subject);
    }
  }

  /** Is a change within the rate? If not, everything is looked at again as soon as it is. */
  #mayChange(): boolean {
    const now = this.#options.clock.now();
    while (this.#recent[0] !== undefined && now - this.#recent[0] >= 1_000) this.#recent.shift();
    const oldest = this.#recent[0];
    if (oldest !== undefined && this.#recent.length >= CHANGES_PER_SECOND) {
      this.#later ??= setTimeout(
        () => {
          this.#later = undefined;
          this.#adjustAll();
        },
        1_000 - (now - oldest),
      );
      return false;
    }
    this.#recent.push(now);
    this.counters.changes += 1;
    return true;
  }

  #adjustAll(): void {
    for (const fn of new Set([...this.#subjects.values()].map((s) => s.fn))) {
      const gate = this.#options.gateOf(fn);
      if (gate) this.#adjust(fn, gate);
    }
  }

  #open(subject: Subject): void {
    subject.subscription = this.#subscribe(subject, this.#options.session.link);
  }

  async #shut(subject: Subject): Promise<void> {
    const { subscription } = subject;
    subject.subscription = undefined;
    if (!subscription || subscription.isClosed()) return;
    // A link that went down meanwhile has no interest left to give up.
    await subscription.drain().catch(() => undefined);
  }

  #subscribe({ fn, revision }: Subject, link: Link): Subscription {
    const subject = callSubject(this.#options.workflow, revision, fn);
    return link.subscribe(
      subject,
      (msg) => {
        this.#received(fn, subject, msg, link);
      },
      CALL_QUEUE,
    );
  }

  #received(fn: string, subject: string, msg: Msg, link: Link): void {
    if (msg.subject !== subject || !isAnswerable(this.#options.workflow, msg.reply ?? '')) {
      this.counters.reflected += 1;
      return;
    }
    const headers = headersOf(msg);
    if (headers !== undefined && headers.get(HEADER.probe) !== '') this.#answerProbe(msg, link);
    else this.#options.intake.receive(fn, msg, link, headers);
  }

  #answerProbe(msg: Msg, link: Link): void {
    const headers = new HeaderBlock();
    const { machine, instance } = this.#options;
    const payload = { contentType: 'application/octet-stream', bytes: EMPTY };
    const bytes = writeAnswer(headers, { kind: 'Result', payload, machine, instance });
    link.publish(msg.reply ?? '', bytes, headers);
  }
}
