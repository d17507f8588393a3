import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownMemoryBytes } from './memory.ts';

test('what a process allocates is its own, what it shares with others is not', () => {
  const before = ownMemoryBytes();
  assert.ok(before > 1e6 && before <= process.memoryUsage.rss());
  const block = Buffer.alloc(64 * 2 ** 20, 1);
  assert.ok(ownMemoryBytes() - before > 0.9 * block.byteLength);
});
