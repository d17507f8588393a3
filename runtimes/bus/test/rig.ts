/**
 * A real bus, and processes on it made of the parts of this package: callers, callees, and raw clients that speak frames by
 * hand where the parts cannot be made to misbehave.
 */
import { connect } from '@nats-io/transport-node';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { CallError, newId, unitInbox, writeCall } from '@sinter/contract';
import type {
  Call,
  CallHead,
  CallTerms,
  Outcome,
  Payload,
  ScopeEdge,
  UnitScope,
  WorkflowKey,
} from '@sinter/contract';
import { startTestBus } from '../../../operator/src/local/nats/testBus.ts';
import type { TestBus, TestBusOptions } from '../../../operator/src/local/nats/testBus.ts';
import { renewUnit, signUnit } from '../../../operator/src/bus/credentials.ts';
import { Caller, Gate, HeaderBlock, Intake, Listener, Session } from '../src/index.ts';

export type Handler = (call: Call, signal: AbortSignal) => Promise<Payload> | Payload;

export const text = (s: string): Payload => ({ contentType: 'text/plain', bytes: Buffer.from(s) });
export const textOf = (o: Outcome): string =>
  o.ok ? Buffer.from(o.payload.bytes).toString() : `${o.error.code}: ${o.error.message}`;
export const codeOf = (o: Outcome): string => (o.ok ? 'ok' : o.error.code);
export const REVISION = 'r1';
const DAY_MS = 24 * 3600 * 1000;

