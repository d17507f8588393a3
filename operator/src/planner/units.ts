/**
 * Units from groups: sizes, variants, placement, instances.
 *
 * Owns: what a unit is once its functions are known, and the decisions on size and placement. Neighbours:
 * `grouping.ts` made the group, `runtimes.ts` picks the artifacts.
 */
import type { Architecture } from '../model/nouns.ts';
import { bytesOf, cpuMillisOf, cpuText, memoryText } from '../model/quantity.ts';
import type { SnapshotFunction } from '../snapshot/snapshot.ts';
import { decision, input, listText, unitLabel } from './decide.ts';
import { architecturesOf, common, instancesOf, tiersOf } from './facts.ts';
import type { Facts } from './facts.ts';
import { spread } from './placement.ts';
import type { Decision, DecisionAlternative, PlanResources, PlanUnit, PlanVariant } from './plan.ts';
import { artifactOn } from './runtimes.ts';
import type { Size } from './sizes.ts';

export function unitOfGroup(group: readonly string[], resources: PlanResources, facts: Facts): PlanUnit {
  const members = membersOf(group, facts);
  const architectures = common(members.map((m) => architecturesOf(m, facts)));
  return {
    functions: group,
    resources,
    variants: architectures.map((architecture) => variantOn(architecture, members, facts)),
    placement: { tiers: common(members.map(tiersOf)), architectures },
    instances: Math.max(1, ...members.map(instancesOf)),
  };
}

/** What the functions of a group may use at most, added up. */
export function limitsOf(group: readonly string[], facts: Facts): PlanResources {
  const members = membersOf(group, facts);
  const sum = (of: (fn: SnapshotFunction) => number): number => members.reduce((all, fn) => all + of(fn), 0);
  return {
    cpuMillis: sum((fn) => cpuMillisOf(fn.spec.resources.limits.cpu)),
    memoryBytes: sum((fn) => bytesOf(fn.spec.resources.limits.memory)),
  };
}

/** The functions of a unit, in its order. */
export const membersOf = (group: readonly string[], facts: Facts): readonly SnapshotFunction[] =>
  group.flatMap((name) => facts.functions.get(name) ?? []);

function variantOn(
  architecture: Architecture,
  members: readonly SnapshotFunction[],
  facts: Facts,
): PlanVariant {
  const artifacts = members.flatMap((fn) => {
    const artifact = artifactOn(fn, architecture, facts);
    return artifact ? [{ function: fn.name, artifact: artifact.name, isolation: 'Worker' as const }] : [];
  });
  return { architecture, artifacts };
}

export function sizeDecision(
  unit: PlanUnit,
  size: Size,
  alternatives: readonly DecisionAlternative[],
  facts: Facts,
): Decision {
  const { cpuMillis, memoryBytes } = unit.resources;
  return decision({
    about: unitLabel(unit),
    kind: 'Size',
    choice: `cpu ${cpuText(cpuMillis)}, memory ${memoryText(memoryBytes)}`,
    reason: size.reason,
    message: size.message,
    inputs: [
      ...membersOf(unit.functions, facts).map(({ name, spec: { resources } }) =>
        input(
          `${name}: limits`,
          `cpu ${resources.limits.cpu}, memory ${resources.limits.memory}`,
          'Function',
        ),
      ),
      ...size.inputs,
    ].slice(0, 32),
    alternatives,
  });
}

export function placementDecision(unit: PlanUnit, facts: Facts): Decision {
  const homes = spread(unit, unit.instances, facts.snapshot.machines);
  const { tiers, architectures } = unit.placement;
  return decision({
    about: unitLabel(unit),
    kind: 'Placement',
    choice:
      homes.length === 0 ? 'nowhere' : `${unit.instances} on ${listText([...new Set(homes)])}`.slice(0, 256),
    ...placementReason(unit, homes, facts),
    inputs: [
      input('tiers', tiers.join(', ') || 'none', 'Function'),
      input('architectures', architectures.join(', ') || 'none', 'Function'),
      input('machines', listText(facts.snapshot.machines.map(machineText)).slice(0, 256)),
    ],
  });
}

const machineText = (m: { name: string; architecture: string; tier: string }): string =>
  `${m.name} (${m.architecture}, ${m.tier})`;

function placementReason(
  unit: PlanUnit,
  homes: readonly string[],
  facts: Facts,
): Pick<Decision, 'reason' | 'message'> {
  if (homes.length === 0) {
    return {
      reason: 'NoMachine',
      message: 'no machine is of a tier and architecture that the unit may run on',
    };
  }
  const members = membersOf(unit.functions, facts);
  if (members.some((fn) => fn.spec.scaling.mode === 'External')) {
    return {
      reason: 'ScaledExternally',
      message: 'as many instances as scaling.instances says, at least one',
    };
  }
  if (unit.instances > 1) {
    return {
      reason: 'MinInstances',
      message: 'as many as scaling.minInstances, on the allowed machines in turn',
    };
  }
  return { reason: 'AtLeastOne', message: 'one instance, on the first allowed machine, until scaling comes' };
}
