/**
 * From spans of services that run to a snapshot: the graph, the figures, and the services as the plan that runs.
 *
 * Owns: what of the world is assumed, because spans do not tell it: machines, cores, instances, the policy. Neighbours:
 * `otlp.ts` reads a text, `snapshot/` owns the form.
 * Invariant: the policy of such a snapshot only observes: nothing of it is Sinter's to change.
 */
import type { z } from 'zod';
import type { snapshotSchema } from '../snapshot/schema.ts';
import { figuresOf, hostsOf, rateOf, windowOf } from './figures.ts';
import type { Figures, Window } from './figures.ts';
import { FUNCTIONS_MAX, graphOf } from './graph.ts';
import type { Grain, Graph } from './graph.ts';
import { readSpans } from './otlp.ts';
import type { Reading } from './otlp.ts';
import { Assumptions } from './span.ts';
import type { Span } from './span.ts';
import { executionsOf } from './trees.ts';

export interface DeriveTerms {
  /** As the workflow is to be called. */
  readonly workflow: string;
  readonly grain: Grain;
}

export interface Derived {
  readonly snapshot: z.input<typeof snapshotSchema>;
  readonly spans: number;
  readonly traces: number;
  readonly functions: readonly {
    readonly name: string;
    readonly service: string;
    readonly operation: string;
    /** Executions per second. */
    readonly rate: number;
  }[];
  /** Also in the snapshot. */
  readonly assumptions: readonly string[];
}

/** Everything that a text of OTLP/JSON tells of the services that it is of. */
export function derive(text: string, terms: DeriveTerms): Reading<Derived> {
  const assumptions = new Assumptions();
  const spans = readSpans(text, assumptions);
  if (!spans.ok) return spans;
  const executions = executionsOf(spans.value, assumptions);
  if (executions.length === 0) return refused(noExecution(spans.value));
  const graph = graphOf(executions, terms.grain, assumptions);
  if (graph.functions.length > FUNCTIONS_MAX) {
    return refused(
      `has ${graph.functions.length} services, and a workflow ${FUNCTIONS_MAX} functions: take a part of them`,
    );
  }
  return { ok: true, value: derivedOf(spans.value, graph, terms, assumptions) };
}

const refused = (message: string): Reading<never> => ({
  ok: false,
  problems: [{ field: '', given: '', message }],
});

const noExecution = (spans: readonly Span[]): string =>
  `has ${spans.length} spans and none of kind Server or Consumer: nothing tells what was called; ` +
  'instrument the servers too';

function derivedOf(
  spans: readonly Span[],
  graph: Graph,
  { workflow }: DeriveTerms,
  assumptions: Assumptions,
): Derived {
  const window = windowOf(graph, assumptions);
  const observations = figuresOf(graph, window, assumptions);
  const instances = instancesOf(graph, observations, window, assumptions);
  assumptions.add('memory is not in spans: 45 MB a process and 15 MB a function are taken');
  assumptions.add('each function is taken to have up to one core of its own');
  const functions = graph.functions.map(({ name, service, operation, executions }) => ({
    name,
    service,
    operation,
    rate: rateOf(executions, window),
  }));
  const units = unitsOf(graph, assumptions);
  const snapshot: Derived['snapshot'] = {
    workflow: {
      name: workflow,
      spec: {
        functions: functions.map(({ name }) => ({ name })),
        edges: graph.edges.map(({ from, to, call }) => ({ from, to, call })),
      },
    },
    functions: functions.map(({ name }) => ({ name, spec: { scaling: scalingFor(instances) } })),
    policy: { spec: { mode: 'Observe' } },
    machines: machinesOf(graph),
    observations,
    current: { units },
    assumptions: assumptions.list().map((sentence) => sentence.slice(0, SENTENCE_MAX)),
    nowMs: observations.untilMs ?? 0,
  };
  const traces = new Set(spans.map((span) => span.traceId)).size;
  return { snapshot, spans: spans.length, traces, functions, assumptions: assumptions.list() };
}

/** As long as the form of a snapshot lets a sentence be. */
const SENTENCE_MAX = 512;

const scalingFor = (instances: number) => ({
  minInstances: instances,
  maxInstances: Math.max(10, instances),
});

/** A function has a thread, which is busy for half of the time at most. */
const BUSY_SHARE = 0.5;
const INSTANCES_MAX = 1000;

/** The same number for all, because functions with different ones do not share a process. */
function instancesOf(
  graph: Graph,
  { functions = [] }: Figures,
  window: Window,
  assumptions: Assumptions,
): number {
  const loads = graph.functions.map(({ name, executions }) => {
    const busyMs = functions.find((row) => row.function === name)?.cpuMs ?? 0;
    return { name, cores: (rateOf(executions, window) * busyMs) / 1000 };
  });
  const [most] = loads.sort((a, b) => b.cores - a.cores);
  const instances = Math.min(INSTANCES_MAX, Math.max(1, Math.ceil((most?.cores ?? 0) / BUSY_SHARE)));
  if (most && instances > 1) {
    assumptions.add(
      `${most.name} is busy for ${most.cores.toPrecision(2)} cores: ${instances} instances of everything are taken, ` +
        'so that none is busy for more than half of the time',
    );
  }
  return instances;
}

/** Each service is a process. What is called over the network from its own service is one of its own. */
function unitsOf(graph: Graph, assumptions: Assumptions): { functions: string[] }[] {
  const serviceOf = new Map(graph.functions.map((fn) => [fn.name, fn.service]));
  const within = graph.edges.filter(
    (e) => e.call === 'Sync' && serviceOf.get(e.from) === serviceOf.get(e.to),
  );
  const called = new Set(within.map((e) => e.to));
  for (const name of called)
    assumptions.add(
      `${name} is called by its own service over the network: it is taken for a process of its own`,
    );
  const groups = Map.groupBy(graph.functions, ({ name, service }) =>
    called.has(name) ? `${service} ${name}` : service,
  );
  return [...groups.values()].map((members) => ({ functions: members.map((fn) => fn.name) }));
}

/** Where no machine is named there are two, so that calls cross. */
function machinesOf(graph: Graph): { name: string }[] {
  const hosts = hostsOf(graph);
  return (hosts.length > 0 ? hosts : ['machine-1', 'machine-2']).map((name) => ({
    name: name.slice(0, 253),
  }));
}
