/**
 * Real servers on what the chart renders and the operator stores: three hub servers that are one cluster, a leaf that reaches
 * them, clients that must trust the authority and show a credential, and nobody at the port of routes who is no hub.
 */
import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { jetstreamManager } from '@nats-io/jetstream';
import { connectAs } from '../operator/src/bus/connect.ts';
import { signOperator } from '../operator/src/bus/credentials.ts';
import { parseKeys } from '../operator/src/bus/keys.ts';
import { CHART, NO_HELM, runProgram } from './chart/helm.ts';
import type { HelmRun } from './chart/helm.ts';
import { startChartBus } from './chart/servers.ts';
import type { ChartBus } from './chart/servers.ts';

/** A cluster on a busy machine needs its time to elect a leader. */
const PATIENCE_MS = 60_000;

describe('servers on the configuration of the chart', { skip: NO_HELM }, () => {
  let bus: ChartBus;
  before(async () => {
    bus = await startChartBus({ nats: { hub: { replicas: 3 } } });
  });
  after(() => bus.stop());

  const secret = (name: string, key: string): string => bus.secrets.get(name)?.[key] ?? '';
  const ca = (): string => secret('sinter-nats-hub-tls', 'ca.crt');
  const port = (i: number): number => bus.hubs[i]?.ports.client ?? 0;

  it('three hub servers are one cluster with one store', async () => {
    const keys = parseKeys(secret('sinter-bus-keys', 'keys.json'));
    const nc = await until('a stream with three copies', async () => {
      const open = await connectAs(`tls://localhost:${port(0)}`, signOperator(keys, { nowMs: Date.now() }), {
        tls: { ca: ca() },
      });
      try {
        const manager = await jetstreamManager(open, { domain: 'hub' });
        await manager.streams.add({ name: 'T', subjects: ['work.t'], num_replicas: 3 });
        return open;
      } catch (cause) {
        await open.close();
        throw cause;
      }
    });
    const { cluster } = await (await jetstreamManager(nc, { domain: 'hub' })).streams.info('T');
    assert.equal(cluster?.replicas?.length, 2);
    await nc.close();
  });

  it('the leaf reaches the hub, in the account of calls', async () => {
    const hubs = bus.hubs.map((hub) => hub.ports.monitor);
    await until('a leaf', async () => {
      const counts = await Promise.all(hubs.map((at) => leafsAt(at)));
      assert.equal(
        counts.reduce((sum, n) => sum + n, 0),
        1,
      );
    });
  });

  it('the probes of the chart find all of them healthy', async () => {
    for (const { ports } of [...bus.hubs, bus.leaf])
      for (const query of ['', '?js-enabled-only=true', '?js-server-only=true'])
        await until(`health of ${ports.monitor}`, async () => {
          const answer = await fetch(`http://127.0.0.1:${ports.monitor}/healthz${query}`);
          assert.equal(answer.status, 200, await answer.text());
        });
  });

  it('nobody gets in without a credential, or without TLS', async () => {
    for (const { ports } of [...bus.hubs, bus.leaf]) {
      const info = await greeting(ports.client);
      assert.equal(info.tls_required, true);
      assert.equal(info.auth_required, true);
      assert.equal(info.max_payload, 1_048_576);
    }
  });

  it('`helm test` finds the hub as it must be, and a leaf without a store', async () => {
    const at = (port: number) => ({ NATS_URLS: `tls://localhost:${port}`, NATS_TLS: 'true' });
    const hub = await runCheck(at(port(0)));
    assert.equal(hub.code, 0, hub.stderr);
    assert.match(hub.stdout, /is NATS [\d.]+, sinter-nats-hub-0/);
    const leaf = await runCheck(at(bus.leaf.ports.client));
    assert.notEqual(leaf.code, 0);
    assert.match(leaf.stderr, /it stores nothing/);
  });

  it('the gateway gets in at the leaf, by the name of the leaf', async () => {
    const credential = { jwt: secret('sinter-gateway', 'jwt'), seed: secret('sinter-gateway', 'seed') };
    const options = { tls: { ca: secret('sinter-gateway', 'ca.crt') }, reconnect: false } as const;
    const at = `tls://localhost:${bus.leaf.ports.client}`;
    const nc = await connectAs(at, credential, options);
    await nc.flush();
    await nc.close();
  });

  it('a hub joins by its certificate; one with that of a leaf, or with none, does not', async () => {
    const at = bus.hubs[0]?.ports.cluster ?? 0;
    const own = (name: string) => ({ cert: secret(name, 'tls.crt'), key: secret(name, 'tls.key') });
    assert.equal(await answerAtRoutes(at, own('sinter-nats-hub-tls'), ca()), 'Spoken');
    assert.equal(await answerAtRoutes(at, own('sinter-nats-leaf-tls'), ca()), 'Closed');
    assert.equal(await answerAtRoutes(at, {}, ca()), 'Closed');
  });
});

/** The program of `helm test`, without a gateway. */
const runCheck = (env: Readonly<Record<string, string>>): Promise<HelmRun> =>
  runProgram('env', [
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
    process.execPath,
    join(CHART, 'files/check.mjs'),
  ]);

async function leafsAt(port: number): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/leafz`);
  return ((await answer.json()) as { leafs?: unknown[] }).leafs?.length ?? 0;
}

interface Info {
  readonly tls_required?: boolean;
  readonly auth_required?: boolean;
  readonly max_payload?: number;
}

/** What a server says first, before TLS. */
const greeting = (port: number): Promise<Info> =>
  new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1');
    let text = '';
    socket.on('error', reject);
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString();
      const line = /^INFO (\{.*\})\s*\r\n/.exec(text)?.[1];
      if (line === undefined) return;
      socket.destroy();
      resolve(JSON.parse(line) as Info);
    });
  });

/** Takes up TLS as a route would: does the server speak on, or close? */
function answerAtRoutes(
  port: number,
  own: { readonly cert?: string; readonly key?: string },
  ca: string,
): Promise<'Spoken' | 'Closed'> {
  return new Promise((resolve, reject) => {
    const plain = connectTcp(port, '127.0.0.1');
    const tls = connectTls({ socket: plain, ca, servername: 'sinter-nats', ...own });
    tls.on('data', () => {
      tls.destroy();
      resolve('Spoken');
    });
    for (const event of ['error', 'close'] as const) tls.on(event, () => resolve('Closed'));
    plain.on('error', reject);
  });
}

async function until<T>(what: string, attempt: () => Promise<T>): Promise<T> {
  const limit = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (cause) {
      if (Date.now() > limit) throw new Error(`${what} was not there within a minute`, { cause });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
