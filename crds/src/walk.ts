/**
 * What the API server does with an object's shape besides typing it: drops nulls, refuses unknown fields
 * (`fieldValidation=Strict`, which kubectl asks for) and refuses duplicates in lists with keys.
 *
 * Owns: walks over a structural schema beside a value. Neighbours: `issues.ts` reports what zod refuses,
 * `rules/` what CEL refuses. Nothing here changes what it is given.
 */
import { didYouMean, fieldPath, shown, type Path, type Problem } from './problem.ts';
import type { Structural } from './structural.ts';

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Deeper than any object of the API, the sources of volumes included. */
export const DEPTH_MAX = 64;

/** Whether a value has more than `DEPTH_MAX` levels, as one that contains itself has (YAML aliases can do it). */
export function nestsTooDeep(value: unknown, above: readonly unknown[] = []): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (above.length >= DEPTH_MAX || above.includes(value)) return true;
  const inside = [...above, value];
  return Object.values(value).some((item) => nestsTooDeep(item, inside));
}

/** The schema of a field of an object, or undefined when the object has no such field. */
function fieldSchema(schema: Structural, key: string): Structural | undefined {
  const named = schema.properties;
  if (named !== undefined && Object.hasOwn(named, key)) return named[key];
  return schema.additionalProperties === false ? undefined : schema.additionalProperties;
}

/** A copy without the null fields: no field of ours may be null, and the server drops such before it looks. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([, item]) => item !== null && item !== undefined);
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutNulls(item)]));
}

/** One problem for each field that the schema does not know, with the name that was probably meant. */
export function unknownFields(value: unknown, schema: Structural, path: Path = []): Problem[] {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return [];
    return value.flatMap((item, i) => unknownFields(item, items, [...path, i]));
  }
  if (!isObject(value) || isOpen(schema)) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const inner = fieldSchema(schema, key);
    return inner === undefined
      ? [unknownField(schema, [...path, key], key, item)]
      : unknownFields(item, inner, [...path, key]);
  });
}

/** Whether the schema takes any field: it says so, or it describes no fields at all. */
function isOpen(schema: Structural): boolean {
  if (schema['x-kubernetes-preserve-unknown-fields'] === true) return true;
  return schema.type !== 'object' && schema.properties === undefined;
}

function unknownField(schema: Structural, path: Path, key: string, item: unknown): Problem {
  const known = Object.keys(schema.properties ?? {});
  if (key === 'true' && known.includes('on')) {
    const message = 'is in an unknown field `true`: YAML 1.1 reads a bare `on` as true; write "on" in quotes';
    return { field: fieldPath(path), given: shown(item), message };
  }
  const near = didYouMean(key, known);
  const advice =
    near !== undefined
      ? `did you mean \`${near}\`?`
      : known.length === 0
        ? 'no field is allowed here'
        : `the fields here are ${known.map((name) => `\`${name}\``).join(', ')}`;
  return {
    field: fieldPath(path),
    given: shown(item),
    message: `is in an unknown field \`${key}\`: ${advice}`,
  };
}

/** One problem for each item of a set or keyed list that stands there twice. */
export function duplicates(value: unknown, schema: Structural, path: Path = []): Problem[] {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return [];
    const inner = value.flatMap((item, i) => duplicates(item, items, [...path, i]));
    return [...duplicateItems(value, schema, path), ...inner];
  }
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const inner = fieldSchema(schema, key);
    return inner === undefined ? [] : duplicates(item, inner, [...path, key]);
  });
}

function duplicateItems(list: readonly unknown[], schema: Structural, path: Path): Problem[] {
  const keys = listKeys(schema);
  if (keys === undefined) return [];
  const firstAt = new Map<string, number>();
  return list.flatMap((item, i) => {
    const given = keyOf(item, keys);
    const first = firstAt.get(given);
    if (first === undefined) {
      firstAt.set(given, i);
      return [];
    }
    const by = keys.length === 0 ? '' : ` by ${keys.map((key) => `\`${key}\``).join(' and ')}`;
    const message = `must be unique in the list${by}: it is already at ${fieldPath([...path, first])}, remove one`;
    return [{ field: fieldPath([...path, i]), given, message }];
  });
}

/** The fields that tell items apart; none means the whole item; undefined means that items may repeat. */
function listKeys(schema: Structural): readonly string[] | undefined {
  if (schema['x-kubernetes-list-type'] === 'set') return [];
  return schema['x-kubernetes-list-map-keys'];
}

function keyOf(item: unknown, keys: readonly string[]): string {
  if (keys.length === 0 || !isObject(item)) return shown(item);
  return keys.map((key) => shown(item[key])).join(' → ');
}
