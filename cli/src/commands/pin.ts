/**
 * `sinter approve` and `sinter revert`: which plan runs, said by a person. Both set `spec.planRef.hash` of the Workflow, and
 * nothing else: in a cluster on the object, in a run on the Workflow as the run has it.
 *
 * Owns: what is asked for, and what is said of the outcome. `../plans.ts` chooses; the operator brings it about.
 */
import type { ClusterFlags } from '../clusterFlags.ts';
import { pinInRun } from '../control.ts';
import { EXIT } from '../exit.ts';
import type { ExitCode } from '../exit.ts';
import { planBefore, planNamed, planToApprove } from '../plans.ts';
import type { Plans } from '../plans.ts';
import { findWorkflow } from '../runs.ts';
import type { RunWorkflow } from '../runs.ts';
import { whereIs } from '../where.ts';
import type { Terminal } from '../terminal.ts';
import { hanging } from '../text/layout.ts';

/** Which plan is to run. Any: whatever the policy decides. */
export type Wish =
  { readonly is: 'Proposed' | 'Before' | 'Any' } | { readonly is: 'Named'; readonly hash: string };

export interface PinOptions extends ClusterFlags {
  readonly workflow: string;
  readonly wish: Wish;
  readonly run: string | undefined;
  readonly json: boolean;
}

export interface Pinned {
  readonly namespace: string;
  readonly workflow: string;
  /** What stands in `planRef` now; empty: the policy decides. */
  readonly planRef: string;
  readonly was: string;
  /** Hash of the plan that runs. */
  readonly current: string;
}

export async function pinCommand(options: PinOptions, terminal: Terminal): Promise<ExitCode> {
  const where = await whereIs(options, terminal);
  const pinned = where === 'Run' ? await pinRun(options) : await pinCluster(options, terminal);
  if (options.json) terminal.out.line(JSON.stringify(pinned));
  else for (const line of pinnedLines(pinned, where)) terminal.out.line(line);
  return EXIT.done;
}

async function pinCluster(options: PinOptions, terminal: Terminal): Promise<Pinned> {
  const { pinInCluster } = await import('../cluster/pin.ts');
  return await pinInCluster(options, terminal);
}

async function pinRun(options: PinOptions): Promise<Pinned> {
  const found = await findWorkflow(options);
  const { namespace, workflow, planRef: was = '' } = found.workflow;
  const planRef = chosen(plansOf(found.workflow), options.wish);
  const current = await pinInRun(found, planRef);
  return { namespace, workflow, planRef, was, current };
}

const plansOf = ({ namespace, workflow, hash, plans = [] }: RunWorkflow): Plans => ({
  workflow: `${namespace}/${workflow}`,
  current: hash,
  plans,
});

/** The hash that is to stand in `planRef`. */
export function chosen(plans: Plans, wish: Wish): string {
  switch (wish.is) {
    case 'Proposed':
      return planToApprove(plans).hash;
    case 'Before':
      return planBefore(plans).hash;
    case 'Named':
      return planNamed(plans, wish.hash).hash;
    case 'Any':
      return '';
  }
}

function pinnedLines(
  { namespace, workflow, planRef, was, current }: Pinned,
  where: 'Run' | 'Cluster',
): readonly string[] {
  const label = `${namespace}/${workflow}`;
  const before = was === '' ? 'was empty' : `was ${was}`;
  if (planRef === '')
    return hanging(
      '',
      `${label}: planRef is empty${was === '' ? '' : `, it ${before}`}: the policy decides again`,
    );
  const runs = planRef === current ? 'it runs' : `${current || 'nothing'} runs until it is ready`;
  return [
    ...hanging(
      '',
      `${label}: planRef is ${planRef}${was === planRef ? ' already' : `, it ${before}`}; ${runs}`,
    ),
    ...hanging(
      '  ',
      where === 'Run'
        ? 'it stays until the run ends, or sinter approve WORKFLOW --any'
        : 'it stays until planRef says otherwise, as sinter approve WORKFLOW --any has it; where manifests in Git ' +
            'write spec.planRef, change it there',
    ),
  ];
}
