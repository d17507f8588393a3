/**
 * The graph behind executions: functions with names, and edges.
 *
 * Owns: which executions are of one function (`Operation`: a service's operations each; `Service`: all of a service), how
 * functions are named, and which edges there are: `Async` where a queue is between or the caller does not wait.
 * Invariants:
 *  1. Names are what the API takes; the same spans give the same names.
 *  2. Sync edges have no cycle. Where calls go in a circle the rarest edge is left out, and what it took counts as waiting.
 */
import { createHash } from 'node:crypto';
import { syncCycle } from '../model/graph.ts';
import type { Assumptions, Span } from './span.ts';
import type { Call, Execution } from './trees.ts';

export type Grain = 'Operation' | 'Service';

export interface DerivedFunction {
  readonly name: string;
  readonly service: string;
  /** Empty: all of the service. */
  readonly operation: string;
  readonly executions: readonly Execution[];
}

export interface DerivedEdge {
  readonly from: string;
  readonly to: string;
  readonly call: 'Sync' | 'Async';
  readonly calls: readonly Call[];
}

export interface Graph {
  readonly functions: readonly DerivedFunction[];
  readonly edges: readonly DerivedEdge[];
  /** By execution. */
  readonly nameOf: ReadonlyMap<Execution, string>;
  /** Calls that are on an edge of the graph. */
  readonly onEdge: ReadonlySet<Call>;
}

/** Operations of one service share a process, and so many may; more are mostly names with something in them that changes. */
const OPERATIONS_MAX = 20;
/** As many functions as a workflow may have. */
export const FUNCTIONS_MAX = 200;

export function graphOf(executions: readonly Execution[], grain: Grain, assumptions: Assumptions): Graph {
  const functions = functionsOf(executions, grain, assumptions);
  const nameOf = new Map(functions.flatMap((fn) => fn.executions.map((e) => [e, fn.name] as const)));
  const edges = withoutCycles(edgesOf(executions, nameOf, assumptions), assumptions);
  return { functions, edges, nameOf, onEdge: new Set(edges.flatMap((edge) => edge.calls)) };
}

// ---- functions

function functionsOf(
  executions: readonly Execution[],
  grain: Grain,
  assumptions: Assumptions,
): readonly DerivedFunction[] {
  const services = [...Map.groupBy(executions, ({ span }) => span.service)].sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const parts = services.flatMap(([service, those]) => operationsOf(service, those, grain, assumptions));
  const whole = services.map(([service, those]) => ({ service, operation: '', executions: those }));
  if (parts.length > FUNCTIONS_MAX)
    assumptions.add(`more than ${FUNCTIONS_MAX} operations: each service is taken for one function`);
  return named(parts.length > FUNCTIONS_MAX ? whole : parts);
}

type Unnamed = Omit<DerivedFunction, 'name'>;

function operationsOf(
  service: string,
  executions: readonly Execution[],
  grain: Grain,
  assumptions: Assumptions,
): readonly Unnamed[] {
  const whole = [{ service, operation: '', executions }];
  if (grain === 'Service') return whole;
  const operations = [...Map.groupBy(executions, ({ span }) => operationOf(span))];
  if (operations.length > OPERATIONS_MAX) {
    assumptions.add(`${service} has ${operations.length} operations: it is taken for one function`);
    return whole;
  }
  return operations
    .map(([operation, those]) => ({ service, operation, executions: those }))
    .sort((a, b) => (a.operation < b.operation ? -1 : 1));
}

/** What looks like an id in a path is one operation with every other one. */
const operationOf = ({ name }: Span): string =>
  name.replaceAll(/(?<=\/)(?:\d+|[0-9a-f]{8,}(?:-[0-9a-f]{4,}){0,4})(?=\/|$|\?)/gi, '{id}');

