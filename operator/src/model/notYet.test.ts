import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from './check.ts';
import { notYet } from './notYet.ts';
import {
  applicationOf,
  base64,
  COMPONENT_BYTES,
  containerArtifact,
  edgeOf,
  functionManifest,
  grouped,
  imageArtifact,
  jsArtifact,
  policyManifest,
  wasmArtifact,
  workflowManifest,
} from './testApplication.ts';
import type { Manifest } from './testApplication.ts';

interface Case {
  readonly given: readonly Manifest[];
  /** severity, field, and what happens instead. */
  readonly says: readonly (readonly ['Error' | 'Notice', string, RegExp])[];
}

const a = functionManifest('a');
const one = (spec: Manifest): readonly Manifest[] => [functionManifest('a', spec)];
const policy = (spec: Manifest): readonly Manifest[] => [policyManifest(spec)];
const graph = (...edges: readonly (string | Manifest)[]): Manifest => workflowManifest(['a', 'b'], edges);
const trigger = (type: string, more: Manifest): readonly Manifest[] => [
  a,
  workflowManifest(['a'], [], { triggers: [{ name: 't', to: 'a', type, ...more }] }),
];
const url = {
  name: 'url',
  type: 'Wasm',
  module: { url: { href: 'https://x.example/a', sha256: '0'.repeat(64) } },
};
const service = (edges: readonly string[]): Manifest =>
  workflowManifest([], edges, {
    functions: [{ name: 'a' }, { name: 'bill', service: { name: 's', port: 80 } }],
  });

