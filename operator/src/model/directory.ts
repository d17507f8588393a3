/**
 * An application by name: the look-ups that every check makes.
 *
 * Owns: one index over the declared objects. Names are unique in a namespace (`application.ts` has seen to it); of two
 * objects of one name the first counts.
 */
import { namespaceOf } from './nouns.ts';
import type { Application, ConfigMap, FunctionObject, Secret, WorkflowObject } from './nouns.ts';
import type { ObjectName, Place } from './finding.ts';

export interface Directory {
  readonly application: Application;
  readonly functionNamed: (namespace: string, name: string) => FunctionObject | undefined;
  readonly configMapNamed: (namespace: string, name: string) => ConfigMap | undefined;
  readonly secretNamed: (namespace: string, name: string) => Secret | undefined;
  readonly workflows: readonly WorkflowObject[];
}

export function directoryOf(application: Application): Directory {
  return {
    application,
    functionNamed: indexed(application.functions.map((f) => f.object)),
    configMapNamed: indexed(application.configMaps),
    secretNamed: indexed(application.secrets),
    workflows: application.workflows.map((w) => w.object),
  };
}

interface Any {
  readonly metadata: { readonly name: string; readonly namespace?: string | undefined };
}

function indexed<T extends Any>(objects: readonly T[]): (namespace: string, name: string) => T | undefined {
  const index = new Map<string, T>();
  for (const object of objects) {
    const key = `${namespaceOf(object)}/${object.metadata.name}`;
    if (!index.has(key)) index.set(key, object);
  }
  return (namespace, name) => index.get(`${namespace}/${name}`);
}

export const nameOfObject = (object: Any & { readonly kind: string }): ObjectName => ({
  kind: object.kind,
  namespace: object.kind === 'ClusterOptimizationPolicy' ? '' : namespaceOf(object),
  name: object.metadata.name,
});

/** A place in an object; `given` is what the author wrote there. */
export const placeIn = (object: Any & { readonly kind: string }, field: string, given?: unknown): Place => ({
  object: nameOfObject(object),
  field,
  given,
});