/** `cart`, or where a service has several operations `cart-get-items`; cut where it is longer than names may be. */
function named(functions: readonly Unnamed[]): readonly DerivedFunction[] {
  const perService = Map.groupBy(functions, (fn) => fn.service);
  const taken = new Set<string>();
  return functions.map((fn) => {
    const isAlone = (perService.get(fn.service)?.length ?? 0) < 2;
    const words = isAlone ? fn.service : `${fn.service} ${shortOf(fn.operation)}`;
    const name = fresh(labelOf(words), taken, `${fn.service} ${fn.operation}`);
    taken.add(name);
    return { name, ...fn };
  });
}

/** `shop.v1.Cart/GetItems` is `GetItems`: a method of gRPC is told by its last word. */
const shortOf = (operation: string): string => /^[\w.]+\.[\w.]+\/(\w+)$/.exec(operation)?.[1] ?? operation;

const NAME_MAX = 40;
const HASH = 6;

function labelOf(words: string): string {
  const label = words
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  return /^[a-z]/.test(label) ? label : `f-${label}`.replace(/-$/, '');
}

function fresh(label: string, taken: ReadonlySet<string>, told: string): string {
  if (label.length <= NAME_MAX && !taken.has(label)) return label;
  const hash = createHash('sha256').update(told).digest('hex').slice(0, HASH);
  return `${label.slice(0, NAME_MAX - HASH - 1).replace(/-+$/, '')}-${hash}`;
}

// ---- edges

const OUTLIVES =
  '# edges are taken for Async: most of their calls end after their caller, so it does not wait';
const ITSELF = '# calls go to their own function: what they take counts as waiting';
/** So much later is later, whatever clocks say. */
const LATER_MS = 1;

function edgesOf(
  executions: readonly Execution[],
  nameOf: ReadonlyMap<Execution, string>,
  assumptions: Assumptions,
): readonly DerivedEdge[] {
  const name = (execution: Execution): string => nameOf.get(execution) ?? '';
  const calls = executions.flatMap((e) => e.calls);
  const isOwn = (call: Call): boolean => !call.isQueued && name(call.from) === name(call.to);
  assumptions.add(ITSELF, calls.filter(isOwn).length);
  const byEnds = Map.groupBy(
    calls.filter((call) => !isOwn(call)),
    ({ from, to }) => `${name(from)} ${name(to)}`,
  );
  return [...byEnds]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([ends, those]) => {
      const [from = '', to = ''] = ends.split(' ');
      return { from, to, call: kindOf(those, assumptions), calls: those };
    });
}

function kindOf(calls: readonly Call[], assumptions: Assumptions): 'Sync' | 'Async' {
  const isMost = (few: readonly Call[]): boolean => few.length * 2 > calls.length;
  if (isMost(calls.filter((call) => call.isQueued))) return 'Async';
  if (!isMost(calls.filter(outlives))) return 'Sync';
  assumptions.add(OUTLIVES);
  return 'Async';
}

/** By the clock of the caller alone. */
const outlives = ({ from, span }: Call): boolean =>
  span !== undefined && span.endMs > from.span.endMs + LATER_MS;

function withoutCycles(edges: readonly DerivedEdge[], assumptions: Assumptions): readonly DerivedEdge[] {
  let left = edges;
  for (let found = syncCycle(left); found; found = syncCycle(left)) {
    const cycle = found;
    const around = new Set(cycle.slice(1).map((to, i) => `${cycle[i] ?? ''} ${to}`));
    const [rarest] = left
      .filter((e) => e.call === 'Sync' && around.has(`${e.from} ${e.to}`))
      .sort((a, b) => a.calls.length - b.calls.length);
    if (!rarest) return left;
    assumptions.add(
      `calls go in a circle (${cycle.join(' → ')}): ${rarest.from} → ${rarest.to}, the rarest edge of it, is left out, ` +
        'and what it takes counts as waiting',
    );
    left = left.filter((edge) => edge !== rarest);
  }
  return left;
}
