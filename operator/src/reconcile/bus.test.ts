import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { NatsConnection } from '@nats-io/transport-node';
import { RECORDS_BUCKET, gatewayInbox, kvStream, liveSubject, unitInbox } from '@sinter/contract';
import { publicKeyOf } from '../bus/claims.ts';
import { connectAs } from '../bus/connect.ts';
import { signOperator } from '../bus/credentials.ts';
import { parseKeys } from '../bus/keys.ts';
import { isCutOff, isSameIssuer } from '../bus/origin.ts';
import { hubManager } from '../bus/provision.ts';
import { tokenFacts } from '../bus/tokens.ts';
import { units } from '../bus/testAttack.ts';
import type { TestServer } from '../bus/testCluster.ts';
import { announcement } from '../bus/testObservation.ts';
import type { ClusterBusRun } from './bus.ts';
import { secretNames } from './busSecrets.ts';
import { DAY_MS, TestWorld } from './testBusWorld.ts';

const names = secretNames('sinter');
const me = { ...units.u1, instance: 'pod-1' };

async function until(condition: () => boolean, what: string): Promise<void> {
  const limit = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > limit) throw new Error(`not within 30 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("a cluster's bus", () => {
  let world: TestWorld;
  let bus: ClusterBusRun;
  const open: NatsConnection[] = [];

  const trust = () => world.secrets.value('hubTls', 'ca.crt');
  const servername = (s: TestServer) => (s.role === 'hub' ? 'sinter-nats' : 'sinter-nats-leaf');
  const as = async (
    s: TestServer,
    credential: { readonly jwt: string; readonly seed: string },
    more: Parameters<typeof connectAs>[2] = {},
  ) => {
    const tls = { ca: trust(), servername: servername(s) };
    const nc = await connectAs(`tls://127.0.0.1:${String(s.port)}`, credential, {
      reconnect: false,
      tls,
      ...more,
    });
    open.push(nc);
    return nc;
  };

  before(async () => {
    world = await TestWorld.start({ leaves: ['m1'] });
    bus = world.operator();
    await world.settle(bus);
  });
  after(async () => {
    await Promise.all(open.map((nc) => nc.close()));
    await world.stop();
  });

  it('is made from nothing, and then left as it is', async () => {
    assert.deepEqual(bus.state(), { ready: true, findings: [] });
    const before = world.secrets.written.length;
    assert.equal(before, 7);
    for (let i = 0; i < 3; i++) await bus.round();
    assert.equal(world.secrets.written.length, before);
    assert.deepEqual(
      world.logged.filter((line) => line.includes('told')),
      [],
    );
  });

  it('lets units in at hub and leaf, and hears them', async () => {
    const credential = bus.credentials.issue(units.u1);
    for (const s of world.cluster.servers) {
      const nc = await as(s, credential);
      const key = { ...units.u1, instance: s.name };
      // A leaf hears of the operator's interest a moment after the hub has it.
      await until(() => {
        nc.publish(liveSubject(key), JSON.stringify(announcement(key)));
        return bus.reports.announcement(key) !== undefined;
      }, 'it is heard');
    }
    assert.equal(bus.reports.announcements(units.u1).length, 2);
  });

  it('lets the gateway in with what its Secret holds', async () => {
    const credential = {
      jwt: world.secrets.value('gateway', 'jwt'),
      seed: world.secrets.value('gateway', 'seed'),
    };
    for (const s of world.cluster.servers) await (await as(s, credential)).flush();
  });

  it('keeps streams, routes and modules', async () => {
    const workflow = { namespace: 'default', workflow: 'traffic' };
    await bus.store.provideNamespace('default');
    const bytes = Buffer.from('export default () => 1');
    assert.equal((await bus.store.putModule('default', bytes)).written, true);
    assert.equal((await bus.store.putModule('default', bytes)).written, false);
    const made = await bus.store.provideAsync(workflow, [{ fn: 'b' }]);
    assert.deepEqual(
      made.map((c) => c.kind),
      ['Created', 'Created'],
    );
    assert.deepEqual(await bus.store.provideAsync(workflow, [{ fn: 'b' }]), []);
    const gone = await bus.store.discardAsync(workflow);
    assert.deepEqual(gone, [{ kind: 'Deleted', stream: 'A_default_traffic_b', messages: 0 }]);
    assert.deepEqual(await bus.store.discardAsync(workflow), []);
    const record = { ...workflow, version: 1, generation: 1, current: 'x', draining: [], revisions: {} };
    const written = await bus.store.routes.write(record, 0);
    assert.equal(written.kind, 'Written');
    assert.deepEqual((await bus.store.routes.read(workflow)).record, record);
  });

  it('delivers renewals to units and to gateways', async () => {
    const credential = bus.credentials.issue(units.u1);
    const leaf = world.cluster.server('m1');
    const unit = await as(leaf, credential);
    const got: string[] = [];
    unit.subscribe(`${unitInbox(me)}.renew`, { callback: (_, msg) => void got.push(msg.string()) });
    const gateway = await as(leaf, {
      jwt: world.secrets.value('gateway', 'jwt'),
      seed: world.secrets.value('gateway', 'seed'),
    });
    const gotGateway: string[] = [];
    gateway.subscribe(`${gatewayInbox('gw-1')}.renew`, {
      callback: (_, msg) => void gotGateway.push(msg.string()),
    });
    await Promise.all([unit.flush(), gateway.flush()]);
    const renewed = bus.credentials.renew(units.u1, credential.publicKey);
    // Interest reaches the hub a moment after the leaf has it.
    await until(() => {
      void bus.credentials.deliver(renewed, [me]);
      return got.length > 0;
    }, 'the unit has it');
    assert.equal(got[0], renewed.jwt);
    assert.equal(tokenFacts(got[0])?.publicKey, credential.publicKey);

    world.gateways = ['gw-1'];
    world.offsetMs = 11 * DAY_MS;
    const ready: boolean[] = [];
    const isRenewed = (): boolean => {
      ready.push(bus.state().ready);
      return world.secrets.written.at(-1) === names.gateway;
    };
    await world.rounds(bus, isRenewed, "the gateway's is renewed");
    assert.deepEqual([...new Set(ready)], [true], 'the bus is there while a Secret is renewed');
    await world.rounds(bus, () => gotGateway.length > 0, 'the gateway has it');
    assert.equal(gotGateway[0], world.secrets.value('gateway', 'jwt'));
    const told = gotGateway.length;
    await world.rounds(bus, () => gotGateway.length > told, 'it is told again until it says that it has it');
    world.offsetMs = 0;
  });

  it('cuts off what is revoked, at hub and leaf, and leaves others alone', async () => {
    world.offsetMs = -60_000;
    const retired = bus.credentials.issue(units.u1);
    world.offsetMs = 0;
    const stays = bus.credentials.issue(units.u2);
    const cut = await Promise.all(world.cluster.servers.map((s) => as(s, retired)));
    const kept = await Promise.all(world.cluster.servers.map((s) => as(s, stays)));
    assert.equal(await bus.credentials.revoke([retired.publicKey]), 'Revoked');
    assert.equal(await bus.credentials.revoke([retired.publicKey]), 'Revoked');
    assert.equal(world.secrets.written.filter((n) => n === names.revoked).length, 1);
    const later = () => (world.offsetMs += 10_000);
    await world.rounds(bus, () => later() > 0 && cut.every((nc) => nc.isClosed()), 'it is cut off');
    for (const nc of kept) await nc.flush();
    for (const s of world.cluster.servers) await assert.rejects(as(s, retired), /Authorization|Revoked/i);
    world.offsetMs = 0;
  });

  it('revokes nothing that is no key of a user: what stands on a Deployment is in the hands of tenants', async () => {
    const before = world.secrets.written.length;
    const seed = parseKeys(world.secrets.value('keys', 'keys.json')).accountSeed;
    for (const bad of ['*', 'UANY', 'x', '__proto__', publicKeyOf(seed)]) await bus.credentials.revoke([bad]);
    assert.equal(world.secrets.written.length, before);
    await bus.round();
    assert.equal(bus.state().ready, true);
  });

  it('tells a server that starts with old files what has changed since', async () => {
    world.offsetMs = -60_000;
    const retired = bus.credentials.issue(units.u3);
    world.offsetMs = 0;
    const leaf = world.cluster.server('m1');
    await world.cluster.kill('m1'); // its files are of before: a kubelet is slow, or cut off
    await bus.credentials.revoke([retired.publicKey]);
    const advance = () => (world.offsetMs += 10_000);
    await world.rounds(bus, () => advance() > 60_000, 'the others are told');
    await world.restart('m1');
    await (await as(leaf, retired)).flush();
    await world.rounds(bus, () => advance() > 0 && (open.at(-1)?.isClosed() ?? false), 'it is cut off');
    world.offsetMs = 0;
  });

  it('names a server that cannot be told, after two minutes, and forgets it when it is gone', async () => {
    const pods = world.pods.bind(world);
    world.pods = () => [...pods(), { name: 'm9', role: 'leaf', ip: '127.0.0.1', port: 1, incarnation: '1' }];
    await bus.round();
    assert.deepEqual(bus.state().findings, []);
    world.offsetMs += 130_000;
    await bus.round();
    const [finding] = bus.state().findings;
    assert.equal(finding?.reason, 'BusServersBehind');
    assert.match(finding.message, /m9 \(it cannot be reached/);
    assert.equal(bus.state().ready, true);
    world.pods = pods;
    await bus.round();
    assert.deepEqual(bus.state().findings, []);
    world.offsetMs = 0;
  });

  it('is looked at again over a connection that goes on: what it has lost is made anew', async () => {
    const keys = parseKeys(world.secrets.value('keys', 'keys.json'));
    const nc = await as(world.cluster.server('hub-0'), signOperator(keys, { nowMs: Date.now() }));
    const { streams } = await hubManager(nc);
    await streams.delete(kvStream(RECORDS_BUCKET));
    await bus.round();
    await assert.rejects(streams.info(kvStream(RECORDS_BUCKET)));
    const past = world.logged.length;
    const told: (number | undefined)[] = [];
    const stop = bus.onChange(() => told.push(bus.state().losses));
    world.offsetMs += 600_000;
    await world.rounds(
      bus,
      () => world.logged.slice(past).some((line) => line.includes('KV_sinter-records: Created')),
      'it is made',
    );
    await streams.info(kvStream(RECORDS_BUCKET));
    assert.equal(bus.state().ready, true);
    assert.deepEqual(told, [1], 'whoever goes by what stood there is told');
    stop();
    world.offsetMs = 0;
  });

  it('says that it is away while the hub is, and comes back by itself', async () => {
    const changes: boolean[] = [];
    const stop = bus.onChange(() => changes.push(bus.state().ready));
    await world.cluster.kill('hub-0');
    await until(() => !bus.state().ready, 'it is known');
    assert.equal(bus.state().findings[0]?.reason, 'BusUnavailable');
    await world.restart('hub-0');
    await world.rounds(bus, () => bus.state().ready, 'it is back');
    assert.deepEqual([changes[0], changes.at(-1)], [false, true]);
    stop();
  });
});

