/**
 * The figures of a snapshot out of the graph behind spans: means over everything that the file has.
 *
 * Owns: the means, and which of them are assumed. Neighbours: `times.ts` reads times, `derive.ts` puts all together.
 */
import type { z } from 'zod';
import type { observationsSchema } from '../snapshot/observations.ts';
import type { DerivedEdge, DerivedFunction, Graph } from './graph.ts';
import type { Assumptions } from './span.ts';
import { isNear, isTimed, lengthMs, overlapping, ownOf, sentMs, wayOf } from './times.ts';
import type { Call, Execution } from './trees.ts';

export type Figures = z.input<typeof observationsSchema>;
type Rows<K extends keyof Figures> = NonNullable<Figures[K]>;

/** Root calls from which on a rate says something. */
const FEW = 10;
const YEAR_MS = 31_536_000_000;
const BUSY = 'spans have no CPU time: what an execution does not spend on calls is taken for CPU time';
const NO_RATE = 'the file has one root call: one a second is taken';
const FEW_ROOTS = 'the file has only # root calls: what is said of rates and noise rests on them';
const FAR_APART =
  'root calls are more than a year apart: a clock is wrong, and one root call a second is taken';
const NO_HOSTS =
  'spans do not name their machines (host.name, k8s.node.name): each call is taken to cross machines';
const NO_WAY = '# edges have no client spans: what a call takes on its way is taken as usual';

export interface Window {
  readonly startMs: number;
  readonly endMs: number;
  /** Undefined: too little is there to tell a rate. */
  readonly seconds: number | undefined;
}

/** From the first root call to the end of the last one. */
export function windowOf(graph: Graph, assumptions: Assumptions): Window {
  const roots = graph.functions.flatMap((fn) => rootsOf(fn)).filter((e) => isTimed(e.span));
  const startMs = roots.reduce((least, e) => Math.min(least, e.span.startMs), Infinity);
  const endMs = roots.reduce((most, e) => Math.max(most, e.span.endMs), 0);
  const lengthMs = endMs - startMs;
  if (roots.length < 2) assumptions.add(NO_RATE);
  else if (lengthMs > YEAR_MS) assumptions.add(FAR_APART);
  else if (roots.length < FEW) assumptions.add(FEW_ROOTS, roots.length);
  const isKnown = roots.length >= 2 && lengthMs > 0 && lengthMs <= YEAR_MS;
  return { startMs: Math.min(startMs, endMs), endMs, seconds: isKnown ? lengthMs / 1000 : undefined };
}

/** Executions of a function that nobody in the graph called. */
const rootsOf = ({ executions }: DerivedFunction): readonly Execution[] =>
  executions.filter((e) => e.caller === undefined);

export function figuresOf(graph: Graph, window: Window, assumptions: Assumptions): Figures {
  assumptions.add(BUSY);
  if (hostsOf(graph).length === 0) assumptions.add(NO_HOSTS);
  for (const fn of graph.functions) for (const { span } of fn.executions) isTimed(span, assumptions);
  return {
    windowSeconds: rounded(window.seconds ?? 0),
    untilMs: Math.floor(window.endMs),
    roots: graph.functions.flatMap((fn) => rootRows(fn, window)),
    functions: graph.functions.map((fn) => functionRow(fn, graph, assumptions)),
    edges: graph.edges.map((edge) => edgeRow(edge, graph, assumptions)),
  };
}

/** The machines that spans name. */
export const hostsOf = ({ functions }: Graph): readonly string[] =>
  [...new Set(functions.flatMap((fn) => fn.executions.map((e) => e.span.host)))]
    .filter((h) => h !== '')
    .sort();

/** Executions per second. */
export const rateOf = (executions: readonly Execution[], { seconds }: Window): number =>
  seconds === undefined ? 1 : sum(executions.map((e) => e.span.weight)) / seconds;

function rootRows(fn: DerivedFunction, window: Window): Rows<'roots'> {
  const kinds = Map.groupBy(rootsOf(fn), ({ span }) => (span.kind === 'Consumer' ? 'Async' : 'Sync'));
  return [...kinds].map(([call, those]) => {
    const lengths = those.filter((e) => isTimed(e.span)).map((e) => lengthMs(e.span));
    const sorted = lengths.sort((a, b) => a - b);
    return {
      function: fn.name,
      call,
      ratePerSecond: rounded(rateOf(those, window)),
      samples: those.length,
      meanMs: meanOf(lengths),
      deviationMs: deviationOf(lengths),
      p50Ms: quantileOf(sorted, 0.5),
      p99Ms: quantileOf(sorted, 0.99),
      failures: failuresOf(those),
    };
  });
}

