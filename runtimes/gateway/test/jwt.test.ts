/** Tokens of a real issuer at the door of a real gateway: who comes in, who does not, and what it costs the issuer. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { Agent } from 'node:http';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { JWTPayload } from 'jose';
import { newAuthority, newServerCertificate } from '../../../operator/src/bus/certificates.ts';
import type { Gateway } from '../src/index.ts';
import { AUDIENCE, CONFIGURATION, KEYS, json, newKey, rsaKey, startIssuer } from './issuer.ts';
import type { SigningKey, TestIssuer } from './issuer.ts';
import { JSON_HEADERS, WITH_TOKEN, ask, entry, route, startRig, trigger, until } from './rig.ts';
import type { Answered, Rig } from './rig.ts';

const now = (): number => Math.floor(Date.now() / 1000);
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
/** A public key as text, as in the attack that signs with it as a secret. */
const pem = (key: SigningKey): string => JSON.stringify(key.published);

/** A clock that the test can turn on: times of the gateway, not of the token. */
function turnedClock() {
  let ahead = 0;
  return { now: () => performance.now() + ahead, turn: (ms: number) => (ahead += ms) };
}

const jwt = (issuer: string, audiences: readonly string[] = [AUDIENCE]) =>
  ({ type: 'Jwt', issuer, audiences }) as const;

function refused(a: Answered, reason: string | undefined): void {
  assert.equal(a.status, 401, a.body.toString());
  assert.equal(a.headers['content-type'], 'application/problem+json');
  const body = a.json();
  assert.deepEqual([body['code'], body['reason']], ['NotAllowed', reason]);
  const challenge = a.headers['www-authenticate'] ?? '';
  assert.match(challenge, /^Bearer realm="sinter"/);
  assert.equal(challenge.includes('error="invalid_token"'), reason !== undefined, challenge);
}

function unavailable(a: Answered): void {
  assert.equal(a.status, 503, a.body.toString());
  assert.equal(a.json()['code'], 'AuthUnavailable');
  assert.equal(a.headers['retry-after'], '2');
}

