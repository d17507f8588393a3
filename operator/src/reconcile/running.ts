/**
 * What runs, workflow by workflow, as the Workflow controller saw it last: for the controllers of Functions and plans.
 *
 * Owns: remembering it, and telling those who listen when it has changed. Nothing is known of a workflow until it was
 * reconciled once; until then nobody reports anything about it, so that a restart of the operator writes nothing.
 */
import { canonicalJson } from '../model/canonical.ts';
import type { PlanComparison } from './comparison.ts';

export interface RunningUnit {
  readonly name: string;
  /** Its functions, by their names in the graph. */
  readonly functions: readonly string[];
  readonly instances: number;
  readonly ready: number;
}

export interface RunningWorkflow {
  readonly current: string;
  readonly candidate?: string | undefined;
  readonly draining: readonly string[];
  /** The plan that the objects give now. */
  readonly planned?: string | undefined;
  /** What the planner would rather have. */
  readonly offered?: string | undefined;
  /** Of plans that are tried, or were tried last. */
  readonly comparisons?: Readonly<Record<string, PlanComparison>>;
  /** Of the current revision. */
  readonly units: readonly RunningUnit[];
}

export class Running {
  readonly #known = new Map<string, { readonly what: RunningWorkflow; readonly text: string }>();
  readonly #listeners = new Set<(workflow: string) => void>();

  get(workflow: string): RunningWorkflow | undefined {
    return this.#known.get(workflow)?.what;
  }

  set(workflow: string, what: RunningWorkflow): void {
    const text = canonicalJson(what);
    if (this.#known.get(workflow)?.text === text) return;
    this.#known.set(workflow, { what, text });
    this.#tell(workflow);
  }

  /** A plan is about to be made: whoever sees it before it runs is to know what it is for. */
  offers(workflow: string, hash: string): void {
    const known = this.get(workflow);
    if (known && known.current !== hash && known.candidate !== hash)
      this.set(workflow, { ...known, offered: hash });
  }

  forget(workflow: string): void {
    if (this.#known.delete(workflow)) this.#tell(workflow);
  }

  /** Calls back with the key of the workflow; returns the way to stop. */
  onChange(listener: (workflow: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  keys(): Iterable<string> {
    return this.#known.keys();
  }

  #tell(workflow: string): void {
    for (const listener of this.#listeners) listener(workflow);
  }
}
