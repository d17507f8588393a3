import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fmtCreds } from '@nats-io/jwt';
import type { NatsConnection } from '@nats-io/transport-node';
import { callSubject, gatewayInbox, liveSubject, unitInbox, workSubject } from '@sinter/contract';
import { keyOf } from '../bus/claims.ts';
import { connectAs } from '../bus/connect.ts';
import { signOperator } from '../bus/credentials.ts';
import { accountClaims } from '../bus/external.ts';
import { units } from '../bus/testAttack.ts';
import { TestOperator, startNats } from '../bus/testNats.ts';
import type { TestNats } from '../bus/testNats.ts';
import { announcement } from '../bus/testObservation.ts';
import { clusterBus } from './bus.ts';
import type { ClusterBusRun } from './bus.ts';
import type { BusSettings } from './busPlan.ts';
import { DAY_MS, TestSecrets } from './testBusWorld.ts';

const STORE = { jetstream: { store_dir: '<folder>/store', max_file_store: 1e9 } };
const UNLIMITED = {
  ...{ subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 },
  ...{ mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 },
};

function operatorOn(url: string, secrets: TestSecrets, mode: BusSettings['mode']): ClusterBusRun {
  return clusterBus({
    settings: {
      mode,
      fullname: 'sinter',
      namespace: 'sinter-system',
      clusterDomain: 'cluster.local',
      tls: 'Off',
      hasLeaves: false,
      credentialLifetimeMs: DAY_MS,
      leafLifetimeMs: DAY_MS,
      urls: [url],
      replicas: 1,
      externalSecret: 'user-nats',
    },
    secrets,
    pods: () => [],
    isLeader: () => true,
    now: Date.now,
    onLog: () => undefined,
  });
}

