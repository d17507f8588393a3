/**
 * Judges one object as an API server with our CRDs would, without one.
 *
 * Owns: the order of judgement, which is the server's: kind, unknown fields, shape, then (only when the shape is
 * right) duplicates and rules. Neighbours: `walk.ts`, `issues.ts`, `rules/`. What needs other objects or the
 * cluster (a missing Function, a sync cycle, a path taken by another workflow) is not judged here: the operator
 * does that and reports a condition.
 */
import { DEPTH_MAX, duplicates, nestsTooDeep, unknownFields, withoutNulls } from './walk.ts';
import { problemsOf } from './issues.ts';
import { API_VERSION, KINDS, kindNamed, structuralOf, type Kind } from './kinds.ts';
import { didYouMean, fieldPath, shown, valueAt, type Path, type Problem } from './problem.ts';
import { rulesOf } from './rules/index.ts';
import type { Rule } from './rules/rule.ts';
import { DNS_LABEL, DNS_SUBDOMAIN, metadata, PATTERNS } from './schema/parts.ts';
import type { Structural } from './structural.ts';
import type { SinterObject } from './types.ts';

export interface ValidateOptions {
  /** The stored object, for rules that compare with it; absent: the object is new. */
  readonly old?: unknown;
  /**
   * Reject (default): a field that the API does not have is a problem, as kubectl has it. Drop: it is left out,
   * for objects read from an API server whose CRDs may be newer than this program.
   */
  readonly unknownFields?: 'Reject' | 'Drop';
}

export interface Valid {
  readonly ok: true;
  /** The object with every default filled in; its `kind` tells which type it is. */
  readonly object: SinterObject;
  /** What the user wrote, without nulls and without defaults; ask it with `userWrote`. */
  readonly written: unknown;
}

export interface Invalid {
  readonly ok: false;
  readonly problems: readonly Problem[];
}

export type Verdict = Valid | Invalid;

const TOO_DEEP: Problem = {
  field: '',
  given: 'an object within itself',
  message: `must not be nested deeper than ${DEPTH_MAX} levels: check the anchors and aliases of the file`,
};

/** Parses with defaults and applies every rule that an API server would. Never throws, changes nothing. */
export function validate(raw: unknown, options: ValidateOptions = {}): Verdict {
  if (nestsTooDeep(raw)) return { ok: false, problems: [TOO_DEEP] };
  const written = withoutNulls(raw);
  const found = kindOf(written);
  if ('problems' in found) return { ok: false, ...found };
  const { kind } = found;
  const schema = structuralOf(kind);
  const unknown = options.unknownFields === 'Drop' ? [] : strangers(written, schema);
  const parsed = kind.schema.safeParse(written);
  if (!parsed.success) {
    return { ok: false, problems: [...unknown, ...problemsOf(parsed.error.issues, written, schema)] };
  }
  const object = parsed.data as SinterObject;
  const problems = [
    ...unknown,
    ...metadataProblems(object, kind),
    ...meaning(object, kind, schema, options.old),
  ];
  return problems.length === 0 ? { ok: true, object, written } : { ok: false, problems };
}

/**
 * Whether the user wrote the field, as opposed to a default. `path` is in the style of `Problem.field`, like
 * `spec.edges[0].deferral`; `written` is that of a verdict.
 */
export function userWrote(written: unknown, path: string): boolean {
  return valueAt(written, parsePath(path)) !== undefined;
}

/** `spec.edges[0].to` → `['spec', 'edges', 0, 'to']`. */
function parsePath(path: string): Path {
  return [...path.matchAll(/\[(\d+)\]|\[([^\]]+)\]|([^.[\]]+)/g)].map(([, index, key, plain]) =>
    index === undefined ? (key ?? plain ?? '') : Number(index),
  );
}

