/**
 * What was measured, as the cost model reads it: arrays of numbers over functions and edges, with a prior for what was not.
 *
 * Owns: means over artifacts and architectures, rates of execution, what a call takes beyond its callee by channel, and the
 * priors with their sources. Neighbours: `snapshot/observations.ts` has the form, `cost.ts` computes with it.
 * Arrays instead of objects: a search reads each figure a million times.
 * Invariants:
 *  1. Functions come in the order of their names, Services after them, edges by (from, to).
 *  2. Every number is finite and not negative.
 *  3. Durations are milliseconds, sizes bytes, CPU cores, rates per second.
 */
import type { Edge } from '../model/nouns.ts';
import { entriesOf } from '../model/graph.ts';
import { bytesOf, cpuMillisOf } from '../model/quantity.ts';
import type { ObservedEdge, ObservedFunction, ObservedRoot } from '../snapshot/observations.ts';
import { instancesOf } from './facts.ts';
import type { Facts } from './facts.ts';
import { hostCostOf } from './hostCost.ts';
import type { HostCost } from './hostCost.ts';
import { channelApart } from './placement.ts';
import {
  MB,
  PRIOR_COLD_MS,
  PRIOR_FUNCTION_BYTES,
  PRIOR_OVERHEAD_MS,
  PRIOR_PER_MB_MS,
  WORKER_BYTES,
} from './priors.ts';
import { artifactsUsed } from './runtimes.ts';

/** A limit of nothing would make every call endless. */
export const LEAST_CORES = 0.001;
/** Rate of each entry where nobody counted root calls, per second. */
const ASSUMED_RATE = 1;
/** An async call is passed on at most this often (D6), so work that feeds itself ends here. */
const HOPS_MAX = 64;

type Channel = keyof typeof PRIOR_OVERHEAD_MS;

export interface Figures {
  /** Functions, then Services. */
  readonly names: readonly string[];
  readonly index: ReadonlyMap<string, number>;
  /** How many of the names are functions. */
  readonly count: number;
  /** By function or Service. */
  readonly cpuMs: Float64Array;
  readonly waitingMs: Float64Array;
  /** Relative standard errors of the two means above: how far they may be off. */
  readonly cpuError: Float64Array;
  readonly waitingError: Float64Array;
  /** What it adds to its process, with its thread, and whether that was measured. */
  readonly memoryBytes: Float64Array;
  readonly isMemoryKnown: Uint8Array;
  /** Limits and requests as declared. */
  readonly limitCores: Float64Array;
  readonly limitBytes: Float64Array;
  readonly requestBytes: Float64Array;
  readonly requestCores: Float64Array;
  readonly instances: Float64Array;
  readonly coldMs: Float64Array;
  readonly idleSeconds: Float64Array;
  /** Whether its unit may end when idle. */
  readonly sleeps: Uint8Array;
  /** Executions per second. */
  readonly rate: Float64Array;
  /** Of those: root calls that somebody waits for, what follows from them along sync edges, and what a queue gives. */
  readonly rootRate: Float64Array;
  readonly waitedRate: Float64Array;
  readonly pulledRate: Float64Array;
  /** Of what a queue gives: root calls that nobody waits for. */
  readonly sentRootRate: Float64Array;
  /** Samples behind a function's figures; 0: nothing was measured of it. */
  readonly samples: Float64Array;
  /** 1: there are figures of it, measured or written. */
  readonly known: Uint8Array;
  /** Edges of function f: from `firstEdge[f]` up to `firstEdge[f + 1]`. */
  readonly firstEdge: Int32Array;
  readonly to: Int32Array;
  readonly isSync: Uint8Array;
  readonly calls: Float64Array;
  readonly parallel: Float64Array;
  /** What one call takes beyond its callee: in one process, and in two. For an async edge both are that of the queue. */
  readonly togetherMs: Float64Array;
  readonly apartMs: Float64Array;
  /** Relative standard error of what was measured of an edge; 0: nothing was, or it was written by hand. */
  readonly edgeError: Float64Array;
  /** Samples behind an edge's figures. */
  readonly edgeSamples: Float64Array;
  readonly edges: readonly Edge[];
  readonly host: HostCost;
  /** The cores that all units share, where none has a limit of its own; Infinity: each has what its limits say. */
  readonly sharedCores: number;
  /** Callees before callers along sync edges. */
  readonly order: Int32Array;
  /** By entry: what the model's latency is multiplied by, and what is added to it, to meet what was measured (`study.ts`). */
  readonly rootScale: Float64Array;
  readonly rootOffsetMs: Float64Array;
  /** Root calls per second that somebody waits for, all entries. */
  readonly rootsPerSecond: number;
  /** Nobody counted root calls: each entry is taken to have one a second. */
  readonly rootsAssumed: boolean;
}

