import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { decode } from '@nats-io/jwt';
import type { User } from '@nats-io/jwt';
import { accountKey } from '../bus/accounts.ts';
import { certificateFacts, certificatesIn } from '../bus/certificates.ts';
import { parseCredsFile, tokenFacts } from '../bus/tokens.ts';
import { ISSUED_AT, planSecrets, secretNames } from './busSecrets.ts';
import type { BundledSettings, StoredSecret, StoredSecrets } from './busSecrets.ts';

const DAY_MS = 24 * 3600 * 1000;
const t0 = Date.UTC(2030, 0, 1);
const names = secretNames('sinter');

const SETTINGS: BundledSettings = {
  fullname: 'sinter',
  namespace: 'sinter-system',
  clusterDomain: 'cluster.local',
  tls: 'Operator',
  hasLeaves: true,
  credentialLifetimeMs: 30 * DAY_MS,
  leafLifetimeMs: 365 * DAY_MS,
};

interface Round {
  readonly written: readonly string[];
  readonly stored: StoredSecrets;
}

/** Plans and stores until nothing is left to write, as the keeper does; at most five rounds. */
async function settle(settings: BundledSettings, stored: StoredSecrets, nowMs: number): Promise<Round> {
  const now = new Map(stored);
  const written: string[] = [];
  for (let round = 0; round < 5; round++) {
    const { writes } = await planSecrets(settings, now, nowMs);
    if (writes.length === 0) return { written, stored: now };
    for (const w of writes) {
      assert.equal(w.over, now.get(w.name)?.resourceVersion);
      const version = String(Number(now.get(w.name)?.resourceVersion ?? 0) + 1);
      now.set(w.name, { resourceVersion: version, data: w.data, annotations: w.annotations });
      written.push(w.name);
    }
  }
  throw new Error(`it does not settle: ${written.join(' ')}`);
}

const dataOf = (stored: StoredSecrets, name: string): Readonly<Record<string, string>> =>
  stored.get(name)?.data ?? {};

const withSecret = (stored: StoredSecrets, name: string, data: StoredSecret['data']): StoredSecrets =>
  new Map([...stored, [name, { resourceVersion: '7', data, annotations: {} }]]);

