import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readApplication } from './application.ts';
import { check, findingsFor } from './check.ts';
import type { Finding } from './finding.ts';
import type { Application } from './nouns.ts';
import {
  applicationOf,
  base64,
  configMapManifest,
  functionManifest,
  grouped,
  imageArtifact,
  jsArtifact,
  NAMESPACE,
  policyManifest,
  secretManifest,
  wasmArtifact,
  wasmBytes,
  workflowManifest,
} from './testApplication.ts';
import type { Manifest } from './testApplication.ts';

interface Case {
  readonly given: readonly Manifest[];
  /** reason, field, and what the message has to say. */
  readonly finds: readonly (readonly [string, string, RegExp])[];
}

const one = (spec: Manifest): readonly Manifest[] => [functionManifest('a', spec)];
const code = (inline: string): readonly Manifest[] => one({ artifacts: [jsArtifact(inline)] });
const fromMap = (type: string, key: string): Manifest => ({
  name: 'x',
  type,
  module: { configMap: { name: 'code', key } },
});
const http = (path: string, more: Manifest = {}): Manifest => ({
  triggers: [{ name: 'web', to: 'a', type: 'Http', http: { path, auth: { type: 'None' }, ...more } }],
});
const cron = (cronSpec: Manifest): Manifest => ({
  triggers: [{ name: 'clock', to: 'a', type: 'Cron', cron: cronSpec }],
});
const issuers = (...list: readonly string[]): Manifest => ({
  triggers: list.map((issuer, i) => ({
    name: `t${String(i)}`,
    to: 'a',
    type: 'Http',
    http: { path: `/${String(i)}`, auth: { type: 'Jwt', jwt: { issuer, audiences: ['x'] } } },
  })),
});
const created = (manifest: Manifest, creationTimestamp: string): Manifest => ({
  ...manifest,
  metadata: { ...(manifest['metadata'] as Manifest), creationTimestamp },
});
const DIGEST = `sha256:${'a'.repeat(64)}`;
const a = functionManifest('a');