describe('operators of one cluster', () => {
  it('that begin at once agree on the keys', async () => {
    const world = await TestWorld.start({ tls: false });
    try {
      const [a, b] = [world.operator(), world.operator()];
      for (let i = 0; i < 8; i++) await Promise.all([a.round(), b.round()]);
      const counts = Object.values(names).map((n) => world.secrets.written.filter((w) => w === n).length);
      assert.ok(Math.max(...counts) === 1, world.secrets.written.join());
      await world.deliver();
      await world.cluster.startAll();
      for (const bus of [a, b]) await world.rounds(bus, () => bus.state().ready, 'it is ready');
    } finally {
      await world.stop();
    }
  });

  it('write nothing where they do not lead, and hear all the same', async () => {
    const world = await TestWorld.start({ tls: false });
    try {
      const follower = world.operator({}, false);
      assert.ok((await follower.round()) > 0);
      assert.deepEqual(world.secrets.written, []);
      assert.equal(follower.state().ready, false);
      const leader = world.operator();
      await world.settle(leader);
      await world.rounds(follower, () => follower.state().ready, 'it follows');
      const hub = world.cluster.server('hub-0');
      const nc = await connectAs(hub.url, leader.credentials.issue(units.u1));
      nc.publish(liveSubject(me), JSON.stringify(announcement(me)));
      await nc.flush();
      for (const bus of [leader, follower])
        await until(() => bus.reports.announcement(me) !== undefined, 'both hear it');
      await nc.close();
    } finally {
      await world.stop();
    }
  });
});

