/**
 * A rough estimate of what an API server charges for a CEL rule, so that a rule that is too dear is seen here first.
 *
 * Owns: the estimate. It follows `k8s.io/apiserver/pkg/cel/library/cost.go` and cel-go's checker in what costs how
 * much, and rounds up where they are finer. Per rule: cost of one evaluation, with every list and string at its
 * largest, times how often the rule is evaluated: the product of `maxItems` along its path. The server allows
 * 10,000,000 for a rule, the same for its messageExpression, 100,000,000 for a CRD; and at run time 1,000,000 for one
 * evaluation. Sizes that the server does not know (the result of `string(7)`) are infinite here as there.
 */
import { parse } from '@bufbuild/cel';
import type { Structural, Validation } from '../structural.ts';

/** Estimated cost of one rule at full size. */
export interface RuleCost {
  readonly path: string;
  readonly rule: string;
  /** Of one evaluation. */
  readonly once: number;
  /** Of all evaluations of the rule in one object. */
  readonly total: number;
  /** Of all evaluations of its messageExpression. */
  readonly message: number;
}

type Expr = ReturnType<typeof parse>['expr'];

/** What is known of a value: how large it can be, and what it holds. */
interface Shape {
  readonly size: number;
  readonly schema?: Structural | undefined;
  readonly item?: Shape;
}

interface Estimate {
  readonly cost: number;
  readonly shape: Shape;
}

type Scope = ReadonlyMap<string, Shape>;

/** What the server assumes of `metadata.name`, which has no bound in a CRD. */
const NAME_SIZE = 3_145_728;
const KEY_SIZE = 317;
const TRAVERSAL = 0.1;
const REGEX = 0.25;
const LIST_COST = 10;

const UNKNOWN: Shape = { size: Infinity };
const SCALAR: Shape = { size: 1 };
const NOTHING: Estimate = { cost: 0, shape: SCALAR };

/** The cost of every rule in a schema. */
export function ruleCosts(schema: Structural, path = '', times = 1): RuleCost[] {
  const self = shapeOf(schema);
  const here = (schema['x-kubernetes-validations'] ?? []).map((rule) => costOf(rule, self, path, times));
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    ruleCosts(field, path === '' ? name : `${path}.${name}`, times),
  );
  const items =
    schema.items === undefined
      ? []
      : ruleCosts(schema.items, `${path}[]`, times * (schema.maxItems ?? Infinity));
  return [...here, ...below, ...items];
}

function costOf({ rule, messageExpression }: Validation, self: Shape, path: string, times: number): RuleCost {
  const scope = new Map([
    ['self', self],
    ['oldSelf', self],
  ]);
  const once = estimate(parse(rule).expr, scope).cost;
  const message = messageExpression === undefined ? 0 : estimate(parse(messageExpression).expr, scope).cost;
  return { path, rule, once, total: once * times, message: message * times };
}

function shapeOf(schema: Structural): Shape {
  if (schema.type === 'array') {
    return {
      size: schema.maxItems ?? Infinity,
      schema,
      item: schema.items ? shapeOf(schema.items) : UNKNOWN,
    };
  }
  if (schema.type === 'string') {
    const longest = Math.max(0, ...(schema.enum ?? []).map((one) => String(one).length));
    return { size: schema.maxLength ?? (schema.enum ? longest : Infinity), schema };
  }
  if (schema.additionalProperties) {
    return { size: schema.maxProperties ?? Infinity, schema, item: { size: KEY_SIZE } };
  }
  if (schema['x-kubernetes-int-or-string'] === true) return { size: schema.maxLength ?? Infinity, schema };
  return { size: 1, schema };
}

