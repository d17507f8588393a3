/**
 * Calls that leave a function: judged by the declared edges, then taken inside the process or to the bus (D4, D11).
 *
 * Owns: the edge check and its message, the time that a call on may take, the choice of channel, and the same retries on
 * either, and for how long an execution waited for its callees.
 * Invariant: a function cannot tell by an answer which channel was taken.
 */
import { CallError, HOPS_LIMIT, backoffMs, newId } from '@sinter/contract';
import type {
  Call,
  CallHead,
  CallTerms,
  EdgeObservation,
  Outcome,
  Payload,
  RetryTerms,
  RouteEdge,
  RouteFunction,
  RouteRevision,
  WorkflowKey,
} from '@sinter/contract';
import { sendWork } from '@sinter/bus';
import type { Caller, Clock, Gate, Recorder, Session } from '@sinter/bus';
import type { LogLevel, Outgoing } from './threads/runtime.ts';
import type { LogLine } from './log.ts';

/** What an async edge without `retry` of its own gets. */
export const DEFAULT_ASYNC_RETRY: RetryTerms = {
  attempts: 5,
  on: [],
  backoffSeconds: 1,
  maxBackoffSeconds: 60,
};

/** A function in this process. */
export interface Local {
  readonly gate: Gate;
  readonly run: (call: Call, signal: AbortSignal) => Promise<Payload>;
}

export interface OutgoingsOptions {
  readonly session: Session;
  readonly caller: Caller;
  readonly clock: Clock;
  readonly workflow: WorkflowKey;
  readonly machine: string;
  readonly recorder: Recorder;
  readonly revision: (hash: string) => RouteRevision | undefined;
  readonly local: (fn: string) => Local | undefined;
  readonly log: LogLine;
}

type NextHead = Omit<CallHead, 'attempt' | 'timeoutMs'>;

export class Outgoings {
  readonly #options: OutgoingsOptions;

  constructor(options: OutgoingsOptions) {
    this.#options = options;
  }

  /** What `fn` may ask for while it runs the call with this head, until `deadlineAtMs` by the clock. */
  of(fn: string, head: CallHead, deadlineAtMs: number): Asking {
    return new Asking(this, fn, head, deadlineAtMs);
  }

  log(level: LogLevel, text: string, fn: string, callId: string): void {
    this.#options.log(level, text, { function: fn, callId });
  }

  /** Calls on for an execution; `askedMs` is the time that it wants to give the call. */
  async call(
    asking: Asking,
    callee: string,
    payload: Payload,
    askedMs: number | undefined,
    signal: AbortSignal,
  ): Promise<Payload> {
    const { fn, head } = asking;
    const startedAt = this.#options.clock.now();
    const leftMs = Math.min(askedMs ?? Infinity, asking.deadlineAtMs - startedAt);
    const revision = this.#revision(head.revision);
    const edge = edgeOf(revision, fn, callee, 'Sync');
    const terms = termsOf(edge, revision, callee, leftMs);
    const next = nextHead(fn, head);
    const local = this.#options.local(callee);
    asking.begins(startedAt);
    const outcome =
      local && !this.#spills(local, revision, callee)
        ? await this.#callHere(local, `${fn} → ${callee}`, next, payload, terms, signal)
        : await this.#options.caller.call(
            { ...this.#options.workflow, revision: head.revision, function: callee },
            next,
            payload,
            terms,
            signal,
          );
    const endedAt = this.#options.clock.now();
    asking.ends(endedAt);
    const channel = channelOf(outcome, local !== undefined, this.#options.machine);
    this.#options.recorder
      .calls(fn, callee, head.revision, channel)
      .add(endedAt - startedAt, outcome, payload.bytes.byteLength, asking.overlappedSince(startedAt));
    if (outcome.ok) return outcome.payload;
    throw outcome.error;
  }

  /** A full function whose other instances can be reached: the call is theirs. */
  #spills(local: Local, revision: RouteRevision, callee: string): boolean {
    if (!local.gate.full) return false;
    return termsIn(revision).functions.get(callee)?.served === true;
  }

