/** Attacks on what reads objects: none of them may throw, reach a prototype, or make an order matter. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readApplication } from './application.ts';
import { check, findingsFor } from './check.ts';
import { cronProblem, isTimeZone } from './cron.ts';
import { environmentValues } from './environment.ts';
import { javascriptProblem } from './javascript.ts';
import { readModule } from './modules.ts';
import { notYet } from './notYet.ts';
import {
  applicationOf,
  configMapManifest,
  functionManifest,
  HANDLER,
  jsArtifact,
  NAMESPACE,
  secretManifest,
  wasmBytes,
  workflowManifest,
} from './testApplication.ts';
import type { Manifest } from './testApplication.ts';
import { isComponent, wasmProblem } from './wasm.ts';

/** Names that every object of JavaScript seems to have. */
const INHERITED = ['constructor', 'toString', 'valueOf', '__proto__', 'hasOwnProperty'];

test('anything at all can be read, and comes to findings', () => {
  const kinds = fc.constantFrom(
    'Function',
    'Workflow',
    'OptimizationPolicy',
    'ConfigMap',
    'Secret',
    'Pod',
    7,
    null,
  );
  const like = fc.record(
    {
      apiVersion: fc.constantFrom('sinter.dev/v1alpha1', 'v1', 3),
      kind: kinds,
      metadata: fc.anything(),
      spec: fc.anything(),
      data: fc.anything(),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.anything(), like), { maxLength: 4 }), (manifests) => {
      const { application, findings } = readApplication(manifests);
      for (const finding of [...findings, ...check(application), ...notYet(application)]) {
        assert.ok(finding.message.length > 0 && finding.message.length < 2000);
      }
    }),
    { numRuns: 300 },
  );
});

test('an object that is declared twice counts once, and is named', () => {
  const { application, findings } = readApplication([functionManifest('a'), functionManifest('a')]);
  assert.equal(application.functions.length, 1);
  assert.deepEqual(
    findings.map((f) => f.reason),
    ['DeclaredTwice'],
  );
});

test('a kind of somebody else is left out with a notice, a misspelt one of ours is an error', () => {
  const { findings } = readApplication([
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' } },
    { apiVersion: 'sinter.dev/v1alpha1', kind: 'Workfow', metadata: { name: 'x' } },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'x' } },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, data: { n: 1 } },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'y' }, data: ['x'] },
  ]);
  assert.deepEqual(
    findings.map((f) => [f.severity, f.reason]),
    [
      ['Notice', 'LeftOut'],
      ['Error', 'Invalid'],
      ['Error', 'Invalid'],
      ['Error', 'Invalid'],
    ],
  );
  assert.match(findings[1]?.message ?? '', /did you mean 'Workflow'/);
});

test('a Secret keeps its values to itself', () => {
  const { application } = readApplication([secretManifest('s', { k: 'very secret' })]);
  assert.ok(!JSON.stringify(application).includes('very secret'));
});

test('inherited names are no keys, no variables and no objects', () => {
  const lookup = (name: string) => (name === 'm' ? { metadata: { name: 'm' }, data: {} } : undefined);
  for (const key of INHERITED) {
    const artifact = { name: 'js', type: 'JavaScript' as const, module: { configMap: { name: 'm', key } } };
    assert.equal(readModule(artifact, lookup).is, 'NoKey', key);
    const env = [
      { name: 'A', valueFrom: { configMapKeyRef: { name: 'm', key, optional: true } } },
      { name: 'B', valueFrom: { secretKeyRef: { name: 's', key, optional: true } } },
    ];
    assert.deepEqual(
      environmentValues({ env, envFrom: [] }, lookup, () => ({})),
      {},
    );
  }
});

test('functions, Secrets and keys may have inherited names', () => {
  const application = applicationOf(
    functionManifest('constructor', {
      env: [{ name: '__proto__', valueFrom: { secretKeyRef: { name: 'constructor', key: 'toString' } } }],
    }),
    workflowManifest(['constructor']),
    secretManifest('constructor', { toString: 'x' }),
  );
  assert.deepEqual(check(application), []);
});

