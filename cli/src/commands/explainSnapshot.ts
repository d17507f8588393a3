/**
 * `sinter explain --snapshot FILE`: every decision of the plan that would be made in the world of a snapshot, and what could be
 * saved of what runs there. It asks nobody: neither a run nor a cluster.
 */
import { isError } from '@sinter/operator/model/index';
import { proposalOf } from '@sinter/operator/resources/index';
import type { Snapshot } from '@sinter/operator/snapshot/index';
import { printFindings, shownProposal } from '../application.ts';
import { EXIT, Refusal } from '../exit.ts';
import type { ExitCode } from '../exit.ts';
import { savingsOf } from '../savings.ts';
import { nameOf, readSnapshotFile } from '../snapshotFile.ts';
import type { Terminal } from '../terminal.ts';
import { explainLines, readPlanObject } from '../text/decisions.ts';
import { assumptionLines, savingLines } from '../text/savings.ts';

export interface ExplainSnapshotOptions {
  /** Path of the snapshot; `-`: standard input. */
  readonly snapshot: string;
  /** Of which it must be; undefined: of any. */
  readonly workflow: string | undefined;
  readonly namespace: string | undefined;
  readonly json: boolean;
}

const NO_MANIFESTS = { objects: [], origins: [], files: [], folders: [], problems: [] };

export async function explainSnapshot(
  options: ExplainSnapshotOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { out, err } = terminal;
  const read = await readSnapshotFile(options.snapshot, terminal);
  if (!read.ok) {
    if (options.json) out.line(JSON.stringify({ problems: read.problems }, undefined, 2));
    else printFindings(read.problems, [], NO_MANIFESTS, err);
    return EXIT.refused;
  }
  requireIts(read.snapshot, options);
  return explained(read.snapshot, options, terminal);
}

function requireIts(
  { workflow: w }: Snapshot,
  { workflow, namespace, snapshot }: ExplainSnapshotOptions,
): void {
  const isIts = (workflow ?? w.name) === w.name && (namespace ?? w.namespace) === w.namespace;
  if (isIts) return;
  const message =
    `${nameOf(snapshot)} is of workflow ${w.namespace}/${w.name}, not of ${namespace ?? w.namespace}/${workflow ?? w.name}; ` +
    'take a snapshot of that one, or leave its name out';
  throw new Refusal(EXIT.refused, message);
}

function explained(snapshot: Snapshot, options: ExplainSnapshotOptions, { out, err }: Terminal): ExitCode {
  const proposal = proposalOf(snapshot);
  const { findings } = proposal.plan;
  const { planObject, plan } = shownProposal(proposal);
  const savings = savingsOf(snapshot);
  const isRefused = findings.some(isError);
  const { namespace, name: workflow } = snapshot.workflow;
  if (options.json) {
    const { assumptions = [] } = snapshot;
    const hash = plan?.hash ?? '';
    const all = {
      namespace,
      workflow,
      hash,
      plan: planObject ?? null,
      findings,
      savings: savings ?? null,
      assumptions,
    };
    out.line(JSON.stringify(all, undefined, 2));
    return isRefused ? EXIT.refused : EXIT.done;
  }
  printFindings([], findings, NO_MANIFESTS, err);
  const shown = planObject && readPlanObject(planObject);
  if (!shown) return EXIT.refused;
  const facts = [
    ...(savings ? ['', ...savingLines(savings, snapshot, out.colors)] : []),
    ...assumptionLines(snapshot.assumptions ?? [], out.colors),
  ];
  const title = { namespace, workflow, hash: plan?.hash ?? '' };
  for (const line of explainLines(shown, title, out.colors, facts)) out.line(line);
  return EXIT.done;
}
