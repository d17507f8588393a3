/**
 * What is to run now: what is declared, a plan beside it, or what ran before. One look at all that a workflow's roll-outs
 * depend on, from first to last.
 *
 *   planner's wish ──may be tried──▶ trial ──better──▶ taken ──is current──▶ forgotten
 *   declared anew  ───────────────▶ trial ──no worse─▶ taken        └─▶ otherwise: lost, cool-down; code: what ran stays
 *
 * Owns: which of these holds, and the memory of it. `trial.ts` leads one trial, `step.ts` makes what is ordered run.
 * Level-triggered: whoever calls it keeps the memory *before* doing what is ordered, and may be killed before or after either.
 * Invariants:
 *  1. A plan is tried only beside a current one that what is declared still gives.
 *  2. What a person chose is not tried: it runs.
 */
import type { Evidence } from './evidence.ts';
import { afterTrial, budgetOf, counted, refusalOf } from './memory.ts';
import type { Memory, Refusal, Report } from './memory.ts';
import { meanOf } from './sequence.ts';
import { figuresOf } from './totals.ts';
import { startTrial, trialStep } from './trial.ts';
import type { Readiness, Trial, TrialEnd, TrialTerms, TriedPlan } from './trial.ts';

export interface Sight {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** Hash of the revision that entries use; empty: none yet. */
  readonly current: string;
  /** What is declared, in the groups and sizes that run, as far as it allows them. */
  readonly declared: TriedPlan;
  /** The plan that memory says is tried or taken, as it would be made now. */
  readonly tried?: TriedPlan;
  /** A person chose this one. */
  readonly chosen?: TriedPlan;
  /** The planner's wish. */
  readonly better?: TriedPlan;
  /** Better plans may be tried by themselves. */
  readonly mayTry: boolean;
  readonly evidence: Evidence;
  /** Of whatever is tried. */
  readonly readiness: Readiness;
  /** Every unit of the current revision is up. */
  readonly currentServes: boolean;
  readonly terms: TrialTerms;
  readonly cooldownMs: number;
}

export type Order =
  /** This alone, and where it does not run yet, in place of what does. */
  | { readonly run: 'Declared' | 'Chosen' | 'Tried' }
  /** What runs goes on, whatever is declared. */
  | { readonly run: 'Current' }
  /** This beside what runs. `Declared`: it is new code, and what runs cannot be made from what is declared any more. */
  | { readonly run: 'Beside'; readonly what: 'Declared' | 'Tried'; readonly weightPercent: number };

export interface Conducted {
  readonly memory: Memory;
  readonly order: Order;
  /** Hash of the plan whose trial has just begun. */
  readonly started?: string;
  readonly ended?: Report;
  /** Why the planner's wish is not tried now. */
  readonly refusal?: Refusal;
}

export function conduct(before: Memory, sight: Sight): Conducted {
  const memory = counted(before, sight.evidence);
  if (sight.chosen) return { memory: withoutTrial(memory), order: { run: 'Chosen' } };
  if (sight.current === '') return { memory: withoutTrial(memory), order: { run: 'Declared' } };
  const taken = memory.taken && takenNow(memory.taken, sight);
  if (taken) return { memory, order: taken };
  const { taken: _, ...rest } = memory;
  return sight.declared.hash === sight.current ? ofPlan(rest, sight) : ofCode(rest, sight);
}

function withoutTrial({ trial: _, taken: __, ...memory }: Memory): Memory {
  return memory;
}

/** It goes on to be taken, until it is the current one, or cannot be any more. */
function takenNow({ hash }: TriedPlan, { current, declared, tried }: Sight): Order | undefined {
  if (hash === current) return undefined;
  if (hash === declared.hash) return { run: 'Declared' };
  return hash === tried?.hash && declared.hash === current ? { run: 'Tried' } : undefined;
}

/** Something else is declared than what runs. */
function ofCode(memory: Memory, sight: Sight): Conducted {
  const { declared, current, terms, nowMs } = sight;
  const { withdrawnCode, ...known } = memory;
  const isWithdrawn = withdrawnCode?.hash === declared.hash && terms.onRegression === 'Revert';
  if (isWithdrawn) return { memory: withoutTrial(memory), order: { run: 'Current' } };
  // What does not run can lose nothing by new code.
  if (terms.onRegression === 'Ignore' || !sight.currentServes)
    return { memory: withoutTrial(known), order: { run: 'Declared' } };
  const { trial } = memory;
  const goesOn = trial?.of === 'Code' && trial.plan.hash === declared.hash && trial.current === current;
  return goesOn
    ? goneOn({ ...known, trial }, trial, sight)
    : started(known, startTrial('Code', declared, current, nowMs));
}

/** What runs is what is declared: is there anything better? */
function ofPlan(memory: Memory, sight: Sight): Conducted {
  const { withdrawnCode: _, ...known } = memory;
  const { tried, better, current, mayTry, nowMs } = sight;
  const { trial } = known;
  const goesOn =
    mayTry && trial?.of === 'Plan' && trial.current === current && trial.plan.hash === tried?.hash;
  if (goesOn) return goneOn(known, trial, sight);
  const order: Order = { run: 'Declared' };
  const idle = withoutTrial(known);
  if (!mayTry || !better || better.hash === current) return { memory: idle, order };
  const refusal = refusalOf(idle, better.hash, nowMs);
  return refusal
    ? { memory: idle, order, refusal }
    : started(idle, startTrial('Plan', better, current, nowMs));
}

const started = (memory: Memory, trial: Trial): Conducted => ({
  memory: { ...memory, trial },
  order: beside(trial),
  started: trial.plan.hash,
});

const beside = ({ of, weightPercent }: Trial): Order => ({
  run: 'Beside',
  what: of === 'Code' ? 'Declared' : 'Tried',
  weightPercent,
});

function goneOn(memory: Memory, before: Trial, sight: Sight): Conducted {
  const { terms } = sight;
  const { trial, end } = trialStep(before, { ...sight, budgetCalls: budgetOf(memory) }, terms);
  if (!end) return { memory: { ...memory, trial }, order: beside(trial) };
  const last = reportOf(trial, end, terms);
  const after = { ...afterTrial(memory, trial, end, sight.nowMs, sight.cooldownMs), last };
  const isCode = trial.of === 'Code';
  if (end.outcome === 'Promote') {
    const order: Order = { run: isCode ? 'Declared' : 'Tried' };
    return { memory: { ...after, taken: trial.plan }, order, ended: last };
  }
  if (!isCode) return { memory: after, order: { run: 'Declared' }, ended: last };
  const withdrawnCode = { hash: trial.plan.hash, message: end.message };
  // Code is never the planner's to avoid.
  return {
    memory: { ...after, lost: memory.lost, ledger: memory.ledger, withdrawnCode },
    order: { run: 'Current' },
    ended: last,
  };
}

/** What people are told of a trial; also of one that goes on, as if it ended so. */
export function reportOf(trial: Trial, end: TrialEnd, { objective }: TrialTerms): Report {
  const { current, candidate } = trial.totals;
  const difference = trial.of === 'Plan' ? meanOf(trial.scores.objective) : undefined;
  return {
    of: trial.of,
    hash: trial.plan.hash,
    current: trial.current,
    objective,
    end,
    ...(difference === undefined ? {} : { gain: -Math.expm1(difference) }),
    figures: { current: figuresOf(current, candidate), candidate: figuresOf(candidate, current) },
  };
}
