/**
 * Judges plain data by a schema made of the API's parts, in the words in which `validate` judges objects.
 *
 * Owns: the order (unknown fields, shape, duplicates). Neighbour: `validate.ts` judges objects of the API, with their
 * rules. Here null is a value, because no API server drops it.
 */
import type { z } from 'zod';
import { problemsOf } from './issues.ts';
import { shown, type Problem } from './problem.ts';
import { toStructural } from './structural.ts';
import { DEPTH_MAX, duplicates, nestsTooDeep, unknownFields } from './walk.ts';

export type Judged<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly Problem[] };

/** The value with every default filled in, or everything that is wrong with it. Never throws. */
export function judge<T extends z.ZodType>(raw: unknown, schema: T): Judged<z.output<T>> {
  if (nestsTooDeep(raw)) {
    const message = `must not be nested deeper than ${DEPTH_MAX} levels`;
    return { ok: false, problems: [{ field: '', given: 'an object within itself', message }] };
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    return { ok: false, problems: [{ field: '', given: shown(raw), message: 'must be an object' }] };
  }
  const structural = toStructural(schema);
  const unknown = unknownFields(raw, structural);
  const parsed = schema.safeParse(raw);
  if (!parsed.success) {
    return { ok: false, problems: [...unknown, ...problemsOf(parsed.error.issues, raw, structural)] };
  }
  const problems = [...unknown, ...duplicates(raw, structural)];
  return problems.length === 0 ? { ok: true, value: parsed.data } : { ok: false, problems };
}
