/**
 * The environment of a unit's functions, as a pod carries it.
 *
 * Owns: which source becomes what. What stands in the objects or in ConfigMaps becomes literals: the unit's name carries
 * the hash of its content, so a running unit must never see another; Secrets stay references, which the kubelet resolves,
 * because the operator may not read them.
 * Invariants:
 *  1. The same precedence as `environmentValues` (model/): `envFrom` in its order, then `env`.
 *  2. A literal arrives as it was written: nothing in it is taken for a reference to another variable.
 */
import { environmentVariable } from '@sinter/contract';
import { dataOf, own } from '../model/environment.ts';
import type { Lookup } from '../model/environment.ts';
import type { ConfigMap } from '../model/nouns.ts';
import type { SnapshotFunction } from '../snapshot/snapshot.ts';
import type { EnvFromSource, EnvVar } from './kubernetes.ts';

export interface PodEnvironment {
  readonly env: readonly EnvVar[];
  readonly envFrom: readonly EnvFromSource[];
}

/** The kubelet takes `$(NAME)` for a reference and `$$` for a single `$`. */
export const literal = (text: string): string => text.replaceAll('$', () => '$$');

/** Of all functions of a unit, in its order. */
export function podEnvironment(
  functions: readonly SnapshotFunction[],
  configMaps: Lookup<ConfigMap>,
): PodEnvironment {
  const each = functions.map((fn) => functionEnvironment(fn, configMaps));
  return { env: each.flatMap((e) => e.env), envFrom: each.flatMap((e) => e.envFrom) };
}

/**
 * A pod's own variables always win over those from whole Secrets. Where a Secret is declared after a ConfigMap, or a
 * variable may be missing, what comes later is put into the next layer.
 */
function functionEnvironment(fn: SnapshotFunction, configMaps: Lookup<ConfigMap>): PodEnvironment {
  const env = new Map<string, EnvVar>();
  const envFrom: EnvFromSource[] = [];
  let layer = 0;
  let here = 0; // variables of the pod itself in this layer
  const above = (): void => {
    if (here > 0) layer += 1;
    here = 0;
  };
  const put = (name: string, source: Omit<EnvVar, 'name'>): void => {
    const variable = environmentVariable(fn.name, name, layer);
    env.set(variable, { name: variable, ...source });
    here += 1;
  };
  for (const { prefix, configMapRef, secretRef } of fn.spec.envFrom) {
    if (configMapRef)
      for (const [key, value] of dataOf(configMaps(configMapRef.name))) put(prefix + key, valueOf(value));
    if (!secretRef) continue;
    above();
    const { name, optional } = secretRef;
    const inPod = environmentVariable(fn.name, prefix, layer);
    envFrom.push({ prefix: inPod, secretRef: { name, ...(optional ? { optional } : {}) } });
  }
  if (fn.spec.env.some(mayBeMissing)) above();
  for (const variable of [...fn.spec.env].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const source = sourceOf(variable, configMaps);
    if (source) put(variable.name, source);
  }
  return { env: [...env.values()], envFrom };
}

type Variable = SnapshotFunction['spec']['env'][number];

const mayBeMissing = ({ valueFrom }: Variable): boolean => valueFrom?.secretKeyRef?.optional === true;

/** Undefined where there is no such key (`check` has said so where it was not optional). */
function sourceOf(
  { value = '', valueFrom }: Variable,
  configMaps: Lookup<ConfigMap>,
): Omit<EnvVar, 'name'> | undefined {
  const secret = valueFrom?.secretKeyRef;
  if (secret) {
    const { name, key, optional } = secret;
    return { valueFrom: { secretKeyRef: { name, key, ...(optional ? { optional } : {}) } } };
  }
  const configMap = valueFrom?.configMapKeyRef;
  if (!configMap) return valueOf(value);
  const text = own(configMaps(configMap.name)?.data, configMap.key);
  return text === undefined ? undefined : valueOf(text);
}

/** The API server keeps no empty value: what is not said is empty. */
const valueOf = (text: string): Omit<EnvVar, 'name'> => (text === '' ? {} : { value: literal(text) });