function functionRow(
  { name, executions }: DerivedFunction,
  graph: Graph,
  assumptions: Assumptions,
): Rows<'functions'>[number] {
  const own = executions.flatMap((e) => ownOf(e, graph.onEdge, assumptions) ?? []);
  const [busy, waiting] = [own.map((o) => o.busyMs), own.map((o) => o.waitingMs)];
  return {
    function: name,
    samples: executions.length,
    cpuMs: meanOf(busy) ?? 0,
    cpuDeviationMs: deviationOf(busy),
    waitingMs: meanOf(waiting) ?? 0,
    waitingDeviationMs: deviationOf(waiting),
    failures: failuresOf(executions),
  };
}

const failuresOf = (executions: readonly Execution[]): number =>
  executions.filter((e) => e.span.failed).length;

function edgeRow(edge: DerivedEdge, graph: Graph, assumptions: Assumptions): Rows<'edges'>[number] {
  const { from, to, calls } = edge;
  const callers = graph.functions.find((fn) => fn.name === from)?.executions ?? [];
  const byCaller = Map.groupBy(calls, (call) => call.from);
  const atOnce = sum([...byCaller.keys()].map((e) => countOf(overlapping(e.calls), calls, e)));
  return {
    from,
    to,
    samples: calls.length,
    callsPerExecution: rounded(calls.length / Math.max(1, callers.length)),
    parallel: edge.call === 'Sync' ? rounded(atOnce / calls.length) : 0,
    requestBytes: meanOf(calls.flatMap((c) => c.span?.requestBytes ?? c.to.span.requestBytes ?? [])) ?? 0,
    responseBytes: meanOf(calls.flatMap((c) => c.span?.responseBytes ?? c.to.span.responseBytes ?? [])) ?? 0,
    overheadMs: edge.call === 'Sync' ? ways(calls, graph, assumptions) : sent(calls),
  };
}

const countOf = (found: ReadonlySet<Call>, calls: readonly Call[], by: Execution): number =>
  calls.filter((call) => call.from === by && found.has(call)).length;

type Overheads = NonNullable<Rows<'edges'>[number]['overheadMs']>;

const sent = (calls: readonly Call[]): Overheads =>
  given(
    'Queue',
    calls.flatMap((call) => sentMs(call) ?? []),
  );

/** Where there are several machines, what calls took as they went is what they take apart, wherever they went. */
function ways(calls: readonly Call[], graph: Graph, assumptions: Assumptions): Overheads {
  const told = calls.map((call) => ({ isNear: isNear(call), ms: wayOf(call, assumptions) }));
  const known = told.flatMap(({ ms }) => ms ?? []);
  const near = told.flatMap(({ isNear: near, ms }) => (near === true ? (ms ?? []) : []));
  if (known.length === 0) assumptions.add(NO_WAY);
  if (hostsOf(graph).length === 1) return given('Node', known);
  return { ...given('Node', near), ...given('Remote', known) };
}

const given = (channel: keyof Overheads, list: readonly number[]): Overheads => {
  const mean = meanOf(list);
  return mean === null ? {} : { [channel]: mean };
};

// ---- numbers

const sum = (list: readonly number[]): number => list.reduce((all, x) => all + x, 0);

/** A microsecond is what spans tell. */
const rounded = (value: number): number =>
  value < 1 ? Number(value.toPrecision(4)) : Number(value.toFixed(3));

const meanOf = (list: readonly number[]): number | null =>
  list.length === 0 ? null : rounded(Math.max(0, sum(list) / list.length));

function deviationOf(list: readonly number[]): number | null {
  if (list.length < 2) return null;
  const mean = sum(list) / list.length;
  return rounded(Math.sqrt(sum(list.map((x) => (x - mean) ** 2)) / (list.length - 1)));
}

const quantileOf = (sorted: readonly number[], share: number): number | null => {
  const at = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return at === undefined ? null : rounded(at);
};