async function rounds(bus: ClusterBusRun, until: () => boolean): Promise<void> {
  const limit = Date.now() + 60_000;
  while (!until()) {
    if (Date.now() > limit) throw new Error(`not within a minute: ${JSON.stringify(bus.state())}`);
    await bus.round();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const reasons = (bus: ClusterBusRun): readonly string[] => bus.state().findings.map((f) => f.reason);

describe("the user's own NATS, with signing keys", () => {
  const calls = TestOperator.account();
  const store = TestOperator.account();
  const secrets = new TestSecrets();
  const open: NatsConnection[] = [];
  let nats: TestNats;
  let bus: ClusterBusRun;

  const given = {
    'calls-account': calls.account,
    'calls-signing-seed': calls.signingSeed,
    'store-account': store.account,
    'store-signing-seed': store.signingSeed,
  };

  before(async () => {
    const user = new TestOperator();
    const claims = accountClaims(calls.account, store.account);
    user.sign(calls.account, claims.calls, calls.signingSeed);
    user.sign(store.account, claims.store, store.signingSeed);
    // Neither a domain nor a long control line: the user's server was not made for us.
    nats = await startNats({ ...user.config(), ...STORE });
    bus = operatorOn(nats.url, secrets, 'SigningKey');
  });
  after(async () => {
    await Promise.all(open.map((nc) => nc.close()));
    await bus.close();
    await nats[Symbol.asyncDispose]();
  });

  const as = async (
    credential: { readonly jwt: string; readonly seed: string },
    more: Parameters<typeof connectAs>[2] = {},
  ) => {
    const nc = await connectAs(nats.url, credential, { reconnect: false, ...more });
    open.push(nc);
    return nc;
  };

  it('says what is missing, until the Secret is there', async () => {
    await bus.round();
    const [finding] = bus.state().findings;
    assert.equal(finding?.reason, 'BusCredentialInvalid');
    assert.match(finding.message, /Secret sinter-system\/user-nats .* is not there/);
  });

  for (const [what, data, message] of [
    ['an account that is none', { ...given, 'calls-account': 'X' }, /calls-account must be the public key/],
    ['no seed', { ...given, 'store-signing-seed': '' }, /store-signing-seed must be the seed/],
    ["the account's own seed", { ...given, 'calls-signing-seed': calls.seed }, /not of the account itself/],
    [
      'one account for both',
      { ...given, 'store-account': calls.account, 'store-signing-seed': store.signingSeed },
      /must be two accounts/,
    ],
  ] as const)
    it(`says what is wrong in the Secret, and quotes nothing of it: ${what}`, async () => {
      secrets.put('user-nats', data);
      await bus.round();
      const [finding] = bus.state().findings;
      assert.match(finding?.message ?? '', message);
      assert.doesNotMatch(finding?.message ?? '', new RegExp(`${calls.seed}|${store.signingSeed}`));
    });

  it('is used as it is, and what it does not give is said', async () => {
    secrets.put('user-nats', given);
    await rounds(bus, () => bus.state().ready && reasons(bus).length === 2);
    assert.deepEqual([...reasons(bus)].sort(), ['BusControlLineTooSmall', 'RevocationNotPossible']);
    assert.equal(await bus.credentials.revoke(['UANY']), 'NotPossible');
    assert.deepEqual(secrets.written, ['sinter-gateway']);
  });

  it('enforces the graph', async () => {
    const nc = await as(bus.credentials.issue(units.u1), {
      inboxPrefix: unitInbox({ ...units.u1, instance: 'i1' }),
    });
    const refused: string[] = [];
    void (async () => {
      for await (const s of nc.status()) if (s.type === 'error') refused.push(s.error.message);
    })();
    nc.publish(callSubject(units.u1, 'r1', 'b'), 'declared');
    nc.publish(callSubject(units.u1, 'r1', 'undeclared'), '');
    nc.publish('$JS.API.STREAM.LIST', '');
    await rounds(bus, () => refused.length === 2);
    assert.match(refused[0] ?? '', /Permissions Violation.*undeclared/);
  });

  it('keeps what Sinter keeps, under the domain that Sinter says', async () => {
    const key = { ...units.u1, instance: 'i1' };
    await bus.store.provideNamespace('default');
    const { sha256 } = await bus.store.putModule('default', Buffer.from('code'));
    assert.equal(sha256.length, 64);
    await bus.store.provideAsync(units.u1, [{ fn: 'b' }]);
    const gateway = await as(
      { jwt: secrets.value('gateway', 'jwt'), seed: secrets.value('gateway', 'seed') },
      { inboxPrefix: gatewayInbox('g1') },
    );
    const stored = await gateway.request(workSubject(units.u1, 'b', '_gateway', 'c1'), 'work');
    assert.match(stored.string(), /"seq":1/);
    const nc = await as(bus.credentials.issue(units.u1), { inboxPrefix: unitInbox(key) });
    nc.publish(liveSubject(key), JSON.stringify(announcement(key)));
    await nc.flush();
    await rounds(bus, () => bus.reports.announcement(key) !== undefined);
  });
});

describe("the user's own NATS, with one credential for all", () => {
  const one = TestOperator.account();
  const credential = signOperator(
    {
      accountSeed: one.signingSeed,
      storeSeed: one.signingSeed,
      signingFor: { calls: one.account, store: one.account },
    },
    { nowMs: Date.now() },
  );
  const given = { creds: new TextDecoder().decode(fmtCreds(credential.jwt, keyOf(credential.seed))) };

  const withServer = async (
    server: object,
    test: (bus: ClusterBusRun, secrets: TestSecrets, nats: TestNats) => Promise<void>,
  ): Promise<void> => {
    const user = new TestOperator();
    user.sign(one.account, { limits: UNLIMITED }, one.signingSeed);
    await using nats = await startNats({ ...user.config(), ...server });
    const secrets = new TestSecrets();
    secrets.put('user-nats', given);
    const bus = operatorOn(nats.url, secrets, 'SharedCredential');
    try {
      await test(bus, secrets, nats);
    } finally {
      await bus.close();
    }
  };

  it('works, and the condition says that the graph is not enforced', () =>
    withServer(
      { jetstream: { ...STORE.jetstream, domain: 'hub' }, max_control_line: 262_144 },
      async (bus, secrets, nats) => {
        await rounds(bus, () => bus.state().ready);
        assert.deepEqual(reasons(bus), ['GraphNotEnforced']);
        const issued = bus.credentials.issue(units.u1);
        assert.equal(issued.jwt, credential.jwt);
        assert.equal(bus.credentials.isDue(issued.expiresAtMs), false);
        assert.equal(secrets.value('gateway', 'jwt'), credential.jwt);
        await bus.store.provideAsync(units.u1, [{ fn: 'b' }]);
        const key = { ...units.u1, instance: 'i1' };
        const nc = await connectAs(nats.url, issued);
        nc.publish(liveSubject(key), JSON.stringify(announcement(key)));
        await nc.flush();
        await rounds(bus, () => bus.reports.announcement(key) !== undefined);
        await nc.close();
      },
    ));

  for (const [what, server, expected] of [
    ['no JetStream', {}, ['JetStreamMissing']],
    ['another domain', STORE, ['JetStreamDomainMissing']],
    [
      'small messages',
      { ...STORE, jetstream: { ...STORE.jetstream, domain: 'hub' }, max_payload: 65_536 },
      ['BusPayloadTooSmall'],
    ],
  ] as const)
    it(`says what the server lacks: ${what}`, () =>
      withServer({ max_control_line: 262_144, ...server }, async (bus) => {
        await rounds(bus, () => expected.every((reason) => reasons(bus).includes(reason)));
        assert.deepEqual([...reasons(bus)].sort(), [...expected, 'GraphNotEnforced'].sort());
        assert.equal(bus.state().ready, what === 'small messages');
      }));

  it('says that what was given is no credential', async () => {
    const secrets = new TestSecrets();
    secrets.put('user-nats', { creds: 'hello' });
    const bus = operatorOn('nats://127.0.0.1:1', secrets, 'SharedCredential');
    await bus.round();
    assert.match(bus.state().findings[0]?.message ?? '', /creds must be a credentials file of NATS/);
    await bus.close();
  });
});
