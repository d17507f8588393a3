/**
 * What holds for the manifests of every example, as tests: names agree, the ConfigMap holds what is named, YAML says one
 * thing to every reader, and Sinter takes all of it.
 *
 * What is an example's own (its graph, its policies) its own tests say.
 */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';
import { readManifests } from '../../operator/src/local/manifests.ts';
import { readApplication } from '../../operator/src/model/application.ts';
import { check } from '../../operator/src/model/check.ts';
import { notYet } from '../../operator/src/model/notYet.ts';
import type { Edge, Handlers } from './inMemory.ts';

interface Named {
  readonly name: string;
}
export interface Manifest<Spec> {
  readonly kind: string;
  readonly metadata: Named & { readonly namespace: string };
  readonly spec: Spec;
}
export interface FunctionSpec {
  readonly artifacts: readonly (Named & {
    readonly type: string;
    readonly module: { readonly configMap: Named & { readonly key: string } };
  })[];
}
export interface WorkflowSpec {
  readonly functions: readonly Named[];
  readonly edges: readonly (Edge & Readonly<Record<string, unknown>>)[];
  readonly triggers: readonly (Named & { readonly to: string; readonly http: { readonly path: string } })[];
  readonly policyRef?: Named;
}
interface Kustomization {
  readonly resources: readonly string[];
  readonly configMapGenerator: readonly (Named & {
    readonly files: readonly string[];
    readonly options: unknown;
  })[];
}

export const edgeText = ({ from, to, call }: Edge): string => `${from} ${call} ${to}`;

/** The documents of one of an example's files. */
export const documents = <Spec>(example: URL, file: string): readonly Manifest<Spec>[] =>
  parseAllDocuments(readFileSync(new URL(file, example), 'utf8')).map((d) => d.toJS() as Manifest<Spec>);

/** The one workflow of an example. */
export const workflowOf = (example: URL): WorkflowSpec => {
  const [workflow] = documents<WorkflowSpec>(example, 'workflow.yaml');
  assert.ok(workflow);
  return workflow.spec;
};

/** Registers the tests. `namespace` is where everything must be. */
export function testManifests(example: URL, namespace: string, handlers: Handlers): void {
  const names = [...handlers.keys()];
  const functions = documents<FunctionSpec>(example, 'functions.yaml');
  const workflow = workflowOf(example);
  const text = (file: string): string => readFileSync(new URL(file, example), 'utf8');
  const kustomization = parse(text('kustomization.yaml')) as Kustomization;

  test('modules, Functions and the graph have the same names', () => {
    assert.deepEqual(functions.map(({ metadata }) => metadata.name).toSorted(), names);
    assert.deepEqual(workflow.functions.map(({ name }) => name).toSorted(), names);
    assert.ok(workflow.triggers.every(({ to }) => handlers.has(to)));
    for (const name of names) assert.match(name, /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/);
  });

  test('every artifact names a file that the ConfigMap holds, and every file is named', () => {
    const [generator] = kustomization.configMapGenerator;
    assert.ok(generator);
    const named = functions.flatMap(({ spec }) => spec.artifacts.map(({ module }) => module.configMap));
    assert.ok(named.every(({ name }) => name === generator.name));
    const held = generator.files.map((file) => file.slice(file.lastIndexOf('/') + 1));
    assert.deepEqual(named.map(({ key }) => key).toSorted(), held.toSorted());
    assert.deepEqual(generator.options, { disableNameSuffixHash: true });
    const sizes = generator.files.map((file) => statSync(new URL(file, example)).size);
    assert.ok(sizes.every((size) => size <= 64 * 1024));
    assert.ok(sizes.reduce((sum, size) => sum + size) < 512 * 1024, 'a ConfigMap holds 1 MiB');
  });

  test('every manifest says the same to a reader of YAML 1.1, like kubectl, and of 1.2', () => {
    for (const file of ['kustomization.yaml', ...kustomization.resources]) {
      const [old, current] = (['1.1', '1.2'] as const).map((version) =>
        parseAllDocuments(text(file), { version }).map((document) => JSON.stringify(document.toJS())),
      );
      assert.deepEqual(old, current, file);
    }
  });

  test('everything is in the namespace of the example', () => {
    for (const { kind, metadata } of kustomization.resources.flatMap((file) => documents(example, file))) {
      const where = kind === 'Namespace' ? metadata.name : metadata.namespace;
      assert.equal(where, namespace, `${kind} ${metadata.name}`);
    }
  });

  test('Sinter has nothing to say against it', async () => {
    const { objects, problems } = await readManifests([fileURLToPath(example)]);
    assert.deepEqual(
      problems.filter(({ severity }) => severity === 'Error'),
      [],
    );
    const { application, findings } = readApplication(objects);
    assert.deepEqual([...findings, ...check(application), ...notYet(application)], []);
  });
}