describe('a trigger that takes tokens', () => {
  let rig: Rig;
  let unit: Awaited<ReturnType<Rig['startUnit']>>;
  let gateway: Gateway;
  let issuer: TestIssuer;
  const clock = turnedClock();
  const keys: Record<string, SigningKey> = {};
  const key = (alg: string): SigningKey => {
    const found = keys[alg];
    if (!found) throw new Error(alg);
    return found;
  };

  before(async () => {
    rig = await startRig();
    issuer = await startIssuer();
    for (const alg of ['ES256', 'RS256', 'PS512', 'EdDSA', 'ES384']) keys[alg] = await newKey(alg);
    issuer.keys = [...Object.values(keys).map((k) => k.published), rsaKey(1024)];
    await rig.putRoute(route());
    await rig.putEntry(
      entry({
        triggers: [
          trigger({ auth: jwt(issuer.url, ['bikes', AUDIENCE]) }),
          trigger({ name: 'later', path: '/later', to: 'later', auth: jwt(issuer.url) }),
          trigger({ name: 'quiet', path: '/quiet', to: 'quiet', auth: jwt(issuer.url, ['others']) }),
          trigger({ name: 'slow', path: '/slow', to: 'slow' }),
        ],
      }),
    );
    unit = await rig.startUnit(['r1']);
    unit.pull();
    gateway = await rig.startGateway({}, undefined, clock);
  });
  after(async () => {
    await rig.stop();
    await issuer.down();
  });
  beforeEach(async () => {
    issuer.faults.clear();
    await ask(gateway, '/traffic', { headers: bearer(await issuer.token(key('ES256'))) });
  });

  const enter = (token: string): Promise<Answered> =>
    ask(gateway, '/traffic', { headers: { ...JSON_HEADERS, ...bearer(token) }, body: '{"a":1}' });
  const fetched = (): number => issuer.asked.get(KEYS) ?? 0;

  describe('lets in', () => {
    const rows: Record<string, () => Promise<string>> = {
      'a token signed with an elliptic curve': () => issuer.token(key('ES256')),
      'with RSA': () => issuer.token(key('RS256')),
      'with RSA-PSS': () => issuer.token(key('PS512')),
      'with Ed25519': () => issuer.token(key('EdDSA')),
      'one of several audiences': () => issuer.token(key('ES256'), { aud: ['x', 'bikes'] }),
      'one that expired within the tolerance': () => issuer.token(key('ES256'), { exp: now() - 15 }),
      'one that begins within the tolerance': () => issuer.token(key('ES256'), { nbf: now() + 15 }),
      'one that names no key where only one fits': () => issuer.token(key('EdDSA'), {}, { kid: undefined }),
      'one that names nobody': () => issuer.token(key('ES256'), { sub: undefined } as unknown as JWTPayload),
    };
    for (const [name, token] of Object.entries(rows))
      it(name, async () => {
        const a = await enter(await token());
        assert.equal(a.status, 200, a.body.toString());
        assert.deepEqual(a.json(), { a: 1 });
      });

    it('and shows the function nothing of the token', async () => {
      unit.seen.length = 0;
      const token = await issuer.token(key('ES256'), { sub: 'a-name-of-somebody' });
      assert.equal((await enter(token)).status, 200);
      const told = JSON.stringify(unit.seen.map(({ call }) => call));
      assert.ok(!told.includes('a-name-of-somebody') && !told.includes(token.slice(0, 20)), told);
    });
  });

  describe('keeps out', () => {
    const rows: Record<string, readonly [string, () => string | Promise<string>]> = {
      'what is no token': ['TokenMalformed', () => 'k1'],
      'a token of another form': ['TokenMalformed', () => 'a.b.c.d.e'],
      'claims that are no JSON': ['TokenMalformed', () => 'e30.e30x.e30'],
      'claims that are no object': ['TokenMalformed', () => `e30.${base64(null)}.e30`],
      'no issuer': ['IssuerWrong', () => `e30.${base64({ sub: 'a' })}.e30`],
      'another issuer': ['IssuerWrong', () => issuer.token(key('ES256'), { iss: 'https://other.example' })],
      'the issuer with a slash more': [
        'IssuerWrong',
        () => issuer.token(key('ES256'), { iss: `${issuer.url}/` }),
      ],
      'another audience': ['AudienceWrong', () => issuer.token(key('ES256'), { aud: 'trains' })],
      'no audience': [
        'AudienceWrong',
        () => issuer.token(key('ES256'), { aud: undefined } as unknown as JWTPayload),
      ],
      'an expired one': ['TokenExpired', () => issuer.token(key('ES256'), { exp: now() - 60 })],
      'one without an end': [
        'TokenWithoutEnd',
        () => issuer.token(key('ES256'), { exp: undefined } as unknown as JWTPayload),
      ],
      'an end that is no number': [
        'TokenWithoutEnd',
        () => issuer.token(key('ES256'), { exp: '2099' as unknown as number }),
      ],
      'one for later': ['TokenNotYetValid', () => issuer.token(key('ES256'), { nbf: now() + 60 })],
      'a changed signature': [
        'SignatureWrong',
        async () => (await issuer.token(key('ES256'))).replace(/.{20}$/, 'A'.repeat(20)),
      ],
      'changed claims': [
        'SignatureWrong',
        async () => {
          const [head, , signature] = (await issuer.token(key('ES256'))).split('.');
          const claims = { iss: issuer.url, aud: AUDIENCE, sub: 'admin', exp: now() + 300 };
          return `${head ?? ''}.${base64(claims)}.${signature ?? ''}`;
        },
      ],
      'a key of the same name that is not the published one': [
        'SignatureWrong',
        async () => issuer.token(await newKey('ES256', key('ES256').kid)),
      ],
      'a key that is not published': ['KeyUnknown', async () => issuer.token(await newKey('ES256'))],
      'a published key under another algorithm': [
        'KeyUnknown',
        () => issuer.token({ ...key('PS512'), kid: key('RS256').kid }),
      ],
      'no signature at all': [
        'TokenMalformed',
        () => `${base64({ alg: 'none' })}.${base64({ iss: issuer.url, aud: AUDIENCE, exp: now() + 60 })}.`,
      ],
      'none by name, with something behind it': [
        'AlgorithmNotAllowed',
        () => `${base64({ alg: 'none' })}.${base64({ iss: issuer.url, aud: AUDIENCE, exp: now() + 60 })}.AA`,
      ],
      'a shared secret made of the public key': [
        'AlgorithmNotAllowed',
        () => {
          const { kid } = key('RS256');
          const claims = { iss: issuer.url, aud: AUDIENCE, exp: now() + 300 };
          const signed = `${base64({ alg: 'HS256', kid })}.${base64(claims)}`;
          const mac = createHmac('sha256', pem(key('RS256')))
            .update(signed)
            .digest('base64url');
          return `${signed}.${mac}`;
        },
      ],
      'a header with a word that must be understood': [
        'TokenMalformed',
        () => {
          const head = base64({ alg: 'ES256', kid: key('ES256').kid, crit: ['x'], x: 1 });
          return `${head}.${base64({ iss: issuer.url, aud: AUDIENCE, exp: now() + 60 })}.AA`;
        },
      ],
      'a key that is too short to be believed': [
        'TokenMalformed',
        () => {
          const head = base64({ alg: 'RS256', kid: 'rsa1024' });
          return `${head}.${base64({ iss: issuer.url, aud: AUDIENCE, exp: now() + 60 })}.AA`;
        },
      ],
    };
    for (const [name, [reason, token]] of Object.entries(rows))
      it(name, async () => {
        const ran = unit.seen.length;
        const a = await enter(await token());
        refused(a, reason);
        const told = a.body.toString() + String(a.headers['www-authenticate']);
        assert.ok(!told.includes(issuer.url) && !told.includes(AUDIENCE), told);
        assert.equal(unit.seen.length, ran);
      });

    it('who shows nothing, or a key in another header', async () => {
      refused(await ask(gateway, '/traffic'), undefined);
      const token = await issuer.token(key('ES256'));
      refused(await ask(gateway, '/traffic', { headers: { 'x-api-key': token } }), undefined);
      refused(await ask(gateway, '/traffic', { headers: { authorization: `Basic ${token}` } }), undefined);
    });

    it('even who has the token of the run', async () => {
      refused(await ask(gateway, '/traffic', { headers: WITH_TOKEN }), 'TokenMalformed');
    });
  });

  describe('guards what is asked for later', () => {
    const later = async (path: string, token: string, more = {}): Promise<Answered> =>
      ask(gateway, path, {
        headers: { ...JSON_HEADERS, ...bearer(token), prefer: 'respond-async', ...more },
        body: '1',
      });
    const stateOf = (id: string, headers = {}): Promise<Answered> =>
      ask(gateway, `/call/default/traffic/calls/${id}`, { method: 'GET', headers });

    it('who may enter may ask what became of it, who may not may not', async () => {
      const token = await issuer.token(key('ES256'));
      refused(await later('/later', await issuer.token(key('ES256'), { aud: 'x' })), 'AudienceWrong');
      const a = await later('/later', token);
      assert.equal(a.status, 202, a.body.toString());
      const id = String(a.json()['callId']);
      const done = await until('it ran', async () => {
        const s = await stateOf(id, bearer(token));
        return s.json()['state'] === 'Succeeded' && s;
      });
      assert.equal(done.json()['result'], 1);
      // The workflow has a trigger that is open to everybody: so much may be asked, and nothing is found.
      assert.equal((await stateOf(id)).status, 404);
      assert.equal((await stateOf(id, bearer(await issuer.token(key('ES256'), { aud: 'x' })))).status, 404);
      const forQuiet = await issuer.token(key('ES256'), { aud: 'others' });
      assert.equal((await stateOf(id, bearer(forQuiet))).status, 404, 'it opens another function');
      assert.equal((await stateOf(id, WITH_TOKEN)).status, 200);
    });

    it('a key for repeating counts within one subject', async () => {
      const by = async (sub: string): Promise<unknown> => {
        const token = await issuer.token(key('ES256'), { sub, aud: 'others' });
        return (await later('/quiet', token, { 'idempotency-key': 'once' })).json()['callId'];
      };
      const first = await by('anna');
      assert.equal(await by('anna'), first, 'with another token of hers too');
      assert.notEqual(await by('berta'), first);
    });
  });

  describe('whose issuer changes its keys', () => {
    it('takes the new key with the first token of it, under load, asking once', async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 40 });
      const old = key('ES256');
      const fresh = await newKey('ES256');
      const [ofOld, ofFresh] = [await issuer.token(old), await issuer.token(fresh)];
      const send = (token: string): Promise<Answered> =>
        ask(gateway, '/traffic', { agent, headers: bearer(token) });
      issuer.keys = [...issuer.keys, fresh.published];
      clock.turn(11_000);
      const before = fetched();
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, i) => send(i % 2 === 0 ? ofOld : ofFresh)),
      );
      agent.destroy();
      assert.deepEqual([...new Set(answers.map((a) => a.status))], [200]);
      assert.equal(fetched() - before, 1);
    });

    it('no longer takes a key ten minutes after it was taken away', async () => {
      const gone = await newKey('ES256');
      issuer.keys = [...issuer.keys, gone.published];
      clock.turn(11_000);
      const token = await issuer.token(gone);
      assert.equal((await enter(token)).status, 200);
      issuer.keys = issuer.keys.filter((k) => k.kid !== gone.kid);
      clock.turn(4 * 60_000);
      assert.equal((await enter(token)).status, 200);
      clock.turn(7 * 60_000);
      refused(await enter(token), 'KeyUnknown');
    });

    it('is not asked more often for a flood of keys that it does not have', async () => {
      clock.turn(11_000);
      const before = fetched();
      const stranger = await newKey('ES256');
      const tokens = await Promise.all(
        Array.from({ length: 300 }, (_, i) => issuer.token({ ...stranger, kid: `k${String(i)}` })),
      );
      const agent = new Agent({ keepAlive: true, maxSockets: 40 });
      const answers = await Promise.all(
        tokens.map((t) => ask(gateway, '/traffic', { agent, headers: bearer(t) })),
      );
      agent.destroy();
      for (const a of answers) refused(a, 'KeyUnknown');
      assert.equal(fetched() - before, 1);
      assert.equal((await enter(await issuer.token(key('ES256')))).status, 200);
    });
  });

  describe('whose issuer cannot be asked', () => {
    it('goes on with the keys that it has, and cannot judge a new one', async () => {
      const token = await issuer.token(key('ES256'));
      const fresh = await issuer.token(await newKey('ES256'));
      await issuer.down();
      clock.turn(11 * 60_000);
      assert.equal((await enter(token)).status, 200);
      clock.turn(11_000);
      unavailable(await enter(fresh));
      refused(await enter(await issuer.token(key('ES256'), { exp: now() - 99 })), 'TokenExpired');
      await issuer.up();
      clock.turn(2_000);
      refused(await enter(fresh), 'KeyUnknown');
      assert.equal((await enter(token)).status, 200);
    });
  });
});

