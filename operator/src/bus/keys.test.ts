import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decode } from '@nats-io/jwt';
import type { User } from '@nats-io/jwt';
import { unitPermissions } from '@sinter/contract';
import { signAccountToken, signOperatorToken, signStoreToken, signSystemToken } from './accounts.ts';
import { renewUnit, signUnit } from './credentials.ts';
import { CREDENTIAL_LIFETIME_MS, createKeys, parseKeys, revoke } from './keys.ts';
import { units } from './testAttack.ts';

const nowMs = Date.UTC(2030, 0, 1);
const DAY_MS = 24 * 3600 * 1000;

describe('keys', () => {
  const keys = createKeys();

  it('are read back as they were written', () => {
    const revoked = revoke(keys, signUnit(keys, units.u1, { nowMs }).publicKey, { nowMs });
    assert.deepEqual(parseKeys(JSON.stringify(revoked)), revoked);
  });

  for (const [what, text, message] of [
    ['no JSON', 'SOSECRET', /not a JSON object/],
    ['no seed', JSON.stringify({ ...keys, storeSeed: 'SASECRET' }), /storeSeed must be an nkey seed/],
    [
      'a seed of another kind',
      JSON.stringify({ ...keys, operatorSeed: keys.accountSeed }),
      /operatorSeed must/,
    ],
    ['a bad revocation', JSON.stringify({ ...keys, revoked: { UA: 'x' } }), /revoked\.UA must be/],
  ] as const) {
    it(`refuse ${what}, without quoting a secret`, () => {
      assert.throws(() => parseKeys(text), message);
      assert.throws(
        () => parseKeys(text),
        (e: Error) => !/SECRET/.test(e.message) && !e.message.includes(keys.accountSeed),
      );
    });
  }

  it('forget a revocation when what it voids has expired', () => {
    const old = revoke(keys, 'UOLD', { nowMs: nowMs - CREDENTIAL_LIFETIME_MS - 1000 });
    const both = revoke({ ...old, revoked: { ...old.revoked, UNEW: nowMs / 1000 - 60 } }, 'UNOW', { nowMs });
    assert.deepEqual(Object.keys(both.revoked).sort(), ['UNEW', 'UNOW']);
  });

  it('make tokens that the library verifies, the same ones at the same time', () => {
    for (const sign of [
      (at: number) => signAccountToken(keys, at, 'hub'),
      (at: number) => signAccountToken(keys, at, 'leaf'),
      (at: number) => signStoreToken(keys, at),
    ]) {
      assert.equal(sign(nowMs), sign(nowMs));
      assert.notEqual(sign(nowMs), sign(nowMs + 1000));
      assert.equal(decode(sign(nowMs)).iat, nowMs / 1000);
    }
  });

  it('make tokens of operator and system account that never change', () => {
    for (const sign of [signOperatorToken, signSystemToken]) {
      assert.equal(sign(keys), sign(keys));
      assert.ok(decode(sign(keys)).iat < nowMs / 1000);
    }
  });

  it('grant a unit what the contract lists and no more, for 30 days', () => {
    const { jwt, expiresAtMs } = signUnit(keys, units.u4, { nowMs });
    const { nats, exp } = decode<User>(jwt);
    assert.deepEqual(nats.pub, { allow: unitPermissions(units.u4).publish });
    assert.deepEqual(nats.sub, { allow: unitPermissions(units.u4).subscribe });
    assert.equal(exp, nowMs / 1000 + 30 * 24 * 3600);
    assert.equal(expiresAtMs, nowMs + 30 * DAY_MS);
  });

  it('renew a unit for the key that it has, without a seed', () => {
    const first = signUnit(keys, units.u1, { nowMs });
    const renewed = renewUnit(keys, units.u1, first.publicKey, { nowMs: nowMs + DAY_MS, lifetimeMs: DAY_MS });
    assert.equal(renewed.publicKey, first.publicKey);
    assert.equal('seed' in renewed, false);
    assert.equal(renewed.expiresAtMs, nowMs + 2 * DAY_MS);
    assert.equal(decode(renewed.jwt).sub, first.publicKey);
  });
});
