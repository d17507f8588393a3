/** What happens when something changes under running calls: the route, the credential, the bus, the gateway itself. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { gatewayInbox } from '@sinter/contract';
import type { Observation } from '@sinter/contract';
import { renewGateway, signGateway } from '../../../operator/src/bus/credentials.ts';
import { listenToInstances } from '../../../operator/src/bus/listen.ts';
import type { Gateway, GatewayBootstrap } from '../src/index.ts';
import { JSON_HEADERS, TOKEN, ask, entry, route, startRig, trigger, until } from './rig.ts';
import type { Answered, Rig } from './rig.ts';

const TRIGGERS = ['echo', 'slow', 'hang', 'later'].map((to) => trigger({ name: to, to, path: `/${to}` }));

/** Sends `slow` calls at a steady rate until told to end, or its test ends; gives their answers. */
function load(gateway: Gateway, everyMs: number, ms: number, test: TestContext) {
  const answers: Promise<Answered>[] = [];
  const timer = setInterval(() => {
    answers.push(ask(gateway, '/slow', { headers: JSON_HEADERS, body: JSON.stringify({ ms }) }));
  }, everyMs);
  test.after(() => {
    clearInterval(timer);
  });
  return {
    end: async (): Promise<readonly Answered[]> => {
      clearInterval(timer);
      return await Promise.all(answers);
    },
  };
}

const failures = (answers: readonly Answered[]): readonly string[] =>
  answers.filter((a) => a.status !== 200).map((a) => a.body.toString());

describe('a change under load', () => {
  let rig: Rig;
  let gateway: Gateway;
  const observations: Observation[] = [];
  before(async () => {
    rig = await startRig();
    await rig.putRoute(route());
    await rig.putEntry(entry({ triggers: TRIGGERS }));
    listenToInstances(rig.nc, {
      onAnnouncement: () => undefined,
      onObservation: (o) => observations.push(o),
    });
    gateway = await rig.startGateway();
  });
  after(() => rig.stop());

  it('of the route fails no call, and no call starts under a revision that was reported as left', async (t) => {
    const unit = await rig.startUnit(['r1', 'r2']);
    const calls = load(gateway, 20, 600, t);
    await until('calls run', () => observations.some((o) => (o.roots['r1'] ?? 0) > 20));
    const next = route({ current: 'r2', generation: 2, draining: ['r1'] });
    await rig.putRoute(next);
    const first = await until('the change is reported', () =>
      observations.find((o) => o.routeGeneration === 2),
    );
    assert.ok((first.roots['r1'] ?? 0) > 0, 'calls of the old revision are still under way');
    assert.equal(first.roots['r2'], 0);
    await until('the old revision is left', () =>
      observations.some((o) => o.routeGeneration === 2 && o.roots['r1'] === 0),
    );
    const underOld = unit.seen.filter((s) => s.call.head.revision === 'r1').length;
    await unit.serve(['r2']);
    await until('the new one is in use', () => (observations.at(-1)?.roots['r2'] ?? 0) > 20);
    assert.deepEqual(failures(await calls.end()), []);
    assert.equal(unit.seen.filter((s) => s.call.head.revision === 'r1').length, underOld);
    await unit.stop();
  });

  it('is seen in what is reported: edges with their round trips', () => {
    const edge = observations.flatMap((o) => o.edges).find((e) => e.to === 'slow' && e.revision === 'r2');
    assert.ok(edge);
    assert.equal(edge.from, '_gateway');
    assert.equal(edge.channel, 'Node');
    assert.equal(
      edge.roundTripMs.counts.reduce((a, b) => a + b, 0),
      edge.calls,
    );
    assert.ok(edge.roundTripMs.sumMs >= 600 * edge.calls);
  });

  it('of the credential fails no call, and outlives the old one', async (t) => {
    const unit = await rig.startUnit(['r2']);
    const credential = signGateway(rig.bus.keys, { nowMs: Date.now(), lifetimeMs: 3_000 });
    const renewed = await rig.startGateway({ credential, instance: 'g2' });
    const calls = load(renewed, 20, 300, t);
    const { jwt } = renewGateway(rig.bus.keys, credential.publicKey, { nowMs: Date.now() });
    await until('calls run', () => unit.intake.running > 5);
    rig.nc.publish(`${gatewayInbox('g2')}.renew`, jwt);
    await until('the old one has ended', () => Date.now() > credential.expiresAtMs + 500);
    assert.deepEqual(failures(await calls.end()), []);
    await renewed.stop(0);
    await unit.stop();
  });

  it('of the bus: lost calls end at once, new ones within two seconds, and it comes back', async () => {
    const unit = await rig.startUnit(['r2']);
    const { intake } = unit;
    const hanging = ask(gateway, '/hang');
    await until('it runs', () => intake.running === 1);
    await rig.bus.servers.kill('hub');
    const lost = await hanging;
    assert.deepEqual([lost.status, lost.json()['code']], [502, 'ConnectionLost']);
    const startedAtMs = performance.now();
    const during = await Promise.all([
      ask(gateway, '/echo'),
      ask(gateway, '/later', { headers: { prefer: 'respond-async' } }),
      ask(gateway, '/later', { headers: { prefer: 'respond-async', 'idempotency-key': 'k' } }),
      ask(gateway, '/call/default/traffic/calls/aaaaaaaaaaaaaaaaaaaa', { method: 'GET' }),
    ]);
    assert.ok(performance.now() - startedAtMs < 2_500, 'answered within two seconds');
    for (const a of during) {
      assert.deepEqual([a.status, a.json()['code']], [503, 'BusUnavailable'], a.body.toString());
      assert.equal(a.headers['retry-after'], '1');
      assert.ok(!/\$JS|KV_|fn\.|127\.0/.test(a.body.toString()), a.body.toString());
    }
    assert.equal((await ask(gateway, '/-/healthz', { method: 'GET' })).status, 200);
    const notReady = await ask(gateway, '/-/readyz', { method: 'GET' });
    assert.equal(notReady.status, 503);
    assert.equal(notReady.json()['bus'], 'down');
    await rig.bus.servers.restart('hub');
    await until(
      'it is ready',
      async () => (await ask(gateway, '/-/readyz', { method: 'GET' })).status === 200,
    );
    await until('calls run again', async () => (await ask(gateway, '/echo')).status === 200);
    // What a client of the library sends while it dials again is dropped, and waited for in vain.
    await until('the writer is back', () =>
      rig.nc.rtt().then(
        () => true,
        () => false,
      ),
    );
    await rig.putRoute(route({ current: '', generation: 9 }));
    await until('changes are heard again', async () => (await ask(gateway, '/echo')).status === 503);
    await rig.putRoute(route({ current: 'r2', generation: 10 }));
    await until('and again', async () => (await ask(gateway, '/echo')).status === 200);
    await unit.stop();
  });
});

