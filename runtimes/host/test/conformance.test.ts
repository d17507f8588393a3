/**
 * The conformance suite over real hosts and a real bus: caller and callee in one unit or in two, callees in JavaScript or WASM.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Caller, HeaderBlock, Session } from '@sinter/bus';
import {
  CONTRACT_VERSION,
  callSubject,
  decodeValue,
  encodeValue,
  newId,
  unitInbox,
  writeAnswer,
} from '@sinter/contract';
import type { Answer, RouteFunction, RouteRecord, UnitScope } from '@sinter/contract';
import { BESIDE_FRONT, EDGES, FUNCTIONS, conformance, moduleOf } from '@sinter/contract/conformance';
import type {
  ArtifactType,
  Bench,
  Misdeed,
  Script,
  StandardFunction,
  Told,
} from '@sinter/contract/conformance';
import { putModule } from '../../../operator/src/bus/modules.ts';
import { provisionBuckets, provisionNamespace } from '../../../operator/src/bus/provision.ts';
import { openRoutes } from '../../../operator/src/bus/routes.ts';
import { startTestBus } from '../../../operator/src/local/nats/testBus.ts';
import type { TestBus } from '../../../operator/src/local/nats/testBus.ts';

const HOST = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const W = { namespace: 'conformance', workflow: 'standard' };
const REVISION = 'r1';
const READY_MS = 60_000;

interface UnitPlan {
  readonly name: string;
  readonly functions: readonly StandardFunction[];
}

const scopeOf = (unit: UnitPlan): UnitScope => {
  const functions = unit.functions.map((f) => f.name);
  return {
    ...W,
    unit: unit.name,
    functions,
    edges: EDGES.filter((e) => functions.includes(e.from)),
    asyncFunctions: [],
  };
};

/** One unit, or two: the caller with what stays beside it, and its callees. */
const unitsOf = (channel: 'InProcess' | 'Bus'): readonly UnitPlan[] =>
  channel === 'InProcess'
    ? [{ name: 'all', functions: FUNCTIONS }]
    : [
        { name: 'front', functions: FUNCTIONS.filter((f) => BESIDE_FRONT.has(f.name)) },
        { name: 'back', functions: FUNCTIONS.filter((f) => !BESIDE_FRONT.has(f.name)) },
      ];

/** A host process of a unit; resolves when it serves. */
async function startHost(bus: TestBus, unit: UnitPlan, instance: string): Promise<ChildProcess> {
  const scope = scopeOf(unit);
  const { jwt, seed } = bus.signUnit(scope);
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', HOST], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {},
  });
  const bootstrap = {
    servers: [bus.urlOf('hub')],
    credential: { jwt, seed },
    machine: 'machine-1',
    architecture: 'amd64',
    instance,
    unit: { ...W, unit: unit.name },
    functions: scope.functions,
  };
  child.stdin.on('error', () => undefined); // it was killed before it read: the wait below says so
  child.stdin.write(`${JSON.stringify(bootstrap)}\n`);
  await serving(child, unit.name);
  return child;
}

async function serving(child: ChildProcess, name: string): Promise<void> {
  if (!child.stdout) throw new Error('a child without output');
  const lines: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => {
    reject(new Error(`${name} does not serve: ${lines.join('\n')}`));
  }, READY_MS);
  child.once('exit', () => {
    reject(new Error(`${name} ended: ${lines.join('\n')}`));
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    if (line.includes('"message":"serving"')) resolve(undefined);
  });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function routeOf(bus: TestBus, units: readonly UnitPlan[], callee: ArtifactType): Promise<RouteRecord> {
  const nc = await bus.connectOperator();
  const routeFunction = async (fn: StandardFunction): Promise<RouteFunction> => {
    const { type, bytes } = await moduleOf(fn, callee);
    const { sha256 } = await putModule(nc, W.namespace, bytes);
    const { name, concurrency, timeoutSeconds, memoryBytes } = fn;
    const artifacts = [{ architecture: 'amd64', name: type, type, isolation: 'Worker' as const, sha256 }];
    const served = units.length > 1 || name === 'front';
    return { name, served, async: false, concurrency, timeoutSeconds, memoryBytes, artifacts };
  };
  return {
    ...W,
    version: CONTRACT_VERSION,
    generation: 1,
    current: REVISION,
    draining: [],
    revisions: {
      [REVISION]: {
        units: await Promise.all(
          units.map(async (u) => ({
            name: u.name,
            functions: await Promise.all(u.functions.map(routeFunction)),
          })),
        ),
        edges: EDGES,
      },
    },
  };
}

