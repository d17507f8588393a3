/** Snapshots for tests: a graph with overrides, gathered from valid manifests. */
import {
  applicationOf,
  functionManifest,
  NAMESPACE,
  policyManifest,
  workflowManifest,
} from '../model/testApplication.ts';
import type { Manifest } from '../model/testApplication.ts';
import type { Machine } from '../model/nouns.ts';
import { gather } from './gather.ts';
import { observationsSchema } from './observations.ts';
import type { CurrentPlan, Snapshot, Trials } from './snapshot.ts';

export const MACHINE: Machine = { name: 'm1', architecture: 'amd64', tier: 'Cloud' };

export interface World {
  /** Specs of Functions by name; names alone take the default. */
  readonly functions: Readonly<Record<string, Manifest>> | readonly string[];
  /** `a>b` sync, `a~b` async, or a whole edge. */
  readonly edges?: readonly (string | Manifest)[];
  readonly policy?: Manifest;
  readonly workflow?: Manifest;
  readonly others?: readonly Manifest[];
  readonly machines?: readonly Machine[];
  readonly current?: CurrentPlan;
  /** As a person would write them. */
  readonly observations?: Manifest;
  readonly trials?: Trials;
  readonly scalesToZero?: boolean;
  readonly enforcesLimits?: boolean;
  readonly nowMs?: number;
}

export function manifestsOf(world: World): readonly Manifest[] {
  const specs: Readonly<Record<string, Manifest>> = Array.isArray(world.functions)
    ? Object.fromEntries((world.functions as readonly string[]).map((name) => [name, {}]))
    : (world.functions as Readonly<Record<string, Manifest>>);
  return [
    ...Object.entries(specs).map(([name, spec]) => functionManifest(name, spec)),
    workflowManifest(Object.keys(specs), world.edges ?? [], world.workflow ?? {}),
    ...(world.policy ? [policyManifest(world.policy)] : []),
    ...(world.others ?? []),
  ];
}

export function snapshotOf(world: World, manifests: readonly Manifest[] = manifestsOf(world)): Snapshot {
  const snapshot = gather({
    application: applicationOf(...manifests),
    workflow: { namespace: NAMESPACE, workflow: 'flow' },
    machines: world.machines ?? [MACHINE],
    current: world.current ?? null,
    observations: observationsSchema.parse(world.observations ?? {}),
    ...(world.scalesToZero ? { scalesToZero: true } : {}),
    ...(world.enforcesLimits === undefined ? {} : { enforcesLimits: world.enforcesLimits }),
    ...(world.trials ? { trials: world.trials } : {}),
    nowMs: world.nowMs ?? 0,
  });
  if (!snapshot) throw new Error('no workflow flow');
  return snapshot;
}

/** The spec of a policy that groups by hand: `a,b` is a group. */
export const manual = (...groups: readonly string[]): Manifest => ({
  fusion: {
    mode: 'Manual',
    groups: groups.map((group, i) => ({ name: `g${i}`, functions: group.split(',') })),
  },
});
