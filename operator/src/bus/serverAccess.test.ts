import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accountKey, storeKey } from './accounts.ts';
import { accountsOf } from './auth.ts';
import { certificateFacts, newAuthority, trustOf } from './certificates.ts';
import { connectAs } from './connect.ts';
import { signGateway, signSystem, signUnit } from './credentials.ts';
import type { NewCredential } from './credentials.ts';
import { revoke } from './keys.ts';
import { bringUpToDate } from './serverAccess.ts';
import type { ServerAddress } from './serverAccess.ts';
import { units } from './testAttack.ts';
import { TestCluster } from './testCluster.ts';
import type { TestServer } from './testCluster.ts';

const now = () => ({ nowMs: Date.now() });

describe('a server of the bus', () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.start({ hubs: 3, leaves: ['m1'] });
  });
  after(() => cluster.stop());

  const address = (s: TestServer, ca = cluster.trust ?? ''): ServerAddress => ({
    host: '127.0.0.1',
    port: s.port,
    tls: { servername: s.role === 'hub' ? 'sinter-nats' : 'sinter-nats-leaf', ca },
  });
  const as = (s: TestServer, credential: NewCredential) =>
    connectAs(s.url, credential, { reconnect: false, tls: { ca: cluster.trust ?? '' } });
  const system = () => signSystem(cluster.keys, now());
  const certificateOf = async (s: TestServer) =>
    certificateFacts(await readFile(join(cluster.folder, s.name, 'tls/tls.crt'), 'utf8'))?.fingerprint ?? '';

  it('that knows its accounts is told nothing', async () => {
    for (const s of cluster.servers) {
      const accounts = accountsOf(cluster.keys, await startedAt(cluster, s), s.role);
      assert.deepEqual(await bringUpToDate(address(s), { accounts }, system()), {
        kind: 'Current',
        changed: [],
      });
    }
  });

  it('is told of a changed account once, also where servers of a hub tell each other', async () => {
    const credential = signUnit(cluster.keys, units.u1, { nowMs: Date.now() - 5000 });
    const users = await Promise.all(cluster.servers.map((s) => as(s, signGateway(cluster.keys, now()))));
    const keys = revoke(cluster.keys, credential.publicKey, { nowMs: Date.now() - 2000 });
    const nowMs = Date.now();
    const changes: string[] = [];
    for (const s of [...cluster.servers, ...cluster.servers]) {
      const told = await bringUpToDate(address(s), { accounts: accountsOf(keys, nowMs, s.role) }, system());
      assert.ok('changed' in told);
      changes.push(...told.changed.map((account) => `${s.role} ${account}`));
    }
    // The first server of the hub told the others.
    const [calls, store] = [accountKey(keys), storeKey(keys)];
    assert.deepEqual(changes, [`hub ${calls}`, `hub ${store}`, `leaf ${calls}`]);
    for (const s of cluster.servers) await assert.rejects(as(s, credential), /Authorization|Revoked/i);
    for (const nc of users) await nc.close();
  });

  it('shows a renewed certificate as soon as it is asked to read it, and drops nobody', async () => {
    const old = cluster.trust ?? '';
    const clients = await Promise.all(cluster.servers.map((s) => as(s, signGateway(cluster.keys, now()))));
    await cluster.writeCertificates(await newAuthority(Date.now(), cluster.authority));
    for (const s of cluster.servers) {
      const wanted = { accounts: {}, fingerprint: await certificateOf(s) };
      // Who trusts the old authority alone is as sure of the server as before.
      assert.deepEqual(await bringUpToDate(address(s, old), wanted, system()), {
        kind: 'Current',
        changed: ['certificate'],
      });
      assert.deepEqual(await bringUpToDate(address(s, old), wanted, system()), {
        kind: 'Current',
        changed: [],
      });
    }
    for (const nc of clients) {
      await nc.flush();
      await nc.close();
    }
  });

  it('whose files have not arrived yet is waited for', async () => {
    const [hub] = cluster.hubs;
    assert.ok(hub);
    const wanted = { accounts: {}, fingerprint: 'AA:BB' };
    assert.equal((await bringUpToDate(address(hub), wanted, system())).kind, 'Waiting');
  });

  it('that is not who it should be is not spoken to', async () => {
    const [hub] = cluster.hubs;
    assert.ok(hub);
    const other = trustOf(await newAuthority(Date.now()), Date.now());
    await assert.rejects(bringUpToDate(address(hub, other), { accounts: {} }, system()));
    const asLeaf = { ...address(hub), tls: { servername: 'sinter-nats-leaf', ca: cluster.trust ?? '' } };
    await assert.rejects(bringUpToDate(asLeaf, { accounts: {} }, system()));
  });

  it('that is away is told of as such', async () => {
    const nowhere = { ...address(cluster.server('m1')), port: 1 };
    await assert.rejects(bringUpToDate(nowhere, { accounts: {} }, system()), /refused/i);
  });
});

/** When the tokens in a server's auth.conf were made. */
async function startedAt(cluster: TestCluster, s: TestServer): Promise<number> {
  const conf = JSON.parse(await readFile(join(cluster.folder, s.name, 'auth/auth.conf'), 'utf8')) as {
    resolver_preload: Record<string, string>;
  };
  const token = conf.resolver_preload[accountKey(cluster.keys)] ?? '';
  const { iat } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    iat: number;
  };
  return iat * 1000;
}
