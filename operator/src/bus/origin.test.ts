import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newAuthority, trustOf } from './certificates.ts';
import { createKeys } from './keys.ts';
import { isCutOff, isSameIssuer, originOf } from './origin.ts';
import type { Issuing } from './units.ts';

const signs = (): Issuing => ({ kind: 'Signs', signers: createKeys() });
const YEAR_MS = 365 * 24 * 3600 * 1000;

describe('where a credential comes from', () => {
  it('is another one under other keys, which void what was issued before', () => {
    const [a, b] = [originOf(signs(), undefined), originOf(signs(), undefined)];
    assert.equal(isSameIssuer(a, b), false);
    assert.equal(isCutOff(a, b), true);
    assert.equal(isCutOff(a, a), false);
  });

  it('is another one with another shared credential', () => {
    const shares = (jwt: string): Issuing => ({ kind: 'Shares', credential: { jwt, seed: 's' } });
    assert.equal(isCutOff(originOf(shares('a'), undefined), originOf(shares('b'), undefined)), true);
  });

  it('changes with the authorities; who knows one of them goes on, who knows none does not', async () => {
    const issuing = signs();
    const nowMs = Date.now();
    const first = await newAuthority(nowMs - 8 * YEAR_MS);
    const second = await newAuthority(nowMs, first);
    const [before, both, after] = [
      trustOf(first, nowMs),
      trustOf(second, nowMs),
      trustOf(second, nowMs + 3 * YEAR_MS),
    ].map((ca) => originOf(issuing, ca));
    assert.ok(before !== undefined && both !== undefined && after !== undefined);
    assert.equal(new Set([before, both, after]).size, 3);
    assert.deepEqual(
      [isCutOff(before, both), isCutOff(both, after), isCutOff(before, after)],
      [false, false, true],
    );
    const stranger = originOf(issuing, trustOf(await newAuthority(nowMs), nowMs));
    assert.equal(isCutOff(before, stranger), true);
    assert.equal(isSameIssuer(before, stranger), true);
  });
});