export function figuresOf(facts: Facts): Figures {
  const functions = [...facts.functions.keys()].sort();
  const names = [...functions, ...[...facts.services].sort()];
  const index = new Map(names.map((name, i) => [name, i]));
  const graph = edgeArrays(facts, index);
  const roots = rootsOf(facts);
  const executed = executionArrays(names, facts);
  const rates = ratesOf(roots.calls, index, graph);
  const declared = declaredArrays(names, facts);
  const load = { index, count: functions.length, ...executed, ...declared, ...graph, ...rates };
  return {
    names,
    ...load,
    host: hostCostOf(load, facts.snapshot.observations.units),
    sharedCores: sharedCoresOf(facts),
    rootScale: new Float64Array(names.length).fill(1),
    rootOffsetMs: new Float64Array(names.length),
    order: calleesFirst(names.length, graph),
    rootsPerSecond: sum(rates.rootRate),
    rootsAssumed: roots.assumed,
  };
}

/** On a laptop every unit may use the whole machine. */
const sharedCoresOf = ({ snapshot: { enforcesLimits, machines } }: Facts): number =>
  enforcesLimits ? Infinity : Math.max(0, ...machines.map((m) => m.cpuMillis ?? 0)) / 1000 || Infinity;

const sum = (list: Float64Array): number => list.reduce((all, x) => all + x, 0);

/** Whether anything was measured at all. */
export const isObserved = ({ snapshot: { observations: o } }: Facts): boolean =>
  o.functions.length > 0 || o.edges.length > 0;

function executionArrays(names: readonly string[], facts: Facts) {
  const of = names.map((name) => observed(name, facts));
  return {
    cpuMs: Float64Array.from(of, (f) => f.cpuMs),
    waitingMs: Float64Array.from(of, (f) => f.waitingMs),
    cpuError: Float64Array.from(of, (f) => f.cpuError),
    waitingError: Float64Array.from(of, (f) => f.waitingError),
    memoryBytes: Float64Array.from(of, (f) => WORKER_BYTES + orElse(f.memoryBytes, PRIOR_FUNCTION_BYTES)),
    isMemoryKnown: Uint8Array.from(of, (f) => (Number.isNaN(f.memoryBytes) ? 0 : 1)),
    coldMs: Float64Array.from(of, (f) => f.coldMs),
    samples: Float64Array.from(of, (f) => f.samples),
    known: Uint8Array.from(of, (f) => (f.known ? 1 : 0)),
    sleeps: Uint8Array.from(names, (name) => {
      const scaling = facts.functions.get(name)?.spec.scaling;
      return facts.snapshot.scalesToZero && scaling?.mode === 'Auto' && scaling.minInstances === 0 ? 1 : 0;
    }),
  };
}

