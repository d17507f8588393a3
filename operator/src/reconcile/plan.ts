/**
 * The controller of WorkflowPlans: what became of each plan of a workflow, and how many are kept.
 *
 * Owns: state, sequence and comparison, and the removal of plans that nobody needs. Its keys are workflows: a plan is judged beside the
 * others of its workflow. The Workflow controller makes them; when their Workflow goes, the cluster removes them.
 * Invariants:
 *  1. A plan that is live, proposed or pinned is never removed.
 *  2. A sequence number, once given, stays; and so does what a plan was measured to be, until it is measured again.
 */
import { applyStatus } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';
import { settled } from '../kube/controller.ts';
import type { Result } from '../kube/controller.ts';
import { isNotFound } from '../kube/errors.ts';
import { placeOf } from '../kube/objects.ts';
import { fieldsOf } from './conditions.ts';
import { MANAGER, SINTER } from './kinds.ts';
import type { StoredObject } from './kinds.ts';
import type { Running, RunningWorkflow } from './running.ts';
import type { Stores } from './stores.ts';

export interface PlanOptions {
  readonly client: KubeClient;
  readonly stores: Stores;
  readonly running: Running;
}

/** Plans of one workflow, the live ones included. */
export const PLANS_KEPT = 10;

export type PlanState = 'Proposed' | 'Candidate' | 'Current' | 'Draining' | 'Retired';

export interface JudgedPlan {
  readonly plan: StoredObject;
  readonly hash: string;
  readonly sequence: number;
  readonly state: PlanState;
}

export class PlanReconciler {
  readonly #options: PlanOptions;

  constructor(options: PlanOptions) {
    this.#options = options;
  }

  async reconcile(workflow: string, signal: AbortSignal): Promise<Result> {
    const { client, stores, running } = this.#options;
    const runs = running.get(workflow);
    if (!runs) return settled; // told when it is known
    const { name } = placeOf(workflow);
    const plans = stores.plans
      .by('workflow', workflow)
      .filter(({ metadata: m }) => m.deletionTimestamp === undefined);
    const judged = judgePlans(plans, name, runs);
    for (const { plan, hash, sequence, state } of judged) {
      const status = {
        observedGeneration: plan.metadata.generation ?? 1,
        sequence,
        state,
        ...(runs.comparisons?.[hash] ?? measuredBefore(plan)),
      };
      await orGone(
        applyStatus({ client, kind: SINTER.plans, current: plan, status, manager: MANAGER.plan, signal }),
      );
    }
    const pinned = pinnedBy(stores.workflows.get(workflow));
    for (const { plan } of superfluous(judged, pinned))
      await client.delete(SINTER.plans, plan.metadata, { uid: plan.metadata.uid, signal });
    return settled;
  }
}

/** Plans by sequence, those without one after those that have one, by age. */
export function judgePlans(
  plans: readonly StoredObject[],
  workflow: string,
  runs: RunningWorkflow,
): readonly JudgedPlan[] {
  const known = plans.map((plan) => ({ plan, given: sequenceOf(plan) }));
  let last = Math.max(0, ...known.map((k) => k.given));
  const fresh = known.filter((k) => k.given === 0).sort((a, b) => (ageOf(a.plan) < ageOf(b.plan) ? -1 : 1));
  const numbers = new Map(fresh.map(({ plan }) => [plan, ++last] as const));
  return known
    .map(({ plan, given }) => {
      const hash = plan.metadata.name.slice(workflow.length + 1);
      return { plan, hash, sequence: numbers.get(plan) ?? given, state: stateOf(hash, runs) };
    })
    .sort((a, b) => a.sequence - b.sequence);
}

const sequenceOf = ({ status }: StoredObject): number => {
  const { sequence } = fieldsOf(status);
  return typeof sequence === 'number' ? sequence : 0;
};

const ageOf = ({ metadata }: StoredObject): string => `${metadata.creationTimestamp ?? ''} ${metadata.name}`;

function measuredBefore({ status }: StoredObject): object {
  const { gain, comparison } = fieldsOf(status);
  return { ...(gain === undefined ? {} : { gain }), ...(comparison === undefined ? {} : { comparison }) };
}

function stateOf(
  hash: string,
  { current, candidate, draining, planned, offered }: RunningWorkflow,
): PlanState {
  if (hash === current) return 'Current';
  if (hash === candidate) return 'Candidate';
  if (draining.includes(hash)) return 'Draining';
  return hash === planned || hash === offered ? 'Proposed' : 'Retired';
}

/** The oldest of those that are retired and not pinned, beyond what is kept. */
export function superfluous(plans: readonly JudgedPlan[], pinned: string): readonly JudgedPlan[] {
  const removable = plans.filter((p) => p.state === 'Retired' && p.hash !== pinned);
  return removable.slice(0, Math.max(0, plans.length - PLANS_KEPT));
}

function pinnedBy(workflow: StoredObject | undefined): string {
  const { hash } = fieldsOf(fieldsOf(workflow?.spec)['planRef']);
  return typeof hash === 'string' ? hash : '';
}

async function orGone(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (cause) {
    if (!isNotFound(cause)) throw cause;
  }
}
