import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsArtifact, wasmArtifact } from '../model/testApplication.ts';
import { manual } from '../snapshot/testSnapshot.ts';
import { channelsSummary, runtimesSummary, unitsSummary } from './summaries.ts';
import { planned } from './testUnits.ts';

test('a plan in one line each', () => {
  const { plan, snapshot } = planned({
    functions: { a: {}, b: {}, c: { artifacts: [wasmArtifact()] } },
    edges: ['a>b', 'a~c', 'b>c'],
    policy: manual('a,b'),
  });
  assert.equal(unitsSummary(plan), '2 for 3 functions');
  assert.equal(runtimesSummary(plan, snapshot), '2 js, 1 wasm');
  assert.equal(channelsSummary(plan), '1 in-process, 1 node, 1 queue');
});

test('a function that runs as two things counts for both', () => {
  const { plan, snapshot } = planned({ functions: { a: { artifacts: [jsArtifact(), wasmArtifact()] } } });
  const units = plan.units.map((unit) => ({
    ...unit,
    variants: unit.variants.map((v, i) => ({
      ...v,
      artifacts: v.artifacts.map((a) => ({ ...a, artifact: i === 0 ? 'js' : 'wasm' })),
    })),
  }));
  assert.equal(runtimesSummary({ ...plan, units }, snapshot), '1 js, 1 wasm');
});

test('one function, and no edges', () => {
  const { plan } = planned({ functions: ['a'] });
  assert.equal(unitsSummary(plan), '1 for 1 function');
  assert.equal(channelsSummary(plan), '');
});
