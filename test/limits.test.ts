/** Limits that one room sets and another has to outlast. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import schema from '../crds/generated/schemas/function_v1alpha1.json' with { type: 'json' };
import { DRAIN_LIMIT_MS } from '../runtimes/bus/src/session.ts';

test('a connection that is replaced waits for the longest call that the API takes', () => {
  const longestSeconds = schema.properties.spec.properties.timeoutSeconds.maximum;
  assert.ok(
    DRAIN_LIMIT_MS > longestSeconds * 1000,
    `${String(DRAIN_LIMIT_MS)} ms, ${String(longestSeconds)} s`,
  );
});
