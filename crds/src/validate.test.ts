import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { problemLine, type Problem } from './problem.ts';
import { aClusterPolicy, aFunction, anEdge, aPolicy, aTrigger, aWorkflow, http } from './testing/builders.ts';
import type { FunctionObject, WorkflowObject } from './types.ts';
import { userWrote, validate, type Valid, type ValidateOptions } from './validate.ts';

function problems(raw: unknown, options?: ValidateOptions): readonly Problem[] {
  const verdict = validate(raw, options);
  return verdict.ok ? [] : verdict.problems;
}

const lines = (raw: unknown): string => problems(raw).map(problemLine).join('\n');

function valid(raw: unknown, options?: ValidateOptions): Valid {
  const verdict = validate(raw, options);
  assert.ok(verdict.ok, lines(raw));
  return verdict;
}

describe('validate', () => {
  it('fills in every default of a Function', () => {
    const { spec } = valid(aFunction()).object as FunctionObject;
    assert.equal(spec.timeoutSeconds, 30);
    assert.equal(spec.concurrency, 8);
    assert.deepEqual(spec.scaling, { mode: 'Auto', minInstances: 0, maxInstances: 10, idleSeconds: 60 });
    assert.deepEqual(spec.resources, {
      requests: { cpu: '100m', memory: '64Mi' },
      limits: { cpu: '1', memory: '256Mi' },
    });
    assert.deepEqual(spec.placement, { tiers: ['Edge', 'Cloud'], architectures: ['amd64', 'arm64'] });
  });

  it('fills in the defaults beside what was written', () => {
    const { spec } = valid(aFunction({ scaling: { maxInstances: 3 } })).object as FunctionObject;
    assert.deepEqual(spec.scaling, { mode: 'Auto', minInstances: 0, maxInstances: 3, idleSeconds: 60 });
  });

  it('gives a policy without a spec the defaults of the API', () => {
    const { object } = valid(aClusterPolicy());
    assert.equal(object.kind, 'ClusterOptimizationPolicy');
    assert.deepEqual(object.spec, {
      mode: 'Optimize',
      objective: 'Balanced',
      price: { model: 'BusyTime', gigabyteSecond: '0.0000166667', cpuSecond: '0' },
      fusion: { mode: 'Auto', strategy: 'Search', maxFunctions: 20, groups: [] },
      runtime: { prefer: 'Auto' },
      channels: { allowed: ['InProcess', 'Pod', 'Node', 'Remote'] },
      deferral: { mode: 'Auto', busyAbovePercent: 90, idleBelowPercent: 60 },
      scaling: { standIns: { instances: 0 } },
      rollout: {
        mode: 'Automatic',
        minimumGainPercent: 5,
        maximumDurationSeconds: 3600,
        cooldownSeconds: 120,
        onRegression: 'Hold',
      },
    });
  });

  it('gives no default to what only some edges may have', () => {
    const { spec } = valid(anEdge({ call: 'Async' })).object as WorkflowObject;
    assert.deepEqual(spec.edges, [{ from: 'ingest', to: 'count', call: 'Async' }]);
  });

  it('tells what the user wrote from a default', () => {
    const { written, object } = valid(
      anEdge({ call: 'Async', deferral: { startDeadlineSeconds: 420 }, retry: null }),
    );
    assert.ok(userWrote(written, 'spec.edges[0].deferral'));
    assert.ok(userWrote(written, 'spec.edges[0].deferral.startDeadlineSeconds'));
    assert.ok(!userWrote(written, 'spec.edges[0].retry'), 'null is nothing');
    assert.ok(!userWrote(written, 'spec.expose'));
    assert.ok(!userWrote(written, 'spec.edges[1].deferral'));
    assert.equal((object as WorkflowObject).spec.expose, 'Triggers');
  });

  it('finds fields by keys that are no words', () => {
    const { written } = valid(
      aFunction({ template: { metadata: { labels: { 'example.com/team': 'roads' } } } }),
    );
    assert.ok(userWrote(written, 'spec.template.metadata.labels[example.com/team]'));
  });

  it('reports everything that is wrong with the shape at once', () => {
    const found = problems(anEdge({ call: 'Sinc', timeoutSeconds: 0, retires: {} }));
    assert.deepEqual(
      found.map((one) => one.field),
      ['spec.edges[0].retires', 'spec.edges[0].call', 'spec.edges[0].timeoutSeconds'],
    );
  });

  it('drops unknown fields where it is told to, for objects of a newer server', () => {
    const { object } = valid(aWorkflow({ later: true }), { unknownFields: 'Drop' });
    assert.ok(!('later' in object.spec));
  });

  it('keeps the sources of volumes as they are', () => {
    const volumes = [{ name: 'model', persistentVolumeClaim: { claimName: 'model', readOnly: true } }];
    const { spec } = valid(aFunction({ template: { spec: { volumes } } })).object as FunctionObject;
    assert.deepEqual(spec.template.spec.volumes, volumes);
  });

  it('keeps metadata as it is', () => {
    const metadata = {
      name: 'traffic',
      labels: { a: 'b' },
      generation: 3,
      ownerReferences: [{ kind: 'X', uid: 'u' }],
    };
    assert.deepEqual(valid({ ...aWorkflow(), metadata }).object.metadata, metadata);
  });
});

