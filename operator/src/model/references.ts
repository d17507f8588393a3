/**
 * Do the names that an application uses lead anywhere?
 *
 * Owns: references from Workflows to Functions, and from both to ConfigMaps and Secrets and their keys. What is marked
 * `optional` may be missing.
 */
import { didYouMean } from '@sinter/crds';
import { keysOf } from './modules.ts';
import { functionNameOf, namespaceOf } from './nouns.ts';
import type { FunctionObject, WorkflowObject } from './nouns.ts';
import { error } from './finding.ts';
import type { Finding, Place } from './finding.ts';
import { placeIn } from './directory.ts';
import type { Directory } from './directory.ts';

/** Vertices that name a Function which is not there. */
export function missingFunctions(workflow: WorkflowObject, directory: Directory): readonly Finding[] {
  const namespace = namespaceOf(workflow);
  return workflow.spec.functions.flatMap((vertex, i) => {
    const name = functionNameOf(vertex);
    if (name === undefined || directory.functionNamed(namespace, name)) return [];
    const field = `spec.functions[${i}].${vertex.functionRef ? 'functionRef.name' : 'name'}`;
    const there = directory.application.functions
      .filter((f) => namespaceOf(f.object) === namespace)
      .map((f) => f.object.metadata.name)
      .sort();
    const refused = directory.application.refusedFunctions?.some(
      (f) => f.namespace === namespace && f.name === name,
    );
    const says = refused
      ? 'is a Function that is refused itself: correct that one first'
      : `is no Function of namespace ${namespace}; ${guess(name, there)}declare it, or correct the name`;
    return [error('FunctionNotFound', placeIn(workflow, field, name), says)];
  });
}

const guess = (given: string, there: readonly string[]): string => {
  const near = didYouMean(given, there);
  return near === undefined ? '' : `did you mean '${near}'? Otherwise `;
};

/** Secrets with the keys that a trigger accepts. */
export function missingKeys(workflow: WorkflowObject, directory: Directory): readonly Finding[] {
  return workflow.spec.triggers.flatMap((trigger, i) => {
    const name = trigger.http?.auth.key?.secretRef.name;
    if (name === undefined) return [];
    const place = placeIn(workflow, `spec.triggers[${i}].http.auth.key.secretRef.name`, name);
    const secret = directory.secretNamed(namespaceOf(workflow), name);
    if (!secret && directory.application.secretsUnknown === true) return [];
    if (!secret) return [notFound('Secret', place, namespaceOf(workflow))];
    if (secret.keys.length > 0) return [];
    return [
      error('SecretEmpty', place, 'is a Secret without a value, so nobody could call; add a key to it'),
    ];
  });
}

const notFound = (kind: 'Secret' | 'ConfigMap', place: Place, namespace: string): Finding =>
  error(`${kind}NotFound`, place, `is no ${kind} of namespace ${namespace}; create it, or correct the name`);

interface KeyReference {
  readonly kind: 'Secret' | 'ConfigMap';
  readonly field: string;
  readonly name: string;
  /** Absent: the object as a whole. */
  readonly key?: string | undefined;
  readonly optional: boolean;
  /** The field that names it; absent: `name`. */
  readonly nameField?: string;
}

/** Where a Function's environment and volumes come from. */
export function missingSources(fn: FunctionObject, directory: Directory): readonly Finding[] {
  return referencesOf(fn)
    .filter((reference) => !reference.optional)
    .flatMap((reference) => missing(reference, fn, directory));
}

function referencesOf({ spec }: FunctionObject): readonly KeyReference[] {
  return [
    ...spec.env.flatMap(({ valueFrom }, i) => {
      const field = `spec.env[${i}].valueFrom`;
      const { configMapKeyRef: map, secretKeyRef: secret } = valueFrom ?? {};
      return [
        ...(map ? [{ kind: 'ConfigMap' as const, field: `${field}.configMapKeyRef`, ...map }] : []),
        ...(secret ? [{ kind: 'Secret' as const, field: `${field}.secretKeyRef`, ...secret }] : []),
      ];
    }),
    ...spec.envFrom.flatMap(({ configMapRef: map, secretRef: secret }, i) => [
      ...(map ? [{ kind: 'ConfigMap' as const, field: `spec.envFrom[${i}].configMapRef`, ...map }] : []),
      ...(secret ? [{ kind: 'Secret' as const, field: `spec.envFrom[${i}].secretRef`, ...secret }] : []),
    ]),
    ...spec.template.spec.volumes.flatMap(volumeReferences),
  ];
}

/** A volume is any of Kubernetes' kinds; of two of them the object can be looked for here. */
function volumeReferences(volume: Readonly<Record<string, unknown>>, i: number): readonly KeyReference[] {
  const field = `spec.template.spec.volumes[${i}]`;
  const part = (source: string, name: string): KeyReference[] => {
    const value = volume[source];
    if (typeof value !== 'object' || value === null || !(name in value)) return [];
    const fields = value as Readonly<Record<string, unknown>>;
    const kind = source === 'secret' ? 'Secret' : 'ConfigMap';
    const optional = fields['optional'] === true;
    return [{ kind, field: `${field}.${source}`, name: String(fields[name]), optional, nameField: name }];
  };
  return [...part('secret', 'secretName'), ...part('configMap', 'name')];
}

function missing(reference: KeyReference, fn: FunctionObject, directory: Directory): readonly Finding[] {
  const { kind, name, key, field, nameField = 'name' } = reference;
  const namespace = namespaceOf(fn);
  const keys =
    kind === 'Secret' ? secretKeys(namespace, name, directory) : mapKeys(namespace, name, directory);
  if (!keys && kind === 'Secret' && directory.application.secretsUnknown === true) return [];
  if (!keys) return [notFound(kind, placeIn(fn, `${field}.${nameField}`, name), namespace)];
  if (key === undefined || keys.includes(key)) return [];
  return [keyNotFound(kind, placeIn(fn, `${field}.key`, key), name, keys)];
}

const secretKeys = (namespace: string, name: string, directory: Directory): readonly string[] | undefined =>
  directory.secretNamed(namespace, name)?.keys;

function mapKeys(namespace: string, name: string, directory: Directory): readonly string[] | undefined {
  const map = directory.configMapNamed(namespace, name);
  return map && keysOf(map);
}

const KEYS_SHOWN = 8;

/** A key that an object does not have; the message lists those that it has. */
export function keyNotFound(
  kind: 'Secret' | 'ConfigMap',
  place: Place,
  name: string,
  keys: readonly string[],
): Finding {
  const shown = keys.slice(0, KEYS_SHOWN).join(', ') || 'none';
  const more = keys.length > KEYS_SHOWN ? ` and ${keys.length - KEYS_SHOWN} more` : '';
  const says = `is no key of ${kind} ${name}, which has ${shown}${more}; add it, or correct the key`;
  return error(`${kind}KeyNotFound`, place, says);
}

export { notFound };
