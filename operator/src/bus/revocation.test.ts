import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { connect } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { workSubject } from '@sinter/contract';
import { startTestBus } from '../local/nats/testBus.ts';
import { connectAs } from './connect.ts';
import { renewUnit, signLeaf, signOperator, signUnit } from './credentials.ts';
import type { NewCredential } from './credentials.ts';
import { createKeys, revoke } from './keys.ts';
import { provisionAsync } from './provision.ts';
import { inboxOf, traffic, units } from './testAttack.ts';

const DAY_MS = 24 * 3600 * 1000;
const ONCE = { reconnect: false, timeout: 20_000 } as const;

describe('who is not known, or no longer, is refused', () => {
  let bus: Awaited<ReturnType<typeof startTestBus>>;
  before(async () => {
    bus = await startTestBus({ machines: ['m1'] });
  });
  after(() => bus.stop());

  for (const at of ['hub', 'm1']) {
    const url = () => bus.urlOf(at);
    const refused = (credential: NewCredential) =>
      assert.rejects(connectAs(url(), credential, ONCE), /Authorization/);
    const now = () => ({ nowMs: Date.now() });

    describe(`at ${at}`, () => {
      it('a client without a credential', () =>
        assert.rejects(connect({ servers: url(), ...ONCE }), /Authorization/));

      it('a credential of other keys', () => refused(signUnit(createKeys(), units.u1, now())));

      it('a credential with the key of another', () => {
        const { seed } = signUnit(bus.keys, units.u2, now());
        return refused({ ...signUnit(bus.keys, units.u1, now()), seed });
      });

      it('an expired credential', () =>
        refused(signUnit(bus.keys, units.u1, { nowMs: Date.now() - 2 * DAY_MS, lifetimeMs: DAY_MS })));

      it('a credential whose rights were edited', async () => {
        const credential = signUnit(bus.keys, units.u1, now());
        const [header = '', body = '', signature = ''] = credential.jwt.split('.');
        const claims = Buffer.from(body, 'base64url').toString().replace('fn.default.traffic.*.b', 'fn.>');
        await refused({
          ...credential,
          jwt: `${header}.${Buffer.from(claims).toString('base64url')}.${signature}`,
        });
      });

      it("a leaf's credential in the hands of a client", () => refused(signLeaf(bus.keys, 'm1', now())));

      it('a credential that expires while it is connected', async () => {
        const soon = { nowMs: Date.now() - DAY_MS, lifetimeMs: DAY_MS + 1500 };
        const nc = await connectAs(url(), signUnit(bus.keys, units.u1, soon), ONCE);
        const error = await closed(nc);
        assert.match(String(error), /Expired/);
      });
    });
  }

  it('a revoked credential, at once and after restarts; its renewal and others are not', async () => {
    const earlier = { nowMs: Date.now() - 5000 };
    const credential = signUnit(bus.keys, units.u1, earlier);
    const bystander = await connectAs(bus.urlOf('m1'), signUnit(bus.keys, units.u2, earlier));
    const connections = await Promise.all(
      ['hub', 'm1'].map((at) => connectAs(bus.urlOf(at), credential, { reconnect: false })),
    );
    const keys = revoke(bus.keys, credential.publicKey, { nowMs: Date.now() - 2000 });
    const ends = connections.map(closed);
    await bus.servers.applyKeys(keys);
    await Promise.all(ends);
    // What is imported from the store still works, and once: no server took over another's form of the account.
    const expectWork = async () => {
      for (const at of ['hub', 'm1']) {
        const nc = await connectAs(bus.urlOf(at), signUnit(keys, units.u1, { nowMs: Date.now() }), {
          inboxPrefix: inboxOf(units.u1),
        });
        const ack = await nc.request(workSubject(traffic, 'q', 'a', crypto.randomUUID()), 'x', {
          timeout: 3000,
        });
        assert.equal(ack.json<{ seq: number }>().seq, ++stored);
        await nc.close();
      }
    };
    let stored = 0;
    const operator = await bus.connectOperator();
    await provisionAsync(operator, traffic, [{ fn: 'q' }]);
    const expectRefusal = () =>
      Promise.all(
        ['hub', 'm1'].map((at) =>
          assert.rejects(connectAs(bus.urlOf(at), credential, ONCE), /Authorization/),
        ),
      );
    await expectRefusal();
    const renewed = {
      ...credential,
      ...renewUnit(keys, units.u1, credential.publicKey, { nowMs: Date.now() }),
    };
    for (const at of ['hub', 'm1']) await (await connectAs(bus.urlOf(at), renewed, ONCE)).close();
    await bystander.flush();
    await bystander.close();
    await expectWork();
    await bus.servers.restart('hub');
    await bus.servers.restart('m1');
    await expectRefusal();
    await expectWork();
  });

  it('the operator at a leaf: what is stored is reached at the hub alone', () =>
    assert.rejects(
      connectAs(bus.urlOf('m1'), signOperator(bus.keys, { nowMs: Date.now() }), ONCE),
      /Authorization/,
    ));
});

async function closed(nc: NatsConnection): Promise<unknown> {
  const errors: unknown[] = [];
  void (async () => {
    for await (const s of nc.status()) if (s.type === 'error') errors.push(s.error);
  })();
  const ended = await nc.closed();
  return ended ?? errors[0];
}
