/** The manifests against the code: the graph is what is called, the ConfigMap is what is named, YAML says one thing. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { loadHandlers, readings, root, runReading, textOf, type Edge } from './in-memory.ts';
import { files } from '../readings/generate.mjs';

interface Named {
  readonly name: string;
}
interface Manifest<Spec> {
  readonly kind: string;
  readonly metadata: Named & { readonly namespace: string };
  readonly spec: Spec;
}
interface FunctionSpec {
  readonly artifacts: readonly (Named & {
    readonly type: string;
    readonly module: { readonly configMap: Named & { readonly key: string } };
  })[];
}
interface WorkflowSpec {
  readonly functions: readonly Named[];
  readonly edges: readonly (Edge & Readonly<Record<string, unknown>>)[];
  readonly triggers: readonly (Named & { readonly to: string })[];
  readonly policyRef: Named;
}
interface PolicySpec {
  readonly fusion: {
    readonly mode: string;
    readonly groups?: readonly { readonly functions: readonly string[] }[];
  };
}
interface Kustomization {
  readonly resources: readonly string[];
  readonly configMapGenerator: readonly (Named & {
    readonly files: readonly string[];
    readonly options: unknown;
  })[];
}

const documents = <Spec>(name: string): readonly Manifest<Spec>[] =>
  parseAllDocuments(textOf(name)).map((document) => document.toJS() as Manifest<Spec>);

const first = <T>(list: readonly T[]): T => {
  const [found] = list;
  assert.ok(found !== undefined);
  return found;
};

const handlers = await loadHandlers();
const functions = documents<FunctionSpec>('functions.yaml');
const workflow = first(documents<WorkflowSpec>('workflow.yaml'));
const policies = documents<PolicySpec>('policies.yaml');
const kustomization = parse(textOf('kustomization.yaml')) as Kustomization;
const edgeText = ({ from, to, call }: Edge): string => `${from} ${call} ${to}`;

/** The papers' short name is what the words of ours begin with. */
const initials = (name: string): string =>
  name
    .split('-')
    .map((word) => word.charAt(0).toUpperCase())
    .join('');

test('the graph is exactly the set of calls that the code makes', async () => {
  const declared = workflow.spec.edges.map(edgeText).toSorted();
  assert.equal(new Set(declared).size, declared.length);
  for (const reading of readings()) {
    const run = await runReading(handlers, { ...(reading as object), burn: 0 });
    assert.deepEqual(run.calls.map(edgeText).toSorted(), declared);
  }
});

test('the graph is that of the papers', () => {
  const edges = workflow.spec.edges.map(
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

test('modules, Functions and the graph have the same names', () => {
  const names = [...handlers.keys()];
  assert.deepEqual(functions.map(({ metadata }) => metadata.name).toSorted(), names);
  assert.deepEqual(workflow.spec.functions.map(({ name }) => name).toSorted(), names);
  assert.equal(first(workflow.spec.triggers).to, 'ingest');
  for (const name of names) assert.match(name, /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/);
});

test('every artifact names a file that the ConfigMap holds, and every file is named', () => {
  const generator = first(kustomization.configMapGenerator);
  const named = functions.flatMap(({ spec }) => spec.artifacts.map(({ module }) => module.configMap));
  assert.ok(named.every(({ name }) => name === generator.name));
  const held = generator.files.map((file) => file.slice(file.lastIndexOf('/') + 1));
  assert.deepEqual(named.map(({ key }) => key).toSorted(), held.toSorted());
  assert.deepEqual(generator.options, { disableNameSuffixHash: true });
  const sizes = generator.files.map((file) => statSync(new URL(file, root)).size);
  assert.ok(sizes.every((size) => size <= 64 * 1024));
  assert.ok(sizes.reduce((sum, size) => sum + size) < 512 * 1024, 'a ConfigMap holds 1 MiB');
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
  assert.equal(workflow.spec.policyRef.name, 'apart');
  const groups = (policies[1]?.spec.fusion.groups ?? []).map((group) => group.functions);
  assert.deepEqual(groups.flat().toSorted(), [...handlers.keys()]);
  const papers = ['I CW SE', 'CS CSA CSL', 'CA DJ', 'CT', 'AS'];
  assert.deepEqual(
    groups.map((group) => group.map(initials).join(' ')),
    papers,
  );
});

test('every manifest says the same to a reader of YAML 1.1, like kubectl, and of 1.2', () => {
  for (const file of ['kustomization.yaml', ...kustomization.resources]) {
    const [old, current] = (['1.1', '1.2'] as const).map((version) =>
      parseAllDocuments(textOf(file), { version }).map((document) => JSON.stringify(document.toJS())),
    );
    assert.deepEqual(old, current, file);
  }
});

test('everything is in the namespace of the example', () => {
  const all = kustomization.resources.flatMap((file) => documents(file));
  for (const { kind, metadata } of all) {
    assert.equal(
      kind === 'Namespace' ? metadata.name : metadata.namespace,
      'traffic',
      `${kind} ${metadata.name}`,
    );
  }
});

test('the recorded readings are what generate.mjs writes', () => {
  for (const [name, content] of Object.entries(files())) assert.equal(textOf(name), content, name);
  assert.equal(readings().length, 200);
});
