/**
 * The snapshot as the planner asks it: by name, with the graph's edges reduced to those between known functions.
 *
 * Owns: look-ups and what follows from a function alone (usable artifacts, architectures, machines). No choice is made
 * here.
 */
import { byEnds } from '../model/graph.ts';
import type { Architecture, Edge, Machine, Tier } from '../model/nouns.ts';
import type { PlanShape, Snapshot, SnapshotArtifact, SnapshotFunction } from '../snapshot/snapshot.ts';

export interface Facts {
  readonly snapshot: Snapshot;
  /** Artifacts that stay as they are as long as they can be used: names by `function architecture`. */
  readonly keeps: ReadonlyMap<string, string>;
  readonly functions: ReadonlyMap<string, SnapshotFunction>;
  /** Every edge whose ends are vertices of the graph, by (from, to). */
  readonly edges: readonly Edge[];
  /** The same by caller. */
  readonly edgesFrom: ReadonlyMap<string, readonly Edge[]>;
  /** Callers and callees of each. */
  readonly neighbours: ReadonlyMap<string, ReadonlySet<string>>;
  /** Names of vertices that are Services. */
  readonly services: ReadonlySet<string>;
}

export function factsOf(snapshot: Snapshot): Facts {
  const { spec } = snapshot.workflow;
  const functions = new Map(snapshot.functions.map((f) => [f.name, f]));
  const services = new Set(spec.functions.filter((v) => v.service).map((v) => v.name));
  const known = (name: string): boolean => functions.has(name) || services.has(name);
  const edges = spec.edges.filter((e) => known(e.from) && known(e.to)).sort(byEnds);
  const edgesFrom = Map.groupBy(edges, (e) => e.from);
  const neighbours = neighboursOf(edges);
  return { snapshot, keeps: new Map(), functions, edges, edgesFrom, neighbours, services };
}

/** The same facts, with the artifacts of a plan that exists kept as they are. */
export const keeping = (facts: Facts, plan: PlanShape | null): Facts => ({
  ...facts,
  keeps: new Map(
    (plan?.units ?? []).flatMap(({ variants = [] }) =>
      variants.flatMap(({ architecture, artifacts }) =>
        artifacts.map((placed) => [keepKey(placed.function, architecture), placed.artifact] as const),
      ),
    ),
  ),
});

export const keepKey = (fn: string, architecture: Architecture): string => `${fn} ${architecture}`;

function neighboursOf(edges: readonly Edge[]): ReadonlyMap<string, ReadonlySet<string>> {
  const near = new Map<string, Set<string>>();
  const add = (a: string, b: string): unknown => near.set(a, (near.get(a) ?? new Set()).add(b));
  for (const { from, to } of edges) {
    add(from, to);
    add(to, from);
  }
  return near;
}

/** An artifact that cannot be used now, and why. */
export interface ArtifactRefusal {
  readonly reason: string;
  readonly message: string;
}

const NOT_YET = 'NotYet';

/** Why an artifact cannot be used at all now; undefined: it can. */
export function refusalOf(
  artifact: SnapshotArtifact,
  fn: SnapshotFunction,
  facts: Facts,
): ArtifactRefusal | undefined {
  if (artifact.type === 'Container') return { reason: NOT_YET, message: 'container artifacts come later' };
  if (artifact.source === 'Url') return { reason: NOT_YET, message: 'modules from a URL come later' };
  // What is in an image is known to the unit that pulls it, and to nobody before.
  if (artifact.sha256 === null && !artifact.image)
    return { reason: 'ModuleMissing', message: 'its module cannot be read' };
  if (artifact.component) return { reason: NOT_YET, message: 'WASM components come later' };
  if (artifact.type === 'Wasm' && facts.edgesFrom.has(fn.name)) {
    return {
      reason: NOT_YET,
      message: `WASM that calls on comes later, and ${fn.name} has edges of its own`,
    };
  }
  return undefined;
}

export const usableArtifacts = (fn: SnapshotFunction, facts: Facts): readonly SnapshotArtifact[] =>
  fn.artifacts.filter((artifact) => !refusalOf(artifact, fn, facts));

export const runsOn = (artifact: SnapshotArtifact, architecture: Architecture): boolean =>
  artifact.architectures.length === 0 || artifact.architectures.includes(architecture);

/** The architectures that a function is allowed on and has a usable artifact for, sorted. */
export function architecturesOf(fn: SnapshotFunction, facts: Facts): readonly Architecture[] {
  const usable = usableArtifacts(fn, facts);
  return [...fn.spec.placement.architectures].filter((a) => usable.some((u) => runsOn(u, a))).sort();
}

export const tiersOf = (fn: SnapshotFunction): readonly Tier[] => [...fn.spec.placement.tiers].sort();

/** At least one, until scaling to zero comes. */
export const instancesOf = ({ spec: { scaling } }: SnapshotFunction): number =>
  Math.max(
    1,
    scaling.mode === 'External' ? (scaling.instances ?? scaling.minInstances) : scaling.minInstances,
  );

/** What every one of the lists has, in the order of the first. */
export function common<T>(lists: readonly (readonly T[])[]): readonly T[] {
  const [first = [], ...others] = lists;
  return first.filter((item) => others.every((list) => list.includes(item)));
}

/** The machines on which all of these functions may run. */
export function commonMachines(members: readonly SnapshotFunction[], facts: Facts): readonly Machine[] {
  const tiers: readonly string[] = common(members.map(tiersOf));
  const architectures: readonly string[] = common(members.map((m) => architecturesOf(m, facts)));
  return facts.snapshot.machines.filter(
    (m) => tiers.includes(m.tier) && architectures.includes(m.architecture),
  );
}
