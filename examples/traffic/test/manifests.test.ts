/** The manifests against the code: the graph is what is called, and that of the papers; the policies are its two ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documents, edgeText, testManifests, workflowOf } from '../../test/manifests.ts';
import type { FunctionSpec } from '../../test/manifests.ts';
import { loadHandlers, readings, root, runReading, textOf } from './in-memory.ts';
import { files } from '../readings/generate.mjs';

interface PolicySpec {
  readonly fusion: {
    readonly mode: string;
    readonly groups?: readonly { readonly functions: readonly string[] }[];
  };
}

const handlers = await loadHandlers();
const functions = documents<FunctionSpec>(root, 'functions.yaml');
const workflow = workflowOf(root);
const policies = documents<PolicySpec>(root, 'policies.yaml');

testManifests(root, 'traffic', handlers);

/** The papers' short name is what the words of ours begin with. */
const initials = (name: string): string =>
  name
    .split('-')
    .map((word) => word.charAt(0).toUpperCase())
    .join('');

test('the graph is exactly the set of calls that the code makes', async () => {
  const declared = workflow.edges.map(edgeText).toSorted();
  assert.equal(new Set(declared).size, declared.length);
  for (const reading of readings()) {
    const run = await runReading(handlers, { ...(reading as object), burn: 0 });
    assert.deepEqual(run.calls.map(edgeText).toSorted(), declared);
  }
});

test('the graph is that of the papers', () => {
  const edges = workflow.edges.map(
    ({ from, to, call }) => `${initials(from)} ${call === 'Sync' ? '->' : '~>'} ${initials(to)}`,
  );
  const papers =
    'I -> CW, I -> SE, I ~> CT, I ~> CS, I ~> CA, CS -> CSL, CS -> CSA, CA -> DJ, CA ~> AS, CT ~> AS';
  assert.deepEqual(edges, papers.split(', '));
});

test('check-sound asks both at once, everybody else one after the other', async () => {
  const run = await runReading(handlers, readings()[0] ?? null);
  assert.deepEqual([...run.overlapping], ['check-sound']);
});

test('there is one way in', () => {
  assert.deepEqual(
    workflow.triggers.map(({ to }) => to),
    ['ingest'],
  );
});

test('only the two that sieve have a second artifact', () => {
  const forms = functions.map(({ metadata, spec }) => [
    metadata.name,
    spec.artifacts.map(({ type }) => type),
  ]);
  const twice = forms.filter(([, types]) => types?.length === 2);
  assert.deepEqual(twice, [
    ['check-working', ['JavaScript', 'Wasm']],
    ['check-sound-accident', ['JavaScript', 'Wasm']],
  ]);
});

test('the policies are the two ends, and the groups hold every function once', () => {
  assert.deepEqual(
    policies.map(({ metadata, spec }) => [metadata.name, spec.fusion.mode]),
    [
      ['apart', 'Off'],
      ['grouped', 'Manual'],
    ],
  );
  assert.equal(workflow.policyRef?.name, 'apart');
  const groups = (policies[1]?.spec.fusion.groups ?? []).map((group) => group.functions);
  assert.deepEqual(groups.flat().toSorted(), [...handlers.keys()]);
  const papers = ['I CW SE', 'CS CSA CSL', 'CA DJ', 'CT', 'AS'];
  assert.deepEqual(
    groups.map((group) => group.map(initials).join(' ')),
    papers,
  );
});

test('the recorded readings are what generate.mjs writes', () => {
  for (const [name, content] of Object.entries(files())) assert.equal(textOf(name), content, name);
  assert.equal(readings().length, 200);
});