/** Waits until it holds, at most so long. */
export async function until(what: string, holds: () => boolean, limitMs = 20_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${String(limitMs)} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves when told to. */
export function latch(): { readonly opened: Promise<undefined>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const open = (): void => {
    resolve(undefined);
  };
  return { opened: promise, open };
}

/** A workflow of its own for each test, so that tests can share a bus. */
let workflows = 0;

export class World {
  readonly w: WorkflowKey;
  readonly problems: string[] = [];
  readonly #bus: TestBus;
  readonly #ends: (() => Promise<void>)[] = [];

  constructor(bus: TestBus) {
    this.#bus = bus;
    this.w = { namespace: 'ns', workflow: `wf${String(++workflows)}` };
  }

  scope(unit: string, functions: readonly string[], edges: readonly ScopeEdge[] = []): UnitScope {
    return {
      ...this.w,
      unit,
      functions,
      edges,
      asyncFunctions: functions.filter((f) => f.startsWith('job')),
    };
  }

  async session(scope: UnitScope, instance: string, at: readonly string[] = ['hub']) {
    const { jwt, seed, publicKey } = this.#bus.signUnit(scope);
    let renewals = 0;
    const session = await Session.open({
      servers: at.map((name) => this.#bus.urlOf(name)),
      credential: { jwt, seed },
      inbox: unitInbox({ ...scope, instance }),
      name: `${scope.unit}/${instance}`,
      onProblem: (problem) => this.problems.push(problem),
    });
    this.#ends.push(() => session.close());
    // Two of one second would else be one and the same.
    const renewed = (): string => {
      const lifetimeMs = DAY_MS + ++renewals * 1000;
      return renewUnit(this.#bus.keys, scope, publicKey, { nowMs: Date.now(), lifetimeMs }).jwt;
    };
    return { session, renewed };
  }

  /** With a credential of so short a life; `told` gets why it is shut out, `clock` says by which clock. */
  async briefly(lifetimeMs: number, told: string[], clock: () => number = Date.now) {
    const scope = this.scope('brief', ['fn']);
    const { jwt, seed, publicKey } = signUnit(this.#bus.keys, scope, { nowMs: Date.now(), lifetimeMs });
    const session = await Session.open({
      servers: [this.#bus.urlOf('hub')],
      credential: { jwt, seed },
      inbox: unitInbox({ ...scope, instance: 'i' }),
      name: 'brief',
      shutOut: { wallClock: clock, end: (why) => told.push(why) },
    });
    this.#ends.push(() => session.close());
    const renewed = (lifeMs: number): string =>
      renewUnit(this.#bus.keys, scope, publicKey, { nowMs: Date.now(), lifetimeMs: lifeMs }).jwt;
    return { session, renewed };
  }

  /** A unit `front` with a function `caller` that may call `fn` and hand work to `job`. */
  async caller(instance = 'c1', at?: readonly string[]) {
    const to = ['fn', 'other'].map((f) => ({ from: 'caller', to: f, call: 'Sync' as const }));
    const scope = this.scope('front', ['caller'], [...to, { from: 'caller', to: 'job', call: 'Async' }]);
    const { session, renewed } = await this.session(scope, instance, at);
    const caller = new Caller(session, performance);
    const call = (
      payload: Payload | string = 'hello',
      terms: Partial<CallTerms> = {},
      signal?: AbortSignal,
      fn = 'fn',
    ): Promise<Outcome> =>
      caller.call(
        { ...this.w, revision: REVISION, function: fn },
        this.head(),
        typeof payload === 'string' ? text(payload) : payload,
        { timeoutMs: 10_000, ...terms },
        signal,
      );
    return { session, caller, call, renewed, scope };
  }

  head(): Omit<CallHead, 'attempt' | 'timeoutMs' | 'revision'> {
    return { callId: newId(), rootId: 'root', caller: 'caller', hops: 1 };
  }

  /** An instance that serves `fn`. */
  async callee(
    instance: string,
    handler: Handler,
    options: { concurrency?: number; at?: readonly string[]; serve?: boolean } = {},
  ) {
    const { session, renewed } = await this.session(
      this.scope('back', ['fn', 'other']),
      instance,
      options.at,
    );
    const gate = new Gate(options.concurrency ?? 64, performance);
    const seen: string[] = [];
    const intake = new Intake({
      machine: options.at?.[0] ?? 'hub',
      instance,
      clock: performance,
      gateOf: (fn) => (fn === 'fn' ? gate : undefined),
      link: () => session.link,
      run: async (_fn, call, signal) => {
        seen.push(call.head.callId);
        return await handler(call, signal);
      },
    });
    const listener = new Listener({
      session,
      workflow: this.w,
      intake,
      gateOf: () => gate,
      clock: performance,
      machine: 'hub',
      instance,
    });
    const serve = (on = true): Promise<void> => listener.serve(on ? [{ fn: 'fn', revision: REVISION }] : []);
    if (options.serve !== false) await serve();
    await session.link.flush();
    /** As if it were killed: nothing is said any more. */
    const kill = (): Promise<void> => session.link.nc.close();
    return { session, gate, intake, listener, serve, seen, kill, renewed };
  }

  /** A client with the rights of `back` that does everything by hand. */
  async raw(unit = 'back', instance = 'raw'): Promise<NatsConnection> {
    const edges = [{ from: 'fn', to: 'fn', call: 'Sync' as const }];
    const scope = this.scope(unit, ['fn', 'other', 'job'], unit === 'front' ? edges : []);
    const { jwt, seed } = this.#bus.signUnit(scope);
    const { jwtAuthenticator } = await import('@nats-io/transport-node');
    const nc = await connect({
      servers: this.#bus.urlOf('hub'),
      authenticator: jwtAuthenticator(jwt, Buffer.from(seed)),
      inboxPrefix: unitInbox({ ...scope, instance }),
    });
    this.#ends.push(() => nc.close());
    return nc;
  }

  /** Receives calls of `fn` by hand, in the queue group as an instance does. */
  async rawCallee(onCall: (msg: Msg, nc: NatsConnection, nth: number) => void): Promise<NatsConnection> {
    const nc = await this.raw();
    let nth = 0;
    nc.subscribe(`fn.${this.w.namespace}.${this.w.workflow}.${REVISION}.fn`, {
      queue: 'fn',
      callback: (_error, msg) => {
        onCall(msg, nc, ++nth);
      },
    });
    await nc.flush();
    return nc;
  }

  /** A call as a frame, sent by hand. */
  frame(head: Partial<CallHead> = {}, payload: Payload = text('hello')): HeaderBlock {
    const block = new HeaderBlock();
    const full = { ...this.head(), revision: REVISION, attempt: 1, timeoutMs: 5_000, ...head };
    writeCall(block, { head: full, payload });
    return block;
  }

  /** Done when the test is over, however it ends. */
  atEnd(act: () => void): void {
    this.#ends.push(() => {
      act();
      return Promise.resolve();
    });
  }

  async end(): Promise<void> {
    for (const end of this.#ends.reverse()) await end();
  }
}

/** A bus for a file of tests: `before(start)`, `after(stop)`. */
export function sharedBus(options: TestBusOptions = {}) {
  let bus: (TestBus & { stop: () => Promise<void> }) | undefined;
  return {
    start: async (): Promise<void> => {
      bus = await startTestBus(options);
    },
    stop: async (): Promise<void> => {
      await bus?.stop();
    },
    get bus(): TestBus {
      if (!bus) throw new Error('not started');
      return bus;
    },
    /** Runs a test in a world of its own, which is taken down however it ends. */
    world:
      (test: (world: World, bus: TestBus) => Promise<void>): (() => Promise<void>) =>
      async () => {
        if (!bus) throw new Error('not started');
        const world = new World(bus);
        try {
          await test(world, bus);
        } finally {
          await world.end();
        }
      },
  };
}

export const failing = (code: CallError['code'], message: string): CallError =>
  new CallError(code, message, { reason: 'Because', function: 'deep' });
