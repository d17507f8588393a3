/** The host as a pod runs it: told by its environment, probed over HTTP, ended by a signal. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'node:test';
import type { NatsConnection } from '@nats-io/transport-node';
import { CONTRACT_VERSION, environmentVariable, newId } from '@sinter/contract';
import type { RouteRecord, UnitScope } from '@sinter/contract';
import { Caller, Session } from '@sinter/bus';
import { connectAs } from '../../../operator/src/bus/connect.ts';
import { signSystem, signUnit } from '../../../operator/src/bus/credentials.ts';
import { putModule } from '../../../operator/src/bus/modules.ts';
import { provisionBuckets, provisionNamespace } from '../../../operator/src/bus/provision.ts';
import { openRoutes } from '../../../operator/src/bus/routes.ts';
import { freePorts } from '../../../operator/src/local/nats/ports.ts';
import { startTestBus } from '../../../operator/src/local/nats/testBus.ts';

const HOST = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const W = { namespace: 'ns', workflow: 'wf' };
const REVISION = 'r1';
const SCOPE: UnitScope = { ...W, unit: 'unit', functions: ['f'], edges: [], asyncFunctions: [] };
const LIMIT_MS = 60_000;

/** Answers with its environment, after as many milliseconds as it is told. */
const CODE = `export default async (ms, ctx) => {
  console.log('begun', ms);
  await new Promise((r) => setTimeout(r, ms));
  return { ctx: ctx.env, process: { ...process.env } };
};`;

describe('the host in a pod', () => {
  let bus: Awaited<ReturnType<typeof startTestBus>>;
  let nc: NatsConnection;
  let sha256: string;
  const children: ChildProcess[] = [];

  before(async () => {
    bus = await startTestBus();
    nc = await bus.connectOperator();
    await provisionBuckets(nc);
    await provisionNamespace(nc, W.namespace);
    ({ sha256 } = await putModule(nc, W.namespace, Buffer.from(CODE)));
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await bus.stop();
  });

  async function deploy(): Promise<void> {
    const architectures = ['amd64', 'arm64'].map((architecture) => ({
      architecture,
      name: 'js',
      type: 'JavaScript' as const,
      isolation: 'Worker' as const,
      sha256,
    }));
    const fn = { name: 'f', served: true, async: false, concurrency: 8, timeoutSeconds: 20 };
    const functions = [{ ...fn, memoryBytes: 64 * 1024 * 1024, artifacts: architectures }];
    const route: RouteRecord = {
      ...W,
      version: CONTRACT_VERSION,
      generation: 1,
      current: REVISION,
      draining: [],
      revisions: { [REVISION]: { units: [{ name: 'unit', functions }], edges: [] } },
    };
    await (await openRoutes(nc)).routes.write(route, 0);
  }

  /** As the kubelet starts it: everything in the environment, nothing on standard input. */
  async function start(lifetimeMs = LIMIT_MS * 60) {
    const [port = 0] = await freePorts(1);
    const { jwt, seed } = signUnit(bus.keys, SCOPE, { nowMs: Date.now(), lifetimeMs });
    const bootstrap = {
      servers: [bus.urlOf('hub')],
      machine: 'm1',
      instance: 'pod-1',
      unit: { ...W, unit: 'unit' },
      functions: ['f'],
    };
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', HOST], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        SINTER_INSTANCE: 'pod-1',
        SINTER_MACHINE: 'm1',
        SINTER_JWT: jwt,
        SINTER_SEED: seed,
        SINTER_BOOTSTRAP: JSON.stringify(bootstrap),
        SINTER_HEALTH_PORT: String(port),
        [environmentVariable('f', 'A')]: 'lower',
        [environmentVariable('f', 'A', 2)]: 'higher',
      },
    });
    children.push(child);
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    const probe = (path: string): Promise<number> =>
      fetch(`http://127.0.0.1:${String(port)}${path}`).then(
        (answer) => answer.status,
        () => 0,
      );
    const exited = once(child, 'exit').then(([code]) => code as number | null);
    return { child, lines, probe, exited };
  }

  async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + LIMIT_MS;
    while (!(await holds())) {
      if (performance.now() > end) throw new Error(`not within ${String(LIMIT_MS)} ms: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async function gateway() {
    const { jwt, seed } = bus.signGateway();
    const session = await Session.open({
      servers: [bus.urlOf('hub')],
      credential: { jwt, seed },
      inbox: '_INBOX._gw.g1',
      name: 'g1',
    });
    const caller = new Caller(session, performance);
    const call = (ms: number) =>
      caller.call(
        { ...W, revision: REVISION, function: 'f' },
        { callId: newId(), rootId: newId(), caller: '_gateway', hops: 1 },
        { contentType: 'application/json', bytes: Buffer.from(String(ms)) },
        { timeoutMs: LIMIT_MS },
      );
    return { session, call };
  }

  /** `seen` resolves when the process has shown its credential to the bus. */
  async function awaitConnection(): Promise<{ readonly seen: Promise<void> }> {
    const system = await connectAs(bus.urlOf('hub'), signSystem(bus.keys, { nowMs: Date.now() }));
    const connections = system.subscribe('$SYS.ACCOUNT.*.CONNECT');
    await system.flush();
    const seen = (async () => {
      for await (const msg of connections) if (msg.string().includes('unit/pod-1')) break;
      await system.close();
    })();
    return { seen };
  }

  it('that is told to end before a route names it ends at once, and in order', async () => {
    const { seen } = await awaitConnection();
    const { child, exited, lines } = await start();
    await seen;
    const before = performance.now();
    child.kill('SIGTERM');
    assert.equal(await exited, 0);
    assert.ok(performance.now() - before < 20_000, 'it did not wait for a route');
    assert.deepEqual(lines, []);
  });

  it('serves, is ready, and at a signal finishes what it accepted', async () => {
    await deploy();
    const { child, exited, lines, probe } = await start();
    await until('ready', async () => (await probe('/readyz')) === 200);
    assert.equal(await probe('/healthz'), 200);
    const { session, call } = await gateway();

    const first = await call(0);
    assert.ok(first.ok);
    const seen = JSON.parse(Buffer.from(first.payload.bytes).toString()) as Record<string, unknown>;
    assert.deepEqual(seen, { ctx: { A: 'higher' }, process: { A: 'higher' } });

    const long = call(1500);
    await until('it runs', () => lines.some((line) => line.includes('begun 1500')));
    child.kill('SIGTERM');
    await until('not ready any more', async () => (await probe('/readyz')) !== 200);
    assert.ok((await long).ok);
    assert.equal(await exited, 0);
    await session.close();
  });

  it('whose credential has ended says so and ends, to be started again with the renewed one', async () => {
    const { seen } = await awaitConnection();
    const { exited, lines } = await start(15_000);
    await seen;
    assert.equal(await exited, 1);
    assert.match(lines.at(-1) ?? '', /credential of this process ended at/);
  });
});