describe('an issuer that was never reached', () => {
  let rig: Rig;
  let issuer: TestIssuer;
  let signing: SigningKey;
  const clock = turnedClock();
  before(async () => {
    rig = await startRig();
    issuer = await startIssuer();
    signing = await newKey('RS256');
    await rig.putRoute(route());
    await rig.startUnit(['r1']);
  });
  after(async () => {
    await rig.stop();
    await issuer.down();
  });
  beforeEach(() => {
    issuer.faults.clear();
    issuer.asked.clear();
    issuer.keys = [signing.published];
    rig.problems.length = 0;
  });

  const openFor = (url: string): Promise<void> =>
    rig.putEntry(entry({ triggers: [trigger({ auth: jwt(url) })] }));
  const enterWith = async (gateway: Pick<Gateway, 'address'>, over = {}): Promise<Answered> =>
    ask(gateway, '/traffic', { headers: bearer(await issuer.token(signing, over)) });

  it('lets nobody in, and everybody as soon as it is reached', async () => {
    await openFor(issuer.url);
    await issuer.down();
    const gateway = await rig.startGateway({ instance: 'g10' }, undefined, clock);
    unavailable(await enterWith(gateway));
    assert.match(rig.problems.join('\n'), /keys of an issuer were not read: .*ECONNREFUSED.*nobody comes in/);
    const id = 'a'.repeat(20);
    const token = await issuer.token(signing);
    const path = `/call/default/traffic/calls/${id}`;
    unavailable(await ask(gateway, path, { method: 'GET', headers: bearer(token) }));
    await issuer.up();
    clock.turn(2_000);
    assert.equal((await enterWith(gateway)).status, 200);
    await gateway.stop(0);
  });

  const huge = 'x'.repeat(300 * 1024);
  const faults: Record<string, readonly [string, Parameters<TestIssuer['faults']['set']>[1], RegExp]> = {
    'has no discovery': [CONFIGURATION, (_, res) => res.writeHead(404).end(), /answered 404/],
    'sends elsewhere': [
      CONFIGURATION,
      (_, res) => res.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
      /answered 302, where 200 is expected/,
    ],
    'says that it is another': [
      CONFIGURATION,
      (_, res) => json(res, { issuer: 'https://other.example', jwks_uri: 'https://other.example/k' }),
      /names issuer 'https:\/\/other\.example'/,
    ],
    'has its keys at a place that is not asked': [
      CONFIGURATION,
      (_, res) => json(res, { issuer: issuer.url, jwks_uri: 'http://169.254.169.254/keys' }),
      /169\.254\.169\.254\/keys: only https is asked/,
    ],
    'says no place for its keys': [
      CONFIGURATION,
      (_, res) => json(res, { issuer: issuer.url }),
      /has no jwks_uri/,
    ],
    'answers what is no JSON': [KEYS, (_, res) => res.end('<html>'), /not valid JSON/],
    'answers JSON that is no set of keys': [KEYS, (_, res) => json(res, [1]), /is no set of keys/],
    'answers without end': [KEYS, (_, res) => json(res, { keys: [], huge }), /more than 262144 bytes/],
    'has too many keys': [
      KEYS,
      (_, res) => json(res, { keys: Array.from({ length: 101 }, () => signing.published) }),
      /has 101 keys/,
    ],
    'ends in the midst of its answer': [
      KEYS,
      (_, res) => {
        res.writeHead(200, { 'content-length': 100 }).write('{');
        setImmediate(() => res.destroy());
      },
      /aborted|hang up|ECONNRESET/,
    ],
  };
  for (const [name, [at, fault, says]] of Object.entries(faults))
    it(`lets nobody in where it ${name}`, async () => {
      issuer.faults.set(at, fault);
      await openFor(issuer.url);
      const gateway = await rig.startGateway({ instance: 'g11' });
      const a = await enterWith(gateway);
      unavailable(a);
      assert.ok(!a.body.toString().includes(issuer.url), 'the caller is told nothing of the inside');
      assert.match(rig.problems.join('\n'), says);
      await gateway.stop(0);
    });

  it('that does not answer in time lets nobody in', async () => {
    issuer.faults.set(CONFIGURATION, () => undefined);
    await openFor(issuer.url);
    const gateway = await rig.startGateway({ instance: 'g12' });
    const answers = await Promise.all(Array.from({ length: 20 }, () => enterWith(gateway)));
    answers.forEach(unavailable);
    assert.equal(issuer.asked.get(CONFIGURATION), 1);
    assert.match(rig.problems.join('\n'), /no answer within 5 s/);
    await gateway.stop(0);
  });

  it('passes over keys of kinds that cannot verify', async () => {
    const secret = { kty: 'oct', k: 'c2VjcmV0', kid: 'secret', alg: 'HS256' };
    const monster = { kty: 'RSA', n: 'x'.repeat(5_000), e: 'AQAB', kid: signing.kid, alg: 'RS256' };
    issuer.keys = [secret, monster, { kty: 'new' }, null as never, signing.published];
    await openFor(issuer.url);
    const gateway = await rig.startGateway({ instance: 'g13' });
    assert.equal((await enterWith(gateway)).status, 200);
    await gateway.stop(0);
  });

  it('on the machine of a gateway that others can reach is not asked', async () => {
    await openFor(issuer.url);
    const gateway = await rig.startGateway({ instance: 'g14', host: '0.0.0.0' });
    unavailable(await enterWith({ address: { ...gateway.address, host: '127.0.0.1' } }));
    assert.equal(issuer.asked.size, 0);
    assert.match(rig.problems.join('\n'), /only https is asked/);
    await gateway.stop(0);
  });

  it('is asked over https only where its certificate verifies', async () => {
    const authority = await newAuthority(Date.now());
    const { certificate, key } = await newServerCertificate(
      authority,
      { dns: ['localhost'], isClientToo: false },
      Date.now(),
    );
    const secure = await startIssuer({ key, cert: certificate }, '/realms/a');
    secure.keys = [signing.published];
    await openFor(secure.url);
    const enter = async (gateway: Gateway): Promise<Answered> =>
      ask(gateway, '/traffic', { headers: bearer(await secure.token(signing)) });
    const issuers = { loopback: true, hosts: ['localhost'] };
    const blind = await rig.startGateway({ instance: 'g15', issuers });
    unavailable(await enter(blind));
    assert.match(rig.problems.join('\n'), /certificate/);
    const ca = authority.certificate;
    const knowing = await rig.startGateway({ instance: 'g16', issuers: { ...issuers, ca } });
    assert.equal((await enter(knowing)).status, 200);
    const strict = await rig.startGateway({
      instance: 'g17',
      issuers: { ...issuers, ca, hosts: ['id.example'] },
    });
    unavailable(await enter(strict));
    for (const g of [blind, knowing, strict]) await g.stop(0);
    await secure.down();
  });
});

describe('a record of a later version', () => {
  it('with an auth of an unknown kind shuts that trigger, and opens the others', async () => {
    const rig = await startRig();
    await rig.putRoute(route());
    const auth = { type: 'Passkey', origin: 'https://id.example' } as never;
    await rig.putEntry(entry({ triggers: [trigger({ auth }), trigger({ name: 'open', path: '/open' })] }));
    await rig.startUnit(['r1']);
    const gateway = await rig.startGateway();
    assert.equal((await ask(gateway, '/traffic')).status, 401);
    assert.equal((await ask(gateway, '/traffic', { headers: bearer('k') })).status, 401);
    assert.equal((await ask(gateway, '/open')).status, 200);
    await rig.stop();
  });
});
