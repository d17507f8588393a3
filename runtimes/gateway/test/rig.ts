/**
 * A real bus, a real gateway, and a unit that serves test functions with the parts of `@sinter/bus` that every runtime has.
 */
import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingHttpHeaders, RequestOptions } from 'node:http';
import { Gate, Intake, Listener, Puller, Session } from '@sinter/bus';
import type { Clock, PulledWork, Run } from '@sinter/bus';
import { CALLS_BUCKET, CallError, callKey, kvSubject, unitInbox } from '@sinter/contract';
import type {
  Call,
  CallRecord,
  EntryRecord,
  EntryTrigger,
  Payload,
  RouteFunction,
  RouteRecord,
} from '@sinter/contract';
import { openRoutes } from '../../../operator/src/bus/routes.ts';
import type { RouteBook } from '../../../operator/src/bus/routes.ts';
import { provisionAsync, provisionBuckets } from '../../../operator/src/bus/provision.ts';
import { startTestBus } from '../../../operator/src/local/nats/testBus.ts';
import { Gateway } from '../src/index.ts';
import type { GatewayBootstrap, ServerLimits } from '../src/index.ts';

export const WORKFLOW = { namespace: 'default', workflow: 'traffic' };
export const TOKEN = 'token-of-the-run';

/** The functions of the test unit. */
export const FUNCTIONS = ['echo', 'fail', 'hang', 'slow', 'html', 'private', 'later', 'quiet'] as const;
const ASYNC = new Set<string>(['later', 'quiet']);

export const routeFunction = (name: string, over: Partial<RouteFunction> = {}): RouteFunction => ({
  name,
  served: name !== 'private',
  async: ASYNC.has(name),
  concurrency: 64,
  timeoutSeconds: 5,
  memoryBytes: 64 * 1024 * 1024,
  artifacts: [],
  ...over,
});

export const route = (over: Partial<RouteRecord> = {}): RouteRecord => {
  const current = over.current ?? 'r1';
  const functions = FUNCTIONS.map((name) => routeFunction(name));
  const revision = { units: [{ name: 'unit', functions }], edges: [] };
  return {
    ...WORKFLOW,
    version: 1,
    generation: 1,
    current,
    draining: [],
    revisions: current === '' ? {} : { [current]: revision },
    ...over,
  };
};

export const trigger = (over: Partial<EntryTrigger> = {}): EntryTrigger => ({
  name: 'web',
  to: 'echo',
  type: 'Http',
  hosts: [],
  path: '/traffic',
  methods: ['POST'],
  auth: { type: 'None' },
  ...over,
});

export const entry = (over: Partial<EntryRecord> = {}): EntryRecord => ({
  ...WORKFLOW,
  version: 1,
  expose: 'Triggers',
  suspended: false,
  functions: [...FUNCTIONS],
  triggers: [trigger()],
  ...over,
});

export type Rig = Awaited<ReturnType<typeof startRig>>;

export async function startRig(
  options: { readonly machines?: readonly string[]; readonly bootstrap?: Partial<GatewayBootstrap> } = {},
) {
  const bus = await startTestBus({ machines: options.machines ?? [] });
  const nc = await bus.connectOperator();
  await provisionBuckets(nc);
  await provisionAsync(nc, WORKFLOW, [{ fn: 'later' }, { fn: 'quiet' }]);
  const book = await openRoutes(nc);
  const problems: string[] = [];
  const ends: (() => Promise<void>)[] = [];
  const startGateway = async (
    over: Partial<GatewayBootstrap> = {},
    limits?: ServerLimits,
    clock: Clock = performance,
  ) => {
    const { jwt, seed } = bus.signGateway();
    const bootstrap: GatewayBootstrap = {
      servers: [bus.urlOf('hub')],
      credential: { jwt, seed },
      machine: 'machine-1',
      architecture: 'amd64',
      instance: 'g1',
      token: TOKEN,
      ...options.bootstrap,
      ...over,
    };
    const gateway = await Gateway.start({
      bootstrap,
      clock,
      wallClock: Date.now,
      onProblem: (problem) => problems.push(problem),
      ...(limits === undefined ? {} : { limits }),
    });
    ends.push(() => gateway.stop(500));
    return gateway;
  };
  return {
    bus,
    nc,
    problems,
    startGateway,
    putRoute: (record: RouteRecord) => overwrite(book.routes, record),
    putEntry: (record: EntryRecord) => overwrite(book.entries, record),
    dropEntry: async (key: typeof WORKFLOW) => {
      await book.entries.remove(key, (await book.entries.read(key)).sequence);
    },
    startUnit: async (revisions: readonly string[], over: { instance?: string; machine?: string } = {}) => {
      const unit = await startUnit(bus, revisions, over);
      ends.push(unit.stop);
      return unit;
    },
    stop: async () => {
      for (const end of ends.reverse()) await end();
      await bus.stop();
    },
  };
}

async function overwrite<T extends typeof WORKFLOW>(book: RouteBook['routes' | 'entries'], record: T) {
  const records = book as unknown as {
    read(key: typeof WORKFLOW): Promise<{ sequence: number }>;
    write(record: T, after: number): Promise<{ kind: string }>;
  };
  const { sequence } = await records.read(record);
  const { kind } = await records.write(record, sequence);
  if (kind !== 'Written') throw new Error(kind);
}

