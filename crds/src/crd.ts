/**
 * Puts schema, rules, columns and subresources of a kind together: the CustomResourceDefinition that an API
 * server takes, and the strict JSON Schema that linters take.
 *
 * Owns: where a rule goes in a schema. Neighbours: `structural.ts` makes the schema, `rules/` the rules, `kinds.ts`
 * the rest; `generate.ts` writes files. Everything here is a pure function of the kind.
 */
import { API_VERSION, CATEGORY, GROUP, structuralOf, VERSION, type Column, type Kind } from './kinds.ts';
import { rulesOf } from './rules/index.ts';
import { messageExpression, type Rule } from './rules/rule.ts';
import type { Structural, Validation } from './structural.ts';

/** The fields of the root that the API server itself demands; the CRD need not. */
const SERVER_OWNED = ['apiVersion', 'kind', 'metadata'];

/** The schema of a kind with its rules in place. */
export function schemaWithRules(kind: Kind): Structural {
  const bare = structuralOf(kind);
  const required = (bare.required ?? []).filter((name) => !SERVER_OWNED.includes(name));
  const { required: _, ...rest } = bare;
  const root: Structural = { ...rest, description: kind.about, ...(required.length > 0 ? { required } : {}) };
  return rulesOf(kind.kind).reduce(
    (schema, rule) => withRule(schema, rule.path === '' ? [] : rule.path.split('.'), validation(rule)),
    root,
  );
}

function validation(rule: Rule): Validation {
  return { rule: rule.rule, message: rule.message, messageExpression: messageExpression(rule) };
}

/** `schema` with a rule at a path; a path that leads nowhere is a mistake in the table. */
function withRule(schema: Structural, path: readonly string[], rule: Validation): Structural {
  const [part, ...rest] = path;
  if (part === undefined) {
    return { ...schema, 'x-kubernetes-validations': [...(schema['x-kubernetes-validations'] ?? []), rule] };
  }
  const list = part.endsWith('[]');
  const name = list ? part.slice(0, -2) : part;
  const field = schema.properties?.[name];
  const target = list ? field?.items : field;
  if (field === undefined || target === undefined)
    throw new Error(`no schema at '${part}' for the rule: ${rule.rule}`);
  const inner = withRule(target, rest, rule);
  return {
    ...schema,
    properties: { ...schema.properties, [name]: list ? { ...field, items: inner } : inner },
  };
}

/** The CustomResourceDefinition of a kind, as plain data. */
export function crdOf(kind: Kind): Readonly<Record<string, unknown>> {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${GROUP}` },
    spec: {
      group: GROUP,
      names: {
        categories: [CATEGORY],
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        shortNames: kind.shortNames,
        singular: kind.singular,
      },
      scope: kind.scope,
      versions: [versionOf(kind)],
    },
  };
}

function versionOf(kind: Kind): Readonly<Record<string, unknown>> {
  const { scale } = kind;
  return {
    name: VERSION,
    served: true,
    storage: true,
    additionalPrinterColumns: kind.columns.map(printerColumn),
    schema: { openAPIV3Schema: schemaWithRules(kind) },
    selectableFields: kind.selectable.map((jsonPath) => ({ jsonPath })),
    subresources: {
      status: {},
      ...(scale === undefined
        ? {}
        : {
            scale: {
              specReplicasPath: scale.spec,
              statusReplicasPath: scale.status,
              labelSelectorPath: scale.selector,
            },
          }),
    },
  };
}

function printerColumn({
  name,
  type,
  jsonPath,
  description,
  wide,
}: Column): Readonly<Record<string, unknown>> {
  return { name, type, jsonPath, description, ...(wide === true ? { priority: 1 } : {}) };
}

/** The JSON Schema of a kind that refuses unknown fields, as kubeconform and editors read it. */
export function strictJsonSchema(kind: Kind): Readonly<Record<string, unknown>> {
  const schema = structuralOf(kind);
  const strict = closed({ ...schema, description: kind.about });
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: `${kind.kind} (${API_VERSION})`,
    ...strict,
    properties: {
      ...(strict['properties'] as object),
      apiVersion: { type: 'string', enum: [API_VERSION] },
      kind: { type: 'string', enum: [kind.kind] },
      metadata: { type: 'object' },
    },
  };
}

/** Structural keywords in plain JSON Schema, every object closed unless it says that it is open. */
function closed(schema: Structural): Record<string, unknown> {
  const out: Record<string, unknown> = Object.fromEntries(
    Object.entries(schema).filter(([key]) => !key.startsWith('x-kubernetes-')),
  );
  if (schema['x-kubernetes-list-type'] === 'set') out['uniqueItems'] = true;
  if (schema.items !== undefined) out['items'] = closed(schema.items);
  if (schema.additionalProperties) out['additionalProperties'] = closed(schema.additionalProperties);
  if (schema.properties !== undefined) {
    out['properties'] = Object.fromEntries(Object.entries(schema.properties).map(([k, v]) => [k, closed(v)]));
    if (schema['x-kubernetes-preserve-unknown-fields'] !== true) out['additionalProperties'] = false;
  }
  return out;
}
