/**
 * The local search: moves functions and joins units as long as that makes anything better, from several starts; for any number
 * of functions.
 *
 * Invariants:
 *  1. The same question has the same answer: what looks random is drawn from a fixed seed.
 *  2. Its time is bounded by the work that it may do, not by the graph.
 */
import { isAllowed, membersByUnit, normalised, randomFrom, sameGrouping } from './assignment.ts';
import type { Assignment, Found, Question } from './assignment.ts';
import { Model } from './cost.ts';
import type { Groups } from './groups.ts';

/** A local search may evaluate so many functions and edges in all: about a second for a thousand functions, less for fewer. */
const WORK_MAX = 40_000_000;
const WORK_PER_FUNCTION = 100_000;
/** Starts after the given ones: each from the best so far, with some functions moved at random. */
const RESTARTS = 40;
/** Up to here a function is tried in every unit, above in those of its neighbours in the graph. */
const EVERYWHERE_MAX = 40;
/** A gain must be more than rounding. */
const LEAST_GAIN = 1e-9;

/** The best that was found; `restarts` as many as there is work left for. */
export function locally(question: Question, restarts = RESTARTS): Found | undefined {
  return new LocalSearch(question).run(restarts);
}

class LocalSearch {
  readonly #question: Question;
  readonly #model: Model;
  readonly #count: number;
  readonly #members: number[][];
  /** By function: callers, callees, and those that are called beside it. */
  readonly #neighbours: readonly (readonly number[])[];
  readonly #scratch: Int32Array;
  readonly #random: () => number;
  readonly #most: number;
  #score = Infinity;
  #work = 0;
  #best: Found | undefined;

  constructor(question: Question) {
    const { figures } = question.groups;
    this.#question = question;
    this.#model = new Model(figures, question.prices);
    this.#count = figures.count;
    this.#members = Array.from({ length: this.#count }, () => []);
    this.#neighbours = neighboursOf(question.groups);
    this.#scratch = new Int32Array(this.#count);
    this.#random = randomFrom(1);
    this.#most = Math.min(WORK_MAX, WORK_PER_FUNCTION * this.#count);
  }

  run(restarts: number): Found | undefined {
    const apart = Int32Array.from({ length: this.#count }, (_, f) => f);
    for (const start of [apart, ...this.#question.starts]) {
      this.#begin(start);
      this.#descend();
    }
    for (let i = 0; i < restarts && this.#work < this.#most; i++) {
      this.#begin(this.#best?.unitOf ?? apart);
      this.#shake();
      this.#descend();
    }
    return this.#best;
  }

  #begin(unitOf: Assignment): void {
    const members = membersByUnit(unitOf, this.#count);
    for (let u = 0; u < this.#count; u++) {
      this.#members[u] = members[u] ?? [];
      this.#measure(u);
    }
    this.#score = this.#evaluate();
    this.#keep();
  }

  /** Tells the model of a unit whose functions have changed. */
  #measure(u: number): void {
    const members = this.#members[u] ?? [];
    for (const f of members) this.#model.unitOf[f] = u;
    if (members.length === 0) return;
    const { groups, prices } = this.#question;
    this.#model.units.set(u, groups.unit(members, members.length), prices);
  }

  #evaluate(): number {
    this.#work += this.#count + this.#question.groups.figures.to.length;
    return this.#model.score(this.#question.objective);
  }

  #keep(): void {
    if (this.#best && this.#score >= this.#best.score) return;
    const unitOf = normalised(this.#model.unitOf, this.#count);
    if (this.#question.excluded.some((other) => sameGrouping(other, unitOf))) return;
    this.#best = { unitOf, score: this.#score };
  }

  /** Moves and joins until nothing gets better. */
  #descend(): void {
    let isBetter = true;
    while (isBetter && this.#work < this.#most) {
      isBetter = false;
      for (let f = 0; f < this.#count; f++) if (this.#improve(f)) isBetter = true;
      this.#keep();
    }
  }

  /** The best place for one function, alone or with its whole unit. */
  #improve(f: number): boolean {
    let isBetter = false;
    for (const v of this.#placesFor(f)) {
      const u = this.#model.unitOf[f] ?? f;
      if (u === v) continue;
      if (
        this.#tryMove([f], u, v) ||
        ((this.#members[u]?.length ?? 0) > 1 && this.#tryMove(this.#members[u] ?? [], u, v))
      )
        isBetter = true;
    }
    return isBetter;
  }

  /** Units worth a try: all, or those of its neighbours; and an empty one. */
  #placesFor(f: number): readonly number[] {
    const { unitOf } = this.#model;
    const empty = this.#members.findIndex((members) => members.length === 0);
    const isSmall = this.#count <= EVERYWHERE_MAX;
    const near = isSmall
      ? unitOf.subarray(0, this.#count)
      : (this.#neighbours[f] ?? []).map((g) => unitOf[g] ?? g);
    return [...new Set([...near, ...(empty < 0 ? [] : [empty])])];
  }

  /** Moves functions from one unit into another if that is allowed and better; else everything is as it was. */
  #tryMove(moved: readonly number[], u: number, v: number): boolean {
    const [from, to] = [this.#members[u] ?? [], this.#members[v] ?? []];
    const rest = from.filter((f) => !moved.includes(f));
    const joined = [...to, ...moved];
    if (!this.#areAllowed(joined) || !this.#areAllowed(rest)) return false;
    this.#put(u, rest, v, joined);
    const score = this.#evaluate();
    if (score < this.#score * (1 - LEAST_GAIN)) {
      this.#score = score;
      return true;
    }
    this.#put(u, from, v, to);
    return false;
  }

  #put(u: number, ofU: number[], v: number, ofV: number[]): void {
    this.#members[u] = ofU;
    this.#members[v] = ofV;
    this.#measure(u);
    this.#measure(v);
  }

  #areAllowed(members: readonly number[]): boolean {
    return members.length === 0 || isAllowed(this.#question.groups, members, members.length);
  }

  /** Moves a few functions at random, whether that is better or not. */
  #shake(): void {
    const moves = 1 + Math.floor(this.#random() * Math.min(4, this.#count));
    for (let i = 0; i < moves; i++) {
      const f = Math.floor(this.#random() * this.#count);
      const places = this.#placesFor(f);
      const v = places[Math.floor(this.#random() * places.length)] ?? f;
      this.#score = Infinity;
      const u = this.#model.unitOf[f] ?? f;
      if (u !== v) this.#tryMove([f], u, v);
    }
    this.#score = this.#evaluate();
  }
}

function neighboursOf({ figures }: Groups): readonly (readonly number[])[] {
  const { names, count, firstEdge, to } = figures;
  const near: Set<number>[] = names.map(() => new Set());
  for (let f = 0; f < count; f++) {
    const callees = [...to.subarray(firstEdge[f] ?? 0, firstEdge[f + 1] ?? 0)].filter((g) => g < count);
    for (const g of callees) {
      near[f]?.add(g);
      near[g]?.add(f);
      for (const sibling of callees.slice(0, SIBLINGS_MAX)) if (sibling !== g) near[g]?.add(sibling);
    }
  }
  return near.map((set) => [...set].sort((a, b) => a - b));
}

/** Of a function with very many callees only so many are each other's neighbours. */
const SIBLINGS_MAX = 8;
