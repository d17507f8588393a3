/**
 * Can the code that is declared be run?
 *
 * Owns: finding the module of each artifact and having it judged. Neighbours: `modules.ts` reads it, `javascript.ts`
 * and `wasm.ts` judge it. What is in images, at URLs and in containers is the unit's own affair at its start (D18).
 */
import { namespaceOf } from './nouns.ts';
import type { Artifact, FunctionObject } from './nouns.ts';
import { error } from './finding.ts';
import type { Finding } from './finding.ts';
import { referenceProblem } from './images.ts';
import { javascriptProblem } from './javascript.ts';
import { moduleSourceOf, readModule } from './modules.ts';
import { keyNotFound, notFound } from './references.ts';
import { isComponent, wasmProblem } from './wasm.ts';
import { placeIn } from './directory.ts';
import type { Directory } from './directory.ts';

export const codeFindings = (fn: FunctionObject, directory: Directory): readonly Finding[] =>
  fn.spec.artifacts.flatMap((artifact, i) =>
    artifactFindings(artifact, `spec.artifacts[${i}].module`, fn, directory),
  );

function artifactFindings(
  artifact: Artifact,
  field: string,
  fn: FunctionObject,
  directory: Directory,
): readonly Finding[] {
  const namespace = namespaceOf(fn);
  const reading = readModule(artifact, (name) => directory.configMapNamed(namespace, name));
  switch (reading.is) {
    case 'Elsewhere':
      return imageFindings(artifact, field, fn);
    case 'NoConfigMap':
      return [notFound('ConfigMap', placeIn(fn, `${field}.configMap.name`, reading.configMap), namespace)];
    case 'NoKey': {
      const place = placeIn(fn, `${field}.configMap.key`, reading.key);
      return [keyNotFound('ConfigMap', place, reading.configMap, reading.keys)];
    }
    case 'NotBase64': {
      const says =
        'is no base64; a WASM module stands as base64 in inline and data, or in binaryData of a ConfigMap';
      return [error('WasmNotBase64', placeIn(fn, `${field}.${reading.field}`, givenOf(artifact)), says)];
    }
    case 'Read':
      return judged(artifact, field, fn, reading.bytes);
  }
}

function imageFindings({ module }: Artifact, field: string, fn: FunctionObject): readonly Finding[] {
  if (!module?.image) return [];
  const { reference } = module.image;
  const problem = referenceProblem(reference);
  return problem
    ? [error(problem.reason, placeIn(fn, `${field}.image.reference`, reference), problem.says)]
    : [];
}

function judged(
  artifact: Artifact,
  field: string,
  fn: FunctionObject,
  bytes: Uint8Array,
): readonly Finding[] {
  if (artifact.type === 'Wasm' && isComponent(bytes)) return [];
  const problem =
    artifact.type === 'JavaScript' ? javascriptProblem(new TextDecoder().decode(bytes)) : wasmProblem(bytes);
  if (!problem) return [];
  const part = moduleSourceOf(artifact) === 'Inline' ? 'inline' : 'configMap.key';
  return [error(problem.reason, placeIn(fn, `${field}.${part}`, givenOf(artifact)), problem.says)];
}

/** What a message shows of a module: where it lies, or how its text begins. */
function givenOf({ module }: Artifact): string {
  if (module?.configMap) return module.configMap.key;
  const [line = '', ...more] = (module?.inline ?? '').trim().split('\n');
  const begin = line.length > 40 ? line.slice(0, 40) : line;
  return more.length > 0 || line.length > 40 ? `${begin}…` : begin;
}
