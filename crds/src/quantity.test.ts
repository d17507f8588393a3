import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { quantityValue } from './quantity.ts';

const VALUES: readonly (readonly [string | number, number])[] = [
  [1, 1],
  ['1', 1],
  ['+1', 1],
  ['100m', 0.1],
  ['300m', 0.3],
  ['.5', 0.5],
  ['1.', 1],
  ['64Mi', 67_108_864],
  ['1k', 1000],
  ['1.5Gi', 1_610_612_736],
  ['1e3', 1000],
  ['1E3', 1000],
  ['1E', 1e18],
  ['2e-2', 0.02],
];

describe('quantityValue', () => {
  for (const [quantity, value] of VALUES) {
    it(`${JSON.stringify(quantity)} is ${value}`, () => assert.equal(quantityValue(quantity), value));
  }
  for (const wrong of ['', 'one', '1 Gi', '-1', '1MB', '0x1', '1e', 'Mi']) {
    it(`${JSON.stringify(wrong)} is no quantity`, () => assert.equal(quantityValue(wrong), Number.NaN));
  }
});
