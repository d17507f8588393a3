/**
 * A running unit: its functions, their gates, and every way by which calls reach and leave them.
 *
 * Owns: which functions are loaded, on what it listens (by the route), where a call on goes (in this process or over the
 * bus), and what is reported. Its neighbours: `threads/` runs the code, `@sinter/bus` talks to the bus, `outgoing.ts`
 * judges calls by their edges.
 * Invariants:
 *  1. A call runs wholly under the revision that it came with; edges and terms are that revision's (D3).
 *  2. A function is served on the bus only under revisions that the route names and that contain this unit.
 *  3. What was accepted is finished before the process ends, within the longest timeout.
 */
import { ANNOUNCE_MS, CONTRACT_VERSION, CallError, liveSubject, unitInbox } from '@sinter/contract';
import type {
  Announcement,
  Call,
  InstanceKey,
  Payload,
  RouteArtifact,
  RouteFunction,
  RouteRecord,
  RouteRevision,
  UnitKey,
} from '@sinter/contract';
import {
  Caller,
  Gate,
  Intake,
  Listener,
  Puller,
  Recorder,
  RouteWatch,
  Session,
  fetchModule,
  ownMemoryBytes,
  publishObservation,
} from '@sinter/bus';
import type { Bootstrap, Clock, DeadWork, Link, PulledWork, Rider } from '@sinter/bus';
import { finishedRecord, putCallRecord, runningRecord, storeCallRecord } from './callRecords.ts';
import type { PullSettings } from './images/settings.ts';
import type { LogLine } from './log.ts';
import { Meter, Occupancy } from './meter.ts';
import { DEFAULT_ASYNC_RETRY, Outgoings } from './outgoing.ts';
import { startFunction } from './threads/runtime.ts';
import type { FunctionRuntime } from './threads/runtime.ts';

export interface UnitBootstrap extends Bootstrap {
  readonly unit: UnitKey;
}

export interface UnitOptions {
  readonly bootstrap: UnitBootstrap;
  /** Environment of each function, by its name. */
  readonly environments: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** With what images are pulled; absent: without credentials. */
  readonly pull?: PullSettings;
  readonly clock: Clock;
  /** When this process was started, by the clock. */
  readonly startedAtMs?: number;
  /** Milliseconds since 1970, for what people read. */
  readonly wallClock: () => number;
  /** Told to end: what still waits to be deployed need not wait any longer. */
  readonly ended?: AbortSignal;
  /** The bus takes its credential no more, and it has no other: the process has to start anew. Called once, with why. */
  readonly onShutOut?: (why: string) => void;
  readonly log: LogLine;
}

/** A function of this unit, loaded. */
interface Hosted {
  readonly spec: RouteFunction;
  readonly artifact: string;
  readonly gate: Gate;
  readonly runtime: FunctionRuntime;
  readonly meter: Meter;
  /** What its loading took, in milliseconds. */
  loadMs: number;
}

const OBSERVE_MS = 1_000;
/** A thread that does not answer within this time is told of in the next observation. */
const MEASURE_LIMIT_MS = 100;
const NEAREST_MS = 30_000;
const ROUTE_WAIT_MS = 30_000;
const NO_PULL: PullSettings = { configs: [], insecure: [] };
const encoder = new TextEncoder();

const isEntry = (caller: string): boolean => caller.startsWith('_');

export class Unit implements Rider {
  readonly #options: UnitOptions;
  readonly #key: InstanceKey;
  readonly #session: Session;
  readonly #recorder: Recorder;
  readonly #intake: Intake;
  readonly #listener: Listener;
  readonly #routes: RouteWatch;
  readonly #outgoings: Outgoings;
  readonly #functions = new Map<string, Hosted>();
  readonly #pullers = new Map<string, Puller>();
  readonly #timers: NodeJS.Timeout[] = [];
  /** Of the route after which it listens as it does. */
  #adoptedGeneration = 0;
  #route: RouteRecord | undefined;
  #state: Announcement['state'] = 'Serving';
  #ready = false;
  #stopping = false;
  #adopting: Promise<void> = Promise.resolve();
  #renewals: { unsubscribe(): void } | undefined;
  readonly #occupancy = new Occupancy();
  /** CPU time of this process that has been told. */
  #toldCpuMs = 0;
  #firstRoute: (route: RouteRecord) => void = () => undefined;