describe('certificates of a cluster that has run for long', () => {
  it('are renewed, servers show the new ones, nobody is dropped', async () => {
    const world = await TestWorld.start({ leaves: ['m1'] });
    try {
      world.offsetMs = -61 * DAY_MS;
      const bus = world.operator({ credentialLifetimeMs: 365 * DAY_MS });
      await world.settle(bus);
      const ca = world.secrets.value('hubTls', 'ca.crt');
      const credential = bus.credentials.issue(units.u1);
      const clients = await Promise.all(
        world.cluster.servers.map((s) => connectAs(s.url, credential, { reconnect: false, tls: { ca } })),
      );
      world.offsetMs = 0;
      while ((await bus.round()) === 0);
      assert.deepEqual(world.secrets.written.slice(-2), [names.hubTls, names.leafTls]);
      // Gathered, asked, still with the old files; then the kubelet brings the new ones.
      world.offsetMs = 10_000;
      await bus.round();
      await world.deliver();
      const told = (s: string) => world.logged.some((line) => line.includes(`told ${s}: certificate`));
      const later = () => (world.offsetMs += 20_000);
      await world.rounds(bus, () => later() > 0 && told('hub-0') && told('m1'), 'both show the new ones');
      for (const nc of clients) {
        await nc.flush();
        await nc.close();
      }
    } finally {
      await world.stop();
    }
  });

  it('of a new authority are taken by those that know only the old one', async () => {
    const world = await TestWorld.start({ leaves: ['m1'] });
    try {
      world.offsetMs = -7 * 365 * DAY_MS;
      const bus = world.operator({
        credentialLifetimeMs: 3650 * DAY_MS,
        leafLifetimeMs: 3650 * DAY_MS,
        certificateLifetimeMs: 3000 * DAY_MS,
      });
      await world.settle(bus);
      const old = world.secrets.value('hubTls', 'ca.crt');
      const credential = bus.credentials.issue(units.u1);
      world.offsetMs = 0;
      while ((await bus.round()) === 0);
      assert.ok(world.secrets.written.slice(7).includes(names.authority));
      await world.deliver(['hub-0']); // the leaf still has the old files, and trusts the old authority alone
      await world.restart('hub-0');
      await world.rounds(bus, () => bus.state().ready, "the operator's connection is back");
      const hub = await connectAs(world.cluster.server('hub-0').url, credential, { tls: { ca: old } });
      const leaf = await connectAs(world.cluster.server('m1').url, credential, { tls: { ca: old } });
      const heard = new Set<string>();
      await until(() => {
        for (const [instance, nc] of Object.entries({ hub, leaf })) {
          const key = { ...units.u1, instance };
          nc.publish(liveSubject(key), JSON.stringify(announcement(key)));
          if (bus.reports.announcement(key)) heard.add(instance);
        }
        return heard.size === 2;
      }, "both are heard, through the leaf's link too");
      await Promise.all([hub.close(), leaf.close()]);
    } finally {
      await world.stop();
    }
  });
});

