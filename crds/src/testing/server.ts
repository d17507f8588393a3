/**
 * What an API server does with an object under one of our CRDs, from the CRD's text alone: prune nulls, refuse
 * unknown fields, default, validate the schema, check list types, evaluate CEL.
 *
 * Owns: a second opinion that shares no code with `validate`: ajv for the schema, a CEL evaluator for the rules,
 * RE2 for the patterns, defaulting as `apiextensions-apiserver` does it. It exists for the parity test; the real
 * server has the last word.
 *
 * Left out: ratcheting, rule costs, and what the server checks of metadata.
 */
import { Ajv, type ValidateFunction } from 'ajv';
import { celFunc, celMethod, CelScalar, isCelError, listType, run, type CelInput } from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import { RE2JS } from '@bufbuild/re2';
import { isDeepStrictEqual } from 'node:util';
import { quantityValue } from '../quantity.ts';
import type { Structural } from '../structural.ts';

type Json = Record<string, unknown>;

/** An error as the server reports it; `expression` tells which rule it comes from. */
export interface ServerError {
  readonly path: string;
  readonly message: string;
  readonly rule?: string;
}

export interface ServerVerdict {
  readonly errors: readonly ServerError[];
  /** The object with defaults, as it would be stored. */
  readonly object: unknown;
}

export type Server = (object: unknown, old?: unknown) => ServerVerdict;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A server for one CRD, given as parsed YAML. */
export function serverOf(crd: unknown): Server {
  const schema = schemaOf(crd);
  const check = ajvFor(schema);
  return (raw, old) => {
    const object = prepared(raw, schema);
    const shape = [...shapeErrors(check, object), ...listErrors(object, schema, '')];
    if (shape.length > 0) return { errors: shape, object };
    const before = old === undefined ? undefined : prepared(old, schema);
    return { errors: celErrors(object, before, schema, ''), object };
  };
}

function schemaOf(crd: unknown): Structural {
  const spec = (crd as { spec: { versions: { schema: { openAPIV3Schema: Structural } }[] } }).spec;
  const version = spec.versions[0];
  if (version === undefined) throw new Error('the CRD has no version');
  return version.schema.openAPIV3Schema;
}

function prepared(raw: unknown, schema: Structural): unknown {
  const object: unknown = structuredClone(raw);
  pruneNulls(object, schema);
  applyDefaults(object, schema);
  return object;
}

/** The schema of a field, when the object's schema has one. */
function inner(schema: Structural, key: string): Structural | undefined {
  return schema.properties?.[key] ?? (schema.additionalProperties || undefined);
}

/** Drops null fields that the schema knows and does not call nullable. */
function pruneNulls(value: unknown, schema: Structural): void {
  if (Array.isArray(value)) for (const item of value) if (schema.items) pruneNulls(item, schema.items);
  if (!isObject(value)) return;
  for (const [key, item] of Object.entries(value)) {
    const field = inner(schema, key);
    if (field === undefined) continue;
    if (item === null) Reflect.deleteProperty(value, key);
    else pruneNulls(item, field);
  }
}

function applyDefaults(value: unknown, schema: Structural): void {
  if (Array.isArray(value)) for (const item of value) if (schema.items) applyDefaults(item, schema.items);
  if (!isObject(value)) return;
  for (const [key, field] of Object.entries(schema.properties ?? {})) {
    if (value[key] === undefined && field.default !== undefined) value[key] = structuredClone(field.default);
    applyDefaults(value[key], field);
  }
}

function ajvFor(schema: Structural): ValidateFunction {
  const regExp = Object.assign((pattern: string) => new RE2JS(pattern), { code: '' });
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, code: { regExp } });
  return ajv.compile(closed(schema));
}

/** Unknown fields are refused (`fieldValidation=Strict`), but not in metadata nor where the schema is open. */
function closed(schema: Structural): Json {
  const out: Json = { ...schema };
  if (schema.items !== undefined) out['items'] = closed(schema.items);
  if (schema.additionalProperties) out['additionalProperties'] = closed(schema.additionalProperties);
  if (schema.properties !== undefined) {
    out['properties'] = Object.fromEntries(Object.entries(schema.properties).map(([k, v]) => [k, closed(v)]));
  }
  const describes = schema.properties !== undefined || schema.description !== undefined;
  const open =
    schema['x-kubernetes-preserve-unknown-fields'] === true || schema.additionalProperties !== undefined;
  if (schema.type === 'object' && describes && !open) out['additionalProperties'] = false;
  return out;
}

