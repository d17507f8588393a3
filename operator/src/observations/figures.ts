/**
 * The figures of a snapshot, out of what was heard (D14).
 *
 * Owns: the means, and what is derived. Its neighbour `snapshot/observations.ts` owns the form.
 *
 * What an execution waits for of its own (a database, a timer) is seen by nobody: it is what remains of its run when its
 * callees, its computing and its turns in the queue for the thread are taken away. That queue is not seen either. For calls
 * that come independently of each other, and a thread that is busy for a share ρ of the time T, it holds
 * L = ρ + ρ²(1+v²)/(2(1−ρ)) executions, the one that runs included (Pollaczek and Khinchine; v: the deviation of computing by
 * its mean): they wait for R − T·L, R being the sum of their runs. For calls that come in turn there is no queue, and that is
 * too little. Whatever comes how: while the thread idles (I) all n = R/(I+B) that are under way wait, and while it is busy (B)
 * the others for about as large a share: n·I + (n−1)·B·I/(I+B). The larger of the two is taken. What a CPU limit makes of
 * computing is busy time, so it is no waiting. A function that blocks its thread to sleep (WASM) tells itself how long.
 *
 * Hosts of earlier versions tell how long an execution took, and nothing of what it did meanwhile: what their calls did not
 * take counts as waiting, none of it as CPU time.
 */
import { HISTOGRAM_BOUNDS_MS, quantileOf } from '@sinter/contract';
import type { EdgeObservation } from '@sinter/contract';
import { NO_OBSERVATIONS, inOrder } from '../snapshot/index.ts';
import type {
  Observations,
  ObservedEdge,
  ObservedFunction,
  ObservedRoot,
  ObservedUnit,
} from '../snapshot/index.ts';
import { Fading, windowMs } from './fading.ts';
import type { Steady, Telling } from './steady.ts';
import type { EdgeKey, EdgeSum, FunctionKey, FunctionSum, Item, Windows } from './windows.ts';

/** What a thread's heap has before anything runs in it: the thread's, not its function's. */
const EMPTY_HEAP_BYTES = 5 * 2 ** 20;
/** Differences that are none, whatever their share. */
const LEAST_MS = 0.02;
const LEAST_BYTES = 16;
const LEAST_MEMORY_BYTES = 2 ** 20;
const LEAST_SHARE = 0.02;
/** A count moves all the time, and says no more than how well the rest is known. */
const COUNT: Telling = { samples: 16, least: 1 };

type Tell = (name: string, value: number, telling?: Telling) => number;

/** Of the plan that runs, as it was seen until now. What is not in its revision is left out, but for what was learnt under others. */
export function figuresOf(windows: Windows, steady: Steady, current: string, nowMs: number): Observations {
  windows.tick(nowMs);
  const tell: Tell = (name, value, telling) => steady.tell(name, value, telling);
  const functions = [...byKey(windows.functions.at(windows.knownMs), nameOf).values()];
  const edges = [...byKey(windows.edges.at(windows.knownMs), ({ from, to }) => `${from} ${to}`).values()];
  const observations: Observations = {
    ...NO_OBSERVATIONS,
    windowSeconds: tell('windowSeconds', windowMs(windows.knownMs) / 1000),
    roots: rootsOf(windows, current, tell),
    functions: functions.flatMap((items) => functionFigures(items, edges, tell)),
    edges: edges.flatMap((items) => edgeFigures(items, functions, tell)),
    units: unitsOf(windows, current, tell),
  };
  steady.forgetOthers();
  return inOrder(observations);
}

const nameOf = ({ function: fn, artifact, architecture }: FunctionKey): string =>
  `${fn} ${artifact} ${architecture}`;

const byKey = <K, S extends string>(
  items: readonly Item<K, S>[],
  of: (key: K) => string,
): ReadonlyMap<string, readonly Item<K, S>[]> => Map.groupBy(items, ({ key }) => of(key));

/** All of these together. */
function sumOf<S extends string>(items: readonly Item<unknown, S>[]): Fading<S> {
  const sum = new Fading<S>(0);
  for (const { fading } of items) sum.merge(fading);
  return sum;
}

// ---- root calls

