/**
 * Which ConfigMaps a Function depends on: its code, its variables, its volumes.
 *
 * Owns: the list of places where a Function names one. Neighbours: `references.ts` says what is missing of them.
 */
import type { FunctionObject } from './nouns.ts';

/** Names, in the namespace of the Function, sorted. */
export function configMapsOf({ spec }: Pick<FunctionObject, 'spec'>): readonly string[] {
  const names = [
    ...spec.artifacts.map((a) => a.module?.configMap?.name),
    ...spec.env.map((e) => e.valueFrom?.configMapKeyRef?.name),
    ...spec.envFrom.map((e) => e.configMapRef?.name),
    ...spec.template.spec.volumes.map(mountedMap),
  ];
  return [...new Set(names.filter((name) => name !== undefined))].sort();
}

function mountedMap(volume: Readonly<Record<string, unknown>>): string | undefined {
  const { configMap } = volume;
  if (typeof configMap !== 'object' || configMap === null || !('name' in configMap)) return undefined;
  return typeof configMap.name === 'string' ? configMap.name : undefined;
}