function shapeErrors(check: ValidateFunction, object: unknown): ServerError[] {
  if (check(object)) return [];
  return (check.errors ?? []).map((one) => ({ path: one.instancePath, message: one.message ?? one.keyword }));
}

function listErrors(value: unknown, schema: Structural, path: string): ServerError[] {
  if (Array.isArray(value)) {
    const { items } = schema;
    const nested =
      items === undefined ? [] : value.flatMap((item, i) => listErrors(item, items, `${path}[${i}]`));
    return [...repeated(value, schema, path), ...nested];
  }
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const field = inner(schema, key);
    return field === undefined ? [] : listErrors(item, field, `${path}.${key}`);
  });
}

function repeated(list: readonly unknown[], schema: Structural, path: string): ServerError[] {
  const keys = schema['x-kubernetes-list-map-keys'];
  if (schema['x-kubernetes-list-type'] !== 'set' && keys === undefined) return [];
  const identities = list.map((item) =>
    keys !== undefined && isObject(item) ? keys.map((key) => item[key]) : item,
  );
  return identities.flatMap((one, i) =>
    identities.slice(0, i).some((other) => isDeepStrictEqual(one, other))
      ? [{ path: `${path}[${i}]`, message: 'Duplicate value' }]
      : [],
  );
}

const anyList = listType(CelScalar.DYN);

/** The functions that Kubernetes adds to CEL, as far as our rules use them. */
const KUBERNETES = [
  ...strings,
  celFunc('sets.contains', [anyList, anyList], CelScalar.BOOL, (a, b) =>
    [...b].every((x) => [...a].includes(x)),
  ),
  celFunc('sets.intersects', [anyList, anyList], CelScalar.BOOL, (a, b) =>
    [...b].some((x) => [...a].includes(x)),
  ),
  celFunc('quantity', [CelScalar.STRING], CelScalar.DOUBLE, (text) => quantityValue(text)),
  celMethod('compareTo', CelScalar.DOUBLE, [CelScalar.DOUBLE], CelScalar.INT, function (other) {
    return BigInt(Math.sign(this - other));
  }),
];

/** A value as CEL sees it: integers are integers, objects are maps. */
function toCel(value: unknown, schema: Structural | undefined): CelInput {
  if (Array.isArray(value)) return value.map((item) => toCel(item, schema?.items));
  if (isObject(value)) {
    return new Map(Object.entries(value).map(([k, v]) => [k, toCel(v, schema && inner(schema, k))]));
  }
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  return value as CelInput;
}

/** The value of an expression; an expression that fails is a mistake in the rule. */
function evaluate(expression: string, self: CelInput, oldSelf: CelInput): unknown {
  const result = run(
    expression,
    { self, oldSelf },
    { funcs: KUBERNETES, re2: { compile: (p) => new RE2JS(p) } },
  );
  if (isCelError(result)) throw new Error(`${expression}: ${result.message}`, { cause: result });
  return result;
}

function celErrors(value: unknown, old: unknown, schema: Structural, path: string): ServerError[] {
  const here = (schema['x-kubernetes-validations'] ?? []).flatMap((one): ServerError[] => {
    if (/\boldSelf\b/.test(one.rule) && old === undefined) return [];
    const [self, oldSelf] = [toCel(value, schema), toCel(old, schema)];
    if (evaluate(one.rule, self, oldSelf) === true) return [];
    const message = evaluate(one.messageExpression ?? `'${one.message}'`, self, oldSelf);
    return [{ path, message: String(message), rule: one.rule }];
  });
  return [...here, ...celErrorsBelow(value, old, schema, path)];
}

function celErrorsBelow(value: unknown, old: unknown, schema: Structural, path: string): ServerError[] {
  const { items } = schema;
  // Items of lists are compared with nothing: none of our transition rules stands inside one.
  if (Array.isArray(value) && items) {
    return value.flatMap((item, i) => celErrors(item, undefined, items, `${path}[${i}]`));
  }
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const field = inner(schema, key);
    if (field === undefined) return [];
    return celErrors(item, isObject(old) ? old[key] : undefined, field, path === '' ? key : `${path}.${key}`);
  });
}