describe('the gateway on a machine with a server of its own', () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig({ machines: ['machine-1'] });
    await rig.putRoute(route());
    await rig.putEntry(entry({ triggers: TRIGGERS }));
  });
  after(() => rig.stop());

  it('works through it, and over the hub when it is gone', async () => {
    const unit = await rig.startUnit(['r1'], { machine: 'machine-2' });
    unit.pull();
    const servers = [rig.bus.urlOf('machine-1'), rig.bus.urlOf('hub')];
    const gateway = await rig.startGateway({ servers });
    const works = async (): Promise<void> => {
      const a = await ask(gateway, '/echo');
      assert.equal(a.status, 200, a.body.toString());
      assert.equal(a.headers['sinter-machine'], 'machine-2');
      const later = await ask(gateway, '/later', { headers: { prefer: 'respond-async' } });
      assert.equal(later.status, 202, later.body.toString());
      await until('it has run', async () => {
        const state = await ask(gateway, String(later.headers.location), { method: 'GET' });
        return state.json()['state'] === 'Succeeded';
      });
    };
    await works();
    await rig.putRoute(route({ current: '', generation: 2 }));
    await until('changes are heard', async () => (await ask(gateway, '/echo')).status === 503);
    await rig.putRoute(route({ generation: 3 }));
    await until('and again', async () => (await ask(gateway, '/echo')).status === 200);
    await rig.bus.servers.kill('machine-1');
    await until(
      'it is ready',
      async () => (await ask(gateway, '/-/readyz', { method: 'GET' })).status === 200,
    );
    await works();
  });
});

describe('the gateway as a process', () => {
  let rig: Rig;
  const children = new Set<ChildProcess>();
  before(async () => {
    rig = await startRig();
    await rig.putRoute(route());
    await rig.putEntry(entry({ triggers: TRIGGERS }));
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await rig.stop();
  });

  const start = async (over: Partial<GatewayBootstrap> = {}) => {
    const { jwt, seed } = rig.bus.signGateway();
    const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
    const child = spawn(process.execPath, [main], { stdio: ['pipe', 'pipe', 'inherit'] });
    const bootstrap = {
      servers: [rig.bus.urlOf('hub')],
      credential: { jwt, seed },
      machine: 'machine-1',
      architecture: 'amd64',
      instance: 'p1',
      token: TOKEN,
      ...over,
    };
    children.add(child);
    child.stdin.write(`${JSON.stringify(bootstrap)}\n`);
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { listening } = JSON.parse(line) as { listening: { host: string; port: number } };
    return { child, gateway: { address: listening } };
  };

  it('says where it listens, and at SIGTERM ends after what is under way', async () => {
    const unit = await rig.startUnit(['r1']);
    const { child, gateway } = await start();
    assert.equal((await ask(gateway, '/echo')).status, 200);
    const slow = ask(gateway, '/slow', { headers: JSON_HEADERS, body: '{"ms":500}' });
    await until('it runs', () => unit.intake.running === 1);
    child.kill('SIGTERM');
    await until('nobody is let in', async () => {
      const refused = await ask(gateway, '/echo').catch((cause: unknown) => cause);
      return refused instanceof Error;
    });
    assert.equal((await slow).status, 200);
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    await unit.stop();
  });

  it('sends clients with kept connections elsewhere before it ends: none of their requests is lost', async () => {
    const unit = await rig.startUnit(['r1']);
    const old = await start({ instance: 'old', lingerMs: 1_000 });
    const next = await start({ instance: 'next' });
    let asked = 0;
    const exit = once(old.child, 'exit');
    const client = async (): Promise<void> => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (let home = old; home === old; asked++) {
        const { status, headers } = await ask(home.gateway, '/echo', { agent });
        assert.equal(status, 200);
        if (headers.connection === 'close') home = next;
      }
      assert.equal((await ask(next.gateway, '/echo')).status, 200);
      agent.destroy();
    };
    const clients = Array.from({ length: 16 }, client);
    await until('they ask over kept connections', () => asked > 100);
    old.child.kill('SIGTERM');
    await Promise.all(clients);
    assert.deepEqual(await exit, [0, null]);
    next.child.kill('SIGTERM');
    assert.deepEqual(await once(next.child, 'exit'), [0, null]);
    await unit.stop();
  });

  it('ends when its parent is gone', async () => {
    const { child } = await start();
    child.stdin.end();
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });
});