function rootsOf(windows: Windows, current: string, tell: Tell): readonly ObservedRoot[] {
  const listenedSeconds = Math.max(1e-3, windowMs(windows.listenedMs) / 1000);
  return windows.rates.at(windows.listenedMs).map(({ key: { function: fn, call }, fading }) => {
    const seen = sumOf(
      windows.entries
        .at(windows.knownMs)
        .filter(({ key }) => key.function === fn && key.call === call && key.revision === current),
    );
    const answered = seen.get('calls') - seen.get('failures');
    const at = `root ${fn} ${call}`;
    const samples = Math.round(tell(`${at} samples`, Math.ceil(seen.get('calls')), COUNT));
    const failures = tell(`${at} failures`, seen.get('failures'), COUNT);
    const rate = fading.get('calls') / listenedSeconds;
    /** `share` of the samples tell as much of it as all do of the mean. */
    const duration = (name: string, ms: number, share: number): number | null =>
      answered >= 0.5 ? tell(`${at} ${name}`, ms, { samples: answered * share, least: LEAST_MS }) : null;
    return {
      function: fn,
      call,
      ratePerSecond: tell(`${at} rate`, rate, { samples: fading.get('calls') }),
      samples,
      meanMs: duration('mean', seen.get('latencyMs') / answered, 1),
      deviationMs: duration('deviation', deviationOf(seen.counts), 0.2),
      p50Ms: duration('p50', quantileOf(seen.counts, 0.5), 0.5),
      p99Ms: duration('p99', quantileOf(seen.counts, 0.99), 0.04),
      failures: Math.min(samples, Math.round(failures)),
    };
  });
}

/** The bounds of a bucket, in milliseconds; the last one ends where the next bound would be. */
function bucketMs(i: number): { readonly low: number; readonly high: number } {
  const low = i === 0 ? 0 : (HISTOGRAM_BOUNDS_MS[i - 1] ?? 0);
  return { low, high: HISTOGRAM_BOUNDS_MS[i] ?? low * 1.25 };
}

function deviationOf(counts: readonly number[]): number {
  let [n, sum, squares] = [0, 0, 0];
  for (const [i, count] of counts.entries()) {
    const { low, high } = bucketMs(i);
    const middle = (low + high) / 2;
    n += count;
    sum += count * middle;
    squares += count * middle * middle;
  }
  return n > 0 ? Math.sqrt(Math.max(0, squares / n - (sum / n) ** 2)) : 0;
}

// ---- functions

function functionFigures(
  items: readonly Item<FunctionKey, FunctionSum>[],
  edges: readonly (readonly Item<EdgeKey, EdgeSum>[])[],
  tell: Tell,
): readonly ObservedFunction[] {
  const [first] = items;
  if (!first) return [];
  const { function: fn, artifact, architecture } = first.key;
  const sum = sumOf(items);
  const executions = sum.get('executions');
  const at = `function ${nameOf(first.key)}`;
  const own = ownOf(
    sum,
    edges.flat().filter(({ key }) => key.from === fn),
  );
  const duration = { samples: executions, least: LEAST_MS };
  const samples = Math.round(tell(`${at} samples`, Math.ceil(executions), COUNT));
  // Samples stand still while these grow; and an instance may start and run nothing.
  const ofThem = (n: number): number => Math.min(samples, Math.round(n));
  return [
    {
      function: fn,
      artifact,
      architecture: architecture as ObservedFunction['architecture'],
      samples,
      cpuMs: tell(`${at} cpu`, own.cpuMs, duration),
      cpuDeviationMs:
        own.cpuDeviationMs === null
          ? null
          : tell(`${at} cpu deviation`, own.cpuDeviationMs, { ...duration, samples: sum.get('cpuWindows') }),
      waitingMs: tell(`${at} waiting`, own.waitingMs, duration),
      waitingDeviationMs: null,
      memoryBytes: memoryOf(sum.peak, `${at} memory`, tell),
      coldStarts: ofThem(sum.get('starts')),
      coldStartMs:
        sum.get('starts') > 0
          ? tell(`${at} start`, sum.get('startMs') / sum.get('starts'), { samples: 4 })
          : null,
      failures: ofThem(tell(`${at} failures`, sum.get('failures'), COUNT)),
    },
  ];
}

const memoryOf = (peak: number, name: string, tell: Tell): number | null =>
  peak > 0 ? tell(name, Math.max(0, peak - EMPTY_HEAP_BYTES), { least: LEAST_MEMORY_BYTES }) : null;

/** What one execution does of its own. */
interface Own {
  readonly cpuMs: number;
  readonly cpuDeviationMs: number | null;
  readonly waitingMs: number;
}

function ownOf(sum: Fading<FunctionSum>, calls: readonly Item<EdgeKey, EdgeSum>[]): Own {
  const measured = sum.get('measured');
  if (measured > 0) {
    const cpuMs = sum.get('cpuMs') / measured;
    const cpuDeviationMs = cpuDeviation(sum, cpuMs);
    const variation = cpuDeviationMs === null || cpuMs === 0 ? 1 : cpuDeviationMs / cpuMs;
    return { cpuMs, cpuDeviationMs, waitingMs: waitingOf(sum, variation) / measured };
  }
  const executions = Math.max(Number.MIN_VALUE, sum.get('executions'));
  const calledMs = calls
    .filter(({ key }) => key.channel !== 'Queue')
    .reduce((ms, { fading }) => ms + fading.get('roundTripMs'), 0);
  return { cpuMs: 0, cpuDeviationMs: null, waitingMs: Math.max(0, sum.get('runMs') - calledMs) / executions };
}