async function start(channel: 'InProcess' | 'Bus', callee: ArtifactType): Promise<Bench> {
  const bus = await startTestBus();
  const children = new Map<string, ChildProcess>();
  const stop = async (): Promise<void> => {
    await Promise.all([...children.values()].map(end));
    await bus.stop();
  };
  try {
    const nc = await bus.connectOperator();
    await provisionBuckets(nc);
    await provisionNamespace(nc, W.namespace);
    const units = unitsOf(channel);
    await (await openRoutes(nc)).routes.write(await routeOf(bus, units, callee), 0);
    const hosts = units.map(async (u) => {
      children.set(u.name, await startHost(bus, u, `${u.name}-1`));
    });
    await Promise.all(hosts);
    const probe = await openProbe(bus);
    let instances = 1;
    return {
      front: probe.front,
      signalCallee: async (signal) => {
        const back = children.get('back');
        back?.kill(signal);
        if (!back || signal !== 'SIGKILL') return;
        await once(back, 'exit');
        const unit = units.find((u) => u.name === 'back');
        if (unit) children.set('back', await startHost(bus, unit, `back-${String(++instances)}`));
      },
      rogue: (misdeed, calls) => rogue(bus, misdeed, calls),
      stop: async () => {
        await probe.close();
        await stop();
      },
    };
  } catch (cause) {
    await stop();
    throw cause;
  }
}

/** An entry: a unit whose function `probe` may call `front`. */
async function openProbe(bus: TestBus) {
  const edges = [{ from: 'probe', to: 'front', call: 'Sync' as const }];
  const scope: UnitScope = { ...W, unit: 'probe', functions: ['probe'], edges, asyncFunctions: [] };
  const { jwt, seed } = bus.signUnit(scope);
  const session = await Session.open({
    servers: [bus.urlOf('hub')],
    credential: { jwt, seed },
    inbox: unitInbox({ ...scope, instance: 'p1' }),
    name: 'probe',
  });
  const caller = new Caller(session, performance);
  const front = async (script: Script): Promise<readonly Told[]> => {
    const callId = newId();
    const outcome = await caller.call(
      { ...W, revision: REVISION, function: 'front' },
      { callId, rootId: callId, caller: 'probe', hops: 0 },
      encodeValue(script),
      { timeoutMs: 25_000 },
    );
    if (!outcome.ok) throw outcome.error;
    return decodeValue(outcome.payload) as readonly Told[];
  };
  return { front, close: () => session.close() };
}

/** Stands in the queue group of `count` with the rights of its unit, does a misdeed to some calls, and leaves. */
async function rogue(bus: TestBus, misdeed: Misdeed, calls: number): Promise<void> {
  const back = unitsOf('Bus').find((u) => u.name === 'back');
  if (!back) throw new Error('no unit back');
  const nc = await bus.connectUnit(scopeOf(back), { instance: 'rogue' });
  const answer = (word: string) => {
    const headers = new HeaderBlock();
    const payload = { contentType: 'text/plain', bytes: Buffer.from(word) };
    const result: Answer = { kind: 'Result', payload, machine: 'machine-1', instance: 'rogue' };
    return [writeAnswer(headers, result), { headers: headers.asMsgHdrs() }] as const;
  };
  let met = 0;
  const subscription = nc.subscribe(callSubject(W, REVISION, 'count'), {
    queue: 'fn',
    callback: (_error, msg) => {
      if (++met > calls) return;
      if (met === calls) subscription.unsubscribe();
      if (misdeed === 'AnswerTwice') for (const word of ['first', 'second']) msg.respond(...answer(word));
      if (misdeed === 'AnswerLate') setTimeout(() => msg.respond(...answer('late')), 500).unref();
    },
  });
  await nc.flush();
}

const TOGETHER =
  'caller and callee share the process and no wire is between them: nobody can stand in between, and a kill ends both';

// Most of what is tested is waiting: the benches share the machine well.
describe('conformance', { concurrency: 4 }, () => {
  for (const callee of ['JavaScript', 'Wasm'] as const) {
    conformance(`in process, callee in ${callee}`, {
      callee,
      start: () => start('InProcess', callee),
      cannotMisbehave: TOGETHER,
    });
    conformance(`over the bus, callee in ${callee}`, { callee, start: () => start('Bus', callee) });
  }
});