describe('Secrets of the bus', () => {
  let made: StoredSecrets;
  before(async () => {
    made = (await settle(SETTINGS, new Map(), t0)).stored;
  });

  it('are made in an order in which two operators cannot disagree: keys and authority alone at first', async () => {
    const first = await planSecrets(SETTINGS, new Map(), t0);
    assert.deepEqual(first.writes.map((w) => w.name).sort(), [names.authority, names.keys]);
    assert.deepEqual(
      first.writes.filter((w) => w.immutable).map((w) => w.name),
      [names.keys],
    );
  });

  it('are all there then', () => {
    const { authority, gateway, hub, hubTls, keys, leaf, leafTls } = names;
    assert.deepEqual([...made.keys()].sort(), [authority, gateway, hub, hubTls, keys, leaf, leafTls].sort());
    assert.deepEqual(Object.keys(dataOf(made, gateway)).sort(), ['ca.crt', 'jwt', 'seed']);
    assert.deepEqual(Object.keys(dataOf(made, hubTls)).sort(), ['ca.crt', 'tls.crt', 'tls.key']);
  });

  for (const [when, nowMs] of [
    ['at once', t0],
    ['a second later', t0 + 1000],
    ['nine days later', t0 + 9 * DAY_MS],
  ] as const)
    it(`are not written again ${when}`, async () => {
      assert.deepEqual((await settle(SETTINGS, made, nowMs)).written, []);
    });

  for (const [what, afterDays, expected] of [
    ["the gateway's credential, a third over", 10, [names.gateway]],
    ['certificates, two thirds over, and the gateway', 60, [names.hubTls, names.leafTls, names.gateway]],
    [
      "the leaf's credential, a third over, and the rest",
      122,
      [names.leaf, names.hubTls, names.leafTls, names.gateway],
    ],
  ] as const)
    it(`are renewed when they are due: ${what}`, async () => {
      const round = await settle(SETTINGS, made, t0 + afterDays * DAY_MS);
      assert.deepEqual(round.written, expected);
    });

  it('keep the seed and the key of a credential that is renewed', async () => {
    const { stored } = await settle(SETTINGS, made, t0 + 200 * DAY_MS);
    for (const read of [
      (s: StoredSecrets) => dataOf(s, names.gateway),
      (s: StoredSecrets) => parseCredsFile(dataOf(s, names.leaf)['leaf.creds'] ?? '') ?? {},
    ]) {
      const [old, renewed] = [read(made), read(stored)] as { jwt: string; seed: string }[];
      assert.equal(old?.seed, renewed?.seed);
      assert.notEqual(old?.jwt, renewed?.jwt);
      assert.equal(tokenFacts(old?.jwt ?? '')?.publicKey, tokenFacts(renewed?.jwt ?? '')?.publicKey);
    }
  });

  it('leave auth.conf as it is when only the credential beside it is renewed', async () => {
    const { stored } = await settle(SETTINGS, made, t0 + 200 * DAY_MS);
    assert.equal(dataOf(stored, names.leaf)['auth.conf'], dataOf(made, names.leaf)['auth.conf']);
  });

  it('carry a revocation to hub and leaf, in tokens that are newer than those before', async () => {
    const revoked = withSecret(made, names.revoked, { 'revoked.json': '{"UGONE":1893456000}' });
    const earlier = t0 - 60_000; // a clock that went back
    const { written, stored } = await settle(SETTINGS, revoked, earlier);
    assert.deepEqual(written, [names.hub, names.leaf]);
    for (const name of [names.hub, names.leaf]) {
      const [before, after] = [made, stored].map((s) =>
        Date.parse(s.get(name)?.annotations[ISSUED_AT] ?? ''),
      );
      assert.equal(after, (before ?? 0) + 1000);
      const conf = JSON.parse(dataOf(stored, name)['auth.conf'] ?? '') as {
        resolver_preload: Record<string, string>;
      };
      const { facts } = await planSecrets(SETTINGS, stored, t0);
      const token = conf.resolver_preload[accountKey(facts?.keys ?? assert.fail('no facts'))] ?? '';
      assert.match(JSON.stringify(decode(token)), /UGONE/);
    }
  });

  it('give a new key to a gateway whose key was revoked', async () => {
    const { publicKey = '' } = tokenFacts(dataOf(made, names.gateway)['jwt'] ?? '') ?? {};
    const revoked = withSecret(made, names.revoked, { 'revoked.json': JSON.stringify({ [publicKey]: 1 }) });
    const { stored } = await settle(SETTINGS, revoked, t0);
    assert.notEqual(tokenFacts(dataOf(stored, names.gateway)['jwt'] ?? '')?.publicKey, publicKey);
  });

  it('follow a changed life of credentials', async () => {
    const shorter = { ...SETTINGS, credentialLifetimeMs: DAY_MS, leafLifetimeMs: 2 * DAY_MS };
    const { written, stored } = await settle(shorter, made, t0);
    assert.deepEqual(written, [names.leaf, names.gateway]);
    const gateway = decode<User>(dataOf(stored, names.gateway)['jwt'] ?? '');
    assert.equal(gateway.exp, t0 / 1000 + 24 * 3600);
  });

  it('have certificates for the names by which servers are reached', () => {
    const hub = certificateFacts(dataOf(made, names.hubTls)['tls.crt'] ?? '');
    assert.deepEqual(hub?.dns, [
      'sinter-nats',
      'sinter-nats.sinter-system',
      'sinter-nats.sinter-system.svc',
      'sinter-nats.sinter-system.svc.cluster.local',
      '*.sinter-nats-headless.sinter-system.svc',
      '*.sinter-nats-headless.sinter-system.svc.cluster.local',
      'localhost',
    ]);
    const leaf = certificateFacts(dataOf(made, names.leafTls)['tls.crt'] ?? '');
    assert.deepEqual(leaf?.dns, ['sinter-nats-leaf', 'localhost']);
  });

  it('make a new authority in time, sign with it, and trust both', async () => {
    const { written, stored } = await settle(SETTINGS, made, t0 + 2434 * DAY_MS);
    assert.ok(written.includes(names.authority) && written.includes(names.hubTls));
    assert.equal(certificatesIn(dataOf(stored, names.hubTls)['ca.crt'] ?? '').length, 2);
    assert.equal(dataOf(stored, names.gateway)['ca.crt'], dataOf(stored, names.hubTls)['ca.crt']);
    // Its own certificate, and the new authority as the old one vouches for it.
    assert.equal(certificatesIn(dataOf(stored, names.leafTls)['tls.crt'] ?? '').length, 2);
  });

  it('never overwrite an authority that cannot be read', async () => {
    const bad = withSecret(made, names.authority, { 'tls.crt': 'x', 'tls.key': 'y' });
    await assert.rejects(planSecrets(SETTINGS, bad, t0), /Secret sinter-bus-ca: tls\.crt cannot be read/);
  });

  it('are told of as facts when all is there', async () => {
    const { facts } = await planSecrets(SETTINGS, made, t0);
    assert.ok(facts);
    const hubConf = JSON.parse(dataOf(made, names.hub)['auth.conf'] ?? '') as {
      resolver_preload: Record<string, string>;
    };
    for (const [key, token] of Object.entries(facts.accounts.hub))
      assert.equal(hubConf.resolver_preload[key], token);
    assert.equal(
      facts.fingerprints.leaf,
      certificateFacts(dataOf(made, names.leafTls)['tls.crt'] ?? '')?.fingerprint,
    );
    assert.equal(facts.gateway.expiresAtMs, t0 + 30 * DAY_MS);
  });

  it('without TLS: no authority, no certificates, no ca.crt', async () => {
    const { stored } = await settle({ ...SETTINGS, tls: 'Off' }, new Map(), t0);
    assert.deepEqual([...stored.keys()].sort(), [names.gateway, names.hub, names.keys, names.leaf].sort());
    assert.deepEqual(Object.keys(dataOf(stored, names.gateway)).sort(), ['jwt', 'seed']);
  });

  it("with somebody else's certificates: only what they are verified by is read", async () => {
    const settings: BundledSettings = { ...SETTINGS, tls: 'CertManager' };
    const waiting = await settle(settings, new Map(), t0);
    assert.equal(waiting.stored.has(names.hubTls), false);
    const theirs = { 'tls.crt': 'c', 'tls.key': 'k', 'ca.crt': 'THEIRS' };
    const { written, stored } = await settle(settings, withSecret(waiting.stored, names.hubTls, theirs), t0);
    assert.deepEqual(written, [names.gateway]);
    assert.equal(dataOf(stored, names.gateway)['ca.crt'], 'THEIRS');
  });

  it('without leaves: nothing is made for them', async () => {
    const { stored } = await settle({ ...SETTINGS, hasLeaves: false }, new Map(), t0);
    assert.equal(stored.has(names.leaf) || stored.has(names.leafTls), false);
  });
});
