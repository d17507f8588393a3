/**
 * All that is known of one running workflow: told by its instances, asked by planner and roll-out.
 *
 * Owns: that both get the same, and only what an instance may say. Time is an argument, in milliseconds since 1970; where it
 * goes back it stands still.
 */
import type { Observation, RouteRecord, WorkflowKey } from '@sinter/contract';
import type { Evidence } from '../rollout/evidence.ts';
import type { Observations } from '../snapshot/index.ts';
import { readRecord, recordOf } from './checkpoint.ts';
import type { ObservationsRecord } from './checkpoint.ts';
import { figuresOf } from './figures.ts';
import { withinScope } from './scope.ts';
import { Steady } from './steady.ts';
import { Tallies } from './tallies.ts';
import type { Pricing } from './tallies.ts';
import { Windows } from './windows.ts';

export class WorkflowObservations {
  readonly workflow: WorkflowKey;
  #calls = 0;
  #windows = new Windows();
  #steady = new Steady();
  readonly #tallies: Tallies;
  #route: RouteRecord | undefined;

  /** `epoch` tells the sums of this process from those of every other one. */
  constructor(workflow: WorkflowKey, epoch: string) {
    this.workflow = workflow;
    this.#tallies = new Tallies(epoch);
  }

  /** The generation of the route that it goes by; 0: none is known yet. */
  get generation(): number {
    return this.#route?.generation ?? 0;
  }

  /** The current revision by that route; empty: there is none. */
  get current(): string {
    return this.#route?.current ?? '';
  }

  /** Grows with everything that is heard of calls. */
  get calls(): number {
    return this.#calls;
  }

  /** Instances of the current revision that were ended for lack of memory since it became that. */
  get kills(): number {
    const units = this.#route?.revisions[this.current]?.units ?? [];
    return units.reduce((n, { name }) => n + this.#windows.killsOf(name), 0);
  }

  /** Goes by this route from now on. */
  follow(route: RouteRecord): void {
    this.#route = route;
    this.#windows.follow(route);
    this.#tallies.keep(new Set(Object.keys(route.revisions)));
  }

  /** Takes in as much as its speaker may say; nothing before a route is known. */
  heard(o: Observation, machineClass: string, nowMs: number): void {
    if (!this.#route) return;
    const heard = withinScope(o, this.#route);
    this.#calls += heard.functions.length + heard.edges.length + heard.entries.length;
    this.#windows.heard(heard, o, machineClass, nowMs);
    this.#tallies.heard(heard, o, machineClass);
  }

  /** An instance of this unit was ended for lack of memory. */
  killed(unit: string): void {
    this.#windows.killed(unit);
  }

  /** What a plan is made from while this revision is the current one. */
  figures(current: string, nowMs: number): Observations {
    return figuresOf(this.#windows, this.#steady, current, nowMs);
  }

  /** What was seen of root calls under each live revision since this process began to listen. */
  evidence(pricing: Pricing, nowMs: number): Evidence {
    return this.#tallies.evidence(pricing, nowMs);
  }

  toRecord(): ObservationsRecord {
    return recordOf(this.workflow, this.#windows, this.#steady);
  }

  /**
   * Goes on from what was kept, as if no time had passed since. False: it cannot be read, or is of a shorter time than has
   * been listened here.
   */
  restore(record: unknown): boolean {
    const read = readRecord(this.workflow, record);
    if (!read || read.windows.knownMs < this.#windows.knownMs) return false;
    this.#windows = read.windows;
    this.#steady = read.steady;
    if (this.#route) this.#windows.follow(this.#route);
    return true;
  }
}
