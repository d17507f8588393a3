/**
 * What an author wrote, out of an object that an API server has filled with defaults.
 *
 * Owns: taking defaults out again, for `userWrote`: who wrote what the default says anyway is told nothing about it. Lists
 * keep their length and order, so that paths stay as they are. Neighbour: `validate.ts` puts defaults in.
 */
import { kindNamed, structuralOf } from './kinds.ts';
import type { Structural } from './structural.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The object without what is as the schema's defaults have it; an object of no kind of ours as it is. */
export function withoutDefaults(stored: unknown): unknown {
  if (!isFields(stored)) return stored;
  const { kind } = stored;
  const known = typeof kind === 'string' ? kindNamed(kind) : undefined;
  return known ? (strip(stored, structuralOf(known)) ?? {}) : stored;
}

/** Undefined: nothing is left of it but defaults. */
function strip(value: unknown, schema: Structural): unknown {
  if (schema.default !== undefined && same(value, schema.default)) return undefined;
  if (Array.isArray(value)) {
    const { items } = schema;
    return items ? value.map((item: unknown) => strip(item, items) ?? item) : value;
  }
  const { properties } = schema;
  if (!isFields(value) || !properties) return value;
  const left = Object.entries(value).flatMap(([key, inner]) => {
    const of = properties[key];
    const kept = of ? strip(inner, of) : inner;
    return kept === undefined ? [] : [[key, kept] as const];
  });
  return left.length === 0 && schema.default !== undefined ? undefined : Object.fromEntries(left);
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Equal as JSON, whatever the order of keys. */
function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, i) => same(item, b[i]));
  if (!isFields(a) || !isFields(b)) return a === b;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => same(a[key], b[key]));
}
