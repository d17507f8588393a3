/**
 * Valid objects by default, for tests: manifests with overrides, and the application that they declare.
 *
 * Owns: what a minimal application looks like. Everything goes through `validate`, so a test cannot plan what the API
 * would refuse.
 */
import { readApplication } from './application.ts';
import { isError } from './finding.ts';
import type { Application } from './nouns.ts';

export type Manifest = Readonly<Record<string, unknown>>;

const API = 'sinter.dev/v1alpha1';
export const NAMESPACE = 'shop';
export const HANDLER = 'export default async (input) => input;\n';

export const functionManifest = (name: string, spec: Manifest = {}): Manifest => ({
  apiVersion: API,
  kind: 'Function',
  metadata: { name, namespace: NAMESPACE },
  spec: { artifacts: [{ name: 'js', type: 'JavaScript', module: { inline: HANDLER } }], ...spec },
});

/** `a>b` is a sync edge, `a~b` an async one. */
export function edgeOf(text: string, terms: Manifest = {}): Manifest {
  const [from = '', to = ''] = text.split(/[>~]/);
  return { from, to, call: text.includes('>') ? 'Sync' : 'Async', ...terms };
}

export const workflowManifest = (
  functions: readonly string[],
  edges: readonly (string | Manifest)[] = [],
  spec: Manifest = {},
  name = 'flow',
): Manifest => ({
  apiVersion: API,
  kind: 'Workflow',
  metadata: { name, namespace: NAMESPACE },
  spec: {
    functions: functions.map((fn) => ({ name: fn })),
    edges: edges.map((edge) => (typeof edge === 'string' ? edgeOf(edge) : edge)),
    ...spec,
  },
});

/** An artifact whose module is a file of an image; by its digest unless a whole reference is given. */
export const imageArtifact = (
  reference = `registry.example/team/cars@sha256:${'a'.repeat(64)}`,
  type = 'JavaScript',
  path = '/app/count.mjs',
): Manifest => ({ name: 'img', type, module: { image: { reference, path } } });

export const policyManifest = (spec: Manifest, name = 'default'): Manifest => ({
  apiVersion: API,
  kind: 'OptimizationPolicy',
  metadata: { name, namespace: NAMESPACE },
  spec,
});

/** A policy that groups by hand: `a,b` is a group. */
export const grouped = (...groups: readonly string[]): Manifest =>
  policyManifest({
    fusion: {
      mode: 'Manual',
      groups: groups.map((group, i) => ({ name: `g${i}`, functions: group.split(',') })),
    },
  });

export const configMapManifest = (name: string, data: Manifest, binaryData: Manifest = {}): Manifest => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: NAMESPACE },
  data,
  binaryData,
});

export const secretManifest = (name: string, stringData: Manifest): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: NAMESPACE },
  stringData,
});

/** The application that valid manifests declare; throws where one is not. */
export function applicationOf(...manifests: readonly Manifest[]): Application {
  const { application, findings } = readApplication(manifests);
  const wrong = findings.filter(isError).map((f) => f.message);
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
  return application;
}

const section = (id: number, items: readonly (readonly number[])[]): readonly number[] => {
  const body = [items.length, ...items.flat()];
  return [id, body.length, ...body];
};
const text = (s: string): readonly number[] => [s.length, ...Buffer.from(s)];

/** A WASM module by hand: `_start`, a memory, and one imported function of `importModule` where it is given. */
export function wasmBytes(
  options: { readonly importModule?: string; readonly exports?: readonly ('_start' | 'memory')[] } = {},
): Uint8Array {
  const { importModule, exports = ['_start', 'memory'] } = options;
  const imports = importModule ? section(2, [[...text(importModule), ...text('call'), 0x00, 0x00]]) : [];
  const index = importModule ? 1 : 0;
  const exported = { _start: [...text('_start'), 0x00, index], memory: [...text('memory'), 0x02, 0x00] };
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [[0x60, 0x00, 0x00]]),
    ...imports,
    ...section(3, [[0x00]]),
    ...section(5, [[0x00, 0x01]]),
    ...section(
      7,
      exports.map((name) => exported[name]),
    ),
    ...section(10, [[0x02, 0x00, 0x0b]]),
  ]);
}

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

export const COMPONENT_BYTES = new Uint8Array([0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00]);

export const wasmArtifact = (bytes: Uint8Array = wasmBytes()): Manifest => ({
  name: 'wasm',
  type: 'Wasm',
  module: { inline: base64(bytes) },
});

export const jsArtifact = (inline: string = HANDLER): Manifest => ({
  name: 'js',
  type: 'JavaScript',
  module: { inline },
});

export const containerArtifact = (...architectures: readonly string[]): Manifest => ({
  name: 'native',
  type: 'Container',
  container: { image: 'registry.example/a:1', architectures, http: {} },
});
