/** `sinter explain WORKFLOW`: every decision of the plan that runs, with what it rests on. */
import type { Finding } from '@sinter/operator/model/finding';
import { EXIT, Refusal } from '../exit.ts';
import type { ExitCode } from '../exit.ts';
import { findWorkflow } from '../runs.ts';
import type { Terminal } from '../terminal.ts';
import { explainLines, readPlanObject } from '../text/decisions.ts';
import { findingLines } from '../text/findings.ts';

export interface ExplainOptions {
  readonly workflow: string;
  readonly namespace: string | undefined;
  readonly run: string | undefined;
  readonly json: boolean;
}

export async function explainCommand(options: ExplainOptions, { out, err }: Terminal): Promise<ExitCode> {
  const { workflow: w } = await findWorkflow(options);
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