function kindOf(value: unknown): { readonly kind: Kind } | { readonly problems: readonly Problem[] } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return {
      problems: [{ field: '', given: shown(value), message: 'must be an object with `kind` and `spec`' }],
    };
  }
  const given = valueAt(value, ['kind']);
  const kind = typeof given === 'string' ? kindNamed(given) : undefined;
  if (kind === undefined) return { problems: [unknownKind(given)] };
  const version = valueAt(value, ['apiVersion']);
  if (version === API_VERSION) return { kind };
  return { problems: [{ field: 'apiVersion', given: shown(version), message: `must be '${API_VERSION}'` }] };
}

function unknownKind(given: unknown): Problem {
  const names = KINDS.map((one) => one.kind);
  const near = typeof given === 'string' ? didYouMean(given, names) : undefined;
  const must = `must be one of ${names.map((name) => `'${name}'`).join(', ')}`;
  return {
    field: 'kind',
    given: shown(given),
    message: near === undefined ? must : `${must}: did you mean '${near}'?`,
  };
}

/** Unknown fields, those of metadata by what Kubernetes knows: our schema says nothing about them. */
function strangers(written: unknown, schema: Structural): Problem[] {
  const meta: Structural = {
    type: 'object',
    properties: Object.fromEntries(Object.keys(metadata.shape).map((key) => [key, {}])),
  };
  return unknownFields(written, { ...schema, properties: { ...schema.properties, metadata: meta } });
}

/** What the API server holds against every object's metadata, whatever its CRD says. */
function metadataProblems(object: SinterObject, kind: Kind): Problem[] {
  const { name, namespace } = object.metadata;
  const problems: Problem[] = [];
  if (name.length > 253 || !new RegExp(DNS_SUBDOMAIN).test(name)) {
    problems.push({ field: 'metadata.name', given: name, message: `must ${PATTERNS[DNS_SUBDOMAIN] ?? ''}` });
  }
  if (namespace === undefined || namespace === '') return problems;
  if (kind.scope === 'Cluster') {
    const message = `may not be specified: a ${kind.kind} belongs to no namespace`;
    problems.push({ field: 'metadata.namespace', given: namespace, message });
  } else if (namespace.length > 63 || !new RegExp(DNS_LABEL).test(namespace)) {
    problems.push({
      field: 'metadata.namespace',
      given: namespace,
      message: `must ${PATTERNS[DNS_LABEL] ?? ''}`,
    });
  }
  return problems;
}

function meaning(object: SinterObject, kind: Kind, schema: Structural, old: unknown): Problem[] {
  const before = old === undefined ? undefined : defaulted(old, kind);
  const broken = rulesOf(kind.kind).flatMap((rule) => findings(rule, object, before));
  return [...duplicates(object, schema), ...broken];
}

/** The stored object as rules see it; an object that is no longer valid is compared as it is. */
function defaulted(old: unknown, kind: Kind): unknown {
  const parsed = kind.schema.safeParse(withoutNulls(old));
  return parsed.success ? parsed.data : old;
}

function findings(rule: Rule, object: unknown, old: unknown): Problem[] {
  if (rule.transition && old === undefined) return [];
  return placesOf(object, rule.path).flatMap(({ path, value }) =>
    rule.find(value, rule.transition ? valueAt(old, path) : undefined).map(({ at, given }) => ({
      field: fieldPath([...path, ...at]),
      given: shown(given),
      message: rule.message,
    })),
  );
}

interface Place {
  readonly path: Path;
  readonly value: unknown;
}

/** Every value of `object` that a rule's path names; a field that is not there is no place. */
export function placesOf(object: unknown, rulePath: string): readonly Place[] {
  let places: readonly Place[] = [{ path: [], value: object }];
  for (const part of rulePath.split('.').filter((one) => one !== '')) {
    const list = part.endsWith('[]');
    const key = list ? part.slice(0, -2) : part;
    places = places.flatMap(({ path, value }) => {
      const inner = valueAt(value, [key]);
      if (inner === undefined) return [];
      if (!list) return [{ path: [...path, key], value: inner }];
      return Array.isArray(inner)
        ? inner.map((item, i) => ({ path: [...path, key, i], value: item as unknown }))
        : [];
    });
  }
  return places;
}