const CASES: Readonly<Record<string, Case>> = {
  'an application without a fault has no finding': {
    given: [
      a,
      functionManifest('b', {
        artifacts: [jsArtifact(), wasmArtifact()],
        env: [{ name: 'T', valueFrom: { secretKeyRef: { name: 'tokens', key: 'cars' } } }],
        envFrom: [{ configMapRef: { name: 'settings' } }],
      }),
      workflowManifest(['a', 'b'], ['a>b'], http('/a')),
      secretManifest('tokens', { cars: 'x' }),
      configMapManifest('settings', { LEVEL: 'info' }),
    ],
    finds: [],
  },
  'a vertex without its Function is named, with the nearest name there is': {
    given: [functionManifest('archive'), workflowManifest(['archiv'])],
    finds: [
      ['FunctionNotFound', 'spec.functions[0].name', /'archiv' is no Function .*did you mean 'archive'/],
    ],
  },
  'a functionRef that leads nowhere is named': {
    given: [a, workflowManifest(['a'], [], { functions: [{ name: 'x', functionRef: { name: 'gone' } }] })],
    finds: [['FunctionNotFound', 'spec.functions[0].functionRef.name', /'gone'/]],
  },
  'a service vertex needs no Function': {
    given: [
      workflowManifest([], [], { functions: [{ name: 'billing', service: { name: 'billing', port: 80 } }] }),
    ],
    finds: [],
  },
  'a sync cycle is named in full': {
    given: [
      a,
      functionManifest('b'),
      functionManifest('c'),
      workflowManifest(['a', 'b', 'c'], ['c>a', 'a>b', 'b>c']),
    ],
    finds: [['SyncCycle', 'spec.edges', /'a → b → c → a' .*make one of these edges Async/]],
  },
  'a ConfigMap that is not there is named': {
    given: one({ artifacts: [fromMap('JavaScript', 'a.mjs')] }),
    finds: [['ConfigMapNotFound', 'spec.artifacts[0].module.configMap.name', /'code' is no ConfigMap/]],
  },
  'a key that a ConfigMap does not have is named beside those that it has': {
    given: [
      ...one({ artifacts: [fromMap('JavaScript', 'a.mjs')] }),
      configMapManifest('code', { 'b.mjs': HANDLER_TEXT() }),
    ],
    finds: [
      ['ConfigMapKeyNotFound', 'spec.artifacts[0].module.configMap.key', /'a\.mjs' .*which has b\.mjs/],
    ],
  },
  'an image is named by its registry and digest': {
    given: one({
      artifacts: [
        imageArtifact(),
        { ...imageArtifact(`localhost:5000/cars:v1@${DIGEST}`, 'Wasm'), name: 'other' },
      ],
    }),
    finds: [],
  },
  'an image by its tag is told what to do': {
    given: one({ artifacts: [imageArtifact('registry.example/cars:v1')] }),
    finds: [
      [
        'ImageWithoutDigest',
        'spec.artifacts[0].module.image.reference',
        /'registry\.example\/cars:v1' names its image by a tag.*write the digest, like registry\.example\/name@sha256/,
      ],
    ],
  },
  'an image without a registry is told to name one': {
    given: one({ artifacts: [imageArtifact(`team/cars@${DIGEST}`)] }),
    finds: [['ImageWithoutRegistry', 'spec.artifacts[0].module.image.reference', /none is meant by default/]],
  },
  'an image that is no reference is told its form': {
    given: one({ artifacts: [imageArtifact(`registry.example/Cars@${DIGEST}`)] }),
    finds: [['ImageNotValid', 'spec.artifacts[0].module.image.reference', /the name in lower case/]],
  },
  'a module may lie in binaryData': {
    given: [
      ...one({ artifacts: [fromMap('Wasm', 'a.wasm')] }),
      configMapManifest('code', {}, { 'a.wasm': base64(wasmBytes()) }),
    ],
    finds: [],
  },
  'a Secret and a Secret key that are not there are named; optional ones are not': {
    given: [
      ...one({
        env: [
          { name: 'A', valueFrom: { secretKeyRef: { name: 'gone', key: 'k' } } },
          { name: 'B', valueFrom: { secretKeyRef: { name: 'tokens', key: 'k' } } },
          { name: 'C', valueFrom: { secretKeyRef: { name: 'gone', key: 'k', optional: true } } },
        ],
        envFrom: [{ secretRef: { name: 'gone' } }, { configMapRef: { name: 'gone', optional: true } }],
      }),
      secretManifest('tokens', { cars: 'x' }),
    ],
    finds: [
      ['SecretNotFound', 'spec.envFrom[0].secretRef.name', /'gone'/],
      ['SecretNotFound', 'spec.env[0].valueFrom.secretKeyRef.name', /'gone' is no Secret of namespace shop/],
      ['SecretKeyNotFound', 'spec.env[1].valueFrom.secretKeyRef.key', /which has cars/],
    ],
  },
  'a volume of a Secret that is not there is named': {
    given: one({ template: { spec: { volumes: [{ name: 'v', secret: { secretName: 'gone' } }] } } }),
    finds: [['SecretNotFound', 'spec.template.spec.volumes[0].secret.secretName', /'gone'/]],
  },
  'a handler without a default export is told what it exports': {
    given: code('export const handler = 1;'),
    finds: [
      ['NoDefaultExport', 'spec.artifacts[0].module.inline', /it exports handler.*export default async/],
    ],
  },
  'CommonJS is no handler': {
    given: code('module.exports = async (input) => input;'),
    finds: [['NoDefaultExport', 'spec.artifacts[0].module.inline', /it exports nothing/]],
  },
  'a text that cannot be parsed is told where': {
    given: code('const a = 1;\nexport default async (input => {'),
    finds: [
      ['ModuleNotParsed', 'spec.artifacts[0].module.inline', /cannot be parsed at line \d+, column \d+/],
    ],
  },
  'a module that imports a file or a package is told to bundle': {
    given: code(
      'import x from "./lib.mjs"; import y from "lodash"; import fs from "node:fs"; export default x;',
    ),
    finds: [
      ['ModuleImportsOthers', 'spec.artifacts[0].module.inline', /imports \.\/lib\.mjs, lodash, but.*bundle/],
    ],
  },
  'WASM that does not validate is refused': {
    given: one({ artifacts: [wasmArtifact(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 9, 9, 9]))] }),
    finds: [['WasmNotValid', 'spec.artifacts[0].module.inline', /11 bytes/]],
  },
  'WASM that is no base64 is refused': {
    given: one({ artifacts: [{ name: 'w', type: 'Wasm', module: { inline: '(module)' } }] }),
    finds: [['WasmNotBase64', 'spec.artifacts[0].module.inline', /base64/]],
  },
  'WASM with a foreign import is refused': {
    given: one({ artifacts: [wasmArtifact(wasmBytes({ importModule: 'env' }))] }),
    finds: [['WasmImportUnknown', 'spec.artifacts[0].module.inline', /imports env\.call.*wasm32-wasip1/]],
  },
  'WASM with imports of WASI preview 1 is taken': {
    given: one({ artifacts: [wasmArtifact(wasmBytes({ importModule: 'wasi_snapshot_preview1' }))] }),
    finds: [],
  },
  'a WASM library is no command': {
    given: one({ artifacts: [wasmArtifact(wasmBytes({ exports: ['memory'] }))] }),
    finds: [['WasmNotACommand', 'spec.artifacts[0].module.inline', /'_start'/]],
  },
  'WASM without a memory can take no input': {
    given: one({ artifacts: [wasmArtifact(wasmBytes({ exports: ['_start'] }))] }),
    finds: [['WasmNotACommand', 'spec.artifacts[0].module.inline', /'memory'/]],
  },
  'of two workflows on one path the older has it': {
    given: [
      a,
      created(workflowManifest(['a'], [], http('/p'), 'alpha'), '2026-02-02T00:00:00Z'),
      created(workflowManifest(['a'], [], http('/p'), 'beta'), '2026-01-01T00:00:00Z'),
    ],
    finds: [['PathConflict', 'spec.triggers[0].http.path', /older Workflow shop\/beta/]],
  },
  'without a time of creation the name decides': {
    given: [
      a,
      workflowManifest(['a'], [], http('/p'), 'beta'),
      workflowManifest(['a'], [], http('/p'), 'alpha'),
    ],
    finds: [['PathConflict', 'spec.triggers[0].http.path', /older Workflow shop\/alpha/]],
  },
  'one path at different hosts is no conflict': {
    given: [
      a,
      workflowManifest(['a'], [], http('/p', { hosts: ['x.example'] }), 'alpha'),
      workflowManifest(['a'], [], http('/p', { hosts: ['y.example'] }), 'beta'),
      workflowManifest(['a'], [], http('/p'), 'gamma'),
    ],
    finds: [],
  },
  'one host in common is a conflict': {
    given: [
      a,
      workflowManifest(['a'], [], http('/p', { hosts: ['x.example', 'z.example'] }), 'alpha'),
      workflowManifest(['a'], [], http('/p', { hosts: ['y.example', 'z.example'] }), 'beta'),
    ],
    finds: [['PathConflict', 'spec.triggers[0].http.path', /'\/p' at hosts y\.example, z\.example/]],
  },
  'a schedule that never comes and a time zone that nobody knows are named': {
    given: [a, workflowManifest(['a'], [], cron({ schedule: '0 0 31 2 *', timeZone: 'Mars/Olympus' }))],
    finds: [
      ['ScheduleInvalid', 'spec.triggers[0].cron.schedule', /'0 0 31 2 \*' never comes/],
      ['TimeZoneUnknown', 'spec.triggers[0].cron.timeZone', /'Mars\/Olympus'.*Europe\/Berlin/],
    ],
  },
  'issuers that can be asked are fine': {
    given: [
      a,
      workflowManifest(
        ['a'],
        [],
        issuers(
          'https://id.example',
          'https://id.example/realms/a/',
          'http://localhost:8080',
          'http://[::1]:1',
        ),
      ),
    ],
    finds: [],
  },
  'issuers that no gateway asks are told what is allowed': {
    given: [
      a,
      workflowManifest(
        ['a'],
        [],
        issuers('id.example', 'http://id.example', 'https://id.example?a=b', 'https://u:p@id.example'),
      ),
    ],
    finds: [0, 1, 2, 3].map((i) => [
      'IssuerNotValid',
      `spec.triggers[${String(i)}].http.auth.jwt.issuer`,
      /write the `iss` of its tokens, an https URL/,
    ]),
  },
  'a policyRef that leads nowhere is named with what there is': {
    given: [
      a,
      policyManifest({}, 'balanced'),
      workflowManifest(['a'], [], { policyRef: { name: 'balance' } }),
    ],
    finds: [['PolicyNotFound', 'spec.policyRef.name', /did you mean 'balanced'/]],
  },
  'a group that names a stranger is told the nearest function': {
    given: [functionManifest('count'), workflowManifest(['count']), grouped('cuont')],
    finds: [['GroupOfUnknownFunction', 'spec.fusion.groups[0].functions[0]', /did you mean 'count'/]],
  },
  'a group for every workflow may name functions of any of them': {
    given: [
      a,
      functionManifest('b'),
      workflowManifest(['a'], [], {}, 'first'),
      workflowManifest(['b'], [], {}, 'second'),
      grouped('a', 'b'),
    ],
    finds: [],
  },
  'a group of a workflow that is not there is a notice': {
    given: [
      policyManifest({
        fusion: { mode: 'Manual', groups: [{ workflow: 'gone', name: 'g', functions: ['a'] }] },
      }),
    ],
    finds: [['GroupOfUnknownWorkflow', 'spec.fusion.groups[0].workflow', /'gone'/]],
  },
  'a Function that somebody else scales is in one workflow only': {
    given: [
      functionManifest('a', { scaling: { mode: 'External', instances: 1 } }),
      workflowManifest(['a'], [], {}, 'first'),
      workflowManifest(['a'], [], {}, 'second'),
    ],
    finds: [['ExternalInTwoWorkflows', 'spec.scaling.mode', /first, second/]],
  },
  'a trigger whose keys are not there, or empty, is named': {
    given: [
      a,
      workflowManifest(
        ['a'],
        [],
        http('/p', { auth: { type: 'Key', key: { secretRef: { name: 'gone' } } } }),
        'first',
      ),
      workflowManifest(
        ['a'],
        [],
        http('/q', { auth: { type: 'Key', key: { secretRef: { name: 'keys' } } } }),
        'second',
      ),
      secretManifest('keys', {}),
    ],
    finds: [
      ['SecretNotFound', 'spec.triggers[0].http.auth.key.secretRef.name', /'gone'/],
      ['SecretEmpty', 'spec.triggers[0].http.auth.key.secretRef.name', /'keys'/],
    ],
  },
};