/** One function's figures over the artifacts that it runs as, weighted by their samples. */
function observed(name: string, facts: Facts) {
  const { snapshot, functions } = facts;
  const fn = functions.get(name);
  const all = snapshot.observations.functions.filter((f) => f.function === name);
  const used = fn ? artifactsUsed(fn, facts) : undefined;
  const ofUsed = all.filter((f) => f.artifact === undefined || used?.has(f.artifact) === true);
  const rows = ofUsed.length > 0 ? ofUsed : all;
  const mean = (of: (row: ObservedFunction) => number | null): number => weightedMean(rows, of);
  const [cpuMs, waitingMs] = [mean((r) => r.cpuMs), mean((r) => r.waitingMs)];
  const samples = rows.reduce((all, r) => all + r.samples, 0);
  return {
    known: rows.length > 0,
    samples,
    cpuMs: rows.length > 0 ? cpuMs : 0,
    waitingMs: rows.length > 0 ? waitingMs : 0,
    cpuError: relativeError(
      mean((r) => r.cpuDeviationMs),
      cpuMs,
      samples,
    ),
    waitingError: relativeError(
      mean((r) => r.waitingDeviationMs),
      waitingMs,
      samples,
    ),
    memoryBytes: rows.length > 0 ? Math.max(...rows.map((r) => r.memoryBytes ?? NaN)) : NaN,
    coldMs: orElse(
      mean((r) => r.coldStartMs),
      PRIOR_COLD_MS,
    ),
  };
}

const orElse = (value: number, otherwise: number): number => (Number.isNaN(value) ? otherwise : value);

/** NaN where no row says it. A row without samples was written by hand and weighs as one sample. */
function weightedMean<T extends { readonly samples: number }>(
  rows: readonly T[],
  of: (row: T) => number | null | undefined,
): number {
  let [total, weight] = [0, 0];
  for (const row of rows) {
    const value = of(row);
    if (value === null || value === undefined) continue;
    total += value * Math.max(1, row.samples);
    weight += Math.max(1, row.samples);
  }
  return weight > 0 ? total / weight : NaN;
}

/**
 * The standard error of a mean, as a share of it. Where the spread was not measured it is taken to be as large as the mean
 * (an exponential distribution); what was written by hand (no samples) is taken as exact.
 */
function relativeError(deviation: number, mean: number, samples: number): number {
  if (samples === 0 || !(mean > 0)) return 0;
  return orElse(deviation, mean) / mean / Math.sqrt(samples);
}

function declaredArrays(names: readonly string[], { functions }: Facts) {
  const of = (value: (fn: NonNullable<ReturnType<typeof functions.get>>) => number): Float64Array =>
    Float64Array.from(names, (name) => {
      const fn = functions.get(name);
      return fn ? value(fn) : 0;
    });
  return {
    limitCores: of((fn) => Math.max(LEAST_CORES, cpuMillisOf(fn.spec.resources.limits.cpu) / 1000)),
    limitBytes: of((fn) => bytesOf(fn.spec.resources.limits.memory)),
    requestCores: of((fn) => cpuMillisOf(fn.spec.resources.requests.cpu) / 1000),
    requestBytes: of((fn) => bytesOf(fn.spec.resources.requests.memory)),
    instances: of(instancesOf).map((n) => Math.max(1, n)),
    idleSeconds: of((fn) => fn.spec.scaling.idleSeconds),
  };
}

