/**
 * Which fields a manager owns, compared with those that it wants to own.
 *
 * Owns: reading `managedFields` (structured-merge-diff's FieldsV1). Neighbour: `apply.ts` decides with it whether to write.
 * Pure. The server computed the set under the kind's own schema, so it says by itself which lists are associative and by
 * which keys: no table of Kubernetes' types is needed, and custom resources work like built-in ones.
 *
 * FieldsV1 is a tree: `f:name` a field, `k:{"name":"a"}` the item of an associative list, `v:"x"` a member of a set, `.` the
 * thing itself. A node without children is owned whole: a scalar, an atomic list or map, or something empty.
 */
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from './objects.ts';

export type FieldTree = { readonly [step: string]: FieldTree };

/** One entry of `managedFields`. Stores keep the tree as text, which takes a tenth of the room. */
export interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly apiVersion?: string;
  readonly fieldsV1?: FieldTree | string;
}

/** What the manager owns by apply, as text; undefined when nothing, or under another version of the API. */
export function appliedFields(object: KubeObject, manager: string, subresource = ''): string | undefined {
  const entries = (object.metadata.managedFields ?? []) as readonly ManagedFields[];
  const fields = entries.find(
    (entry) =>
      entry.manager === manager &&
      entry.operation === 'Apply' &&
      (entry.subresource ?? '') === subresource &&
      entry.apiVersion === object.apiVersion,
  )?.fieldsV1;
  return typeof fields === 'object' ? JSON.stringify(fields) : fields;
}

/** The entries of these managers, with their trees as text. */
export function keptFields(
  entries: readonly object[],
  managers: readonly string[],
): readonly ManagedFields[] {
  const ours = (entries as readonly ManagedFields[]).filter((entry) =>
    managers.includes(entry.manager ?? ''),
  );
  return ours.map(({ fieldsV1, ...entry }) => ({ ...entry, fieldsV1: JSON.stringify(fieldsV1 ?? {}) }));
}

/** Fields that the server never notes: they say which object it is. */
const IDENTITY: Readonly<Record<string, readonly string[]>> = {
  '': ['apiVersion', 'kind'],
  metadata: ['name', 'namespace'],
};

/** True when the manager owns exactly the fields of `desired`: nobody took one, and none is left from an earlier apply. */
export function ownsExactly(fields: string, desired: KubeObject): boolean {
  const tree = JSON.parse(fields) as FieldTree;
  const { metadata, ...rest } = without(desired, '');
  const known = without(metadata as object, 'metadata');
  const wanted = Object.keys(known).length === 0 ? rest : { ...rest, metadata: known };
  // An object as a whole is never owned: no step means that nothing is.
  return Object.keys(wanted).length === childrenOf(tree).length && covers(tree, wanted);
}

function without(object: object, at: string): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !(IDENTITY[at] ?? []).includes(name)));
}

const childrenOf = (tree: FieldTree): readonly string[] => Object.keys(tree).filter((step) => step !== '.');

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The tree has a step for each part of the value, and no other. */
function covers(tree: FieldTree, value: unknown): boolean {
  const steps = childrenOf(tree);
  if (steps.length === 0) return true;
  if (Array.isArray(value)) return coversList(tree, steps, value);
  if (!isMap(value)) return false;
  const names = Object.keys(value);
  if (names.length !== steps.length) return false;
  return names.every((name) => {
    const below = tree[`f:${name}`];
    return below !== undefined && covers(below, value[name]);
  });
}

function coversList(tree: FieldTree, steps: readonly string[], items: readonly unknown[]): boolean {
  if (steps.length !== items.length) return false;
  const left = new Set(items);
  return steps.every((step) => {
    const item = itemAt(step, [...left]);
    left.delete(item);
    return item !== undefined && covers(tree[step] ?? {}, item);
  });
}

/** The item that the step names. A key that the item leaves out has its default there, e.g. protocol TCP. */
function itemAt(step: string, items: readonly unknown[]): unknown {
  const named: unknown =
    step.startsWith('k:') || step.startsWith('v:') ? JSON.parse(step.slice(2)) : undefined;
  if (step.startsWith('v:')) return items.find((item) => isDeepStrictEqual(item, named));
  if (!isMap(named)) return undefined;
  const fits = (item: unknown, given: (value: unknown) => boolean): boolean =>
    isMap(item) && Object.entries(named).every(([name, key]) => item[name] === key || given(item[name]));
  return (
    items.find((item) => fits(item, () => false)) ??
    items.find((item) => fits(item, (key) => key === undefined))
  );
}

/**
 * Every part of `desired` stands in `actual` as it is; what `actual` has besides is not asked. Lists are compared item by
 * item where the tree knows their keys, else whole.
 */
export function shows(fields: string, desired: unknown, actual: unknown): boolean {
  return showsUnder(JSON.parse(fields) as FieldTree, desired, actual);
}

function showsUnder(tree: FieldTree, desired: unknown, actual: unknown): boolean {
  const steps = childrenOf(tree);
  if (steps.length === 0) return isDeepStrictEqual(desired, actual);
  if (Array.isArray(desired))
    return Array.isArray(actual) && steps.every((step) => itemShows(step, tree[step] ?? {}, desired, actual));
  if (!isMap(desired) || !isMap(actual)) return false;
  return Object.keys(desired).every((name) =>
    showsUnder(tree[`f:${name}`] ?? {}, desired[name], actual[name]),
  );
}

function itemShows(
  step: string,
  tree: FieldTree,
  desired: readonly unknown[],
  actual: readonly unknown[],
): boolean {
  return showsUnder(tree, itemAt(step, desired), itemAt(step, actual));
}
