/** The Dockerfile and what it is made from: a workspace that it does not know would fail `npm ci` in the image only. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';

const read = (path: string): string => readFileSync(resolve(import.meta.dirname, '..', path), 'utf8');

test('the Dockerfile copies the package.json of every workspace, and of no other folder', () => {
  const { workspaces } = JSON.parse(read('package.json')) as { workspaces: readonly string[] };
  const copied = [...read('Dockerfile').matchAll(/^COPY (\S+)\/package\.json (\S+)\/$/gm)];
  assert.deepEqual(copied.map(([, from]) => from).sort(), [...workspaces].sort());
  for (const [line, from, to] of copied) assert.equal(from, to, line);
});

test('the Dockerfile takes bundles from where they are built', () => {
  const bundles = [...read('scripts/build.ts').matchAll(/from: '([^']+)'/g)].map(
    ([, from]) => `/src/${from ?? ''}/dist/`,
  );
  const taken = [...read('Dockerfile').matchAll(/^COPY --from=build (\S+\/dist\/)/gm)].map(
    ([, path]) => path,
  );
  assert.deepEqual(taken.sort(), bundles.sort());
});
