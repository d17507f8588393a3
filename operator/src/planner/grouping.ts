/**
 * Which functions share a process: the groups that are asked for, split where a rule says no.
 *
 * Owns: wishes (the policy's groups, or what runs), and the smallest split of them that breaks no rule. Neighbours: `choice.ts`
 * says which wishes count, `rules.ts` owns the refusals.
 * Invariants:
 *  1. Every function is in exactly one group.
 *  2. No group breaks a rule; a wished group that breaks none is kept whole.
 *  3. The order of functions, groups and rules in the input decides nothing.
 */
import { callersFirst } from '../model/graph.ts';
import type { PlanShape, SnapshotFunction } from '../snapshot/snapshot.ts';
import type { Facts } from './facts.ts';
import { refusalOfGroup } from './rules.ts';

export interface Wish {
  /** Name of the policy's group; empty: a unit of the plan that runs. */
  readonly name: string;
  readonly functions: readonly string[];
}

export interface Grouping {
  /** Callers before callees in each; by first function. */
  readonly groups: readonly (readonly string[])[];
  readonly wishes: readonly Wish[];
}

/** From this size on a split is found by first fit: the exact search tries every partition (115,975 for ten). */
const EXACT_LIMIT = 10;

/** What is wished, split where a rule says no; functions in no wish alone. */
export function groupFunctions(wished: readonly Wish[], facts: Facts): Grouping {
  const wishes = known(wished, facts);
  const parts = wishes.flatMap((wish) => split(membersOf(wish, facts), facts));
  const taken = new Set(parts.flat());
  const alone = [...facts.functions.keys()].filter((name) => !taken.has(name)).map((name) => [name]);
  const groups = [...parts, ...alone].map((group) => callersFirst(group, facts.edges));
  return { groups: groups.sort((a, b) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1)), wishes };
}

/** The wish that two functions have in common. */
export const wishFor = (a: string, b: string, wishes: readonly Wish[]): Wish | undefined =>
  wishes.find((wish) => wish.functions.includes(a) && wish.functions.includes(b));

/** What is wished, without what is unknown or already taken: overlaps are findings (model/), not plans. */
function known(wished: readonly Wish[], facts: Facts): readonly Wish[] {
  const taken = new Set<string>();
  return wished.flatMap(({ name, functions }) => {
    const free = [...functions].filter((f) => facts.functions.has(f) && !taken.has(f)).sort();
    for (const f of free) taken.add(f);
    return free.length > 0 ? [{ name, functions: free }] : [];
  });
}

/** The units of a plan that exists, as wishes. */
export const wishesOfPlan = (plan: PlanShape | null): readonly Wish[] =>
  (plan?.units ?? []).map(({ functions }) => ({ name: '', functions }));

/** The groups that the policy asks for. */
export function wishesOfPolicy({ snapshot: { policy, workflow } }: Facts): readonly Wish[] {
  if (policy.spec.fusion.mode !== 'Manual') return [];
  return policy.spec.fusion.groups
    .filter((g) => g.workflow === '' || g.workflow === workflow.name)
    .sort((a, b) => (`${a.name} ${a.workflow}` < `${b.name} ${b.workflow}` ? -1 : 1));
}

const membersOf = (wish: Wish, facts: Facts): readonly SnapshotFunction[] =>
  wish.functions.flatMap((name) => facts.functions.get(name) ?? []);

/** The fewest parts that break no rule; among those the one that keeps most sync edges inside. */
function split(members: readonly SnapshotFunction[], facts: Facts): readonly (readonly string[])[] {
  if (!refusalOfGroup(members, facts)) return [members.map((m) => m.name)];
  const parts = members.length <= EXACT_LIMIT ? bestPartition(members, facts) : firstFit(members, facts);
  return parts.map((part) => part.map((m) => m.name));
}

type Parts = readonly (readonly SnapshotFunction[])[];

function bestPartition(members: readonly SnapshotFunction[], facts: Facts): Parts {
  const fits = memoised(facts);
  for (let most = 2; most < members.length; most++) {
    let best: { readonly parts: Parts; readonly kept: number } | undefined;
    for (const parts of partitions(members, most, fits)) {
      const kept = syncEdgesInside(parts, facts);
      if (!best || kept > best.kept) best = { parts, kept };
    }
    if (best) return best.parts;
  }
  return members.map((m) => [m]);
}

type Fits = (part: readonly SnapshotFunction[]) => boolean;

function memoised(facts: Facts): Fits {
  const known = new Map<string, boolean>();
  return (part) => {
    const key = part.map((m) => m.name).join();
    const fits = known.get(key) ?? !refusalOfGroup(part, facts);
    known.set(key, fits);
    return fits;
  };
}

/** Every way to put the members into at most `most` parts that fit; a part that does not fit is never added to. */
function* partitions(
  members: readonly SnapshotFunction[],
  most: number,
  fits: Fits,
  parts: Parts = [],
): Generator<Parts> {
  const [next, ...rest] = members;
  if (!next) {
    yield parts;
    return;
  }
  for (const [i, part] of parts.entries()) {
    const grown = [...part, next];
    if (fits(grown)) yield* partitions(rest, most, fits, parts.with(i, grown));
  }
  if (parts.length < most) yield* partitions(rest, most, fits, [...parts, [next]]);
}

function syncEdgesInside(parts: Parts, facts: Facts): number {
  const partOf = new Map(parts.flatMap((part, i) => part.map((m) => [m.name, i] as const)));
  return facts.edges.filter(
    (e) => e.call === 'Sync' && partOf.has(e.from) && partOf.get(e.from) === partOf.get(e.to),
  ).length;
}

function firstFit(members: readonly SnapshotFunction[], facts: Facts): Parts {
  const parts: SnapshotFunction[][] = [];
  for (const member of members) {
    const home = parts.find((part) => !refusalOfGroup([...part, member], facts));
    if (home) home.push(member);
    else parts.push([member]);
  }
  return parts;
}
