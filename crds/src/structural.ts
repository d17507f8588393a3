/**
 * Turns a zod schema into a Kubernetes structural schema (OpenAPI v3 as `apiextensions.k8s.io/v1` takes it).
 *
 * Owns: the rewriting of what zod emits. Neighbours: `schema/` says what may be written so that this works;
 * `lint.ts` checks the result; `crd.ts` puts rules into it and wraps it.
 *
 * Not here: CEL rules. They are no part of a zod schema; `crd.ts` attaches them by path.
 */
import { z } from 'zod';

/** A node of a structural schema: the keywords that we emit, and no others. */
export interface Structural {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Structural>>;
  readonly items?: Structural;
  readonly additionalProperties?: Structural | false;
  readonly anyOf?: readonly { readonly type: string }[];
  readonly 'x-kubernetes-int-or-string'?: true;
  readonly 'x-kubernetes-preserve-unknown-fields'?: true;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'map' | 'set';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: 'atomic' | 'granular';
  readonly 'x-kubernetes-validations'?: readonly Validation[];
}

/** One entry of `x-kubernetes-validations`. */
export interface Validation {
  readonly rule: string;
  readonly message: string;
  readonly messageExpression?: string;
  readonly fieldPath?: string;
}

type Json = Readonly<Record<string, unknown>>;

/** Keywords taken over as they are. */
const KEPT = [
  'type',
  'description',
  'default',
  'format',
  'enum',
  'pattern',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'maxProperties',
  'required',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
] as const;

const INT32_MAX = 2_147_483_647;

const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null;

/** The structural schema of a zod schema; `metadata` at the root becomes a bare object, as the server demands. */
export function toStructural(schema: z.ZodType): Structural {
  const json = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    reused: 'inline',
    cycles: 'throw',
    unrepresentable: 'throw',
  });
  const root = rewrite(json);
  return { ...root, properties: { ...root.properties, ...rootTexts(root) } };
}

/** The three fields that every kind has, in the words that kubectl explain shows for built-in kinds. */
function rootTexts(root: Structural): Record<string, Structural> {
  if (root.properties?.['metadata'] === undefined) return {};
  return {
    apiVersion: { type: 'string', description: 'The version of the API that this object is written in.' },
    kind: { type: 'string', description: 'The kind of this object.' },
    metadata: { type: 'object' },
  };
}

function rewrite(json: Json): Structural {
  const out: Record<string, unknown> = {};
  for (const key of KEPT) if (json[key] !== undefined) out[key] = json[key];
  if (typeof json['pattern'] === 'string') out['pattern'] = unslashed(json['pattern']);
  if (json['x-kubernetes-int-or-string'] === true) return { ...out, ...intOrString(json) };
  if (json['type'] === 'integer') Object.assign(out, integerBounds(json));
  if (isJson(json['properties'])) out['properties'] = mapValues(json['properties'], rewrite);
  if (isJson(json['items'])) out['items'] = rewrite(json['items']);
  if (isJson(json['additionalProperties']))
    Object.assign(out, openObject(json, json['additionalProperties']));
  return out;
}

/**
 * Only this exact pair of types may stand inside `anyOf`. Pattern and bounds of the cases move outside, where
 * each speaks only of the type that it can speak of.
 */
function intOrString(json: Json): Structural {
  const cases = (Array.isArray(json['anyOf']) ? json['anyOf'] : []).filter(isJson);
  const text = cases.find((one) => one['type'] === 'string') ?? {};
  const whole = cases.find((one) => one['type'] === 'integer') ?? {};
  const out: Record<string, unknown> = {
    'x-kubernetes-int-or-string': true,
    anyOf: [{ type: 'integer' }, { type: 'string' }],
  };
  if (typeof text['pattern'] === 'string') out['pattern'] = unslashed(text['pattern']);
  if (text['maxLength'] !== undefined) out['maxLength'] = text['maxLength'];
  if (whole['minimum'] !== undefined) out['minimum'] = whole['minimum'];
  return out;
}

/** The pattern as it was written: JavaScript shows the source of an expression with its slashes escaped. */
export const unslashed = (source: string): string => source.replaceAll('\\/', '/');

function integerBounds(json: Json): Structural {
  const { minimum, maximum } = json;
  const wide = typeof maximum !== 'number' || maximum > INT32_MAX;
  return {
    format: wide ? 'int64' : 'int32',
    ...(typeof minimum === 'number' && minimum > Number.MIN_SAFE_INTEGER ? { minimum } : {}),
    ...(typeof maximum === 'number' && maximum < Number.MAX_SAFE_INTEGER ? { maximum } : {}),
  };
}

/** A record keeps the schema of its values; a loose object keeps what it is given. */
function openObject(json: Json, values: Json): Structural {
  if (json['properties'] !== undefined || Object.keys(values).length === 0) {
    return { 'x-kubernetes-preserve-unknown-fields': true };
  }
  return { additionalProperties: rewrite(values) };
}

function mapValues(record: Json, change: (value: Json) => Structural): Record<string, Structural> {
  const out: Record<string, Structural> = {};
  for (const [key, value] of Object.entries(record)) if (isJson(value)) out[key] = change(value);
  return out;
}
