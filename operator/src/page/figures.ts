/**
 * The figures of a scene by function, edge and entry, and numbers as people read them.
 *
 * Owns: what is added up for the page. Rates of inner calls are not measured: they follow from those of root calls.
 */
import type { ObservedEdge, ObservedFunction, Observations } from '../snapshot/observations.ts';
import { linkId } from './layered.ts';
import type { Scene } from './scene.ts';

export interface Shown {
  /** Executions per second; absent: no root call was counted. */
  readonly rateOf: (fn: string) => number | undefined;
  readonly functionOf: (fn: string) => ObservedFunction | undefined;
  readonly edgeOf: (from: string, to: string) => ObservedEdge | undefined;
  /** Calls per second along an edge. */
  readonly edgeRateOf: (from: string, to: string) => number | undefined;
}

/** A call is passed on at most so often, so work that feeds itself ends here. */
const HOPS_MAX = 64;

export function shownOf({ observations }: Scene): Shown {
  const rates = ratesOf(observations);
  const functions = Map.groupBy(observations.functions, (f) => f.function);
  const edges = new Map(observations.edges.map((edge) => [linkId(edge), edge] as const));
  const edgeOf = (from: string, to: string) => edges.get(linkId({ from, to }));
  return {
    rateOf: (fn) => rates.get(fn),
    functionOf: (fn) => together(functions.get(fn) ?? []),
    edgeOf,
    edgeRateOf: (from, to) => {
      const [rate, edge] = [rates.get(from), edgeOf(from, to)];
      return rate === undefined || !edge ? undefined : rate * edge.callsPerExecution;
    },
  };
}

function ratesOf({ roots, edges }: Observations): ReadonlyMap<string, number> {
  const total = new Map<string, number>();
  const add = (sums: Map<string, number>, fn: string, rate: number): void => {
    sums.set(fn, (sums.get(fn) ?? 0) + rate);
  };
  let coming = new Map<string, number>();
  for (const root of roots) add(coming, root.function, root.ratePerSecond);
  for (let hop = 0; hop < HOPS_MAX && coming.size > 0; hop++) {
    const next = new Map<string, number>();
    for (const [fn, rate] of coming) add(total, fn, rate);
    for (const { from, to, callsPerExecution } of edges) {
      const rate = (coming.get(from) ?? 0) * callsPerExecution;
      if (rate > 0) add(next, to, rate);
    }
    coming = next;
  }
  return total;
}

/** Whatever it ran as, weighted by how often. */
function together(list: readonly ObservedFunction[]): ObservedFunction | undefined {
  const [first] = list;
  if (!first || list.length === 1) return first;
  const samples = list.reduce((n, f) => n + f.samples, 0);
  const mean = (of: (f: ObservedFunction) => number): number =>
    list.reduce((sum, f) => sum + of(f) * (samples > 0 ? f.samples / samples : 1 / list.length), 0);
  const most = (values: readonly (number | null)[]): number | null =>
    values.reduce((a, b) => (b === null || (a !== null && a > b) ? a : b), null);
  return {
    ...first,
    samples,
    cpuMs: mean((f) => f.cpuMs),
    waitingMs: mean((f) => f.waitingMs),
    memoryBytes: most(list.map((f) => f.memoryBytes)),
    coldStarts: list.reduce((n, f) => n + f.coldStarts, 0),
    coldStartMs: most(list.map((f) => f.coldStartMs)),
    failures: list.reduce((n, f) => n + f.failures, 0),
  };
}

/** Between a number and its unit: no line ends there. */
const NBSP = '\u00A0';

/** Three digits: more say nothing. */
function digits(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return value === 0 ? '0' : String(Number(value.toPrecision(3)));
}

/** Two: in the picture, where there is little room. */
const few = (value: number): string =>
  value >= 10 ? String(Math.round(value)) : String(Number(value.toPrecision(2)));

/** `850 µs`, `1.24 ms`, `2.5 s`. */
export function durationText(ms: number, say = digits): string {
  if (ms > 0 && ms < 1) return `${say(ms * 1000)}${NBSP}µs`;
  return ms < 1000 ? `${say(ms)}${NBSP}ms` : `${say(ms / 1000)}${NBSP}s`;
}

export const shortDuration = (ms: number): string => durationText(ms, few);

/** `12.5/s`; slow ones by the minute or the hour. */
export function rateText(perSecond: number, say = digits): string {
  if (perSecond >= 0.1 || perSecond === 0) return `${say(perSecond)}/s`;
  return perSecond >= 0.1 / 60 ? `${say(perSecond * 60)}/min` : `${say(perSecond * 3600)}/h`;
}

export const shortRate = (perSecond: number): string => rateText(perSecond, few);

export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${String(Math.round(bytes))}${NBSP}B`;
  return bytes < 1e6 ? `${digits(bytes / 1e3)}${NBSP}kB` : `${digits(bytes / 1e6)}${NBSP}MB`;
}

export const countText = (n: number): string => Math.round(n).toLocaleString('en');

/** `−12.3 %`. */
export function shareText(share: number): string {
  const percent = Math.abs(share * 100);
  const text = percent >= 100 ? String(Math.round(percent)) : percent.toFixed(1);
  return `${share < 0 ? '−' : '+'}${text}${NBSP}%`;
}

/** `14 s`, `3 min`, `2 h`, `5 d`. */
export function agoText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${String(seconds)}${NBSP}s`;
  if (seconds < 90 * 60) return `${String(Math.round(seconds / 60))}${NBSP}min`;
  return seconds < 36 * 3600
    ? `${String(Math.round(seconds / 3600))}${NBSP}h`
    : `${String(Math.round(seconds / 86_400))}${NBSP}d`;
}

/** `19:25:03`, in universal time. */
export const clockText = (ms: number): string => new Date(ms).toISOString().slice(11, 19);
