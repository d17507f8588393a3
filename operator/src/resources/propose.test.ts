import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applicationOf, NAMESPACE } from '../model/testApplication.ts';
import { MACHINE, manifestsOf } from '../snapshot/testSnapshot.ts';
import type { World } from '../snapshot/testSnapshot.ts';
import { propose } from './propose.ts';

const proposed = (world: World, workflow = 'flow') =>
  propose({
    application: applicationOf(...manifestsOf(world)),
    workflow: { namespace: NAMESPACE, workflow },
    machines: world.machines ?? [MACHINE],
    current: null,
    nowMs: 0,
  });

test('a plan comes with its hash, its name and its object', () => {
  const named = proposed({ functions: ['a', 'b'], edges: ['a>b'] })?.named;
  assert.match(named?.hash ?? '', /^[0-9a-f]{10}$/);
  assert.equal(named?.object.metadata.name, `flow-${named?.hash ?? ''}`);
  assert.equal(named.object.spec.units.length, 2);
});

test('a plan that no machine can run has findings, and no name under which it could be applied', () => {
  const proposal = proposed({ functions: ['a'], machines: [] });
  assert.equal(proposal?.named, undefined);
  assert.ok(proposal?.plan.findings.some((f) => f.severity === 'Error'));
});

test('a workflow that is not there is not planned', () => {
  assert.equal(proposed({ functions: ['a'] }, 'gone'), undefined);
});