  async send(
    { fn, head }: Asking,
    callee: string,
    payload: Payload,
    key: string | undefined,
  ): Promise<string> {
    const edge = edgeOf(this.#revision(head.revision), fn, callee, 'Async');
    const next = { ...nextHead(fn, head), ...(key === undefined ? {} : { key }) };
    const startedAt = this.#options.clock.now();
    let ok = false;
    try {
      await sendWork(this.#options.session, this.#options.clock, {
        workflow: this.#options.workflow,
        function: callee,
        head: next,
        payload,
        durability: edge.durability === 'BestEffort' ? 'BestEffort' : 'AtLeastOnce',
      });
      ok = true;
      return next.callId;
    } finally {
      const ms = this.#options.clock.now() - startedAt;
      const edge = this.#options.recorder.calls(fn, callee, head.revision, 'Queue');
      edge.add(ms, { ok }, payload.bytes.byteLength);
    }
  }

  #revision(hash: string): RouteRevision {
    const revision = this.#options.revision(hash);
    if (revision) return revision;
    throw new CallError(
      'NoSuchFunction',
      `revision ${hash} is not live any more: the call outlived its plan`,
    );
  }

  /** A call inside the process, under the same terms as one over the bus. */
  async #callHere(
    local: Local,
    what: string,
    head: NextHead,
    payload: Payload,
    terms: CallTerms,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const deadlineAtMs = this.#options.clock.now() + terms.timeoutMs;
    for (let attempt = 1; ; attempt++) {
      const timeoutMs = deadlineAtMs - this.#options.clock.now();
      const outcome = await this.#attemptHere(
        local,
        what,
        { head: { ...head, attempt, timeoutMs }, payload },
        signal,
      );
      if (outcome.ok || !terms.retry || attempt >= terms.retry.attempts) return outcome;
      const pauseMs = backoffMs(terms.retry, attempt);
      const mayRetry = terms.retry.on.includes(outcome.error.code) && !signal.aborted;
      if (!mayRetry || this.#options.clock.now() + pauseMs >= deadlineAtMs) return outcome;
      await paused(pauseMs, signal);
    }
  }

  async #attemptHere(local: Local, what: string, call: Call, signal: AbortSignal): Promise<Outcome> {
    const failed = (error: CallError): Outcome => ({ ok: false, error });
    if (call.head.hops >= HOPS_LIMIT)
      return failed(new CallError('TooManyHops', `${what}: a chain has at most ${String(HOPS_LIMIT)} calls`));
    const startedAt = this.#options.clock.now();
    const deadlineAtMs = startedAt + call.head.timeoutMs;
    const entered = await this.#enter(local.gate, call.head.timeoutMs, signal);
    if (entered === 'Cancelled')
      return failed(new CallError('Cancelled', `${what}: cancelled by its caller`));
    if (entered === 'Overloaded')
      return failed(
        new CallError('Overloaded', `${what}: no room within ${String(Math.round(call.head.timeoutMs))} ms`),
      );
    try {
      // What was waited for room is gone from the call's time.
      const timeoutMs = Math.max(1, deadlineAtMs - this.#options.clock.now());
      const payload = await local.run({ ...call, head: { ...call.head, timeoutMs } }, signal);
      const tookMs = this.#options.clock.now() - startedAt;
      return { ok: true, payload, machine: this.#options.machine, instance: '', tookMs };
    } catch (thrown) {
      return failed(CallError.from(thrown));
    } finally {
      local.gate.leave();
    }
  }

  async #enter(
    gate: Gate,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<'Entered' | 'Cancelled' | 'Overloaded'> {
    if (signal.aborted) return 'Cancelled';
    if (gate.room > 0 && gate.enter(signal) === true) return 'Entered';
    const waiting = AbortSignal.any([signal, AbortSignal.timeout(Math.max(1, Math.round(timeoutMs)))]);
    const entered = await gate.enter(waiting);
    if (entered) return 'Entered';
    return waiting.reason === signal.reason ? 'Cancelled' : 'Overloaded';
  }
}

/** What one execution asks for, and for how long it waited for what it had asked. */
export class Asking implements Outgoing {
  readonly fn: string;
  readonly head: CallHead;
  readonly deadlineAtMs: number;
  readonly #outgoings: Outgoings;
  #open = 0;
  #openSinceMs = 0;
  #awaitedMs = 0;
  /** When a call began while another one was open, for the last time. */
  #overlapAtMs = -Infinity;

