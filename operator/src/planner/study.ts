/**
 * The cost model asked about whole plans of one snapshot, as they would be deployed: with their sizes, and calibrated.
 *
 * Owns: predictions. Calibration: what the model says of the plan that runs is compared with what was measured of it, entry by
 * entry. A little more than it says is the entry's own and added under every plan; beyond that everything takes longer, or
 * shorter, by the same factor: a machine that is slow or full is so for whatever runs there. Neighbours: `cost.ts` computes, `choice.ts` decides.
 */
import type { ObservedRoot } from '../snapshot/observations.ts';
import type { Assignment, Question } from './assignment.ts';
import { normalised } from './assignment.ts';
import { Model, pricesOf } from './cost.ts';
import type { Objective, Prices } from './cost.ts';
import type { Facts } from './facts.ts';
import { figuresOf, LEAST_CORES } from './figures.ts';
import { HOST_RESERVED_BYTES } from './priors.ts';
import type { Figures } from './figures.ts';
import { Groups } from './groups.ts';
import type { PlanPrediction, PlanResources } from './plan.ts';

/** What an entry itself takes of a root call, at most, in milliseconds. */
const ENTRY_MS = 2;

/** A unit as far as the model asks. */
export interface SizedGroup {
  readonly functions: readonly string[];
  readonly resources: PlanResources;
}

/** What a plan would come to, and what that is worth by the objective: smaller is better. */
export interface Scored {
  readonly score: number;
  readonly prediction: PlanPrediction;
}

export class Study {
  readonly figures: Figures;
  readonly groups: Groups;
  readonly prices: Prices;
  readonly objective: Objective;
  readonly #model: Model;
  readonly #isLimited: boolean;

  constructor(facts: Facts, figures: Figures = figuresOf(facts)) {
    const { price, objective } = facts.snapshot.policy.spec;
    this.#isLimited = facts.snapshot.enforcesLimits;
    this.figures = figures;
    this.groups = new Groups(facts, figures);
    this.prices = pricesOf(price);
    this.objective = objective;
    this.#model = new Model(figures, this.prices);
  }

  /** Takes what was measured of the plan that runs for what the model says of it. */
  calibrate(running: readonly SizedGroup[], roots: readonly ObservedRoot[]): void {
    this.predict(running);
    for (const { function: name, call, p50Ms, meanMs } of roots) {
      const measured = p50Ms ?? meanMs;
      const f = this.figures.index.get(name);
      if (f === undefined || measured === null || call !== 'Sync') continue;
      const said = this.#model.rootMs(f);
      const own = said > 0 ? Math.min(ENTRY_MS, Math.max(0, measured - said)) : measured;
      this.figures.rootOffsetMs[f] = own;
      this.figures.rootScale[f] = said > 0 ? (measured - own) / said : 1;
    }
  }

  /** As another study was calibrated: what was measured is of one plan. */
  calibrateAs({ figures }: Study): void {
    this.figures.rootOffsetMs.set(figures.rootOffsetMs);
    this.figures.rootScale.set(figures.rootScale);
  }

  predict(units: readonly SizedGroup[]): Scored {
    for (const { functions, resources } of units) this.#put(this.indicesOf(functions), resources);
    const score = this.#model.score(this.objective);
    const { latencyMs, memoryBytes, cost } = this.#model;
    return { score, prediction: { latencyMs, memoryBytes, cost, entries: this.#entries() } };
  }

  #put(members: readonly number[], { cpuMillis, memoryBytes }: PlanResources): void {
    const [u] = members;
    if (u === undefined) return;
    for (const f of members) this.#model.unitOf[f] = u;
    const unit = this.groups.unit(members, members.length);
    const reservedCores = Math.max(LEAST_CORES, cpuMillis / 1000);
    const cores = this.#isLimited ? Math.min(unit.cores, reservedCores) : unit.cores;
    const sized = { ...unit, cores, reservedCores, reservedBytes: HOST_RESERVED_BYTES + memoryBytes };
    this.#model.units.set(u, sized, this.prices);
  }

  #entries(): PlanPrediction['entries'] {
    const { names, count, rootRate } = this.figures;
    return names.slice(0, count).flatMap((name, f) => {
      return (rootRate[f] ?? 0) > 0 ? [{ function: name, latencyMs: this.#model.rootMs(f) }] : [];
    });
  }

  indicesOf(functions: readonly string[]): readonly number[] {
    return functions.flatMap((name) => this.figures.index.get(name) ?? []);
  }

  /** Whether anything was measured of a function. */
  isKnown(name: string): boolean {
    const f = this.figures.index.get(name);
    return f === undefined || this.figures.known[f] === 1;
  }

  assignmentOf(groups: readonly (readonly string[])[]): Assignment {
    const unitOf = Int32Array.from(this.figures.names, (_, f) => f);
    for (const functions of groups) {
      const members = this.indicesOf(functions);
      for (const f of members) unitOf[f] = Math.min(...members);
    }
    return normalised(unitOf, this.figures.count);
  }

  /** The question that the searches answer. */
  question(excluded: readonly Assignment[], starts: readonly Assignment[]): Question {
    const { groups, prices, objective } = this;
    return { groups, prices, objective, excluded, starts };
  }

  /** Whether the rules of a search allow these to share a process. */
  allows(functions: readonly string[]): boolean {
    const members = this.indicesOf(functions);
    return this.groups.fits(members, members.length) && !this.groups.starves(members, members.length);
  }
}