test('of two sources of one variable the later wins, and `env` wins over all', () => {
  const spec = {
    env: [{ name: 'A', value: 'env' }],
    envFrom: [
      { prefix: '', configMapRef: { name: 'one', optional: false } },
      { prefix: '', configMapRef: { name: 'two', optional: false } },
      { prefix: 'P_', secretRef: { name: 's', optional: false } },
    ],
  };
  const maps = new Map([
    ['one', { metadata: { name: 'one' }, data: { A: '1', B: '1', C: '1' } }],
    ['two', { metadata: { name: 'two' }, data: { A: '2', B: '2' } }],
  ]);
  const values = environmentValues(
    spec,
    (n) => maps.get(n),
    () => ({ A: 's' }),
  );
  assert.deepEqual({ ...values }, { A: 'env', B: '2', C: '1', P_A: 's' });
});

test('no text makes a judge throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string()), (text) => {
      javascriptProblem(text);
      cronProblem(text);
      isTimeZone(text);
    }),
  );
});

test('no bytes make a judge throw, and a module with one byte changed is judged again', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      wasmProblem(bytes);
      isComponent(bytes);
    }),
  );
  const good = wasmBytes();
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => {
      wasmProblem(good.with(at, byte));
    }),
  );
  assert.equal(wasmProblem(good), undefined);
});

const HANDLERS: Readonly<Record<string, string | undefined>> = {
  'export default async (input) => input': undefined,
  'const f = () => 1; export { f as default };': undefined,
  'const f = () => 1; export { f as "default" };': undefined,
  'export { readFileSync as default } from "node:fs";': undefined,
  'export default class {}': undefined,
  'export const x = `export default 1`;': 'NoDefaultExport',
  '// export default 1': 'NoDefaultExport',
  'export * from "node:fs"': 'NoDefaultExport',
  'export { default } from "./other.mjs"': 'ModuleImportsOthers',
  'export default 1; import("./later.mjs")': undefined,
  'export default (': 'ModuleNotParsed',
  '': 'NoDefaultExport',
};

for (const [text, reason] of Object.entries(HANDLERS)) {
  test(`\`${text}\` is ${reason ?? 'a handler'}`, () => {
    assert.equal(javascriptProblem(text)?.reason, reason);
  });
}

test('a byte order mark, Windows line ends and a megabyte of text are no matter', () => {
  for (const text of [
    `\uFEFF${HANDLER}`,
    HANDLER.replaceAll('\n', '\r\n'),
    `${HANDLER}//${'x'.repeat(1e6)}`,
  ]) {
    assert.equal(javascriptProblem(text), undefined);
  }
});

test('base64 is strict, and white space in it is no matter', () => {
  const read = (inline: string) =>
    readModule({ name: 'w', type: 'Wasm', module: { inline } }, () => undefined).is;
  assert.equal(read('AGFz\nbQ==\n'), 'Read');
  assert.equal(read(''), 'Read');
  for (const text of ['AGFzbQ', 'AGFz bQ=', '====', 'A*==', 'AG=zbQ=='])
    assert.equal(read(text), 'NotBase64', text);
});

test('objects of another namespace are none of ours', () => {
  const elsewhere = (manifest: Manifest): Manifest => ({
    ...manifest,
    metadata: { ...(manifest['metadata'] as Manifest), namespace: 'elsewhere' },
  });
  const application = applicationOf(
    functionManifest('a', {
      artifacts: [{ name: 'x', type: 'JavaScript', module: { configMap: { name: 'm', key: 'k' } } }],
    }),
    elsewhere(configMapManifest('m', { k: HANDLER })),
    elsewhere(functionManifest('b', { artifacts: [jsArtifact('')] })),
    workflowManifest(['a', 'b']),
  );
  const findings = check(application);
  assert.deepEqual(
    findingsFor(findings, { namespace: NAMESPACE, workflow: 'flow' }, application).map((f) => f.reason),
    ['ConfigMapNotFound', 'FunctionNotFound'],
  );
  assert.deepEqual(findingsFor(findings, { namespace: NAMESPACE, workflow: 'gone' }, application), []);
});
