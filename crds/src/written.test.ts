/** Defaults go, and what was written stays, also where a server has filled in the rest. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { userWrote, validate } from './validate.ts';
import { withoutDefaults } from './written.ts';

const policy = (spec: object) => ({
  apiVersion: 'sinter.dev/v1alpha1',
  kind: 'OptimizationPolicy',
  metadata: { name: 'default', namespace: 'shop' },
  spec,
});

/** As an API server would store it. */
function stored(manifest: object): object {
  const verdict = validate(manifest);
  assert.ok(verdict.ok, JSON.stringify(verdict));
  return verdict.object;
}

describe('without defaults', () => {
  it('a field that says something else than its default is written', () => {
    const left = withoutDefaults(stored(policy({ objective: 'Cost', fusion: { mode: 'Off' } })));
    assert.ok(userWrote(left, 'spec.objective'));
    assert.ok(userWrote(left, 'spec.fusion.mode'));
  });

  it('nothing that was only filled in is', () => {
    const left = withoutDefaults(stored(policy({ fusion: { mode: 'Off' } })));
    for (const field of ['spec.objective', 'spec.rollout', 'spec.fusion.strategy', 'spec.deferral.mode'])
      assert.ok(!userWrote(left, field), field);
  });

  it('lists keep their places', () => {
    const workflow = stored({
      apiVersion: 'sinter.dev/v1alpha1',
      kind: 'Workflow',
      metadata: { name: 'flow', namespace: 'shop' },
      spec: {
        functions: [{ name: 'a' }, { name: 'b' }],
        edges: [
          { from: 'a', to: 'b' },
          { from: 'b', to: 'a', call: 'Async', deferral: { startDeadlineSeconds: 5 } },
        ],
      },
    });
    const left = withoutDefaults(workflow);
    assert.ok(userWrote(left, 'spec.edges[1].deferral'));
    assert.ok(userWrote(left, 'spec.functions[1].name'));
    assert.ok(!userWrote(left, 'spec.edges[0].call'));
  });

  it('is as before where it is put through a server again', () => {
    const once = stored(policy({ mode: 'Observe', price: { model: 'Provisioned' } }));
    assert.deepEqual(stored(withoutDefaults(once) as object), once);
  });

  for (const odd of [undefined, null, 7, [], { kind: 'Pod', spec: {} }])
    it(`leaves ${JSON.stringify([odd])} as it is`, () => {
      assert.deepEqual(withoutDefaults(odd), odd);
    });
});
