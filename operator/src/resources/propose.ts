/**
 * From declared objects to what would run: the one way by which the operator, `sinter run` and `sinter plan` come to a
 * plan, so that all three come to the same.
 *
 * Owns: the order gather, plan, name. What is wrong with the objects themselves is `check`'s to say (model/), and the
 * caller joins the two.
 */
import type { WorkflowPlanObject } from '../model/nouns.ts';
import { isError } from '../model/finding.ts';
import { plan as makePlan } from '../planner/planner.ts';
import type { Plan } from '../planner/plan.ts';
import { gather } from '../snapshot/gather.ts';
import type { GatherInput } from '../snapshot/gather.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { planHash } from './hashes.ts';
import { workflowPlanObject } from './planObject.ts';

export interface Proposal {
  readonly snapshot: Snapshot;
  /** With its findings: one that has an Error among them is not to be applied. */
  readonly plan: Plan;
  /** Undefined where the plan is not to be applied. */
  readonly named: NamedProposal | undefined;
}

export interface NamedProposal {
  readonly hash: string;
  readonly object: WorkflowPlanObject;
}

/** What would run for one workflow; undefined where there is no such workflow. */
export function propose(input: GatherInput): Proposal | undefined {
  const snapshot = gather(input);
  return snapshot && proposalOf(snapshot);
}

/** What would run in the world of a snapshot: of one that was kept, the same as at the moment at which it was taken. */
export function proposalOf(snapshot: Snapshot): Proposal {
  const plan = makePlan(snapshot);
  if (plan.findings.some(isError)) return { snapshot, plan, named: undefined };
  const named = { hash: planHash(plan, snapshot), object: workflowPlanObject(plan, snapshot) };
  return { snapshot, plan, named };
}
