import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HISTOGRAM_BOUNDS_MS } from '@sinter/contract';
import { bucketOf } from './tally.ts';

describe('the bucket of a duration', () => {
  it('is the first whose bound is not below it', () => {
    for (const ms of [0, 0.01, 0.05, 0.051, 0.3, 1, 7, 99.9, 1_000, 30_000, 1e9, Infinity]) {
      const first = HISTOGRAM_BOUNDS_MS.findIndex((bound) => ms <= bound);
      assert.equal(bucketOf(ms), first < 0 ? HISTOGRAM_BOUNDS_MS.length : first, String(ms));
    }
  });
  it("is a bound's own at the bound", () => {
    HISTOGRAM_BOUNDS_MS.forEach((bound, i) => {
      assert.equal(bucketOf(bound), i);
    });
  });
  it('is the first for what is no duration', () => {
    assert.equal(bucketOf(NaN), 0);
    assert.equal(bucketOf(-1), 0);
  });
});
