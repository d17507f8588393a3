/** A function in several forms: what is known of each, and what runs where, before any pod is made. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applicationOf, containerArtifact, jsArtifact, wasmArtifact } from '../model/testApplication.ts';
import { isError } from '../model/finding.ts';
import { notYet } from '../model/notYet.ts';
import { manifestsOf, manual, snapshotOf } from '../snapshot/testSnapshot.ts';
import type { World } from '../snapshot/testSnapshot.ts';
import type { Plan } from './plan.ts';
import { plan } from './planner.ts';

const CLOUD = { name: 'm1', architecture: 'amd64', tier: 'Cloud' } as const;
const EDGE = { name: 'm2', architecture: 'arm64', tier: 'Edge' } as const;

const TWIN: World = {
  functions: { a: { artifacts: [containerArtifact('amd64'), wasmArtifact()] } },
  machines: [CLOUD, EDGE],
};

const runtime = (p: Plan, about: string) =>
  p.decisions.find((d) => d.kind === 'Runtime' && d.about === about);
const reasons = (p: Plan): readonly string[] => p.findings.map((f) => f.reason);

test('a container with a WASM twin: the twin runs everywhere until containers come', () => {
  const p = plan(snapshotOf(TWIN));
  assert.deepEqual(
    p.units[0]?.variants.map((v) => [v.architecture, v.artifacts[0]?.artifact]),
    [
      ['amd64', 'wasm'],
      ['arm64', 'wasm'],
    ],
  );
  assert.deepEqual(p.findings, []);
});

test('and why the container does not is said for each architecture', () => {
  const p = plan(snapshotOf(TWIN));
  const said = ['amd64', 'arm64'].map((architecture) => {
    const found = runtime(p, `a on ${architecture}`);
    return [found?.reason, found?.alternatives[0]?.reason, found?.message];
  });
  assert.deepEqual(said, [
    ['OnlyArtifact', 'NotYet', 'nothing else of a can run on amd64 (native: container artifacts come later)'],
    [
      'OnlyArtifact',
      'NotOnArchitecture',
      'nothing else of a can run on arm64 (native: it runs on amd64 only)',
    ],
  ]);
});

test('and its author is told, without an Error', () => {
  const findings = notYet(applicationOf(...manifestsOf(TWIN)));
  assert.deepEqual(
    findings.map((f) => [f.reason, f.field, isError(f)]),
    [['NotYet', 'spec.artifacts[0].type', false]],
  );
});

test('a container alone is refused before anything is started', () => {
  const p = plan(snapshotOf({ ...TWIN, functions: { a: { artifacts: [containerArtifact('amd64')] } } }));
  assert.deepEqual(reasons(p), ['NoUsableArtifact']);
});

test('a function whose machines are of another architecture is refused before anything is started', () => {
  const placement = { architectures: ['riscv64'] };
  const p = plan(snapshotOf({ functions: { a: { placement } }, machines: [CLOUD, EDGE] }));
  assert.deepEqual(reasons(p), ['NoMachine']);
  assert.match(p.findings[0]?.message ?? '', /m1 \(Cloud, amd64\) and m2 \(Edge, arm64\)/);
});

test('functions without an architecture in common stay apart, though a group is asked for', () => {
  const functions = {
    a: { placement: { architectures: ['amd64'] } },
    b: { placement: { architectures: ['arm64'] } },
  };
  const world = { functions, edges: ['a>b'], machines: [CLOUD, EDGE], policy: manual('a,b') };
  const p = plan(snapshotOf(world));
  assert.equal(p.units.length, 2);
  const pair = p.decisions.find((d) => d.kind === 'Fusion');
  assert.deepEqual([pair?.choice, pair?.reason], ['Apart', 'NoCommonArchitecture']);
});

test('JavaScript comes before its twins where nothing is measured', () => {
  const artifacts = [containerArtifact('amd64'), wasmArtifact(), jsArtifact()];
  const p = plan(snapshotOf({ ...TWIN, functions: { a: { artifacts } } }));
  assert.equal(runtime(p, 'a on amd64')?.choice, 'js (JavaScript)');
});