const CASES: Readonly<Record<string, Case>> = {
  'what nobody wrote is no notice, whatever its default': {
    given: [a, functionManifest('b'), graph('a>b'), policyManifest({})],
    says: [],
  },
  'what is here already is no notice': {
    given: [
      functionManifest('a', { isolation: 'Worker', scaling: { minInstances: 2 } }),
      functionManifest('b', { artifacts: [wasmArtifact()] }),
      graph('a>b'),
      grouped('a,b'),
    ],
    says: [],
  },
  'isolation Shared runs as Worker': {
    given: one({ isolation: 'Shared' }),
    says: [['Notice', 'spec.isolation', /'Shared' comes later.*\(Worker\)/]],
  },
  'zero instances run as one': {
    given: one({ scaling: { minInstances: 0 } }),
    says: [['Notice', 'spec.scaling.minInstances', /'0' comes later.*at least one instance/]],
  },
  'zero instances by somebody else run as one': {
    given: one({ scaling: { mode: 'External', instances: 0 } }),
    says: [['Notice', 'spec.scaling.instances', /at least one instance/]],
  },
  'a range to scale in is not scaled in': {
    given: one({ scaling: { minInstances: 1, maxInstances: 5, idleSeconds: 10 } }),
    says: [
      ['Notice', 'spec.scaling.idleSeconds', /'10' comes later/],
      ['Notice', 'spec.scaling.maxInstances', /'5' comes later.*as minInstances says/],
    ],
  },
  'a container beside JavaScript leaves the JavaScript': {
    given: one({ artifacts: [containerArtifact('amd64'), jsArtifact()] }),
    says: [['Notice', 'spec.artifacts[0].type', /'native' is a container.*until then 'js' runs/]],
  },
  'a container alone cannot run': {
    given: one({ artifacts: [containerArtifact('amd64')] }),
    says: [['Error', 'spec.artifacts[0].type', /nothing else that can run; add a JavaScript artifact/]],
  },
  'a module from a URL is not fetched': {
    given: one({ artifacts: [url] }),
    says: [['Error', 'spec.artifacts[0].module.url', /'url' takes its module from a URL/]],
  },
  'a module from an image is here, and runs instead of what is not': {
    given: one({ artifacts: [imageArtifact(), url] }),
    says: [['Notice', 'spec.artifacts[1].module.url', /'url' takes its module from a URL.*'img' runs/]],
  },
  'a component is named, not called invalid': {
    given: one({ artifacts: [wasmArtifact(COMPONENT_BYTES), jsArtifact()] }),
    says: [['Notice', 'spec.artifacts[0].module', /'wasm' is a WASM component.*'js' runs/]],
  },
  'WASM that calls on leaves the JavaScript': {
    given: [
      functionManifest('a', { artifacts: [jsArtifact(), wasmArtifact()] }),
      functionManifest('b'),
      graph('a~b'),
    ],
    says: [['Notice', 'spec.artifacts[1].type', /WASM of a function with edges of its own.*'js' runs/]],
  },
  'WASM alone that calls on cannot run': {
    given: [functionManifest('a', { artifacts: [wasmArtifact()] }), functionManifest('b'), graph('a>b')],
    says: [['Error', 'spec.artifacts[0].type', /WASM of a function with edges of its own/]],
  },
  'WASM that is only called runs': {
    given: [a, functionManifest('b', { artifacts: [wasmArtifact()] }), graph('a>b')],
    says: [],
  },
  'deferral starts at once, LocalFirst is accepted by the hub': {
    given: [
      a,
      functionManifest('b'),
      graph(edgeOf('a~b', { deferral: { startDeadlineSeconds: 5 }, durability: 'LocalFirst' })),
    ],
    says: [
      ['Notice', 'spec.edges[0].deferral', /'a → b' may wait.*starts at once/],
      ['Notice', 'spec.edges[0].durability', /'a → b' is LocalFirst.*AtLeastOnce/],
    ],
  },
  'a service that is called cannot run': {
    given: [a, service(['a>bill'])],
    says: [['Error', 'spec.functions[1].service', /'bill' is called.*call it from the code/]],
  },
  'a service that nobody calls is left out': {
    given: [a, service(['bill>a'])],
    says: [['Notice', 'spec.functions[1].service', /left out/]],
  },
  'a cron trigger starts nothing': {
    given: trigger('Cron', { cron: { schedule: '0 3 * * *' } }),
    says: [['Notice', 'spec.triggers[0].type', /'Cron' is the type of trigger 't'.*starts no call/]],
  },
  'a trigger with tokens is here': {
    given: trigger('Http', {
      http: { auth: { type: 'Jwt', jwt: { issuer: 'https://i.example', audiences: ['x'] } } },
    }),
    says: [],
  },
  'a trigger with a key or for everybody is open': {
    given: trigger('Http', { http: { auth: { type: 'None' } } }),
    says: [],
  },
  'plans are measured, tried and judged': {
    given: policy({
      mode: 'Observe',
      objective: 'Cost',
      fusion: { mode: 'Auto', strategy: 'Fusionize' },
      price: { cpuSecond: '1' },
      rollout: { mode: 'Manual', minimumGainPercent: 9, onRegression: 'Revert' },
    }),
    says: [],
  },
  'stand-ins and deferral come later': {
    given: policy({
      scaling: { standIns: { instances: 2 } },
      deferral: { mode: 'Auto', busyAbovePercent: 95 },
      runtime: { prefer: 'Container' },
      channels: { allowed: ['InProcess', 'Node'] },
    }),
    says: [
      ['Notice', 'spec.channels.allowed', /'InProcess, Node' bounds placement only later/],
      ['Notice', 'spec.deferral.busyAbovePercent', /'95' comes later/],
      ['Notice', 'spec.deferral.mode', /each starts at once/],
      ['Notice', 'spec.runtime.prefer', /'Container' comes later/],
      ['Notice', 'spec.scaling.standIns.instances', /'2' comes later/],
    ],
  },
  'deferral Off and no stand-ins are what happens anyway': {
    given: policy({ deferral: { mode: 'Off' }, scaling: { standIns: { instances: 0 } } }),
    says: [],
  },
};

for (const [sentence, { given, says }] of Object.entries(CASES)) {
  test(sentence, () => {
    const application = applicationOf(...given);
    const findings = notYet(application);
    assert.deepEqual(
      findings.map((f) => [f.severity, f.field]),
      says.map(([severity, field]) => [severity, field]),
    );
    for (const [i, [, , text]] of says.entries()) {
      assert.match(findings[i]?.message ?? '', text);
      assert.equal(findings[i]?.reason, 'NotYet');
    }
    assert.deepEqual(check(application), [], 'what comes later is not wrong');
  });
}

test('a run on one machine takes new code as it is', () => {
  const application = applicationOf(
    ...policy({
      mode: 'Optimize',
      objective: 'Cost',
      fusion: { mode: 'Auto', strategy: 'Fusionize' },
      price: { cpuSecond: '1' },
      rollout: { mode: 'Manual', minimumGainPercent: 9, onRegression: 'Revert' },
    }),
  );
  assert.deepEqual(
    notYet(application, 'Run').map((f) => f.field),
    ['spec.rollout.onRegression'],
  );
});

test('a component is recognised by its header', () => {
  assert.equal(base64(COMPONENT_BYTES), 'AGFzbQ0AAQA=');
});
