/** What the built processes load at their start: a host serves in well under 100 ms only without what it may never need (D16). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';

const dist = (file: string): string =>
  readFileSync(resolve(import.meta.dirname, '../runtimes', file), 'utf8');

/** Modules of Node that a bundle imports before its first line. */
const loaded = (file: string): readonly string[] =>
  [...dist(file).matchAll(/^import .*?from "(?:node:)?([a-z_/]+)";$/gm)].map(([, name = '']) => name);

test('a host loads neither decompression nor TLS before it is asked to', () => {
  const names = loaded('host/dist/main.js');
  assert.ok(names.includes('worker_threads'), 'its imports are read');
  for (const name of ['zlib', 'tls', 'https', 'http2']) assert.ok(!names.includes(name), name);
});