  constructor(outgoings: Outgoings, fn: string, head: CallHead, deadlineAtMs: number) {
    this.#outgoings = outgoings;
    this.fn = fn;
    this.head = head;
    this.deadlineAtMs = deadlineAtMs;
  }

  call(callee: string, payload: Payload, { timeoutMs, signal }: Parameters<Outgoing['call']>[2]) {
    return this.#outgoings.call(this, callee, payload, timeoutMs, signal);
  }

  send(callee: string, payload: Payload, { key }: Parameters<Outgoing['send']>[2]) {
    return this.#outgoings.send(this, callee, payload, key);
  }

  log(level: LogLevel, text: string): void {
    this.#outgoings.log(level, text, this.fn, this.head.callId);
  }

  begins(nowMs: number): void {
    if (this.#open > 0) this.#overlapAtMs = nowMs;
    else this.#openSinceMs = nowMs;
    this.#open += 1;
  }

  ends(nowMs: number): void {
    this.#open -= 1;
    if (this.#open === 0) this.#awaitedMs += nowMs - this.#openSinceMs;
  }

  /** Has a call that began then overlapped another one? */
  overlappedSince(startedAtMs: number): boolean {
    return this.#overlapAtMs >= startedAtMs;
  }

  /** For how long at least one call has been open, in milliseconds. */
  awaitedMs(nowMs: number): number {
    return this.#awaitedMs + (this.#open > 0 ? nowMs - this.#openSinceMs : 0);
  }
}

/** Waits so long, or until it is aborted. */
const paused = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });

/** A revision as calls ask for it. It never changes, so this is made once for each that comes by. */
interface Terms {
  readonly functions: ReadonlyMap<string, RouteFunction>;
  readonly edges: ReadonlyMap<string, RouteEdge>;
}

const known = new WeakMap<RouteRevision, Terms>();

function termsIn(revision: RouteRevision): Terms {
  const found = known.get(revision);
  if (found) return found;
  const terms: Terms = {
    functions: new Map(revision.units.flatMap((u) => u.functions.map((f) => [f.name, f] as const))),
    edges: new Map(revision.edges.map((e) => [`${e.from} ${e.to}`, e])),
  };
  known.set(revision, terms);
  return terms;
}

/** The declared edge of this kind; else an error that says which edge to declare. */
function edgeOf(revision: RouteRevision, from: string, to: string, call: 'Sync' | 'Async'): RouteEdge {
  const edge = termsIn(revision).edges.get(`${from} ${to}`);
  if (edge?.call === call) return edge;
  const verb = call === 'Sync' ? 'ctx.call' : 'ctx.send';
  const why = edge
    ? `the edge ${from} → ${to} is declared ${edge.call}, and ${verb} needs ${call}: ` +
      `use ${call === 'Sync' ? 'ctx.send' : 'ctx.call'}, or change the edge`
    : `no edge ${from} → ${to} is declared: add {from: ${from}, to: ${to}, call: ${call}} to the workflow's edges`;
  throw new CallError('EdgeNotDeclared', why, { function: from });
}

/** The whole call may take what its edge says, else the callee's own limit for each attempt; never more than its caller has. */
function termsOf(edge: RouteEdge, revision: RouteRevision, callee: string, leftMs: number): CallTerms {
  const spec = termsIn(revision).functions.get(callee);
  const ownSeconds = (spec?.timeoutSeconds ?? 30) * (edge.retry?.attempts ?? 1);
  const timeoutMs = Math.max(0, Math.min(leftMs, (edge.timeoutSeconds ?? ownSeconds) * 1000));
  return edge.retry ? { timeoutMs, retry: edge.retry } : { timeoutMs };
}

const nextHead = (caller: string, head: CallHead): NextHead => ({
  callId: newId(),
  rootId: head.rootId,
  revision: head.revision,
  caller,
  hops: head.hops + 1,
  ...(head.traceparent === undefined ? {} : { traceparent: head.traceparent }),
});

function channelOf(outcome: Outcome, local: boolean, machine: string): EdgeObservation['channel'] {
  if (outcome.ok && outcome.instance === '') return 'InProcess';
  if (outcome.ok) return outcome.machine === machine ? 'Node' : 'Remote';
  return local ? 'InProcess' : 'Remote';
}
