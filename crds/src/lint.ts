/**
 * Refuses what an API server would refuse in a CRD's schema, before it does: a structural linter.
 *
 * Owns: the rules of `apiextensions.k8s.io/v1` for structural schemas that our generator could break, and our own
 * (everything bounded, everything described). Neighbour: the real API server has the last word.
 */
import type { Structural } from './structural.ts';

/** The keywords that may stand in a schema of ours; anything else the server drops or refuses. */
const KEYWORDS = new Set([
  ...[
    'type',
    'description',
    'default',
    'format',
    'enum',
    'pattern',
    'required',
    'properties',
    'items',
    'anyOf',
  ],
  ...['minLength', 'maxLength', 'minimum', 'maximum', 'minItems', 'maxItems', 'maxProperties'],
  ...['additionalProperties', 'x-kubernetes-int-or-string', 'x-kubernetes-preserve-unknown-fields'],
  ...[
    'x-kubernetes-list-type',
    'x-kubernetes-list-map-keys',
    'x-kubernetes-map-type',
    'x-kubernetes-validations',
  ],
]);
const TYPES = new Set(['object', 'array', 'string', 'integer', 'boolean']);
/** As the key of a list such a word breaks the server's comparison of two lists (seen on 1.34). */
const CEL_RESERVED = new Set([
  ...[
    'as',
    'break',
    'const',
    'continue',
    'else',
    'false',
    'for',
    'function',
    'if',
    'import',
    'in',
    'let',
    'loop',
  ],
  ...['namespace', 'null', 'package', 'return', 'true', 'var', 'void', 'while'],
]);
const INT_OR_STRING = JSON.stringify([{ type: 'integer' }, { type: 'string' }]);

/** Every breach, one line each with its path; empty when an API server would take the schema. */
export function lintStructural(schema: Structural, path = ''): string[] {
  const breaches: string[] = [];
  const check = (holds: boolean, what: string): void => {
    if (!holds) breaches.push(`${path === '' ? '(root)' : path}: ${what}`);
  };
  for (const key of Object.keys(schema)) check(KEYWORDS.has(key), `unknown keyword \`${key}\``);
  check(
    path === '' || isServerOwned(path) || schema.description !== undefined || path.endsWith(']'),
    'no description',
  );
  lintType(schema, path, check);
  lintRules(schema, check);
  if (schema.type === 'array') lintList(schema, check);
  if (schema.type === 'object') lintObject(schema, path, check);
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    breaches.push(...lintStructural(field, path === '' ? name : `${path}.${name}`));
  }
  if (schema.items !== undefined) breaches.push(...lintStructural(schema.items, `${path}[]`));
  if (schema.additionalProperties)
    breaches.push(...lintStructural(schema.additionalProperties, `${path}[*]`));
  return breaches;
}

type Check = (holds: boolean, what: string) => void;

const isServerOwned = (path: string): boolean => ['apiVersion', 'kind', 'metadata'].includes(path);

function lintType(schema: Structural, path: string, check: Check): void {
  if (schema['x-kubernetes-int-or-string'] === true) {
    check(schema.type === undefined, 'int-or-string must have no type');
    check(JSON.stringify(schema.anyOf) === INT_OR_STRING, 'anyOf must be exactly integer, string');
    check(schema.maxLength !== undefined && schema.minimum !== undefined, 'int-or-string must be bounded');
    return;
  }
  check(TYPES.has(schema.type ?? ''), `type must be set, not '${schema.type ?? ''}'`);
  check(schema.anyOf === undefined, 'anyOf is only allowed for int-or-string');
  if (isServerOwned(path)) return;
  if (schema.type === 'string') {
    check(schema.maxLength !== undefined || schema.enum !== undefined, 'string without maxLength');
  }
  if (schema.type === 'integer') {
    check(schema.minimum !== undefined && schema.format !== undefined, 'integer without minimum or format');
    check(schema.maximum !== undefined || schema.format === 'int64', 'integer without maximum');
  }
}

function lintList(schema: Structural, check: Check): void {
  const { items, 'x-kubernetes-list-type': type, 'x-kubernetes-list-map-keys': keys } = schema;
  check(items !== undefined, 'list without items');
  check(schema.maxItems !== undefined, 'list without maxItems');
  check(type !== undefined, 'list without x-kubernetes-list-type');
  check(
    (type === 'map') === (keys !== undefined),
    'x-kubernetes-list-map-keys belong to the type map, and only there',
  );
  if (type === 'set') check(items?.type === 'string', 'a set must hold scalars');
  for (const key of keys ?? []) {
    const field = items?.properties?.[key];
    check(!CEL_RESERVED.has(key), `list key \`${key}\` is a reserved word of CEL`);
    check(field?.type === 'string', `list key \`${key}\` must be a string`);
    check(
      (items?.required ?? []).includes(key) || field?.default !== undefined,
      `list key \`${key}\` may be absent`,
    );
  }
}

function lintObject(schema: Structural, path: string, check: Check): void {
  const { properties, additionalProperties, required } = schema;
  check(additionalProperties !== false, 'additionalProperties: false is refused beside properties');
  check(!(properties && additionalProperties), 'properties and additionalProperties exclude each other');
  if (additionalProperties) check(schema.maxProperties !== undefined, 'map without maxProperties');
  for (const name of required ?? []) {
    check(properties?.[name] !== undefined, `required field \`${name}\` is not there`);
    check(properties?.[name]?.default === undefined, `required field \`${name}\` has a default`);
  }
  if (path === '') check(schema.default === undefined, 'the root must have no default');
}

function lintRules(schema: Structural, check: Check): void {
  for (const { rule, message, messageExpression } of schema['x-kubernetes-validations'] ?? []) {
    check(!/[\r\n]/.test(rule) && rule !== '', `rule must be one line: ${rule}`);
    check(
      message !== '' && message.length <= 2048 && !/[\r\n]/.test(message),
      'message must be one line of at most 2048',
    );
    check(
      messageExpression !== undefined && !/[\r\n]/.test(messageExpression),
      'messageExpression must be one line',
    );
  }
}
