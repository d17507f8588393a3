/**
 * The environment of a function: where each variable comes from, and what it comes out as.
 *
 * Owns: the precedence (`envFrom` in its order, then `env`) and what of it a plan may depend on: values and digests of
 * ConfigMaps, but of Secrets only names and keys. The same rules make the digest and the values, so that a change of
 * one is a change of the other.
 */
import { createHash } from 'node:crypto';
import type { ConfigMap, FunctionSpec } from './nouns.ts';

/** One source of variables, in the order in which later ones win. */
export type EnvironmentSource =
  | { readonly from: 'Value'; readonly name: string; readonly value: string }
  | {
      readonly from: 'ConfigMapKey';
      readonly name: string;
      readonly configMap: string;
      readonly key: string;
      /** Null: it is not there. */
      readonly sha256: string | null;
    }
  | {
      readonly from: 'ConfigMap';
      readonly prefix: string;
      readonly configMap: string;
      readonly sha256: string | null;
    }
  | { readonly from: 'SecretKey'; readonly name: string; readonly secret: string; readonly key: string }
  | { readonly from: 'Secret'; readonly prefix: string; readonly secret: string };

export type Lookup<T> = (name: string) => T | undefined;

/** A key of the map itself: `constructor` is no key of an empty one. */
export const own = <T>(map: Readonly<Record<string, T>> | undefined, key: string): T | undefined =>
  map && Object.hasOwn(map, key) ? map[key] : undefined;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The text data of a ConfigMap: binary keys are no variables, as in Kubernetes. */
export const dataOf = (map: ConfigMap | undefined): readonly (readonly [string, string])[] =>
  Object.entries(map?.data ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));

/** What a function's environment is made of. `env` is sorted by name: its order means nothing. */
export function environmentSources(
  spec: Pick<FunctionSpec, 'env' | 'envFrom'>,
  configMaps: Lookup<ConfigMap>,
): readonly EnvironmentSource[] {
  const bulk = spec.envFrom.flatMap(({ prefix, configMapRef, secretRef }): EnvironmentSource[] => {
    if (configMapRef) {
      const map = configMaps(configMapRef.name);
      const digest = map ? sha256(JSON.stringify(dataOf(map))) : null;
      return [{ from: 'ConfigMap', prefix, configMap: configMapRef.name, sha256: digest }];
    }
    return secretRef ? [{ from: 'Secret', prefix, secret: secretRef.name }] : [];
  });
  const single = spec.env.map(({ name, value, valueFrom }): EnvironmentSource => {
    const configMap = valueFrom?.configMapKeyRef;
    if (configMap) {
      const text = own(configMaps(configMap.name)?.data, configMap.key);
      const digest = text === undefined ? null : sha256(text);
      return { from: 'ConfigMapKey', name, configMap: configMap.name, key: configMap.key, sha256: digest };
    }
    const secret = valueFrom?.secretKeyRef;
    if (secret) return { from: 'SecretKey', name, secret: secret.name, key: secret.key };
    return { from: 'Value', name, value: value ?? '' };
  });
  return [...bulk, ...single.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))];
}

const nameOf = (source: EnvironmentSource): string => ('name' in source ? source.name : '');

/** The Secrets that an environment reads, sorted. */
export const secretsOf = (sources: readonly EnvironmentSource[]): readonly string[] =>
  [...new Set(sources.flatMap((s) => ('secret' in s ? [s.secret] : [])))].sort();

/**
 * The variables themselves, for whoever starts a unit. `secrets` gives a Secret's decoded values. A variable whose
 * source is not there is left out (`check` has said so where it was not optional).
 */
export function environmentValues(
  spec: Pick<FunctionSpec, 'env' | 'envFrom'>,
  configMaps: Lookup<ConfigMap>,
  secrets: Lookup<Readonly<Record<string, string>>>,
): Readonly<Record<string, string>> {
  const out = new Map<string, string>();
  for (const source of environmentSources(spec, configMaps)) {
    for (const [name, value] of valuesOf(source, configMaps, secrets)) out.set(name, value);
  }
  return Object.fromEntries(out);
}

function valuesOf(
  source: EnvironmentSource,
  configMaps: Lookup<ConfigMap>,
  secrets: Lookup<Readonly<Record<string, string>>>,
): readonly (readonly [string, string])[] {
  const one = (name: string, value: string | undefined): (readonly [string, string])[] =>
    value === undefined ? [] : [[name, value]];
  switch (source.from) {
    case 'Value':
      return [[source.name, source.value]];
    case 'ConfigMapKey':
      return one(source.name, own(configMaps(source.configMap)?.data, source.key));
    case 'SecretKey':
      return one(source.name, own(secrets(source.secret), source.key));
    case 'ConfigMap':
      return dataOf(configMaps(source.configMap)).map(([k, v]) => [source.prefix + k, v] as const);
    case 'Secret':
      return Object.entries(secrets(source.secret) ?? {}).map(([k, v]) => [source.prefix + k, v] as const);
  }
}
