/**
 * A grouping as numbers, and the question that a search answers.
 *
 * Owns: the forms that the searches share. Invariant: two groupings are the same when their arrays are equal.
 */
import type { Objective, Prices } from './cost.ts';
import type { Groups, Members } from './groups.ts';

/** The unit of each function: the smallest index of its functions. */
export type Assignment = Int32Array;

export interface Found {
  readonly unitOf: Assignment;
  /** By the objective; smaller is better. */
  readonly score: number;
}

export interface Question {
  readonly groups: Groups;
  readonly prices: Prices;
  readonly objective: Objective;
  /** Groupings that may not come out. */
  readonly excluded: readonly Assignment[];
  /** Where a search starts besides all apart: what runs, say. */
  readonly starts: readonly Assignment[];
}

export const sameGrouping = (a: Assignment, b: Assignment): boolean =>
  a.length === b.length && a.every((u, i) => u === b[i]);

/** The grouping with the names of units that every equal grouping has. */
export function normalised(unitOf: ArrayLike<number>, count: number): Assignment {
  const first = new Map<number, number>();
  const out = new Int32Array(count);
  for (let f = 0; f < count; f++) {
    const u = unitOf[f] ?? -1;
    if (!first.has(u)) first.set(u, f);
    out[f] = first.get(u) ?? f;
  }
  return out;
}

/** The functions of each unit, by the unit's number. */
export function membersByUnit(unitOf: ArrayLike<number>, count: number): number[][] {
  const members: number[][] = Array.from({ length: count }, () => []);
  for (let f = 0; f < count; f++) members[unitOf[f] ?? f]?.push(f);
  return members;
}

/** Whether a search may make a unit of these. */
export const isAllowed = (groups: Groups, members: Members, size: number): boolean =>
  groups.fits(members, size) && !groups.starves(members, size);

/** Numbers from 0 up to 1, always the same for one seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
