import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from './check.ts';
import { ENVIRONMENT_BYTES_MAX, VARIABLE_BYTES_MAX } from './environmentSize.ts';
import { applicationOf, configMapManifest, functionManifest } from './testApplication.ts';
import type { Manifest } from './testApplication.ts';

const found = (spec: Manifest, data: Manifest) =>
  check(applicationOf(functionManifest('a', spec), configMapManifest('settings', data)))
    .filter((f) => f.reason === 'EnvironmentTooLarge')
    .map((f) => [f.field, f.message] as const);

const fromKey = (key: string) => ({ name: 'V', valueFrom: { configMapKeyRef: { name: 'settings', key } } });
const whole = { envFrom: [{ configMapRef: { name: 'settings' } }] };

test('a variable that no process can be started with is named', () => {
  const [[field, message] = ['', ''], ...others] = found(
    { env: [fromKey('big')] },
    { big: 'x'.repeat(200_000) },
  );
  assert.deepEqual([field, others], ['spec.env[0]', []]);
  assert.match(message, /'V' has 196 KiB, and a variable may have 120 KiB; mount it as a volume/);
});

test('as is one out of a whole ConfigMap, by its key', () => {
  const [[field, message] = ['', '']] = found(whole, { big: 'ü'.repeat(VARIABLE_BYTES_MAX / 2 + 1) });
  assert.equal(field, 'spec.envFrom[0].configMapRef');
  assert.match(message, /'big'/);
});

test('many that are large together are refused together', () => {
  const many = (bytes: number) =>
    Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`k${i}`, 'x'.repeat(bytes / 8)]));
  assert.deepEqual(found(whole, many(ENVIRONMENT_BYTES_MAX)), []);
  assert.match(found(whole, many(ENVIRONMENT_BYTES_MAX + 8))[0]?.[1] ?? '', /'513 KiB' is the environment/);
});

test('what is not used, and what is just small enough, is nobody’s affair', () => {
  assert.deepEqual(found({}, { big: 'x'.repeat(500_000) }), []);
  assert.deepEqual(found({ env: [fromKey('big')] }, { big: 'x'.repeat(VARIABLE_BYTES_MAX) }), []);
});
