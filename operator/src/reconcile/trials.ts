/**
 * From what was ordered to what is wanted: a workflow's roll-outs, in the terms of its plans.
 *
 * Owns: what of a policy a roll-out goes by, and which plans' units are to run. `rollout/conduct.ts` decides. Pure.
 */
import type { WorkflowObject } from '../model/nouns.ts';
import type { ResolvedPolicy } from '../model/policy.ts';
import { planShape, pricingOf } from '../resources/index.ts';
import type { PlanPricing } from '../resources/index.ts';
import { PACE, unitsIn } from '../rollout/index.ts';
import type {
  Evidence,
  Memory,
  Order,
  Readiness,
  RolloutStatus,
  Sight,
  Target,
  Trial,
  TrialTerms,
  Wanted,
} from '../rollout/index.ts';
import type { Planned } from './proposals.ts';
import { wantedOf } from './target.ts';
import type { Followed, WantedUnit, WantedWorkflow } from './target.ts';

type Spec = ResolvedPolicy['spec'];

export const termsOf = ({ objective, rollout }: Spec): TrialTerms => ({
  objective,
  minimumGain: rollout.minimumGainPercent / 100,
  maximumMs: rollout.maximumDurationSeconds * 1000,
  onRegression: rollout.onRegression,
  pace: PACE,
});

/** Plans that may run beside each other now, with what they reserve. */
export const pricingFor = ({ proposal, tried, better }: Planned): PlanPricing | undefined =>
  proposal &&
  pricingOf(
    proposal.snapshot.policy.spec,
    [proposal, tried, better].filter((plan) => plan !== undefined),
  );

/** What a look at the roll-outs sees. `before`: what the last step found. */
export function sightOf(of: {
  readonly workflow: WorkflowObject;
  readonly proposal: Followed;
  readonly planned: Planned;
  readonly current: string;
  readonly evidence: Evidence;
  readonly before: RolloutStatus | undefined;
  readonly memory: Memory;
  readonly nowMs: number;
}): Sight {
  const { workflow, proposal, planned, memory, before } = of;
  const { spec } = proposal.snapshot.policy;
  const shape = (plan: Followed) => planShape(plan.named.object);
  return {
    nowMs: of.nowMs,
    current: of.current,
    declared: shape(proposal),
    ...(planned.tried ? { tried: shape(planned.tried) } : {}),
    ...(planned.better ? { better: shape(planned.better) } : {}),
    ...(planned.chosen ? { chosen: shape(planned.chosen) } : {}),
    mayTry:
      spec.mode === 'Optimize' && spec.rollout.mode === 'Automatic' && workflow.spec.planRef.hash === '',
    evidence: of.evidence,
    readiness: readinessOf(memory.trial, before),
    currentServes: (before?.down ?? []).length === 0,
    terms: termsOf(spec),
    cooldownMs: spec.rollout.cooldownSeconds * 1000,
  };
}

/**
 * At an operator's first look nothing is known of units: what served when the last one looked is taken to serve still, or the
 * time without an operator would count as time in which it did not.
 */
function readinessOf(trial: Trial | undefined, before: RolloutStatus | undefined): Readiness {
  if (!before) return { serves: trial !== undefined && trial.phase !== 'Starting' };
  if (before.candidate !== trial?.plan.hash) return { serves: false };
  const problem = before.waiting.find((w) => w.problem)?.problem;
  return { serves: before.serves, ...(problem ? { problem } : {}) };
}

export interface Ordered {
  readonly wanted: Wanted;
  /** Every unit that is wanted, with all that its objects are made from. */
  readonly units: ReadonlyMap<string, WantedUnit>;
}

/** Undefined: what runs goes on, and nothing of what is declared is begun. */
export function orderedBy(
  order: Order,
  workflow: WorkflowObject,
  planned: Planned,
  digests: Readonly<Record<string, readonly string[]>>,
): Ordered | undefined {
  const made = (plan: Followed | undefined): WantedWorkflow | undefined =>
    plan && wantedOf(workflow, plan, digests);
  const tried = planned.tried ?? planned.better;
  switch (order.run) {
    case 'Current':
      return undefined;
    case 'Declared':
      return alone(made(planned.proposal));
    case 'Chosen':
      return alone(made(planned.chosen));
    case 'Tried':
      return alone(made(tried));
    case 'Beside': {
      const { weightPercent } = order;
      return order.what === 'Declared'
        ? beside(made(planned.proposal), weightPercent)
        : beside(made(tried), weightPercent, made(planned.proposal));
    }
  }
}

const alone = (plan: WantedWorkflow | undefined): Ordered | undefined =>
  plan && { wanted: { is: 'Run', target: plan.target }, units: plan.units };

const beside = (
  plan: WantedWorkflow | undefined,
  weightPercent: number,
  base?: WantedWorkflow,
): Ordered | undefined =>
  plan && {
    wanted: { is: 'Try', target: plan.target, weightPercent, ...(base ? { base: base.target } : {}) },
    units: unitsOf([base, plan].filter((one) => one !== undefined)),
  };

/** One that is in both plans has as many instances as either wants. */
function unitsOf(plans: readonly WantedWorkflow[]): ReadonlyMap<string, WantedUnit> {
  const targets: readonly Target[] = plans.map((p) => p.target);
  const instances = new Map(unitsIn(targets).map((u) => [u.name, u.instances] as const));
  return new Map(
    plans
      .flatMap((p) => [...p.units])
      .map(([name, unit]) => [
        name,
        { ...unit, plan: { ...unit.plan, instances: instances.get(name) ?? unit.plan.instances } },
      ]),
  );
}
