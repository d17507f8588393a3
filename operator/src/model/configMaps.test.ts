import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMapsOf } from './configMaps.ts';
import { applicationOf, configMapManifest, functionManifest } from './testApplication.ts';

test('the ConfigMaps of a Function: of its code, its variables and its volumes, each once', () => {
  const manifest = functionManifest('f', {
    artifacts: [
      { name: 'js', type: 'JavaScript', module: { configMap: { name: 'code', key: 'f.mjs' } } },
      { name: 'wasm', type: 'Wasm', module: { configMap: { name: 'code', key: 'f.wasm' } } },
    ],
    env: [
      { name: 'A', value: 'x' },
      { name: 'B', valueFrom: { configMapKeyRef: { name: 'settings', key: 'B' } } },
      { name: 'C', valueFrom: { secretKeyRef: { name: 'no-map', key: 'C' } } },
    ],
    envFrom: [{ configMapRef: { name: 'all' } }, { secretRef: { name: 'no-map' } }],
    template: {
      spec: {
        volumes: [
          { name: 'v', configMap: { name: 'mounted' } },
          { name: 'w', emptyDir: {} },
        ],
      },
    },
  });
  const [declared] = applicationOf(manifest, configMapManifest('unused', {})).functions;
  assert.ok(declared);
  assert.deepEqual(configMapsOf(declared.object), ['all', 'code', 'mounted', 'settings']);
});
