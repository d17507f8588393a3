/**
 * The exact search: every grouping of a few functions, but for those of which a part shows already that they cannot win
 * (branch and bound).
 *
 * Functions are decided in turn. What is not decided counts at its best (`Model`), and a unit that may still grow as the best
 * unit that it can grow into, which is looked up: there is a table for each turn of every set of functions.
 * Invariant: it finds what looking at every grouping finds (a test does both).
 */
import { isAllowed, normalised, sameGrouping } from './assignment.ts';
import type { Found, Question } from './assignment.ts';
import { Model, UnitTable } from './cost.ts';

/** Up to here every grouping can be looked at: there are 115,975 for ten functions. */
export const EXACT_MAX = 10;

/** The `most` best groupings, best first. `known`: found before by others; with a good one at hand most branches end early. */
export function exactly(question: Question, most: number, known: readonly Found[] = []): readonly Found[] {
  return new ExactSearch(question, most, known).run();
}

class ExactSearch {
  readonly #question: Question;
  readonly #model: Model;
  readonly #count: number;
  readonly #most: number;
  /** The function of each turn: callers first, so that the way of a root call is known early. */
  readonly #turns: Int32Array;
  /** By turn, then by set of functions (bit i: the function of turn i): the best that it can grow into from that turn on. */
  readonly #tables: readonly UnitTable[];
  readonly #found: Found[];
  /** By set of functions, allowed or not. */
  readonly #pricePerSecond: Float64Array;
  /** By unit: its functions as a set. */
  readonly #sets: Int32Array;

  constructor(question: Question, most: number, known: readonly Found[]) {
    const { figures } = question.groups;
    this.#question = question;
    this.#model = new Model(figures, question.prices);
    this.#count = figures.count;
    this.#most = most;
    this.#turns = figures.order.filter((f) => f < figures.count).reverse();
    this.#pricePerSecond = new Float64Array(1 << this.#count);
    this.#tables = this.#growthTables();
    this.#found = [...known];
    this.#sets = new Int32Array(this.#count);
  }

  run(): readonly Found[] {
    for (const f of this.#turns) this.#model.unitOf[f] = -1;
    for (const [turn, f] of this.#turns.entries()) {
      this.#model.leastStretch[f] = this.#tables[0]?.stretch[1 << turn] ?? 1;
      this.#model.leastPrice[f] = this.#leastPrice(1 << turn);
    }
    this.#decide(0, 0);
    return this.#found;
  }

  #growthTables(): readonly UnitTable[] {
    const sets = 1 << this.#count;
    const last = this.#unitTable(sets);
    const tables = [last];
    for (let turn = this.#count - 1; turn >= 0; turn--) {
      const next = tables[0] ?? last;
      const table = new UnitTable(sets);
      for (let set = 1; set < sets; set++) {
        table.copy(set, next, set);
        if ((set & (1 << turn)) === 0) table.lower(set, next, set | (1 << turn));
      }
      tables.unshift(table);
    }
    return tables;
  }

  /** Every set as it is; one that may be no unit takes forever. */
  #unitTable(sets: number): UnitTable {
    const { groups, prices } = this.#question;
    const table = new UnitTable(sets);
    const members = new Int32Array(this.#count);
    for (let set = 1; set < sets; set++) {
      let size = 0;
      for (let turn = 0; turn < this.#count; turn++) {
        if ((set & (1 << turn)) !== 0) members[size++] = this.#turns[turn] ?? 0;
      }
      table.set(set, groups.unit(members, size), prices);
      this.#pricePerSecond[set] = table.pricePerSecond[set] ?? 0;
      if (!isAllowed(groups, members, size)) table.forbid(set);
    }
    return table;
  }

  /** The least by which the price of any set grows by one function more. */
  #leastPrice(bit: number): number {
    const price = this.#pricePerSecond;
    let least = price[bit] ?? 0;
    for (let set = 1; set < price.length; set++) {
      if ((set & bit) === 0) least = Math.min(least, (price[set | bit] ?? 0) - (price[set] ?? 0));
    }
    return Math.max(0, least);
  }

  /** Puts the function of a turn into each unit that there is, and into one of its own; goes on from what may win. */
  #decide(turn: number, units: number): void {
    if (turn === this.#count) return;
    const f = this.#turns[turn] ?? 0;
    const bit = 1 << turn;
    this.#show(turn + 1, units);
    for (let u = 0; u <= units; u++) {
      const before = u === units ? 0 : (this.#sets[u] ?? 0);
      this.#sets[u] = before | bit;
      this.#model.unitOf[f] = u;
      const isDeeper = this.#mayWin(turn + 1, u, Math.max(units, u + 1)) && turn + 1 < this.#count;
      if (isDeeper) this.#decide(turn + 1, Math.max(units, u + 1));
      this.#sets[u] = before;
      if (isDeeper) this.#show(turn + 1, units);
      else if (u < units) this.#showUnit(turn + 1, u);
    }
    this.#model.unitOf[f] = -1;
  }

  /** Tells the model what the units are, as far as they can grow from this turn on. */
  #show(turn: number, units: number): void {
    for (let u = 0; u < units; u++) this.#showUnit(turn, u);
  }

  #showUnit(turn: number, u: number): void {
    const table = this.#tables[turn];
    if (table) this.#model.units.copy(u, table, this.#sets[u] ?? 0);
  }

  /** Scores what is decided, after a change of one unit; where everything is, and it is good enough, it is kept. */
  #mayWin(turn: number, changed: number, units: number): boolean {
    this.#showUnit(turn, changed);
    for (let u = 0; u < units; u++) if (this.#model.units.stretch[u] === Infinity) return false;
    const score = this.#model.score(this.#question.objective);
    const worst =
      this.#found.length < this.#most ? Infinity : (this.#found[this.#most - 1]?.score ?? Infinity);
    if (score >= worst) return false;
    if (turn === this.#count) this.#keep(score);
    return true;
  }

  #keep(score: number): void {
    const unitOf = normalised(this.#model.unitOf, this.#count);
    const others = [...this.#question.excluded, ...this.#found.map((found) => found.unitOf)];
    if (others.some((other) => sameGrouping(other, unitOf))) return;
    this.#found.push({ unitOf, score });
    this.#found.sort((a, b) => a.score - b.score);
    this.#found.length = Math.min(this.#found.length, this.#most);
  }
}
