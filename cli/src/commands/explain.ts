/** `sinter explain WORKFLOW`: every decision of a plan, with what it rests on: of a run on this machine, or of a cluster. */
import type { Finding } from '@sinter/operator/model/finding';
import { proposalOf } from '@sinter/operator/resources/index';
import { readSnapshot } from '@sinter/operator/snapshot/index';
import type { Snapshot } from '@sinter/operator/snapshot/index';
import type { ClusterFlags } from '../clusterFlags.ts';
import { EXIT, Refusal } from '../exit.ts';
import type { ExitCode } from '../exit.ts';
import { snapshotOfRun } from '../control.ts';
import { findWorkflow } from '../runs.ts';
import type { FoundWorkflow } from '../runs.ts';
import { savingsOf } from '../savings.ts';
import type { Savings } from '../savings.ts';
import { whereIs } from '../where.ts';
import type { Colors, Terminal } from '../terminal.ts';
import { explainLines, readPlanObject } from '../text/decisions.ts';
import { findingLines } from '../text/findings.ts';
import { hanging } from '../text/layout.ts';
import { savingLines } from '../text/savings.ts';

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
  const found = await findWorkflow(options);
  const { workflow: w } = found;
  if (options.plan !== undefined && options.plan !== w.hash) {
    const message = `--plan: a run keeps only the plan that it follows, ${w.hash || 'none yet'}; leave --plan out`;
    throw new Refusal(EXIT.refused, message);
  }
  const now = w.hash === '' ? undefined : await asOfNow(found);
  const planObject = now?.planObject ?? w.planObject;
  if (options.json) {
    const { namespace, workflow, hash, findings } = w;
    const more = now?.savings ? { savings: now.savings } : {};
    out.line(
      JSON.stringify(
        { namespace, workflow, hash, plan: planObject ?? null, findings, ...more },
        undefined,
        2,
      ),
    );
    return EXIT.done;
  }
  printFindings(
    w.findings,
    (line) => {
      out.line(line);
    },
    out.colors,
  );
  const plan = planObject === undefined ? undefined : readPlanObject(planObject);
  if (plan === undefined) {
    err.line();
    throw new Refusal(
      EXIT.refused,
      `${w.namespace}/${w.workflow} has no plan yet: the findings above say why`,
    );
  }
  const facts = now ? factsOf(now, out.colors) : [];
  for (const line of explainLines(plan, { ...w, hash: w.hash }, out.colors, facts)) out.line(line);
  return EXIT.done;
}

interface Now {
  readonly snapshot: Snapshot;
  /** The plan that runs, with today's figures; undefined: the planner would rather have another one. */
  readonly planObject: Readonly<Record<string, unknown>> | undefined;
  /** That other one, and why. */
  readonly other: { readonly hash: string; readonly message: string } | undefined;
  /** Where the policy observes. */
  readonly savings: Savings | undefined;
}

/** What the planner says by what is measured now; a plan keeps the decisions that it was made by. */
async function asOfNow(found: FoundWorkflow): Promise<Now | undefined> {
  if (!found.run.control) return undefined;
  const read = readSnapshot(await snapshotOfRun(found));
  if (!read.ok) return undefined;
  const { snapshot } = read;
  const { named, plan } = proposalOf(snapshot);
  const isIt = named?.hash === found.workflow.hash;
  const rollout = plan.decisions.find((d) => d.kind === 'Rollout');
  return {
    snapshot,
    planObject: isIt ? { ...named.object } : undefined,
    other: named && !isIt ? { hash: named.hash, message: rollout?.message ?? '' } : undefined,
    savings: snapshot.policy.spec.mode === 'Observe' ? savingsOf(snapshot) : undefined,
  };
}

function factsOf({ snapshot, other, savings }: Now, colors: Colors): readonly string[] {
  return [
    ...(other ? hanging('', `by what is measured now it would be plan ${other.hash}: ${other.message}`) : []),
    ...(savings ? ['', ...savingLines(savings, snapshot, colors)] : []),
  ];
}

function printFindings(
  findings: readonly Finding[],
  print: (line: string) => void,
  colors: Parameters<typeof findingLines>[1],
): void {
  for (const finding of findings) for (const line of findingLines(finding, colors)) print(line);
  if (findings.length > 0) print('');
}