/** A unit that serves FUNCTIONS under revisions. */
async function startUnit(
  bus: Awaited<ReturnType<typeof startTestBus>>,
  revisions: readonly string[],
  { instance = 'i1', machine = 'machine-1' }: { instance?: string; machine?: string },
) {
  const unit = { ...WORKFLOW, unit: 'unit' };
  const scope = { ...unit, functions: [...FUNCTIONS], edges: [], asyncFunctions: [...ASYNC] };
  const { jwt, seed } = bus.signUnit(scope);
  const session = await Session.open({
    servers: [bus.urlOf('hub')],
    credential: { jwt, seed },
    inbox: unitInbox({ ...unit, instance }),
    name: 'test unit',
  });
  const gates = new Map(FUNCTIONS.map((fn) => [fn as string, new Gate(64, performance)]));
  const gateOf = (fn: string) => gates.get(fn);
  const seen: { fn: string; call: Call }[] = [];
  const cancelled: string[] = [];
  const run: Run = async (fn, call, signal) => {
    seen.push({ fn, call });
    signal.addEventListener('abort', () => cancelled.push(call.head.callId));
    return await behave(fn, call, signal);
  };
  const clock = performance;
  const intake = new Intake({ machine, instance, clock, run, gateOf });
  const listener = new Listener({ session, workflow: WORKFLOW, intake, gateOf, clock, machine, instance });
  const serve = (under: readonly string[]) =>
    listener.serve(
      under.flatMap((revision) => FUNCTIONS.filter((f) => f !== 'private').map((fn) => ({ fn, revision }))),
    );
  await serve(revisions);
  await session.link.flush();
  const runWork = async (work: PulledWork) => {
    await runAsync(session, work, await run('later', work.call, new AbortController().signal));
  };
  const puller = new Puller({
    session,
    workflow: WORKFLOW,
    function: 'later',
    gate: new Gate(8, performance),
    retryOf: () => ({ attempts: 1, on: [], backoffSeconds: 1, maxBackoffSeconds: 1 }),
    run: runWork,
    onProblem: () => undefined,
  });
  return {
    seen,
    cancelled,
    intake,
    serve,
    pull: () => {
      puller.start();
    },
    stop: async () => {
      await puller.stop();
      await session.close();
    },
  };
}

/** What the host does around async work of an entry. */
async function runAsync(session: Session, work: PulledWork, result: Payload): Promise<void> {
  const record: CallRecord = {
    callId: work.call.head.callId,
    function: 'later',
    state: 'Succeeded',
    attempts: work.deliveries,
    acceptedAt: new Date(0).toISOString(),
    finishedAt: new Date(1).toISOString(),
    contentType: result.contentType,
    result: new TextDecoder().decode(result.bytes),
  };
  const subject = kvSubject(CALLS_BUCKET, callKey(WORKFLOW, record.callId));
  session.link.publish(subject, new TextEncoder().encode(JSON.stringify(record)));
  await session.link.flush();
}

async function behave(fn: string, call: Call, signal: AbortSignal): Promise<Payload> {
  const aborted = () => {
    if (signal.aborted) throw signal.reason;
    return once(signal, 'abort').then(() => {
      throw signal.reason;
    });
  };
  switch (fn) {
    case 'fail': {
      const wanted = JSON.parse(new TextDecoder().decode(call.payload.bytes)) as {
        code: 'FunctionFailed';
        message: string;
      } | null;
      throw new CallError(wanted?.code ?? 'FunctionFailed', wanted?.message ?? 'on purpose', {
        reason: 'Thrown',
      });
    }
    case 'hang':
      return await aborted();
    case 'slow': {
      const { ms } = JSON.parse(new TextDecoder().decode(call.payload.bytes)) as { ms: number };
      await Promise.race([new Promise((resolve) => setTimeout(resolve, ms)), aborted()]);
      return call.payload;
    }
    case 'html':
      return { contentType: 'text/html\r\nSet-Cookie: a=b', bytes: call.payload.bytes };
    default:
      return call.payload;
  }
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly json: () => Record<string, unknown>;
}

export interface Asking extends Omit<RequestOptions, 'host' | 'port'> {
  readonly body?: string | Buffer;
}

/** One request, on a connection of its own unless an agent is given. */
export async function ask(
  gateway: Pick<Gateway, 'address'>,
  path: string,
  options: Asking = {},
): Promise<Answered> {
  const { body, ...rest } = options;
  const { host, port } = gateway.address;
  return await new Promise((resolve, reject) => {
    const req = request({ host, port, path, method: 'POST', agent: false, ...rest }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.once('error', reject);
      res.once('end', () => {
        const all = Buffer.concat(chunks);
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          body: all,
          json: () => JSON.parse(all.toString()) as Record<string, unknown>,
        });
      });
    });
    req.once('error', reject);
    req.end(body);
  });
}

export const JSON_HEADERS = { 'content-type': 'application/json' };
export const WITH_TOKEN = { authorization: `Bearer ${TOKEN}` };

/** Waits until something holds, at most so long. */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs = 5_000,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const got = await probe();
    if (got !== undefined && got !== false) return got;
    if (performance.now() > end) throw new Error(`not within ${String(limitMs)} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
