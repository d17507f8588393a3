/**
 * Fusionize++ on Sinter's graph: one step from the groups that run.
 *
 * Owns: what its terms are here. A unit's root is its first function. A function is in one unit only, so what a second root
 * would take in too stays with the first (there it would run in both), and a unit that a rule forbids is passed over.
 * Neighbour: `fusionize.ts` is the published optimiser. Its infrastructure phase is not walked: it needs what every size was
 * measured at, and units here have the sizes that `sizes.ts` gives.
 */
import type { Edge } from '../model/nouns.ts';
import { callersFirst } from '../model/graph.ts';
import type { Facts } from './facts.ts';
import { nextRule, ruleKey } from './fusionize.ts';
import type { Calls, Rule } from './fusionize.ts';
import { refusalOfGroup } from './rules.ts';
import { membersOf } from './units.ts';

export interface Step {
  readonly groups: readonly (readonly string[])[];
  /** What it does, for a sentence: `take b into the unit of a`. */
  readonly what: string;
}

type Unit = readonly string[];

/** Undefined: nothing is left to do. */
export function nextStep(groups: readonly Unit[], facts: Facts): Step | undefined {
  const units = groups.map((group) => callersFirst(group, facts.edges));
  const local = new Set(units.flatMap((unit) => unit.map((fn) => ruleKey(rootOf(unit), fn))));
  const calls = units.flatMap((unit) => callsOf(unit, units, facts));
  const rule = nextRule({ local, sizes: new Map() }, calls);
  return rule && changed(rule, units);
}

const rootOf = (unit: Unit): string => unit[0] ?? '';

/** What a unit calls, without what cannot be taken in. */
function callsOf(unit: Unit, units: readonly Unit[], facts: Facts): readonly Calls[] {
  const leaving = unit.flatMap((fn) => facts.edgesFrom.get(fn) ?? []);
  const callees = new Set(leaving.map((e) => e.to));
  return [...callees].flatMap((callee) => {
    const edges = leaving.filter((e) => e.to === callee);
    const count = (call: Edge['call']): number => edges.filter((e) => e.call === call).length;
    const calls = { root: rootOf(unit), callee, sync: count('Sync'), async: count('Async') };
    return unit.includes(callee) || mayTake(callee, unit, units, facts) ? [calls] : [];
  });
}

/** Who is with one of its sync callers already stays there. */
function mayTake(callee: string, unit: Unit, units: readonly Unit[], facts: Facts): boolean {
  const home = units.find((other) => other.includes(callee));
  if (!home) return false;
  const isTaken = home.some((fn) =>
    (facts.edgesFrom.get(fn) ?? []).some((e) => e.to === callee && e.from !== callee && e.call === 'Sync'),
  );
  return !isTaken && !refusalOfGroup(membersOf([...unit, callee], facts), facts);
}

/** The callee comes or goes alone; what it had taken in before is on its own again until the root takes it in too. */
function changed({ root, callee, becomes }: Rule, units: readonly Unit[]): Step {
  const others = units.filter((unit) => rootOf(unit) !== root && !unit.includes(callee));
  const own = units.find((unit) => rootOf(unit) === root) ?? [];
  if (becomes === 'Remote') {
    const groups = [...others, own.filter((fn) => fn !== callee), [callee]];
    return { groups, what: `put ${callee} out of the unit of ${root}` };
  }
  const left = (units.find((unit) => unit.includes(callee)) ?? []).filter((fn) => fn !== callee);
  return {
    groups: [...others, [...own, callee], ...left.map((fn) => [fn])],
    what: `take ${callee} into the unit of ${root}`,
  };
}
