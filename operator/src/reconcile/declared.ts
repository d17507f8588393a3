/**
 * Stored objects as what they declare.
 *
 * Owns: judging each stored object once. An object may be stored and still be refused here: it may be older than a rule, or
 * written where no rule was yet.
 */
import { problemLine, validate, withoutDefaults } from '@sinter/crds';
import type { ObjectOf, SinterObject } from '@sinter/crds';
import type { Declared } from '../model/nouns.ts';
import type { Finding } from '../model/finding.ts';
import type { StoredObject } from './kinds.ts';

export type Reading<T extends SinterObject = SinterObject> =
  | { readonly ok: true; readonly declared: Declared<T> }
  /** Each an Error on the object itself. */
  | { readonly ok: false; readonly findings: readonly Finding[] };

const readings = new WeakMap<StoredObject, Reading>();

/** What an object of this kind declares. Stores never change an object, so one reading is enough. */
export function reading<K extends SinterObject['kind']>(kind: K, stored: StoredObject): Reading<ObjectOf<K>> {
  let known = readings.get(stored);
  if (!known) readings.set(stored, (known = read(kind, stored)));
  return known as Reading<ObjectOf<K>>;
}

function read(kind: string, stored: StoredObject): Reading {
  // Fields that are newer than this program are left out: the server's CRDs may be ahead.
  const verdict = validate(stored, { unknownFields: 'Drop' });
  if (verdict.ok) return { ok: true, declared: { object: verdict.object, written: withoutDefaults(stored) } };
  const { name, namespace = '' } = stored.metadata;
  return {
    ok: false,
    findings: verdict.problems.map((problem) => ({
      severity: 'Error',
      reason: 'Invalid',
      object: { kind, namespace, name },
      field: problem.field,
      given: problem.given,
      message: problemLine(problem),
    })),
  };
}

/** Those of a list that can be followed. */
export const declaredOf = <K extends SinterObject['kind']>(
  kind: K,
  stored: readonly StoredObject[],
): readonly Declared<ObjectOf<K>>[] =>
  stored.flatMap((one) => {
    const read = reading(kind, one);
    return read.ok ? [read.declared] : [];
  });
