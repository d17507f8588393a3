/**
 * TLS to the bus, with real servers and certificates: who is let in is decided by the name that a server was called by.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createUser } from '@nats-io/nkeys';
import { newAuthority, newServerCertificate } from '../../../operator/src/bus/certificates.ts';
import type { Authority, ServerCertificate } from '../../../operator/src/bus/certificates.ts';
import { locateNatsServer } from '../../../operator/src/local/nats/locate.ts';
import { freePorts } from '../../../operator/src/local/nats/ports.ts';
import { startProcess } from '../../../operator/src/local/nats/process.ts';
import type { NatsProcess } from '../../../operator/src/local/nats/process.ts';
import { Session } from '../src/index.ts';
import type { ServerTerms } from '../src/index.ts';
import { pause, until } from './rig.ts';
import * as x509 from '@peculiar/x509'; // after the certificates, which give it what it asks of the runtime

const LEAF = 'sinter-nats-leaf';
type Names = readonly [string, ...string[]];

/** A certificate for an address, which Sinter's own servers never have. */
async function certificateForAddress(address: string, by: Authority) {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const signer = new x509.X509Certificate(by.certificate);
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const signingKey = x509.PemConverter.decodeFirst(by.key);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: 'CN=server',
    issuer: signer.subject,
    notBefore: signer.notBefore,
    notAfter: signer.notAfter,
    publicKey: keys.publicKey,
    signingKey: await crypto.subtle.importKey('pkcs8', signingKey, algorithm, true, ['sign']),
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: address }])],
  });
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { certificate: certificate.toString('pem'), key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
}