function edgeArrays(facts: Facts, index: ReadonlyMap<string, number>) {
  const at = (name: string): number => index.get(name) ?? -1;
  const edges = facts.edges
    .filter((e) => e.from !== e.to)
    .sort((a, b) => at(a.from) - at(b.from) || at(a.to) - at(b.to));
  const seen = new Map(facts.snapshot.observations.edges.map((e) => [`${e.from} ${e.to}`, e]));
  const rows = edges.map((edge) => seen.get(`${edge.from} ${edge.to}`));
  const usual = usualOverheads(facts.snapshot.observations.edges);
  const firstEdge = new Int32Array(index.size + 1);
  for (const edge of edges) firstEdge[at(edge.from) + 1] = (firstEdge[at(edge.from) + 1] ?? 0) + 1;
  for (let i = 0; i < index.size; i++) firstEdge[i + 1] = (firstEdge[i + 1] ?? 0) + (firstEdge[i] ?? 0);
  const overhead = (i: number, channel: Channel): number =>
    channel === 'Queue' && isSeen(rows[i]) ? 0 : overheadMs(rows[i], channel, usual);
  return {
    edges,
    firstEdge,
    to: Int32Array.from(edges, (e) => at(e.to)),
    isSync: Uint8Array.from(edges, (e) => (e.call === 'Sync' ? 1 : 0)),
    calls: Float64Array.from(edges, (_, i) => rows[i]?.callsPerExecution ?? 1),
    edgeError: Float64Array.from(rows, (row) => (row && row.samples > 0 ? 1 / Math.sqrt(row.samples) : 0)),
    edgeSamples: Float64Array.from(rows, (row) => row?.samples ?? 0),
    parallel: Float64Array.from(edges, (_, i) => rows[i]?.parallel ?? 0),
    togetherMs: Float64Array.from(edges, (e, i) => overhead(i, e.call === 'Async' ? 'Queue' : 'InProcess')),
    apartMs: Float64Array.from(edges, (e, i) =>
      overhead(i, e.call === 'Async' ? 'Queue' : channelApart(e, facts)),
    ),
  };
}

/** Sent work that was measured: the time until it is stored is part of what its sender was seen to wait, whatever the plan. */
const isSeen = (row: ObservedEdge | undefined): boolean =>
  row !== undefined && row.samples > 0 && row.overheadMs.Queue !== undefined;

type Overheads = Readonly<Record<Channel, number>>;

/** What calls by a channel took on other edges; the prior where none went that way. */
function usualOverheads(edges: readonly ObservedEdge[]): Overheads {
  const usual = (channel: Channel): number =>
    orElse(
      weightedMean(edges, (e) => e.overheadMs[channel]),
      NaN,
    );
  return {
    InProcess: usual('InProcess'),
    Node: usual('Node'),
    Remote: usual('Remote'),
    Queue: usual('Queue'),
  };
}

/** Two units may meet by either, as their instances lie: what was measured of one says more of the other than a prior. */
const OTHER_HOP: Partial<Record<Channel, Channel>> = { Node: 'Remote', Remote: 'Node' };

/** As measured on this edge, else on others, else by the prior; each by this channel, or the other way between two units. */
function overheadMs(row: ObservedEdge | undefined, channel: Channel, usual: Overheads): number {
  const megabytes = ((row?.requestBytes ?? 0) + (row?.responseBytes ?? 0)) / MB;
  const prior = PRIOR_OVERHEAD_MS[channel] + PRIOR_PER_MB_MS[channel] * megabytes;
  const other = OTHER_HOP[channel];
  for (const measured of [row?.overheadMs ?? {}, usual]) {
    const own = measured[channel];
    if (own !== undefined && !Number.isNaN(own)) return own;
    const others = other === undefined ? NaN : (measured[other] ?? NaN);
    // A hop to another machine takes no less than one on the same.
    if (!Number.isNaN(others)) return channel === 'Remote' ? Math.max(prior, others) : others;
  }
  return prior;
}

interface Roots {
  readonly calls: readonly Pick<ObservedRoot, 'function' | 'call' | 'ratePerSecond'>[];
  readonly assumed: boolean;
}

/** Root calls that were counted; else one a second for each entry, or where there is none for each function nobody calls. */
function rootsOf({ snapshot, functions, edges }: Facts): Roots {
  const counted = snapshot.observations.roots.filter((r) => r.ratePerSecond > 0 && functions.has(r.function));
  if (counted.length > 0) return { calls: counted, assumed: false };
  const called = new Set(edges.filter((e) => e.from !== e.to).map((e) => e.to));
  const entries = [...functions.keys()].filter((name) => entriesOf(snapshot.workflow.spec).has(name));
  const sources = [...functions.keys()].filter((name) => !called.has(name));
  const all = entries.length > 0 ? entries : sources.length > 0 ? sources : [...functions.keys()];
  return {
    calls: all.map((name) => ({ function: name, call: 'Sync', ratePerSecond: ASSUMED_RATE })),
    assumed: true,
  };
}

