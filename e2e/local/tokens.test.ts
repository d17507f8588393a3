/** A trigger that takes tokens, on a laptop: an issuer on the same machine is asked over plain http, by the built gateway. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { newKey, startIssuer } from '../../runtimes/gateway/test/issuer.ts';
import type { SigningKey, TestIssuer } from '../../runtimes/gateway/test/issuer.ts';
import { app, eventually, withLab } from './harness.ts';

let issuer: TestIssuer;
let key: SigningKey;
before(async () => {
  issuer = await startIssuer();
  key = await newKey('RS256');
  issuer.keys = [key.published];
});
after(() => issuer.down());

const triggers = (url: string) => [
  {
    name: 'web',
    to: 'hello',
    type: 'Http',
    http: { path: '/', auth: { type: 'Jwt', jwt: { issuer: url, audiences: ['cars'] } } },
  },
];

it('opens to tokens of its issuer, and to nobody without', async () => {
  await withLab({}, async (lab) => {
    const objects = app({
      functions: { hello: () => 'hello' },
      workflow: { triggers: triggers(issuer.url) },
    });
    await lab.apply(objects);
    const enter = async (claims = {}) =>
      lab.call('/', null, { authorization: `Bearer ${await issuer.token(key, claims)}` });
    assert.equal((await lab.call('/')).status, 401);
    assert.equal((await enter({ aud: 'bikes' })).status, 401);
    const a = await enter();
    assert.deepEqual([a.status, a.text], [200, 'hello']);
  });
});

it('that names an issuer which is not there stays shut, and the run says why', async () => {
  await withLab({}, async (lab) => {
    await issuer.down();
    await lab.apply(
      app({ functions: { hello: () => 'hello' }, workflow: { triggers: triggers(issuer.url) } }),
    );
    const authorization = `Bearer ${await issuer.token(key)}`;
    assert.equal((await lab.call('/', null, { authorization })).code, 'AuthUnavailable');
    await eventually('the run says why', () =>
      lab.logs.find((l) => l.source === 'gateway' && /keys of an issuer were not read/.test(l.message)),
    );
  });
});