/** Of single executions, by how far the means of windows lie from each other; null: too few windows. */
function cpuDeviation(sum: Fading<FunctionSum>, mean: number): number | null {
  const windows = sum.get('cpuWindows');
  if (windows < 3) return null;
  const spread = sum.get('cpuSquares') - sum.get('cpuMs') * mean;
  return Math.sqrt(Math.max(0, spread / (windows - 1)));
}

/** Above this share of busy time the formula says nothing. */
const BUSY_MAX = 0.95;

/** Milliseconds in which executions waited for neither callees nor their thread, summed. */
function waitingOf(sum: Fading<FunctionSum>, variation: number): number {
  const [runMs, calleesMs, busyMs] = [sum.get('measuredRunMs'), sum.get('calleesMs'), sum.get('busyMs')];
  if (sum.has('sleptMs')) return sum.get('sleptMs');
  const occupiedMs = sum.get('occupiedMs');
  if (occupiedMs <= 0) return Math.max(0, runMs - calleesMs - sum.get('cpuMs'));
  const busy = Math.min(1, busyMs / occupiedMs);
  const atOnce = Math.max(1, runMs / occupiedMs);
  const inTurn = occupiedMs * (1 - busy) * (atOnce + (atOnce - 1) * busy);
  const rho = Math.min(BUSY_MAX, busyMs / Math.max(occupiedMs, sum.get('windowMs')));
  const independent = runMs - busyMs * (1 + (rho * (1 + variation ** 2)) / (2 * (1 - rho)));
  return Math.max(0, Math.max(inTurn, independent) - calleesMs);
}

// ---- edges

function edgeFigures(
  items: readonly Item<EdgeKey, EdgeSum>[],
  functions: readonly (readonly Item<FunctionKey, FunctionSum>[])[],
  tell: Tell,
): readonly ObservedEdge[] {
  const [first] = items;
  if (!first) return [];
  const { from, to } = first.key;
  const sum = sumOf(items);
  const executions = functions
    .flat()
    .filter(({ key }) => key.function === from)
    .reduce((n, { fading }) => n + fading.get('executions'), 0);
  if (executions <= 0) return []; // the gateway's own calls, or a caller of which nothing was heard
  const [calls, measured] = [sum.get('calls'), sum.get('measured')];
  const at = `edge ${from} ${to}`;
  const each = (name: 'requestBytes' | 'responseBytes'): number =>
    measured > 0
      ? Math.round(tell(`${at} ${name}`, sum.get(name) / measured, { samples: calls, least: LEAST_BYTES }))
      : 0;
  return [
    {
      from,
      to,
      samples: Math.round(tell(`${at} samples`, Math.ceil(calls), COUNT)),
      callsPerExecution: tell(`${at} calls`, calls / executions, { samples: calls, least: LEAST_SHARE }),
      parallel:
        measured > 0
          ? Math.min(1, tell(`${at} parallel`, sum.get('parallel') / measured, { least: LEAST_SHARE }))
          : 0,
      requestBytes: each('requestBytes'),
      responseBytes: each('responseBytes'),
      overheadMs: overheadsOf(items, at, tell),
    },
  ];
}

/** By channel, where it was seen. Of a call by a queue the caller has no more than the time until it is stored. */
function overheadsOf(
  items: readonly Item<EdgeKey, EdgeSum>[],
  at: string,
  tell: Tell,
): ObservedEdge['overheadMs'] {
  const overheads: Partial<Record<EdgeObservation['channel'], number>> = {};
  for (const [channel, of] of byKey(items, (key) => key.channel)) {
    const sum = sumOf(of);
    const [samples, ms] =
      channel === 'Queue'
        ? [sum.get('calls'), sum.get('roundTripMs')]
        : [sum.get('answered'), sum.get('overheadMs')];
    if (samples > 0)
      overheads[channel as EdgeObservation['channel']] = tell(`${at} ${channel}`, ms / samples, {
        samples,
        least: LEAST_MS,
      });
  }
  return overheads;
}

// ---- units

function unitsOf(windows: Windows, current: string, tell: Tell): readonly ObservedUnit[] {
  const units = windows.route?.revisions[current]?.units ?? [];
  const seen = windows.units.at(windows.knownMs);
  return units.flatMap(({ name, functions }) => {
    const window = seen.find(({ key }) => key.unit === name)?.fading;
    if (!window || window.get('reports') < 0.5) return [];
    const cpuMillis = (1000 * window.get('cpuMs')) / Math.max(1, window.get('windowMs'));
    const samples = window.get('reports');
    return [
      {
        functions: functions.map((f) => f.name),
        samples: Math.round(tell(`unit ${name} samples`, Math.ceil(samples), COUNT)),
        memoryBytes: tell(`unit ${name} memory`, window.peak, { least: LEAST_MEMORY_BYTES }),
        cpuMillis: window.has('cpuMs') ? tell(`unit ${name} cpu`, cpuMillis, { samples, least: 1 }) : null,
        outOfMemoryKills: windows.killsOf(name),
      },
    ];
  });
}