function estimate(expr: Expr | undefined, scope: Scope): Estimate {
  const kind = expr?.exprKind;
  switch (kind?.case) {
    case 'constExpr': {
      const { constantKind } = kind.value;
      return {
        cost: 0,
        shape: { size: constantKind.case === 'stringValue' ? constantKind.value.length : 1 },
      };
    }
    case 'identExpr':
      return { cost: 1, shape: scope.get(kind.value.name) ?? UNKNOWN };
    case 'selectExpr': {
      const operand = estimate(kind.value.operand, scope);
      const shape = kind.value.testOnly ? SCALAR : selected(operand.shape, kind.value.field);
      return { cost: operand.cost + 1, shape };
    }
    case 'listExpr': {
      const parts = kind.value.elements.map((one) => estimate(one, scope));
      const item = parts.map((one) => one.shape).reduce(larger, { size: 0 });
      return { cost: LIST_COST + sum(parts), shape: { size: parts.length, item } };
    }
    case 'callExpr': {
      const args = kind.value.args.map((one) => estimate(one, scope));
      const target = kind.value.target === undefined ? undefined : estimate(kind.value.target, scope);
      return call(kind.value.function, target, args);
    }
    case 'comprehensionExpr':
      return comprehension(kind.value, scope);
    default:
      return NOTHING;
  }
}

/** `metadata` is a bare object in the schema, but the server knows that it has a name. */
function selected(shape: Shape, field: string): Shape {
  const schema = shape.schema?.properties?.[field];
  if (schema !== undefined) return shapeOf(schema);
  return field === 'name' ? { size: NAME_SIZE } : UNKNOWN;
}

const sum = (parts: readonly Estimate[]): number => parts.reduce((total, one) => total + one.cost, 0);
const larger = (a: Shape, b: Shape): Shape => (a.size >= b.size ? a : b);
const traversal = (size: number): number => Math.ceil(size * TRAVERSAL);

function call(name: string, target: Estimate | undefined, args: readonly Estimate[]): Estimate {
  const [a, b] = args.map((one) => one.shape);
  const own = target?.shape.size ?? 0;
  const cost = (target?.cost ?? 0) + sum(args);
  const is = (extra: number, shape: Shape = SCALAR): Estimate => ({ cost: cost + extra, shape });
  switch (name) {
    case 'matches':
      return is(traversal(own + 1) * Math.ceil((a?.size ?? 0) * REGEX));
    case 'startsWith':
      return is(traversal(a?.size ?? 0));
    case 'replace':
      return is(Math.ceil(own * 2 * TRAVERSAL), UNKNOWN);
    case 'sets.contains':
    case 'sets.intersects':
      return is((a?.size ?? 0) * (b?.size ?? 0));
    case 'quantity':
      return is(traversal(a?.size ?? 0));
    case 'string':
      return is(1, a?.schema?.['x-kubernetes-int-or-string'] === true ? { size: a.size } : UNKNOWN);
    case '@in':
      return is(b?.size ?? 0);
    case '_[_]':
      return is(1, a?.item ?? UNKNOWN);
    case '_&&_':
    case '_||_':
      return is(0);
    case '_?_:_':
      return is(0, larger(args[1]?.shape ?? SCALAR, args[2]?.shape ?? SCALAR));
    case '_+_':
      return added(cost, a ?? UNKNOWN, b ?? UNKNOWN);
    default:
      return is(Math.max(1, traversal(Math.min(a?.size ?? 0, b?.size ?? 0))));
  }
}

/** A list grows at no cost, a string is copied. */
function added(cost: number, a: Shape, b: Shape): Estimate {
  const item = a.item ?? b.item;
  const size = a.size + b.size;
  if (item !== undefined)
    return { cost: cost + 1, shape: { size, item: larger(a.item ?? SCALAR, b.item ?? SCALAR) } };
  return { cost: cost + traversal(size), shape: { size } };
}

type Comprehension = Extract<NonNullable<Expr['exprKind']>, { case: 'comprehensionExpr' }>['value'];

function comprehension(loop: Comprehension, scope: Scope): Estimate {
  const range = estimate(loop.iterRange, scope);
  const start = estimate(loop.accuInit, scope);
  const inside = new Map([
    ...scope,
    [loop.accuVar, start.shape],
    [loop.iterVar, range.shape.item ?? UNKNOWN],
  ]);
  const step = estimate(loop.loopStep, inside);
  const round = step.cost + estimate(loop.loopCondition, inside).cost;
  const result = estimate(loop.result, inside);
  const cost = range.cost + start.cost + range.shape.size * round + result.cost;
  // The server forgets what the items of a filtered or mapped list are, so they count as unbounded from here on.
  const isList = loop.accuInit?.exprKind.case === 'listExpr';
  return { cost, shape: isList ? { size: range.shape.size, item: UNKNOWN } : result.shape };
}
