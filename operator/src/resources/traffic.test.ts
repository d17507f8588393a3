/** The example that the project ships, planned from its own manifests. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { readApplication } from '../model/application.ts';
import { check } from '../model/check.ts';
import { notYet } from '../model/notYet.ts';
import { plan } from '../planner/planner.ts';
import { assertSound } from '../planner/testSoundness.ts';
import { gather } from '../snapshot/gather.ts';
import { workflowPlanObject } from './planObject.ts';

const EXAMPLE = new URL('../../../examples/traffic/', import.meta.url);
const read = (name: string): Buffer => readFileSync(new URL(name, EXAMPLE));
const documents = (name: string): readonly unknown[] =>
  parseAllDocuments(read(name).toString()).map((d) => d.toJS() as unknown);

interface Kustomization {
  readonly configMapGenerator: readonly { readonly name: string; readonly files: readonly string[] }[];
}

function codeMap(): object {
  const [kustomization] = documents('kustomization.yaml') as readonly Kustomization[];
  const generator = kustomization?.configMapGenerator[0];
  const files = (generator?.files ?? []).map((file) => [file.split('/').at(-1) ?? '', read(file)] as const);
  const binary = files.filter(([key]) => key.endsWith('.wasm'));
  const text = files.filter(([key]) => !key.endsWith('.wasm'));
  return {
    kind: 'ConfigMap',
    metadata: { name: generator?.name, namespace: 'traffic' },
    data: Object.fromEntries(text.map(([key, bytes]) => [key, bytes.toString()])),
    binaryData: Object.fromEntries(binary.map(([key, bytes]) => [key, bytes.toString('base64')])),
  };
}

function planned(policy: string) {
  const [workflow] = documents('workflow.yaml') as readonly { readonly spec: object }[];
  const manifests = [
    ...['namespace.yaml', 'policies.yaml', 'functions.yaml'].flatMap(documents),
    { ...workflow, spec: { ...workflow?.spec, policyRef: { name: policy } } },
    codeMap(),
  ];
  const { application, findings } = readApplication(manifests);
  assert.deepEqual([...findings, ...check(application), ...notYet(application)], []);
  const snapshot = gather({
    application,
    workflow: { namespace: 'traffic', workflow: 'traffic' },
    machines: [{ name: 'machine-1', architecture: 'amd64', tier: 'Cloud' }],
    current: null,
    nowMs: 0,
  });
  assert.ok(snapshot);
  const p = plan(snapshot);
  assertSound(p, snapshot);
  assert.deepEqual(p.findings, []);
  return workflowPlanObject(p, snapshot);
}

test('apart, the ten functions are ten units', () => {
  const { spec } = planned('apart');
  assert.equal(spec.units.length, 10);
  assert.deepEqual([...new Set(spec.channels.map((c) => c.channel))].sort(), ['Node', 'Queue']);
});

test('grouped, they are the five groups of the paper, and sync edges are in process', () => {
  const { spec } = planned('grouped');
  assert.deepEqual(
    spec.units.map((u) => u.functions.join(' ')),
    [
      'adjust-signs',
      'check-air detect-jam',
      'check-sound check-sound-accident check-sound-level',
      'check-temperature',
      'ingest check-working store-event',
    ],
  );
  assert.deepEqual([...new Set(spec.channels.map((c) => c.channel))].sort(), ['InProcess', 'Queue']);
});

test('a unit that is the same under both policies keeps its name', () => {
  const [apart, grouped] = [planned('apart'), planned('grouped')].map((o) => o.spec.units.map((u) => u.name));
  const kept = apart?.filter((name) => grouped?.includes(name)) ?? [];
  assert.deepEqual(kept.map((name) => name.slice(0, -11)).sort(), [
    'traffic-adjust-signs',
    'traffic-check-temperature',
  ]);
});
