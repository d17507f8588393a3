/**
 * The plans of one workflow in this run, and what became of each: what a cluster keeps as WorkflowPlans.
 *
 * Owns: their numbers and states, and how many are kept. A plan that has been made stays as it was: made again with the same
 * hash, the first one's decisions stand (D12).
 */
import type { RunPlan } from './run.ts';
import type { NamedProposal, Proposal } from '../resources/index.ts';

/** A plan that may be applied. */
export interface Applicable extends Proposal {
  readonly named: NamedProposal;
}

interface Kept {
  readonly applicable: Applicable;
  told: RunPlan;
}

/** As many as a cluster keeps. */
const KEPT = 10;

export class History {
  readonly #kept = new Map<string, Kept>();
  #sequence = 0;

  /** The plan of that hash, as it was made first. */
  find(hash: string): Applicable | undefined {
    return this.#kept.get(hash)?.applicable;
  }

  /** In the order in which they were made. */
  get plans(): readonly RunPlan[] {
    return [...this.#kept.values()].map((kept) => kept.told);
  }

  /** Takes a plan up, unless it is known; gives the one that is kept. */
  keep(applicable: Applicable): Applicable {
    const { hash } = applicable.named;
    const known = this.#kept.get(hash);
    if (known) return known.applicable;
    this.#sequence += 1;
    this.#kept.set(hash, { applicable, told: { hash, sequence: this.#sequence, state: 'Proposed' } });
    this.#forgetOldest();
    return applicable;
  }

  /** What became of it. One that runs now takes the place of the one that did. */
  tell(hash: string, news: Partial<Omit<RunPlan, 'hash' | 'sequence'>>): void {
    if (news.state === 'Current')
      for (const plan of this.plans)
        if (plan.state === 'Current' && plan.hash !== hash) this.tell(plan.hash, { state: 'Retired' });
    const kept = this.#kept.get(hash);
    if (kept) kept.told = { ...kept.told, ...news };
  }

  /** What is declared is another now: none of them can be made any more. Numbers go on. */
  clear(): void {
    this.#kept.clear();
  }

  #forgetOldest(): void {
    const idle = this.plans.filter(({ state }) => state === 'Retired' || state === 'Proposed');
    for (const { hash } of idle.slice(0, this.#kept.size - KEPT)) this.#kept.delete(hash);
  }
}
