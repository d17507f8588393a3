/**
 * The difference between the plan that runs and another: units by name, channels by their ends.
 *
 * Owns: the comparison of two WorkflowPlan specs. A unit keeps its name as long as it stays what it is, so names tell
 * everything; the terms of an edge are part of a plan and are compared too.
 */
import type { WorkflowPlanObject } from '@sinter/operator/model/nouns';
import type { PlanShape, UnitShape } from '@sinter/operator/snapshot/index';
import type { NamedPlan } from './text/plan.ts';

type PlanSpec = Pick<WorkflowPlanObject['spec'], 'units' | 'channels'>;
type Channel = PlanSpec['channels'][number];

export interface PlanChange {
  /** Names of units, sorted. */
  readonly units: {
    readonly fresh: readonly string[];
    readonly kept: readonly string[];
    readonly gone: readonly string[];
  };
  readonly channels: readonly ChannelChange[];
}

/** An edge that travels otherwise, or under other terms, or that is new or gone. */
export interface ChannelChange {
  readonly from: string;
  readonly to: string;
  /** The channel before and after; null where there was or will be none. */
  readonly was: string | null;
  readonly is: string | null;
  /** Names of the terms that differ, sorted. */
  readonly terms: readonly string[];
}

/** `running`: undefined where nothing runs yet. */
export function changeOf(running: PlanSpec | undefined, planned: PlanSpec): PlanChange {
  const before = new Set((running?.units ?? []).map((unit) => unit.name));
  const after = new Set(planned.units.map((unit) => unit.name));
  return {
    units: {
      fresh: [...after].filter((name) => !before.has(name)).sort(),
      kept: [...after].filter((name) => before.has(name)).sort(),
      gone: [...before].filter((name) => !after.has(name)).sort(),
    },
    channels: channelChanges(running?.channels ?? [], planned.channels),
  };
}

function channelChanges(before: readonly Channel[], after: readonly Channel[]): readonly ChannelChange[] {
  const [was, is] = [before, after].map((list) => new Map(list.map((c) => [`${c.from} → ${c.to}`, c])));
  const edges = [...new Set([...(was?.keys() ?? []), ...(is?.keys() ?? [])])].sort();
  return edges.flatMap((edge) => {
    const [old, fresh] = [was?.get(edge), is?.get(edge)];
    const { from, to } = fresh ?? old ?? { from: '', to: '' };
    const terms = old && fresh ? termsChanged(old, fresh) : [];
    if (old?.channel === fresh?.channel && terms.length === 0) return [];
    return [{ from, to, was: old?.channel ?? null, is: fresh?.channel ?? null, terms }];
  });
}

function termsChanged(old: Channel, fresh: Channel): readonly string[] {
  const [was, is] = [old, fresh].map((c): Readonly<Record<string, unknown>> => ({ ...c.terms }));
  const names = [...new Set([...Object.keys(was ?? {}), ...Object.keys(is ?? {})])].sort();
  return names.filter((name) => JSON.stringify(was?.[name]) !== JSON.stringify(is?.[name]));
}

/** What changes from a plan of which only the groups are known, as a snapshot has it. */
export interface ShapeChange {
  /** Hashes; empty: no plan runs. */
  readonly running: string;
  readonly planned: string;
  readonly units: {
    /** Names, in the order of the plan. */
    readonly fresh: readonly string[];
    /** Units of the same functions and size: whether their code is the same the hashes say. */
    readonly kept: readonly string[];
    /** Functions of each. */
    readonly gone: readonly (readonly string[])[];
  };
}

export function shapeChange(running: PlanShape | null, { plan, hash, unitNames }: NamedPlan): ShapeChange {
  const before = running?.units ?? [];
  const isKept = (unit: UnitShape): boolean => before.some((other) => isSameShape(unit, other));
  const names = (kept: boolean): readonly string[] =>
    plan.units.flatMap((unit, i) => (isKept(unit) === kept ? (unitNames[i] ?? '') : []));
  const gone = before.filter((unit) => !plan.units.some((other) => isSameShape(unit, other)));
  return {
    running: running?.hash ?? '',
    planned: hash,
    units: { fresh: names(false), kept: names(true), gone: gone.map((unit) => unit.functions) },
  };
}

/** The same functions, and the same size where both are known. */
function isSameShape(a: UnitShape, b: UnitShape): boolean {
  if ([...a.functions].sort().join() !== [...b.functions].sort().join()) return false;
  const [one, other] = [a.resources, b.resources];
  return !one || !other || (one.cpuMillis === other.cpuMillis && one.memoryBytes === other.memoryBytes);
}
