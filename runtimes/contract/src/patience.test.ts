import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Patience, RESEND_AFTER_LIMIT_MS, RESEND_AFTER_MS } from './patience.ts';

const after = (...signsMs: readonly number[]): Patience => {
  const patience = new Patience();
  for (const ms of signsMs) patience.heardAfter(ms);
  return patience;
};
const times = (n: number, ms: number): readonly number[] => Array.from({ length: n }, () => ms);

describe('the wait for a first sign of life', () => {
  it('is the shortest where nothing is known, and where signs come at once', () => {
    assert.equal(new Patience().resendAfterMs(1), RESEND_AFTER_MS);
    assert.equal(after(...times(50, 5)).resendAfterMs(1), RESEND_AFTER_MS);
  });
  it('is at least four round trips', () => {
    assert.equal(after(...times(50, 5)).resendAfterMs(200), 800);
  });
  it('grows beyond the signs of callees that are slow', () => {
    for (const ms of [150, 400, 900]) assert.ok(after(ms).resendAfterMs(1) > ms);
    const unsteady = after(...times(20, 20), ...times(20, 20).flatMap(() => [20, 300]));
    assert.ok(unsteady.resendAfterMs(1) > 300);
  });
  it('comes back when they are quick again', () => {
    assert.equal(after(...times(20, 800), ...times(50, 10)).resendAfterMs(1), RESEND_AFTER_MS);
  });
  it('has an end', () => {
    assert.equal(after(60_000, ...times(5, 60_000)).resendAfterMs(1), RESEND_AFTER_LIMIT_MS);
  });
  it('is not led astray by a single slow one', () => {
    assert.ok(after(...times(50, 5), 400, ...times(5, 5)).resendAfterMs(1) < 350);
  });
});
