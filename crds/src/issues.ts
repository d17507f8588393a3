/**
 * Says in Kubernetes' words what zod found. Owns the wording of every kind of zod issue that our schemas can
 * raise. Neighbour: `schema/parts.ts` has the sentence for each pattern.
 */
import type { z } from 'zod';
import { didYouMean, fieldPath, shown, valueAt, type Path, type Problem } from './problem.ts';
import { PATTERNS } from './schema/parts.ts';
import { unslashed, type Structural } from './structural.ts';

type Issue = z.core.$ZodIssue;

const QUANTITY_MESSAGE =
  "must be a quantity that is not negative, like '500m', '1' or '256Mi'; a fraction as a string";

/** The problems behind zod's issues with `raw`; `schema` gives the descriptions. */
export function problemsOf(issues: readonly Issue[], raw: unknown, schema: Structural): Problem[] {
  return issues.map((issue) => {
    const path = issue.path.filter((part): part is string | number => typeof part !== 'symbol');
    const value = valueAt(raw, path);
    return { field: fieldPath(path), given: shown(value), message: messageOf(issue, value, path, schema) };
  });
}

function messageOf(issue: Issue, value: unknown, path: Path, schema: Structural): string {
  if (value === undefined) return mustBeSet(path, schema);
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${article(schemaAt(schema, path)?.type ?? issue.expected)}, not ${kindOf(value)}`;
    case 'invalid_value':
      return oneOf(issue.values.map(String), value);
    case 'invalid_format':
      return `must ${PATTERNS[trimmed(issue.pattern)] ?? `match ${issue.pattern ?? issue.format}`}`;
    case 'too_small':
      return atLeast(issue.origin, Number(issue.minimum));
    case 'too_big':
      return atMost(issue.origin, Number(issue.maximum));
    case 'invalid_union':
      return QUANTITY_MESSAGE;
    case 'custom':
      return custom(issue.params ?? {});
    default:
      return `must be valid: ${issue.message}`;
  }
}

function mustBeSet(path: Path, schema: Structural): string {
  const missing = schemaAt(schema, path);
  const types = missing?.properties?.['type']?.enum;
  const choice =
    types === undefined ? '' : ` Its \`type\` is one of ${types.map((t) => `'${String(t)}'`).join(', ')}`;
  const text = missing?.description;
  return text === undefined && choice === '' ? 'must be set' : `must be set: ${text ?? ''}${choice}`;
}

/** The schema at a path of a value. */
export function schemaAt(schema: Structural, path: Path): Structural | undefined {
  let here: Structural | undefined = schema;
  for (const part of path) {
    if (here === undefined) return undefined;
    if (typeof part === 'number') here = here.items;
    else here = here.properties?.[part] ?? (here.additionalProperties || undefined);
  }
  return here;
}

function oneOf(allowed: readonly string[], value: unknown): string {
  const near = typeof value === 'string' ? didYouMean(value, allowed) : undefined;
  const list = allowed.map((one) => `'${one}'`).join(', ');
  const must = allowed.length === 1 ? `must be ${list}` : `must be one of ${list}`;
  return near === undefined ? must : `${must}: did you mean '${near}'?`;
}

const UNIT: Readonly<Record<string, string>> = { string: ' characters', array: ' items', set: ' items' };

function atLeast(origin: string, minimum: number): string {
  const unit = UNIT[origin];
  return unit === undefined ? `must be at least ${minimum}` : `must have at least ${count(minimum, unit)}`;
}

function atMost(origin: string, maximum: number): string {
  const unit = UNIT[origin];
  return unit === undefined ? `must be at most ${maximum}` : `must have at most ${count(maximum, unit)}`;
}

const count = (n: number, unit: string): string => `${n}${n === 1 ? unit.slice(0, -1) : unit}`;

function custom({ maxLength, maxProperties }: Readonly<Record<string, unknown>>): string {
  if (typeof maxLength === 'number') return `must have at most ${maxLength} characters`;
  if (typeof maxProperties === 'number') return `must have at most ${maxProperties} entries`;
  return 'must be valid';
}

/** zod shows a pattern as `/…/`. */
const trimmed = (pattern: string | undefined): string => unslashed((pattern ?? '').slice(1, -1));

/** What zod or a schema calls a type → what a person does. */
const WORD: Readonly<Record<string, string>> = { int: 'integer', record: 'object', array: 'list' };

const article = (expected: string): string => {
  const word = WORD[expected] ?? expected;
  return `${/^[aeiou]/.test(word) ? 'an' : 'a'} ${word}`;
};

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value === 'number') return Number.isInteger(value) ? 'a number' : 'a number with a fraction';
  return article(typeof value);
}
