/**
 * What was measured of a running workflow, as a plan sees it: means over one decayed window (D14).
 *
 * Owns: the form, with a sentence for each field; the types are inferred from it, and the JSON Schema of a snapshot is made
 * from it. Neighbours: `observations/` aggregates what hosts and gateways say into this form, `planner/` reads it.
 * Invariants:
 *  1. Everything may be left out: what is not said was not measured. A person writes as little as there is to say.
 *  2. Durations are milliseconds, sizes bytes, rates per second; a mean is over the samples beside it.
 *  3. Lists are in an order of their own, by the fields that tell their items apart.
 */
import { z } from 'zod';
import type { DeepReadonly } from '../model/nouns.ts';
import { architecture, nameInGraph } from '../model/schemas.ts';

/** Longer than any timeout, in milliseconds: what is above is no duration of a call. */
const LONGEST_MS = 86_400_000;
const COUNT_MAX = Number.MAX_SAFE_INTEGER;

const durationMs = () => z.number().min(0).max(LONGEST_MS);
const count = () => z.int().min(0).max(COUNT_MAX);
const bytes = () => z.number().min(0).max(COUNT_MAX);
/** Of a mean: how far single samples are from it, so that noise can be told from a difference. */
const deviation = () => z.number().min(0).max(LONGEST_MS).nullable().default(null);

const name = (of: string) => nameInGraph().describe(`The ${of}, by its name in the graph.`);

const root = z.object({
  function: name('entry that the calls come in by'),
  call: z
    .enum(['Sync', 'Async'])
    .default('Sync')
    .describe('Sync: somebody waits for the result. Async: the call was accepted and ran later.'),
  ratePerSecond: z.number().min(0).max(1e9).describe('Root calls per second.'),
  samples: count().default(0).describe('Root calls behind the figures.'),
  meanMs: durationMs().nullable().default(null).describe('Mean latency as the entry saw it.'),
  deviationMs: deviation().describe('Standard deviation of the latency.'),
  p50Ms: durationMs().nullable().default(null).describe('Half of the root calls were faster.'),
  p99Ms: durationMs().nullable().default(null).describe('99 % of the root calls were faster.'),
  failures: count().default(0).describe('Root calls that failed.'),
});

const executed = z.object({
  function: name('function'),
  artifact: nameInGraph().optional().describe('The artifact that ran; absent: whichever it was.'),
  architecture: architecture.optional().describe('Where it ran; absent: wherever it was.'),
  samples: count().default(0).describe('Executions behind the figures; every one is counted.'),
  cpuMs: durationMs().default(0).describe('CPU time of its own per execution, without that of its callees.'),
  cpuDeviationMs: deviation().describe('Standard deviation of the CPU time.'),
  waitingMs: durationMs()
    .default(0)
    .describe(
      'Time per execution in which it waited for its own input and output or slept; not for callees.',
    ),
  waitingDeviationMs: deviation().describe('Standard deviation of the waiting.'),
  memoryBytes: bytes()
    .nullable()
    .default(null)
    .describe('Memory that it adds to its process beside the thread itself, near its peak.'),
  coldStarts: count().default(0).describe('Instances that started.'),
  coldStartMs: durationMs().nullable().default(null).describe('How long such a start takes.'),
  failures: count().default(0).describe('Executions that failed.'),
});

const channelKinds = ['InProcess', 'Node', 'Remote', 'Queue'] as const;
const overheads = z.object(
  Object.fromEntries(
    channelKinds.map((kind) => [kind, durationMs().optional().describe(`A call by the channel ${kind}.`)]),
  ) as Record<(typeof channelKinds)[number], z.ZodOptional<z.ZodNumber>>,
);

const called = z.object({
  from: name('caller'),
  to: name('callee'),
  samples: count().default(0).describe('Calls behind the figures.'),
  callsPerExecution: z
    .number()
    .min(0)
    .max(1e6)
    .default(1)
    .describe(
      'Calls per execution of the caller; 0.2 where every fifth calls, 3 where each calls three times.',
    ),
  parallel: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('Share of the calls that overlapped another call of the same execution: 0 in turn, 1 at once.'),
  requestBytes: bytes().default(0).describe('Mean size of what is sent.'),
  responseBytes: bytes().default(0).describe('Mean size of what comes back.'),
  overheadMs: overheads
    .prefault({})
    .describe('What a call takes beyond the run of its callee, by the channel that it took.'),
});

const ran = z.object({
  functions: z
    .array(nameInGraph())
    .min(1)
    .max(200)
    .describe('The functions that shared the process, by their names in the graph.'),
  samples: count().default(0).describe('Reports of instances behind the figures.'),
  memoryBytes: bytes().nullable().default(null).describe('Memory of one instance, near its peak.'),
  cpuMillis: z.number().min(0).max(1e9).nullable().default(null).describe('Thousandths of a core in use.'),
  outOfMemoryKills: count().default(0).describe('Instances that were ended for lack of memory.'),
});

export const observationsSchema = z.object({
  windowSeconds: z
    .number()
    .min(0)
    .max(31_536_000)
    .default(0)
    .describe('How long the window is; what is older weighs less and less. 0: not known.'),
  untilMs: z
    .number()
    .min(0)
    .max(8.64e15)
    .nullable()
    .default(null)
    .describe('End of the window in milliseconds since 1970; absent: `nowMs` of the snapshot.'),
  roots: z.array(root).max(400).default([]).describe('Root calls by the entry that they come in by.'),
  functions: z
    .array(executed)
    .max(20_000)
    .default([])
    .describe('Executions by function, artifact and architecture.'),
  edges: z.array(called).max(5_000).default([]).describe('Calls by edge.'),
  units: z.array(ran).max(1_000).default([]).describe('Processes by the functions that shared them.'),
});

export type Observations = DeepReadonly<z.output<typeof observationsSchema>>;
export type ObservedRoot = Observations['roots'][number];
export type ObservedFunction = Observations['functions'][number];
export type ObservedEdge = Observations['edges'][number];
export type ObservedUnit = Observations['units'][number];

/** Nothing was measured. */
export const NO_OBSERVATIONS: Observations = observationsSchema.parse({});

/** The same figures, in the order that a snapshot has them in. */
export const inOrder = (o: Observations): Observations => ({
  ...o,
  roots: sortedBy(o.roots, (r) => [r.function, r.call]),
  functions: sortedBy(o.functions, (f) => [f.function, f.artifact ?? '', f.architecture ?? '']),
  edges: sortedBy(o.edges, (e) => [e.from, e.to]),
  units: sortedBy(
    o.units.map((u) => ({ ...u, functions: [...u.functions].sort() })),
    (u) => u.functions,
  ),
});

function sortedBy<T>(list: readonly T[], keyOf: (item: T) => readonly string[]): readonly T[] {
  // The separator sorts before every character of a name, so that keys compare part by part.
  const keyed = list.map((item) => [keyOf(item).join('\u0000'), item] as const);
  return keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, item]) => item);
}
