import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesOf, cpuMillisOf, cpuText, memoryText } from './quantity.ts';

const CPU: Readonly<Record<string, number>> = {
  '500m': 500,
  '1': 1000,
  '+2': 2000,
  '0.1': 100,
  '.5': 500,
  '1.': 1000,
  '0.0001': 1,
  '100u': 1,
  '1n': 1,
  '0': 0,
  '2e1': 20_000,
  '1E-1': 100,
};

const MEMORY: Readonly<Record<string, number>> = {
  '128Mi': 134_217_728,
  '1Gi': 2 ** 30,
  '1G': 1e9,
  '1.5Ki': 1536,
  '129e6': 129_000_000,
  '1500m': 2,
  '1E': 1e18 < Number.MAX_SAFE_INTEGER ? 1e18 : Number.MAX_SAFE_INTEGER,
  '99999999999999999999Ei': Number.MAX_SAFE_INTEGER,
};

for (const [text, millis] of Object.entries(CPU)) {
  test(`${text} cores are ${millis} thousandths`, () => {
    assert.equal(cpuMillisOf(text), millis);
  });
}

for (const [text, bytes] of Object.entries(MEMORY)) {
  test(`${text} of memory are ${bytes} bytes`, () => {
    assert.equal(bytesOf(text), bytes);
  });
}

test('a number is a quantity as it is', () => {
  assert.equal(cpuMillisOf(2), 2000);
  assert.equal(bytesOf(1024), 1024);
});

test('what is no quantity throws', () => {
  for (const text of ['', 'm', 'Mi', '1x', '-1', '1.5.2', '1 Gi', '1e', '.']) {
    assert.throws(() => bytesOf(text), /is not a quantity/, text);
  }
});

test('what is written reads back as it was', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(2 ** 40), (millis, bytes) => {
      assert.equal(cpuMillisOf(cpuText(millis)), millis);
      assert.equal(bytesOf(memoryText(bytes)), bytes);
    }),
  );
});
