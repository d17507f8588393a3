/** Questions to the searches, from snapshots. */
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Question } from './assignment.ts';
import { Model, pricesOf } from './cost.ts';
import { factsOf } from './facts.ts';
import { figuresOf } from './figures.ts';
import { Groups } from './groups.ts';

export function questionOf(snapshot: Snapshot): Question {
  const facts = factsOf(snapshot);
  const figures = figuresOf(facts);
  const { price, objective } = snapshot.policy.spec;
  return { groups: new Groups(facts, figures), prices: pricesOf(price), objective, excluded: [], starts: [] };
}

/** The score of one grouping, each unit given as the indices of its functions. */
export function scoreOf(
  { groups, prices, objective }: Question,
  units: readonly (readonly number[])[],
): number {
  const model = new Model(groups.figures, prices);
  for (const members of units) {
    const u = members[0] ?? 0;
    for (const f of members) model.unitOf[f] = u;
    model.units.set(u, groups.unit(members, members.length), prices);
  }
  return model.score(objective);
}

/** Every way to put 0 … count−1 into units. */
export function* partitions(
  count: number,
  units: readonly (readonly number[])[] = [],
  next = 0,
): Generator<readonly (readonly number[])[]> {
  if (next === count) {
    yield units;
    return;
  }
  for (const [i, unit] of units.entries()) yield* partitions(count, units.with(i, [...unit, next]), next + 1);
  yield* partitions(count, [...units, [next]], next + 1);
}
