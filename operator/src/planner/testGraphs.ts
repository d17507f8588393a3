/** Random workflows with figures, for the properties of searches and for their times: made from numbers, always the same. */
import type { Snapshot } from '../snapshot/snapshot.ts';
import { observationsSchema } from '../snapshot/observations.ts';
import { snapshotOf } from '../snapshot/testSnapshot.ts';
import type { World } from '../snapshot/testSnapshot.ts';
import type { Objective } from './cost.ts';

export type Draw = () => number;

export interface GraphTerms {
  readonly functions: number;
  readonly objective?: Objective;
  readonly model?: 'BusyTime' | 'Provisioned';
  /** Edges per function beside the one that makes it reachable. */
  readonly extraEdges?: number;
}

const between = (draw: Draw, low: number, high: number): number => low * (high / low) ** draw();
const pick = <T>(draw: Draw, list: readonly T[]): T => list[Math.floor(draw() * list.length)] as T;

const bases = new Map<number, Snapshot>();

/** A snapshot with so many functions, no edges and no figures: made once, because checking manifests takes long. */
function baseOf(functions: number): Snapshot {
  const known = bases.get(functions);
  if (known) return known;
  const names = Array.from({ length: functions }, (_, i) => `f${String(i).padStart(4, '0')}`);
  const world: World = { functions: names.slice(0, 200) };
  const base = snapshotOf(world);
  const [one] = base.functions;
  if (!one) throw new Error('no function');
  const made = { ...base, functions: names.map((name) => ({ ...one, name, functionName: name })) };
  bases.set(functions, made);
  return made;
}

/** A tree with some more edges: every function is reached from the first; sync edges go forward, so there is no cycle. */
export function randomSnapshot(draw: Draw, terms: GraphTerms): Snapshot {
  const base = baseOf(terms.functions);
  const names = base.functions.map((f) => f.name);
  const edges = randomEdges(draw, names, terms.extraEdges ?? 0.4);
  const limits = names.map(() => pick(draw, ['72m', '250m', '1', '2']));
  const rate = between(draw, 0.1, 40);
  const observations = observationsSchema.parse({
    windowSeconds: 600,
    roots: [{ function: names[0], ratePerSecond: rate, samples: 1000 }],
    functions: names.map((name) => ({
      function: name,
      samples: 1000,
      cpuMs: between(draw, 0.05, pick(draw, [2, 30])),
      waitingMs: draw() < 0.4 ? between(draw, 1, 200) : 0,
      memoryBytes: between(draw, 1e6, 80e6),
    })),
    edges: edges.map(({ from, to }) => ({
      from,
      to,
      samples: 1000,
      callsPerExecution: draw() < 0.7 ? 1 : between(draw, 0.1, 4),
      parallel: draw() < 0.6 ? 0 : draw(),
      overheadMs: draw() < 0.5 ? {} : { Node: between(draw, 0.2, 20), InProcess: between(draw, 0.02, 0.3) },
    })),
  });
  const { spec } = base.workflow;
  const policy = base.policy.spec;
  return {
    ...base,
    workflow: { ...base.workflow, spec: { ...spec, edges } },
    functions: base.functions.map((fn, i) => ({
      ...fn,
      spec: {
        ...fn.spec,
        resources: { ...fn.spec.resources, limits: { cpu: limits[i] ?? '1', memory: '256Mi' } },
      },
    })),
    policy: {
      ...base.policy,
      spec: {
        ...policy,
        objective: terms.objective ?? pick(draw, ['Latency', 'Cost', 'Balanced'] as const),
        price: {
          ...policy.price,
          model: terms.model ?? pick(draw, ['BusyTime', 'Provisioned'] as const),
          cpuSecond: pick(draw, ['0', '0.00005']),
        },
      },
    },
    observations,
  };
}

function randomEdges(
  draw: Draw,
  names: readonly string[],
  extra: number,
): Snapshot['workflow']['spec']['edges'] {
  const pairs = new Map<string, { from: string; to: string; call: 'Sync' | 'Async' }>();
  const add = (from: string, to: string): void => {
    pairs.set(`${from} ${to}`, { from, to, call: draw() < 0.7 ? 'Sync' : 'Async' });
  };
  for (let i = 1; i < names.length; i++) add(pick(draw, names.slice(Math.max(0, i - 12), i)), names[i] ?? '');
  for (let i = 0; i < names.length * extra; i++) {
    const to = 1 + Math.floor(draw() * (names.length - 1));
    if (names.length > 1) add(pick(draw, names.slice(0, to)), names[to] ?? '');
  }
  return [...pairs.values()];
}
