import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { connect, createServer } from 'node:tls';
import {
  AUTHORITY_LIFETIME_MS,
  SERVER_LIFETIME_MS,
  certificateFacts,
  certificatesIn,
  isNearItsEnd,
  isSignedBy,
  newAuthority,
  newServerCertificate,
  trustOf,
} from './certificates.ts';
import type { ServerCertificate, ServerRequest } from './certificates.ts';

const DAY_MS = 24 * 3600 * 1000;
const now = Math.floor(Date.now() / 1000) * 1000;
const HUB: ServerRequest = {
  dns: ['sinter-nats', '*.sinter-nats-headless.s.svc', 'localhost'],
  isClientToo: true,
};
const LEAF: ServerRequest = { dns: ['sinter-nats-leaf', 'localhost'], isClientToo: false };

/** The name that a client was sure of, or why it was not. */
async function handshake(shown: ServerCertificate, trust: string, servername: string): Promise<string> {
  const server = createServer({ cert: shown.certificate, key: shown.key }, (socket) => socket.end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', ca: trust, servername });
  try {
    await once(socket, 'secureConnect');
    return 'trusted';
  } catch (cause) {
    return String(cause);
  } finally {
    socket.destroy();
    server.close();
  }
}

describe("certificates of the bus's servers", () => {
  it('are trusted by name, with the authority alone', async () => {
    const authority = await newAuthority(now);
    const hub = await newServerCertificate(authority, HUB, now);
    const other = await newAuthority(now);
    assert.equal(await handshake(hub, trustOf(authority, now), 'sinter-nats'), 'trusted');
    assert.equal(
      await handshake(hub, trustOf(authority, now), 'sinter-nats-hub-2.sinter-nats-headless.s.svc'),
      'trusted',
    );
    assert.match(
      await handshake(hub, trustOf(authority, now), 'sinter-nats-leaf'),
      /altnames|does not match/,
    );
    assert.match(await handshake(hub, trustOf(other, now), 'sinter-nats'), /unable to verify|self-signed/);
  });

  it('say for what they are good', async () => {
    const authority = await newAuthority(now);
    const hub = new X509Certificate((await newServerCertificate(authority, HUB, now)).certificate);
    const leaf = new X509Certificate((await newServerCertificate(authority, LEAF, now)).certificate);
    const [server, client] = ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'];
    assert.deepEqual(hub.keyUsage, [server, client]);
    assert.deepEqual(leaf.keyUsage, [server]);
    assert.equal(hub.ca, false);
    assert.equal(new X509Certificate(authority.certificate).ca, true);
    assert.equal(hub.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  });

  it('live 90 days and their authority ten years, and are near their end after two thirds', async () => {
    const authority = await newAuthority(now);
    const facts = certificateFacts((await newServerCertificate(authority, LEAF, now)).certificate);
    assert.ok(facts);
    assert.equal(facts.untilMs, now + SERVER_LIFETIME_MS);
    assert.equal(certificateFacts(authority.certificate)?.untilMs, now + AUTHORITY_LIFETIME_MS);
    assert.deepEqual(facts.dns, LEAF.dns);
    assert.equal(isNearItsEnd(facts, now + 59 * DAY_MS), false);
    assert.equal(isNearItsEnd(facts, now + 60 * DAY_MS), true);
  });

  it('end with their authority at the latest', async () => {
    const authority = await newAuthority(now, undefined, 10 * DAY_MS);
    const facts = certificateFacts((await newServerCertificate(authority, LEAF, now)).certificate);
    assert.equal(facts?.untilMs, now + 10 * DAY_MS);
  });
});

describe('a new authority', () => {
  it('breaks nobody: who trusts only the old, both, or only the new verifies what it signs', async () => {
    const old = await newAuthority(now - 7 * 365 * DAY_MS);
    const fresh = await newAuthority(now, old);
    const newest = await newAuthority(now, fresh);
    for (const authority of [fresh, newest]) {
      const hub = await newServerCertificate(authority, HUB, now);
      for (const trust of [old.certificate, trustOf(authority, now), authority.certificate])
        assert.equal(await handshake(hub, trust, 'sinter-nats'), 'trusted');
      assert.equal(isSignedBy(hub.certificate, authority.certificate), true);
      assert.equal(isSignedBy(hub.certificate, old.certificate), false);
    }
    assert.equal(certificatesIn(trustOf(newest, now)).length, 3);
  });

  it('forgets those that have expired', async () => {
    const old = await newAuthority(now - 11 * 365 * DAY_MS);
    const fresh = await newAuthority(now, old);
    assert.deepEqual(certificatesIn(trustOf(fresh, now)), [fresh.certificate]);
  });

  it('is the only one that its name and key lead to', async () => {
    const [a, b] = [await newAuthority(now), await newAuthority(now)];
    assert.notEqual(new X509Certificate(a.certificate).subject, new X509Certificate(b.certificate).subject);
  });
});

describe('a text that holds no certificate', () => {
  for (const text of ['', 'hello', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])
    it(`has no facts: ${JSON.stringify(text)}`, () => assert.equal(certificateFacts(text), undefined));
});
