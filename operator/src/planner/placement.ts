/**
 * Where units may run, and where their instances go.
 *
 * Owns: allowed machines and the spreading over them. On a cluster the scheduler places pods within what is allowed
 * here; on a laptop this is where they run.
 */
import type { Edge, Machine } from '../model/nouns.ts';
import type { SnapshotFunction } from '../snapshot/snapshot.ts';
import { architecturesOf, instancesOf, tiersOf } from './facts.ts';
import type { Facts } from './facts.ts';
import type { PlanPlacement, PlanUnit } from './plan.ts';

const byName = (a: Machine, b: Machine): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

/** The machines on which a unit may run, by name. */
export function allowedMachines(placement: PlanPlacement, machines: readonly Machine[]): readonly Machine[] {
  const tiers: ReadonlySet<string> = new Set(placement.tiers);
  const architectures: ReadonlySet<string> = new Set(placement.architectures);
  return machines.filter((m) => tiers.has(m.tier) && architectures.has(m.architecture)).sort(byName);
}

/**
 * The machine of each instance: the allowed machines by name, in turn. Every unit starts at the first, so that units
 * of one instance meet there and their calls stay on one machine. Empty where no machine is allowed.
 */
export function spread(
  unit: Pick<PlanUnit, 'placement'>,
  instances: number,
  machines: readonly Machine[],
): readonly string[] {
  const allowed = allowedMachines(unit.placement, machines);
  if (allowed.length === 0) return [];
  return Array.from({ length: instances }, (_, i) => allowed[i % allowed.length]?.name ?? '');
}

/** How a sync call would travel between two functions that each run alone. */
export function channelApart({ from, to }: Edge, facts: Facts): 'Node' | 'Remote' {
  const [caller, callee] = [facts.functions.get(from), facts.functions.get(to)];
  if (!caller || !callee) return 'Remote';
  const { machines } = facts.snapshot;
  const callers = allowedMachines(placementAlone(caller, facts), machines);
  const callees = new Set(
    spread({ placement: placementAlone(callee, facts) }, instancesOf(callee), machines),
  );
  return callers.length > 0 && callers.every((m) => callees.has(m.name)) ? 'Node' : 'Remote';
}

const placementAlone = (fn: SnapshotFunction, facts: Facts): PlanPlacement => ({
  tiers: tiersOf(fn),
  architectures: architecturesOf(fn, facts),
});
