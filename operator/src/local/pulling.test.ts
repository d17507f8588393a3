import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { imageArtifact, jsArtifact } from '../model/testApplication.ts';
import type { Manifest } from '../model/testApplication.ts';
import { plan } from '../planner/planner.ts';
import { manifestsOf, snapshotOf } from '../snapshot/testSnapshot.ts';
import { pullVariables, userDockerConfig } from './pulling.ts';
import type { RawObject } from './run.ts';
import { worldOf } from './world.ts';

const secret = (name: string, stringData: Manifest): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'traffic' },
  stringData,
});
const withSecrets = (...names: readonly string[]): Manifest => ({
  template: { spec: { imagePullSecrets: names.map((name) => ({ name })) } },
});

/** What the unit of a Function `a` is given. */
function given(spec: Manifest, secrets: readonly Manifest[], userConfig?: string) {
  const manifests = manifestsOf({ functions: { a: spec } });
  const snapshot = snapshotOf({ functions: { a: spec } }, manifests);
  const [unit] = plan(snapshot).units;
  assert.ok(unit);
  const objects: readonly RawObject[] = [
    ...manifests,
    ...secrets.map((s) => inNamespace(s, snapshot.workflow.namespace)),
  ];
  return pullVariables(unit, snapshot, worldOf(objects), userConfig);
}
const inNamespace = (manifest: Manifest, namespace: string): Manifest => ({
  ...manifest,
  metadata: { ...(manifest['metadata'] as Manifest), namespace },
});

const ONE = secret('one', { '.dockerconfigjson': '{"auths":{"one":{}}}' });
const TWO = secret('two', { '.dockerconfigjson': '{"auths":{"two":{}}}' });

test('a unit without a module from an image is given no credential', () => {
  assert.deepEqual(given({ artifacts: [jsArtifact()], ...withSecrets('one') }, [ONE], '{"auths":{}}'), {});
});

test('nor one that only could run an image, and runs something else', () => {
  const wasm = imageArtifact(undefined, 'Wasm', '/a.wasm');
  assert.deepEqual(given({ artifacts: [wasm, jsArtifact()], ...withSecrets('one') }, [ONE]), {});
});

test('its pull secrets come in their order, and what the user has comes last', () => {
  const spec = { artifacts: [imageArtifact()], ...withSecrets('two', 'gone', 'one') };
  assert.deepEqual(given(spec, [ONE, TWO, secret('other', { '.dockerconfigjson': 'x' })], '{"user":1}'), {
    SINTER_PULL_1: '{"auths":{"two":{}}}',
    SINTER_PULL_2: '{"auths":{"one":{}}}',
    SINTER_PULL_3: '{"user":1}',
  });
});

test('a registry on this machine is asked over plain http, and no other', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const insecure = (registry: string) =>
    given({ artifacts: [imageArtifact(`${registry}/cars@${digest}`)] }, [])['SINTER_INSECURE_REGISTRIES'];
  for (const registry of ['localhost', 'localhost:5000', '127.0.0.1:5000'])
    assert.equal(insecure(registry), registry);
  for (const registry of ['localhost.example', 'registry.example:5000', '10.0.0.1:5000', '127.example'])
    assert.equal(insecure(registry), undefined);
});

test("the user's config is read where there is one", async () => {
  const home = await mkdtemp(join(tmpdir(), 'sinter-home-'));
  assert.equal(userDockerConfig(home), undefined);
  await mkdir(join(home, '.docker'));
  await writeFile(join(home, '.docker', 'config.json'), '{"auths":{}}');
  assert.equal(userDockerConfig(home), '{"auths":{}}');
  await rm(home, { recursive: true });
});