function HANDLER_TEXT(): string {
  return 'export default (x) => x';
}

test('where Secrets may not be looked at, only those that are known are judged', () => {
  const ref = (name: string) => ({ name: 'A', valueFrom: { secretKeyRef: { name, key: 'k' } } });
  const keyed = http('/p', { auth: { type: 'Key', key: { secretRef: { name: 'gone' } } } });
  const application = applicationOf(
    functionManifest('a', { env: [ref('gone')], envFrom: [{ configMapRef: { name: 'gone' } }] }),
    functionManifest('b', { env: [ref('tokens')] }),
    workflowManifest(['a'], [], keyed),
    secretManifest('tokens', { cars: 'x' }),
  );
  const reasons = (of: Application) => check(of).map((f) => f.reason);
  assert.deepEqual(reasons({ ...application, secretsUnknown: true }), [
    'ConfigMapNotFound',
    'SecretKeyNotFound',
  ]);
  assert.equal(reasons(application).filter((r) => r === 'SecretNotFound').length, 2);
});

for (const [sentence, { given, finds }] of Object.entries(CASES)) {
  test(sentence, () => {
    const findings = check(applicationOf(...given));
    assert.deepEqual(
      findings.map((f) => [f.reason, f.field]),
      finds.map(([reason, field]) => [reason, field]),
    );
    for (const [i, [, field, says]] of finds.entries()) {
      assert.match(findings[i]?.message ?? '', says);
      assert.ok(
        findings[i]?.message.startsWith(`${field}: '`),
        'a message starts with the field and what was given',
      );
    }
    assert.deepEqual(check(applicationOf(...[...given].reverse())), findings);
  });
}