describe('TLS to the bus', () => {
  let folder = '';
  let natsServer = '';
  let ours: Authority;
  let others: Authority;
  const running: NatsProcess[] = [];
  const sessions: Session[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sinter-tls-'));
    natsServer = (await locateNatsServer({ env: process.env })).path;
    [ours, others] = await Promise.all([newAuthority(Date.now()), newAuthority(Date.now())]);
  });
  after(async () => {
    await Promise.all(sessions.map((s) => s.close()));
    await Promise.all(running.map((p) => p.stop()));
    await rm(folder, { recursive: true, force: true });
  });

  const certify = (...dns: Names): Promise<ServerCertificate> =>
    newServerCertificate(ours, { dns, isClientToo: false }, Date.now());

  /** A server with this certificate, or without TLS; it lets everybody in. */
  async function serve(shown: ServerCertificate | 'plain', on?: number) {
    const [port = 0] = on === undefined ? await freePorts(1) : [on];
    const at = join(folder, `${String(port)}-${String(running.length)}`);
    const config: Record<string, unknown> = { host: '127.0.0.1', port, log_file: `${at}.log` };
    if (shown !== 'plain') {
      await writeFile(`${at}.crt`, shown.certificate);
      await writeFile(`${at}.key`, shown.key);
      config['tls'] = { cert_file: `${at}.crt`, key_file: `${at}.key` };
    }
    await writeFile(`${at}.conf`, JSON.stringify(config));
    const server = await startProcess(natsServer, `${at}.conf`);
    running.push(server);
    return { port, server, log: `${at}.log` };
  }

  async function connect(terms: ServerTerms): Promise<Session> {
    const seed = new TextDecoder().decode(createUser().getSeed());
    const session = await Session.open({
      ...terms,
      credential: { jwt: '', seed },
      inbox: '_INBOX.ns.wf.u.i',
      name: 'u/i',
    });
    sessions.push(session);
    return session;
  }

  /** Servers take a moment to listen; what they answer then is what counts. */
  async function settled(terms: ServerTerms): Promise<Session | Error> {
    for (let left = 4_000; ; left--) {
      const end = await connect(terms).catch((cause: unknown) => cause as Error);
      if (!(end instanceof Error) || !/refused/.test(end.message) || left === 0) return end;
      await pause(5);
    }
  }

  async function assertLetIn(terms: ServerTerms): Promise<Session> {
    const end = await settled(terms);
    if (end instanceof Error) throw end;
    assert.equal(end.link.nc.info?.tls_required, true);
    return end;
  }

  async function assertRefused(terms: ServerTerms, why: RegExp): Promise<void> {
    const end = await settled(terms);
    assert.ok(end instanceof Error, 'it was let in');
    const cause = end.cause instanceof Error ? end.cause.message : '';
    assert.match(`${end.message} ${cause}`, why);
  }

  it('a server that is called by its name needs a certificate for that name', async () => {
    const { port } = await serve(await certify('localhost'));
    await assertLetIn({ servers: [`tls://localhost:${String(port)}`], ca: ours.certificate });
  });

  it('the leaf on the machine is dialled by address and verified by its name', async () => {
    const { port } = await serve(await certify(LEAF));
    const servers = [`tls://127.0.0.1:${String(port)}`];
    await assertLetIn({ servers, ca: ours.certificate, leafServerName: LEAF });
    await assertRefused({ servers, ca: ours.certificate, leafServerName: 'another' }, /another/);
  });

  it('an address without a name is verified as an address, and never as localhost', async () => {
    const named = await serve(await certify('localhost', LEAF));
    await assertRefused(
      { servers: [`tls://127.0.0.1:${String(named.port)}`], ca: ours.certificate },
      /127\.0\.0\.1/,
    );
    const addressed = await serve(await certificateForAddress('127.0.0.1', ours));
    await assertLetIn({ servers: [`tls://127.0.0.1:${String(addressed.port)}`], ca: ours.certificate });
  });

  it("the leaf's name is good for the leaf alone", async () => {
    const { port } = await serve(await certify(LEAF));
    const [nobody = 0] = await freePorts(1);
    const terms = { ca: ours.certificate, leafServerName: LEAF };
    const leaf = `tls://127.0.0.1:${String(nobody)}`;
    await assertRefused({ ...terms, servers: [leaf, `tls://127.0.0.1:${String(port)}`] }, /127\.0\.0\.1/);
    await assertRefused({ ...terms, servers: [leaf, `tls://localhost:${String(port)}`] }, /localhost/);
  });

  it('a certificate of another authority is refused', async () => {
    const { port } = await serve(await certify('localhost'));
    const servers = [`tls://localhost:${String(port)}`];
    await assertRefused({ servers, ca: others.certificate }, /certificate/);
    await assertRefused({ servers }, /certificate/);
  });

  it('a server without TLS is refused where TLS is asked for', async () => {
    const { port } = await serve('plain');
    await assertRefused({ servers: [`tls://localhost:${String(port)}`], ca: ours.certificate }, /tls/);
  });

  it('each server has its own terms: a leaf without TLS, a hub with it', async () => {
    const leaf = await serve('plain');
    const hub = await serve(await certify('localhost'));
    const servers = [`nats://127.0.0.1:${String(leaf.port)}`, `tls://localhost:${String(hub.port)}`];
    const near = await settled({ servers, ca: ours.certificate });
    assert.ok(near instanceof Session);
    await until('it is at the leaf', () => {
      near.nearest().catch(() => undefined); // a busy machine may have made the hub the quicker one at first
      return near.link.server === `127.0.0.1:${String(leaf.port)}`;
    });
    await leaf.server.kill();
    await until('it is at the hub', () => near.link.up && near.link.server.endsWith(String(hub.port)));
    assert.equal(near.link.nc.info?.tls_required, true);
  });

  it('a reconnection is verified like the first connection', async () => {
    const first = await serve(await certify(LEAF));
    const servers = [`tls://127.0.0.1:${String(first.port)}`];
    const session = await assertLetIn({ servers, ca: ours.certificate, leafServerName: LEAF });
    await first.server.stop();
    await until('it is down', () => !session.link.up);
    const wrong = await serve(await certify('another'), first.port);
    const tries = (): number =>
      readFileSync(wrong.log, { encoding: 'utf8', flag: 'a+' }).split('handshake error').length - 1;
    await until('it has tried twice', () => tries() >= 2);
    assert.ok(!session.link.up);
    await wrong.server.stop();
    await serve(await certify(LEAF), first.port);
    await until('it is up', () => session.link.up);
  });

  it('moves back to the leaf when that is there', async () => {
    const hub = await serve(await certify('localhost'));
    const [port = 0] = await freePorts(1);
    const servers = [`tls://127.0.0.1:${String(port)}`, `tls://localhost:${String(hub.port)}`];
    const session = await assertLetIn({ servers, ca: ours.certificate, leafServerName: LEAF });
    assert.equal(session.link.server, `localhost:${String(hub.port)}`);
    await assert.rejects(session.nearest());
    assert.ok(session.link.up);
    await serve(await certify(LEAF), port);
    await until('it is at the leaf', () => {
      session.nearest().catch(() => undefined); // not listening yet
      return session.link.server === `127.0.0.1:${String(port)}`;
    });
    assert.equal(session.link.nc.info?.tls_required, true);
  });
});