type Graph = ReturnType<typeof edgeArrays>;

/** Rates from root calls on along the edges. Where nobody waits for any root, those of async roots count as waited for. */
function ratesOf(roots: Roots['calls'], index: ReadonlyMap<string, number>, graph: Graph) {
  const waited = roots.some((r) => r.call === 'Sync');
  const rateOf = (isRoot: boolean): Float64Array => {
    const rates = new Float64Array(index.size);
    for (const { function: name, call, ratePerSecond } of roots) {
      const i = index.get(name) ?? -1;
      if ((call === 'Sync' || !waited) === isRoot) rates[i] = (rates[i] ?? 0) + ratePerSecond;
    }
    return rates;
  };
  const [rootRate, laterRate] = [rateOf(true), rateOf(false)];
  const rate = spread(
    rootRate.map((r, i) => r + (laterRate[i] ?? 0)),
    graph,
    false,
  );
  const waitedRate = spread(rootRate, graph, true);
  return { rate, rootRate, waitedRate, pulledRate: pulled(laterRate, rate, graph), sentRootRate: laterRate };
}

/** These executions and all that follow from them; along sync edges alone, or along all. */
function spread(from: Float64Array, graph: Graph, onlySync: boolean): Float64Array {
  const total = from.slice();
  let coming = from;
  for (let hop = 0; hop < HOPS_MAX && coming.some((r) => r > 0); hop++) {
    coming = passedOn(coming, graph, onlySync);
    for (const [i, r] of coming.entries()) total[i] = (total[i] ?? 0) + r;
  }
  return total;
}

function passedOn(from: Float64Array, graph: Graph, onlySync: boolean): Float64Array {
  const { firstEdge, to, calls, isSync } = graph;
  const next = new Float64Array(from.length);
  for (const [f, r] of from.entries()) {
    if (r <= 0) continue;
    for (let e = firstEdge[f] ?? 0; e < (firstEdge[f + 1] ?? 0); e++) {
      if (onlySync && isSync[e] === 0) continue;
      const g = to[e] ?? 0;
      next[g] = (next[g] ?? 0) + r * (calls[e] ?? 0);
    }
  }
  return next;
}

/** Async root calls, and calls along async edges. */
function pulled(laterRate: Float64Array, rate: Float64Array, graph: Graph): Float64Array {
  const { firstEdge, to, calls, isSync } = graph;
  const out = laterRate.slice();
  for (const [f, r] of rate.entries()) {
    for (let e = firstEdge[f] ?? 0; e < (firstEdge[f + 1] ?? 0); e++) {
      const g = to[e] ?? 0;
      if (isSync[e] === 0) out[g] = (out[g] ?? 0) + r * (calls[e] ?? 0);
    }
  }
  return out;
}

/** Callees before callers along sync edges, depth first without recursion; a sync cycle (never valid) is cut somewhere. */
function calleesFirst(size: number, { firstEdge, to, isSync }: Graph): Int32Array {
  const order: number[] = [];
  const state = new Uint8Array(size); // 0 new, 1 open, 2 done
  const next = Int32Array.from(firstEdge);
  for (let start = 0; start < size; start++) {
    const path = state[start] === 0 ? [start] : [];
    while (path.length > 0) {
      const f = path[path.length - 1] ?? 0;
      state[f] = 1;
      const e = next[f] ?? 0;
      if (e >= (firstEdge[f + 1] ?? 0)) {
        state[f] = 2;
        order.push(f);
        path.pop();
        continue;
      }
      next[f] = e + 1;
      if (isSync[e] === 1 && state[to[e] ?? 0] === 0) path.push(to[e] ?? 0);
    }
  }
  return Int32Array.from(order);
}