const withPlans = (application: Application, ...hashes: readonly string[]): Application => ({
  ...application,
  plans: hashes.map((hash) => ({ namespace: NAMESPACE, workflow: 'flow', hash })),
});

test('a planRef to no plan is named with the plans there are; without a list it is not judged', () => {
  const application = applicationOf(a, workflowManifest(['a'], [], { planRef: { hash: '0123456789' } }));
  assert.deepEqual(check(application), []);
  assert.deepEqual(check(withPlans(application, '0123456789')), []);
  const [finding] = check(withPlans(application, 'aaaaaaaaaa', 'bbbbbbbbbb'));
  assert.equal(finding?.reason, 'PlanNotFound');
  assert.match(finding.message, /'0123456789' is no plan.*aaaaaaaaaa, bbbbbbbbbb/);
});

test('a vertex whose Function is refused is told so, and is not taken for a typing error', () => {
  const manifests = [functionManifest('archive', { timeoutSeconds: -1 }), workflowManifest(['archive'])];
  const found = check(readApplication(manifests).application);
  assert.deepEqual(
    found.map((f) => f.reason),
    ['FunctionNotFound'],
  );
  assert.match(found[0]?.message ?? '', /'archive' is a Function that is refused itself/);
});

test('a workflow follows the findings on itself, its Functions and its policy, and no others', () => {
  const application = applicationOf(
    functionManifest('a', { artifacts: [jsArtifact('')] }),
    functionManifest('b', { artifacts: [jsArtifact('')] }),
    workflowManifest(['a', 'gone'], [], {}, 'first'),
    workflowManifest(['b'], [], { policyRef: { name: 'other' } }, 'second'),
    grouped('stranger'),
  );
  const found = (workflow: string): readonly string[] =>
    findingsFor(check(application), { namespace: NAMESPACE, workflow }, application).map((f: Finding) =>
      [f.object.name, f.reason].join(' '),
    );
  assert.deepEqual(found('first'), [
    'a NoDefaultExport',
    'default GroupOfUnknownFunction',
    'first FunctionNotFound',
  ]);
  assert.deepEqual(found('second'), ['b NoDefaultExport', 'second PolicyNotFound']);
});