describe('a cluster whose keys are lost', () => {
  it('gets new ones: all that was issued before is void once servers start with them, and everybody is told', async () => {
    const world = await TestWorld.start({ leaves: ['m1'] });
    try {
      const bus = world.operator();
      await world.settle(bus);
      const [before, old] = [bus.credentials.origin(), bus.credentials.issue(units.u1)];
      assert.ok(before);
      const told: (string | undefined)[] = [];
      bus.onChange(() => told.push(bus.credentials.origin()));
      world.secrets.kept.delete(names.keys);
      await world.rounds(bus, () => bus.credentials.origin() !== before, 'new keys are made');
      assert.notEqual(told.at(-1), before, 'whoever goes by the bus is told');
      assert.equal(isCutOff(before, bus.credentials.origin() ?? ''), true);

      await world.deliver();
      await world.restart('hub-0');
      await world.restart('m1');
      const past = world.logged.length;
      const isMade = () =>
        world.logged.slice(past).some((line) => line.includes('KV_sinter-routes: Created'));
      const isBack = () => bus.state().ready && isMade();
      await world.rounds(bus, isBack, 'the operator is let in, and makes what the bus has lost');
      const tls = { ca: world.secrets.value('hubTls', 'ca.crt') };
      for (const s of world.cluster.servers) {
        const as = (credential: { readonly jwt: string; readonly seed: string }) =>
          connectAs(s.url, credential, { reconnect: false, tls });
        await assert.rejects(as(old), /Authorization/i);
        await (await as(bus.credentials.issue(units.u1))).close();
      }
    } finally {
      await world.stop();
    }
  });

  it('or whose authority is: the operator is back once servers start with what the new one signed', async () => {
    const world = await TestWorld.start({ leaves: ['m1'] });
    try {
      const bus = world.operator();
      await world.settle(bus);
      const [before, credential] = [bus.credentials.origin() ?? '', bus.credentials.issue(units.u1)];
      const old = world.secrets.value('hubTls', 'ca.crt');
      world.secrets.kept.delete(names.authority);
      await world.rounds(bus, () => bus.credentials.origin() !== before, 'there is a new one');
      const now = bus.credentials.origin() ?? '';
      assert.deepEqual([isSameIssuer(before, now), isCutOff(before, now)], [true, true]);
      await world.deliver();
      await world.restart('hub-0');
      await world.restart('m1');
      await world.rounds(bus, () => bus.state().ready, 'the operator trusts them');
      const as = (s: TestServer, ca: string) =>
        connectAs(s.url, credential, { reconnect: false, tls: { ca } });
      for (const s of world.cluster.servers) {
        await assert.rejects(as(s, old), /certificate|self-signed|verify/i);
        await (await as(s, world.secrets.value('hubTls', 'ca.crt'))).close();
      }
    } finally {
      await world.stop();
    }
  });
});
