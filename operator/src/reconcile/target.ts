/**
 * From a plan to what a roll-out is to bring about: the revision, its units, its ways in, its code.
 *
 * Owns: putting together what `resources/` makes; pure. Secrets' values are not here: the digests of keys come in.
 */
import type { RouteRevision, UnitScope } from '@sinter/contract';
import type { ConfigMap, FunctionSpec, WorkflowObject } from '../model/nouns.ts';
import type { Lookup } from '../model/environment.ts';
import type { PlanUnit } from '../planner/plan.ts';
import type { NamedProposal, Proposal } from '../resources/propose.ts';
import { entryRecord, routeRevision, unitScope } from '../resources/routes.ts';
import type { Target } from '../rollout/index.ts';
import { readModule } from '../model/modules.ts';

/** A unit of the target, with all that its objects are made from. */
export interface WantedUnit {
  readonly plan: PlanUnit;
  readonly scope: UnitScope;
}

export interface WantedWorkflow {
  readonly target: Target;
  readonly units: ReadonlyMap<string, WantedUnit>;
}

export type Followed = Proposal & { readonly named: NamedProposal };

/** `digests`: sha256 of the values of each Secret with keys, by its name. */
export function wantedOf(
  workflow: WorkflowObject,
  { plan, snapshot, named }: Followed,
  digests: Readonly<Record<string, readonly string[]>>,
): WantedWorkflow {
  const units = plan.units.map((unit) => ({ plan: unit, scope: unitScope(unit, snapshot) }));
  const revision = routeRevision(plan, snapshot);
  return {
    target: {
      hash: named.hash,
      revision,
      entry: entryRecord(workflow, digests),
      units: units.map(({ scope, plan: { instances } }) => ({ name: scope.unit, instances })),
      modules: modulesIn(revision),
    },
    units: new Map(units.map((unit) => [unit.scope.unit, unit])),
  };
}

/** sha256 of every module that a revision takes from the bus, sorted: one in an image is pulled by its unit. */
export const modulesIn = (revision: RouteRevision): readonly string[] => {
  const artifacts = revision.units.flatMap((u) => u.functions.flatMap((f) => f.artifacts));
  return [...new Set(artifacts.flatMap((a) => (a.image ? [] : a.sha256)))].sort();
};

/** The code of these functions, as far as it can be read here, by its sha256. */
export function codeOf(
  specs: readonly FunctionSpec[],
  configMaps: Lookup<ConfigMap>,
): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const { artifacts } of specs)
    for (const artifact of artifacts) {
      const read = readModule(artifact, configMaps);
      if (read.is === 'Read') found.set(read.sha256, read.bytes);
    }
  return found;
}

/**
 * The rights of a unit that the route still knows, whose plan is long gone: what its credential was signed from. Undefined:
 * the route knows it no more.
 */
export function scopeIn(
  revisions: readonly RouteRevision[],
  workflow: { readonly namespace: string; readonly workflow: string },
  unit: string,
): UnitScope | undefined {
  for (const { units, edges } of revisions) {
    const found = units.find((u) => u.name === unit);
    if (!found) continue;
    const functions = found.functions.map((f) => f.name).sort();
    return {
      namespace: workflow.namespace,
      workflow: workflow.workflow,
      unit,
      functions,
      edges: edges
        .filter((e) => functions.includes(e.from))
        .map(({ from, to, call }) => ({ from, to, call })),
      asyncFunctions: found.functions
        .filter((f) => f.async)
        .map((f) => f.name)
        .sort(),
    };
  }
  return undefined;
}