describe('the words of a problem', () => {
  const says = (raw: unknown, ...expected: readonly RegExp[]) => {
    for (const one of expected) assert.match(lines(raw), one);
  };

  it('suggest the kind that was meant', () =>
    says({ ...aWorkflow(), kind: 'Workflw' }, /^kind: 'Workflw' .*'Workflow'\?$/));
  it('name the version', () =>
    says({ ...aWorkflow(), apiVersion: 'v1' }, /^apiVersion: 'v1' must be 'sinter.dev\/v1alpha1'$/));
  it('suggest the field that was meant', () =>
    says(aFunction({ timeoutSecond: 3 }), /did you mean `timeoutSeconds`\?/));
  it('suggest a field whose letters were swapped', () =>
    says(aWorkflow({ edges: [{ form: 'ingest', to: 'count' }] }), /did you mean `from`\?/));
  it('list the fields where nothing is near', () =>
    says(anEdge({ zzz: 1 }), /the fields here are `from`, `to`/));
  it('suggest the word that was meant', () =>
    says(aFunction({ isolation: 'Workr' }), /one of 'Auto', .*did you mean 'Worker'\?/));
  it('say why auth must be written', () =>
    says(aTrigger({ type: 'Http', http: { path: '/' } }), /http\.auth: must be set: Who may call/));
  it('say what a name may be', () =>
    says(aWorkflow({ functions: [{ name: 'A_b' }] }), /'A_b' must be a DNS label/));
  it('say what a quantity is', () =>
    says(aFunction({ resources: { limits: { cpu: 0.5 } } }), /'0.5' must be a quantity .*as a string/));
  it('say the type that was given', () =>
    says(
      aFunction({ concurrency: '8', env: {}, template: [] }),
      /an integer, not a string/,
      /a list, not an object/,
      /not a list/,
    ));
  it('say where the other one of two is', () =>
    says(
      aWorkflow({ functions: [{ name: 'a' }, { name: 'a' }] }),
      /spec\.functions\[1\]: 'a' must be unique in the list by `name`: it is already at spec\.functions\[0\]/,
    ));
  it('know the names and namespaces that a server refuses', () => {
    says(aPolicy({}, 'Bad_Name'), /metadata\.name: 'Bad_Name' must be a DNS name/);
    says(
      { ...aWorkflow(), metadata: { name: 'a', namespace: 'a.b' } },
      /metadata\.namespace: 'a\.b' must be a DNS label/,
    );
    says({ ...aClusterPolicy(), metadata: { name: 'a', namespace: 'b' } }, /belongs to no namespace/);
    says(
      { ...aWorkflow(), metadata: { name: 'a', lables: {} } },
      /metadata\.lables: .*did you mean `labels`\?/,
    );
    says({ ...aWorkflow(), metadata: {} }, /metadata\.name: must be set/);
  });
});

describe('whatever comes', () => {
  it('validate answers and never throws', () => {
    const kinds = fc.constantFrom('Function', 'Workflow', 'OptimizationPolicy', 'WorkflowPlan', 'toString');
    const object = fc.record({
      apiVersion: fc.constant('sinter.dev/v1alpha1'),
      kind: kinds,
      metadata: fc.oneof(fc.record({ name: fc.string() }), fc.jsonValue()),
      spec: fc.jsonValue(),
      status: fc.jsonValue(),
    });
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), object), (raw) => {
        assert.equal(typeof validate(raw).ok, 'boolean');
      }),
    );
  });

  it('changes nothing that it is given', () => {
    const raw = aTrigger({ type: 'Http', http });
    const before = structuredClone(raw);
    validate(raw);
    assert.deepEqual(raw, before);
  });

  it('is satisfied with its own result', () => {
    const { object } = valid(aTrigger({ type: 'Http', http }));
    assert.deepEqual(valid(object).object, object);
  });
});
