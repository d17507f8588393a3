/** A small workflow's route, what its instances say, and a thread that runs calls: for the tests of this room. */
import type {
  EdgeObservation,
  EntryObservation,
  FunctionObservation,
  Observation,
  RouteFunction,
  RouteRecord,
  RouteRevision,
} from '@sinter/contract';
import { HISTOGRAM_BOUNDS_MS } from '@sinter/contract';

export const FLOW = { namespace: 'n', workflow: 'flow' };

export const routeFunction = (name: string, more: Partial<RouteFunction> = {}): RouteFunction => ({
  name,
  served: true,
  async: name === 'later',
  concurrency: 8,
  timeoutSeconds: 30,
  memoryBytes: 1e8,
  artifacts: ['amd64', 'arm64'].map((architecture) => ({
    architecture,
    name: 'js',
    type: 'JavaScript',
    isolation: 'Worker',
    sha256: '',
  })),
  ...more,
});

/** `a` calls `b` and sends to `later`; units by the functions that share them. */
export const revisionOf = (...units: readonly string[]): RouteRevision => ({
  units: units.map((functions) => ({
    name: `u-${functions.replaceAll(',', '-')}`,
    functions: functions.split(',').map((name) => routeFunction(name)),
  })),
  edges: [
    { from: 'a', to: 'b', call: 'Sync' },
    { from: 'a', to: 'later', call: 'Async' },
  ],
});

export const APART = revisionOf('a', 'b', 'later');
export const TOGETHER = revisionOf('a,b', 'later');

export const routeOf = (
  revisions: RouteRecord['revisions'],
  more: Partial<RouteRecord> = {},
): RouteRecord => ({
  ...FLOW,
  version: 1,
  generation: 1,
  current: Object.keys(revisions)[0] ?? '',
  draining: [],
  revisions,
  ...more,
});

export const histogramOf = (...values: readonly number[]) => {
  const counts: number[] = [];
  for (const ms of values) {
    const first = HISTOGRAM_BOUNDS_MS.findIndex((bound) => ms <= bound);
    const at = first < 0 ? HISTOGRAM_BOUNDS_MS.length : first;
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return {
    counts: Array.from(counts, (n: number | undefined) => n ?? 0),
    sumMs: values.reduce((a, b) => a + b, 0),
  };
};

export const said = (unit: string, more: Partial<Observation> = {}): Observation => ({
  ...FLOW,
  unit,
  instance: 'i',
  version: 1,
  machine: 'm1',
  architecture: 'amd64',
  windowMs: 1000,
  routeGeneration: 1,
  roots: {},
  functions: [],
  edges: [],
  memoryBytes: 50e6,
  ...more,
});

/** So many executions of `ms` each. */
export const ran = (
  fn: string,
  executions: number,
  ms: number,
  more: Partial<FunctionObservation> = {},
): FunctionObservation => ({
  function: fn,
  revision: 'r1',
  artifact: 'js',
  executions,
  failures: 0,
  runMs: histogramOf(...Array.from({ length: executions }, () => ms)),
  repeated: 0,
  ...more,
});

export const called = (
  from: string,
  to: string,
  calls: number,
  more: Partial<EdgeObservation> = {},
): EdgeObservation => ({
  from,
  to,
  revision: 'r1',
  channel: 'Node',
  calls,
  failures: 0,
  roundTripMs: histogramOf(...Array.from({ length: calls }, () => 1)),
  ...more,
});

export const entered = (
  fn: string,
  latenciesMs: readonly number[],
  more: Partial<EntryObservation> = {},
): EntryObservation => ({
  function: fn,
  revision: 'r1',
  call: 'Sync',
  calls: latenciesMs.length,
  failures: 0,
  fellBack: 0,
  latencyMs: histogramOf(...latenciesMs),
  logSum: latenciesMs.reduce((sum, ms) => sum + Math.log(ms), 0),
  logSquares: latenciesMs.reduce((sum, ms) => sum + Math.log(ms) ** 2, 0),
  ...more,
});

/** Numbers between 0 and 1, the same for the same seed. */
export function drawnFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface ThreadLoad {
  readonly executions: number;
  /** Computing before the wait, and as much after it; all at once where there is none. */
  readonly computeMs: number;
  readonly waitMs: number;
  /** Between the starts of two executions, on average; undefined: each starts when the one before has ended. */
  readonly everyMs?: number;
}

interface Step {
  readonly atMs: number;
  readonly startedMs: number;
  readonly left: 'Both' | 'Last';
}

/** What is measured of a thread under this load, and in how long: an event at a time, first come, first served. */
export function threadUnder(
  load: ThreadLoad,
  random: () => number,
): { readonly observed: FunctionObservation; readonly windowMs: number } {
  const { executions, computeMs, waitMs, everyMs } = load;
  const queue: Step[] = [];
  let [nowMs, busyMs, runMs, arrivalMs, begun] = [0, 0, 0, 0, 0];
  const running: (readonly [fromMs: number, toMs: number])[] = [];
  const begin = (atMs: number): void => {
    begun += 1;
    queue.push({ atMs, startedMs: atMs, left: 'Both' });
  };
  if (everyMs === undefined) begin(0);
  else for (; begun < executions; arrivalMs += -Math.log(1 - random()) * everyMs) begin(arrivalMs);
  for (let step = next(queue); step; step = next(queue)) {
    const turnMs = waitMs > 0 ? computeMs : 2 * computeMs;
    nowMs = Math.max(nowMs, step.atMs) + turnMs;
    busyMs += turnMs;
    if (waitMs > 0 && step.left === 'Both') queue.push({ ...step, atMs: nowMs + waitMs, left: 'Last' });
    else {
      runMs += nowMs - step.startedMs;
      running.push([step.startedMs, nowMs]);
      if (everyMs === undefined && begun < executions) begin(nowMs);
    }
  }
  const use = { cpuMs: busyMs, busyMs, occupiedMs: lengthOf(running), calleesMs: 0 };
  return {
    observed: ran('a', executions, 0, { ...use, runMs: { counts: [], sumMs: runMs } }),
    windowMs: nowMs,
  };
}

/** Takes what is due first. */
function next(queue: Step[]): Step | undefined {
  queue.sort((a, b) => a.atMs - b.atMs);
  return queue.shift();
}

function lengthOf(spans: readonly (readonly [number, number])[]): number {
  let [length, until] = [0, -Infinity];
  for (const [from, to] of spans.toSorted(([a], [b]) => a - b)) {
    length += Math.max(0, to - Math.max(from, until));
    until = Math.max(until, to);
  }
  return length;
}
