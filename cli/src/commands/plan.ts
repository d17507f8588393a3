/** `sinter plan -f PATH` without a cluster: what would run, and why, or what stands in the way. Starts nothing. */
import { isRefused, planPaths, printFindings, requireWorkflow } from '../application.ts';
import type { Planned } from '../application.ts';
import { EXIT } from '../exit.ts';
import type { ExitCode } from '../exit.ts';
import { localMachines } from '@sinter/operator/local/machines';
import type { Terminal } from '../terminal.ts';
import { planLines } from '../text/plan.ts';

export interface PlanOptions {
  readonly paths: readonly string[];
  readonly machines: number;
  /** Of objects that name none; undefined: `default`. */
  readonly namespace?: string | undefined;
  readonly json: boolean;
}

export async function planCommand(options: PlanOptions, terminal: Terminal): Promise<ExitCode> {
  const machines = localMachines(options.machines);
  const planned = await planPaths(options.paths, machines, options.namespace);
  const refused = isRefused(planned);
  if (!refused) requireWorkflow(planned.manifests, options.paths);
  if (options.json) terminal.out.line(JSON.stringify(planJson(planned), undefined, 2));
  else {
    const { manifests, findings, workflows } = planned;
    printFindings(manifests.problems, findings, manifests, terminal.err);
    for (const { plan } of workflows) {
      if (!plan) continue;
      for (const line of planLines(plan, machines, terminal.out.colors)) terminal.out.line(line);
    }
  }
  return refused ? EXIT.refused : EXIT.done;
}

const planJson = ({ manifests, findings, workflows }: Planned): object => ({
  workflows: workflows.map(({ namespace, workflow, plan, planObject }) => ({
    namespace,
    workflow,
    hash: plan?.hash ?? null,
    plan: planObject ?? null,
  })),
  findings,
  problems: manifests.problems,
});
