/** `sinter explain WORKFLOW`: every decision of a plan, with what it rests on: of a run on this machine, or of a cluster. */
import type { Finding } from '@sinter/operator/model/finding';
import type { ClusterFlags } from '../clusterFlags.ts';
import { EXIT, Refusal } from '../exit.ts';
import type { ExitCode } from '../exit.ts';
import { findWorkflow } from '../runs.ts';
import { whereIs } from '../where.ts';
import type { Terminal } from '../terminal.ts';
import { explainLines, readPlanObject } from '../text/decisions.ts';
import { findingLines } from '../text/findings.ts';

export interface ExplainOptions extends ClusterFlags {
  readonly workflow: string;
  readonly run: string | undefined;
  /** Hash of the plan; undefined: the current one. */
  readonly plan: string | undefined;
  readonly json: boolean;
}

export async function explainCommand(options: ExplainOptions, terminal: Terminal): Promise<ExitCode> {
  if ((await whereIs(options, terminal)) === 'Run') return explainRun(options, terminal);
  const { explainCluster } = await import('../cluster/explain.ts');
  return explainCluster(options, terminal);
}

async function explainRun(options: ExplainOptions, { out, err }: Terminal): Promise<ExitCode> {
  const { workflow: w } = await findWorkflow(options);
  if (options.plan !== undefined && options.plan !== w.hash) {
    const message = `--plan: a run keeps only the plan that it follows, ${w.hash || 'none yet'}; leave --plan out`;
    throw new Refusal(EXIT.refused, message);
  }
  if (options.json) {
    const { namespace, workflow, hash, planObject, findings } = w;
    out.line(JSON.stringify({ namespace, workflow, hash, plan: planObject ?? null, findings }, undefined, 2));
    return EXIT.done;
  }
  printFindings(
    w.findings,
    (line) => {
      out.line(line);
    },
    out.colors,
  );
  const plan = w.planObject === undefined ? undefined : readPlanObject(w.planObject);
  if (plan === undefined) {
    err.line();
    throw new Refusal(
      EXIT.refused,
      `${w.namespace}/${w.workflow} has no plan yet: the findings above say why`,
    );
  }
  for (const line of explainLines(plan, { ...w, hash: w.hash }, out.colors)) out.line(line);
  return EXIT.done;
}

function printFindings(
  findings: readonly Finding[],
  print: (line: string) => void,
  colors: Parameters<typeof findingLines>[1],
): void {
  for (const finding of findings) for (const line of findingLines(finding, colors)) print(line);
  if (findings.length > 0) print('');
}