  private constructor(options: UnitOptions, session: Session) {
    const { bootstrap, clock } = options;
    this.#options = options;
    this.#key = { ...bootstrap.unit, instance: bootstrap.instance };
    this.#session = session;
    this.#recorder = new Recorder(clock.now());
    const at = { machine: bootstrap.machine, instance: bootstrap.instance };
    const gateOf = (fn: string): Gate | undefined => this.#functions.get(fn)?.gate;
    this.#intake = new Intake({
      ...at,
      clock,
      gateOf,
      link: () => session.link,
      run: (fn, call, signal) => this.#run(fn, call, signal),
    });
    this.#listener = new Listener({
      ...at,
      session,
      workflow: bootstrap.unit,
      intake: this.#intake,
      gateOf,
      clock,
    });
    this.#outgoings = new Outgoings({
      session,
      caller: new Caller(session, clock),
      clock,
      workflow: bootstrap.unit,
      machine: bootstrap.machine,
      recorder: this.#recorder,
      revision: (hash) => this.#route?.revisions[hash],
      local: (fn) => {
        const hosted = this.#functions.get(fn);
        return hosted && { gate: hosted.gate, run: (call, signal) => this.#run(fn, call, signal) };
      },
      log: options.log,
    });
    this.#routes = new RouteWatch(
      session,
      bootstrap.unit,
      (route) => {
        this.#heard(route);
      },
      (problem) => {
        options.log('warn', problem);
      },
    );
  }

  /** Connects, loads its functions, listens, announces itself. Rejects with what stands in the way. */
  static async start(options: UnitOptions): Promise<Unit> {
    const { bootstrap, log, wallClock, onShutOut } = options;
    const inbox = unitInbox({ ...bootstrap.unit, instance: bootstrap.instance });
    const session = await Session.open({
      ...bootstrap,
      inbox,
      name: `${bootstrap.unit.unit}/${bootstrap.instance}`,
      onProblem: (problem) => {
        log('warn', problem);
      },
      ...(onShutOut ? { shutOut: { wallClock, end: onShutOut } } : {}),
    });
    const unit = new Unit(options, session);
    try {
      await unit.#begin();
    } catch (cause) {
      // Whoever told it to end knows why it does not serve.
      if (options.ended?.aborted !== true)
        unit.#announce('Failed', cause instanceof Error ? cause.message : String(cause));
      await session.link.flush().catch(() => undefined);
      await unit.#abandon();
      throw cause;
    }
    return unit;
  }

  /** It serves, and is connected. */
  get ready(): boolean {
    return this.#ready && !this.#stopping && this.#session.link.up;
  }

  /** No call of its functions takes longer, in milliseconds. */
  get longestCallMs(): number {
    return Math.max(0, ...[...this.#functions.values()].map((f) => f.spec.timeoutSeconds * 1000));
  }

  /** Finishes what was accepted, then ends. `limitMs` bounds the wait. */
  async stop(limitMs: number): Promise<void> {
    this.#stopping = true;
    this.#announce('Draining');
    await this.#adopting.catch(() => undefined);
    await this.#listener.stop();
    const pulling = Promise.all([...this.#pullers.values()].map((p) => p.stop()));
    const drained = this.#drained(limitMs);
    await Promise.race([Promise.all([pulling, drained]), this.#wait(limitMs)]);
    await this.#measure();
    this.#observe();
    await this.#session.link.flush().catch(() => undefined);
    await this.#abandon();
  }

  moved(to: Link): Promise<void> {
    this.#takeOn(to);
    this.#announce(this.#state);
    return Promise.resolve();
  }

  busy(): number {
    return 0;
  }

  async #begin(): Promise<void> {
    this.#session.add(this);
    this.#takeOn(this.#session.link);
    const route = await this.#waitForRoute();
    await this.#load(route);
    // The route may have changed while the functions were loaded: the newest is adopted, and every one after it.
    this.#ready = true;
    const adopted = this.#adopt(this.#route ?? route);
    this.#adopting = adopted.catch(() => undefined);
    await adopted;
    this.#recordStart(route);
    this.#timers.push(
      setInterval(() => {
        if (this.#recorder.isDue(this.#options.clock.now())) void this.#measure().then(() => this.#observe());
      }, OBSERVE_MS),
      setInterval(() => {
        this.#announce(this.#state);
      }, ANNOUNCE_MS),
      setInterval(() => void this.#stayNear(), NEAREST_MS),
    );
  }

  /** The first route that contains this unit. */
  async #waitForRoute(): Promise<RouteRecord> {
    const { ended } = this.#options;
    return await new Promise<RouteRecord>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`no route names unit ${this.#key.unit} within ${String(ROUTE_WAIT_MS / 1000)} s`));
      }, ROUTE_WAIT_MS);
      const giveUp = (): void => {
        clearTimeout(timer);
        reject(new Error(`unit ${this.#key.unit} was told to end before a route named it`));
      };
      if (ended?.aborted === true) giveUp();
      ended?.addEventListener('abort', giveUp, { once: true });
      this.#firstRoute = (route) => {
        if (this.#revisionsIn(route).length === 0) return;
        clearTimeout(timer);
        this.#firstRoute = () => undefined;
        resolve(route);
      };
      this.#routes.start().catch(reject);
    });
  }

  #heard(route: RouteRecord): void {
    this.#route = route;
    this.#firstRoute(route);
    if (this.#ready)
      this.#adopting = this.#adopting
        .then(() => this.#adopt(route))
        .catch((cause: unknown) => {
          this.#options.log('error', `a route was not adopted: ${String(cause)}`);
        });
  }

  /** Revisions of the route that contain this unit, the current one first. */
  #revisionsIn(route: RouteRecord): readonly string[] {
    const live = [
      route.current,
      ...(route.candidate === undefined ? [] : [route.candidate]),
      ...route.draining,
    ];
    return live.filter((hash) => this.#unitIn(route.revisions[hash]) !== undefined);
  }

  #unitIn(revision: RouteRevision | undefined): RouteRevision['units'][number] | undefined {
    return revision?.units.find((u) => u.name === this.#key.unit);
  }

  async #load(route: RouteRecord): Promise<void> {
    const [hash] = this.#revisionsIn(route);
    const unit = hash === undefined ? undefined : this.#unitIn(route.revisions[hash]);
    await Promise.all((unit?.functions ?? []).map((fn) => this.#loadFunction(fn)));
  }

  async #loadFunction(spec: RouteFunction): Promise<void> {
    const { bootstrap, clock } = this.#options;
    const startedAt = clock.now();
    const artifact = spec.artifacts.find((a) => a.architecture === bootstrap.architecture);
    if (!artifact)
      throw new CallError(
        'FunctionFailed',
        `${spec.name} has no artifact for architecture ${bootstrap.architecture}`,
      );
    const module = await this.#moduleOf(spec.name, artifact);
    const runtime = startFunction(
      {
        name: spec.name,
        type: artifact.type,
        module,
        concurrency: spec.concurrency,
        memoryBytes: spec.memoryBytes,
        env: this.#options.environments.get(spec.name) ?? {},
      },
      (level, text) => {
        this.#options.log(level, text, { function: spec.name });
      },
    );
    const gate = new Gate(spec.concurrency, clock);
    const meter = new Meter(gate, runtime);
    const hosted: Hosted = { spec, artifact: artifact.name, gate, runtime, meter, loadMs: 0 };
    this.#functions.set(spec.name, hosted);
    await runtime.ready;
    hosted.loadMs = clock.now() - startedAt;
  }

  /** What each function would have taken from exec to serving without the others. */
  #recordStart(route: RouteRecord): void {
    const { clock, startedAtMs } = this.#options;
    const [revision] = this.#revisionsIn(route);
    if (startedAtMs === undefined || revision === undefined) return;
    const hosted = [...this.#functions.values()];
    const restMs = clock.now() - startedAtMs - Math.max(0, ...hosted.map((f) => f.loadMs));
    for (const { spec, artifact, loadMs } of hosted)
      this.#recorder.executions(spec.name, revision, artifact).started(restMs + loadMs);
  }

  /** A function's code: from the bus, or out of an image with the tenant's own credentials (D18). */
  async #moduleOf(fn: string, { sha256, image }: RouteArtifact): Promise<Uint8Array> {
    const { bootstrap, pull = NO_PULL, ended, log } = this.#options;
    if (!image) return await fetchModule(this.#session.link.nc, bootstrap.unit.namespace, sha256);
    const { pullModule } = await import('./images/pull.ts');
    return await pullModule(image, {
      settings: pull,
      architecture: bootstrap.architecture,
      onProblem: (problem) => {
        log('warn', problem, { function: fn });
      },
      ...(ended ? { signal: ended } : {}),
    });
  }

  /** Listens and pulls as the route says; what it no longer says is drained. */
  async #adopt(route: RouteRecord): Promise<void> {
    if (this.#stopping) return;
    const revisions = this.#revisionsIn(route);
    const wanted = revisions.flatMap((revision) =>
      (this.#unitIn(route.revisions[revision])?.functions ?? [])
        .filter((fn) => fn.served)
        .map((fn) => ({ fn: fn.name, revision })),
    );
    const serving = this.#listener.serve(wanted);
    this.#pullWhatIsOurs(route);
    await this.#session.link.flush();
    this.#adoptedGeneration = route.generation;
    this.#announce('Serving');
    this.#observe();
    await serving;
  }

  /** Async work is pulled under a revision that starts new roots: the current one or the candidate, not a draining one. */
  #pullWhatIsOurs(route: RouteRecord): void {
    const starting = this.#startingRevision(route);
    const unit = starting === undefined ? undefined : this.#unitIn(route.revisions[starting]);
    const wanted = new Set((unit?.functions ?? []).filter((fn) => fn.async).map((fn) => fn.name));
    for (const fn of wanted) {
      const puller = this.#pullers.get(fn) ?? this.#newPuller(fn);
      puller?.start();
    }
    for (const [fn, puller] of this.#pullers) if (!wanted.has(fn)) void puller.stop();
  }

  /** A revision of this unit under which roots may start: the current one, or a candidate that has a share. */
  #startingRevision(route: RouteRecord): string | undefined {
    const candidate = (route.weightPercent ?? 0) > 0 ? route.candidate : undefined;
    return this.#revisionsIn(route).find((hash) => hash === route.current || hash === candidate);
  }

  /** What is in a candidate alone takes no more of the work than the candidate has of the calls (D3). */
  #shareOfWork(): number {
    const route = this.#route;
    if (!route || this.#startingRevision(route) === route.current) return 1;
    return (route.weightPercent ?? 0) / 100;
  }

  #newPuller(fn: string): Puller | undefined {
    const hosted = this.#functions.get(fn);
    if (!hosted) return undefined;
    const puller = new Puller({
      session: this.#session,
      workflow: this.#key,
      function: fn,
      gate: hosted.gate,
      share: () => this.#shareOfWork(),
      retryOf: (caller) => {
        const route = this.#route;
        const revision = route?.revisions[this.#startingRevision(route) ?? route.current];
        return revision?.edges.find((e) => e.from === caller && e.to === fn)?.retry ?? DEFAULT_ASYNC_RETRY;
      },
      run: (work, signal) => this.#runWork(fn, hosted, work, signal),
      onDead: (work, error) => {
        if (isEntry(work.caller)) void this.#recordEnd(fn, work, error);
      },
      onProblem: (problem) => {
        this.#options.log('error', problem);
      },
    });
    this.#pullers.set(fn, puller);
    return puller;
  }

  /** A piece of async work: a root of its own, under a revision of this unit. */
  async #runWork(fn: string, hosted: Hosted, work: PulledWork, signal: AbortSignal): Promise<void> {
    const route = this.#route;
    const revision = (route && this.#startingRevision(route)) ?? route?.current ?? '';
    this.#recorder.rootBegins(revision);
    const ofEntry = isEntry(work.caller);
    const { callId } = work.call.head;
    const startedAt = this.#options.clock.now();
    let ok = false;
    try {
      if (ofEntry) putCallRecord(this.#session.link, this.#key, runningRecord(fn, { ...work, callId }));
      const head = { ...work.call.head, revision, timeoutMs: hosted.spec.timeoutSeconds * 1000 };
      const call = { head, payload: work.call.payload };
      const end = await this.#run(fn, call, signal, work.deliveries > 1).catch((thrown: unknown) =>
        CallError.from(thrown, fn),
      );
      const failed = end instanceof CallError;
      if (ofEntry && (!failed || work.last)) await this.#recordEnd(fn, { ...work, callId }, end);
      if (failed) throw end;
      ok = true;
    } finally {
      const ms = this.#options.clock.now() - startedAt;
      this.#recorder.entries(fn, revision, 'Async').add(ms, ok, ofEntry);
      this.#recorder.rootEnds(revision);
    }
  }

  /** Before the call is acknowledged, so that nobody is told for an hour that it still runs. It fails no call. */
  async #recordEnd(fn: string, work: DeadWork, end: Payload | CallError): Promise<void> {
    const record = finishedRecord(fn, work, end, this.#options.wallClock());
    try {
      await storeCallRecord(this.#session, this.#key, record);
    } catch (cause) {
      this.#options.log('error', `the end of call ${work.callId} was not recorded: ${String(cause)}`);
    }
  }

  /** Runs one call of one function: the one place where an execution is begun, bounded and counted. */
  async #run(fn: string, call: Call, signal: AbortSignal, repeated = false): Promise<Payload> {
    const hosted = this.#functions.get(fn);
    if (!hosted) throw new CallError('NoSuchFunction', `unit ${this.#key.unit} has no function '${fn}'`);
    const startedAt = this.#options.clock.now();
    const limitMs = Math.min(call.head.timeoutMs, hosted.spec.timeoutSeconds * 1000);
    const asking = this.#outgoings.of(fn, call.head, startedAt + limitMs);
    let output: Payload | undefined;
    this.#occupancy.begins(startedAt);
    try {
      output = await hosted.runtime.invoke(
        { callId: call.head.callId, input: call.payload, timeoutMs: limitMs, signal },
        asking,
      );
      return output;
    } finally {
      const endedAt = this.#options.clock.now();
      this.#occupancy.ends(endedAt);
      this.#recorder.executions(fn, call.head.revision, hosted.artifact).add({
        ok: output !== undefined,
        ms: endedAt - startedAt,
        calleesMs: asking.awaitedMs(endedAt),
        repeated,
        requestBytes: call.payload.bytes.byteLength,
        responseBytes: output?.bytes.byteLength ?? 0,
      });
    }
  }

  /** What was said while it was cut off is lost: it is said again. */
  #takeOn(link: Link): void {
    this.#listenForRenewal(link);
    link.onUp(() => {
      if (!this.#ready || link !== this.#session.link) return;
      this.#announce(this.#state);
      this.#observe();
    });
  }

  /** Over one link only: an old one that long calls keep open would else bring each renewal once more. */
  #listenForRenewal(link: Link): void {
    this.#renewals?.unsubscribe();
    this.#renewals = link.subscribe(`${unitInbox(this.#key)}.renew`, (msg) => {
      void this.#renew(msg.string());
    });
  }

  async #renew(jwt: string): Promise<void> {
    try {
      await this.#session.renew(jwt);
      this.#options.log('info', 'moved to a renewed credential');
    } catch (cause) {
      this.#options.log('error', `the renewed credential was not taken on: ${String(cause)}`);
    }
  }

  async #stayNear(): Promise<void> {
    try {
      await this.#session.link.measure();
      await this.#session.nearest();
    } catch (cause) {
      this.#options.log('debug', `the nearest server is not reachable: ${String(cause)}`);
    }
  }

  #announce(state: Announcement['state'], problem?: string): void {
    this.#state = state;
    const { credentialEndsAtMs } = this.#session;
    const announcement: Announcement = {
      ...this.#key,
      version: CONTRACT_VERSION,
      state,
      machine: this.#options.bootstrap.machine,
      architecture: this.#options.bootstrap.architecture,
      revisions: this.#listener.revisions,
      routeGeneration: this.#adoptedGeneration,
      ...(credentialEndsAtMs === undefined ? {} : { credentialEndsAtMs }),
      ...(problem === undefined ? {} : { problem }),
    };
    this.#session.link.publish(liveSubject(this.#key), encoder.encode(JSON.stringify(announcement)));
  }

  /** Asks gates and threads what they have used. */
  async #measure(): Promise<void> {
    const reading = [...this.#functions].map(async ([fn, { meter }]) => {
      this.#recorder.used(fn, await meter.read());
    });
    await Promise.race([Promise.all(reading), this.#wait(MEASURE_LIMIT_MS)]);
  }

  /** While cut off nothing is said, and counting goes on. */
  #observe(): void {
    if (!this.#session.link.up) return;
    const { machine, architecture } = this.#options.bootstrap;
    const routeGeneration = this.#route?.generation ?? 0;
    const nowMs = this.#options.clock.now();
    const { user, system } = process.cpuUsage();
    const cpuMs = (user + system) / 1_000;
    const at = {
      machine,
      architecture,
      routeGeneration,
      memoryBytes: ownMemoryBytes(),
      cpuMs: cpuMs - this.#toldCpuMs,
      occupiedMs: this.#occupancy.take(nowMs),
    };
    this.#toldCpuMs = cpuMs;
    publishObservation(this.#session.link, this.#recorder.take(this.#key, at, nowMs));
  }

  async #drained(limitMs: number): Promise<void> {
    const until = this.#options.clock.now() + limitMs;
    while (this.#options.clock.now() < until) {
      const running = [...this.#functions.values()].reduce((n, f) => n + f.gate.load, 0);
      if (running === 0 && this.#intake.running === 0) return;
      await this.#wait(20);
    }
  }

  async #wait(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
  }

  async #abandon(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#routes.stop();
    await this.#session.close();
    await Promise.all([...this.#functions.values()].map((f) => f.runtime.close()));
  }
}
