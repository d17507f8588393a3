/**
 * `sinter plan --snapshot FILE [-f PATH]`: the plan that the operator would make in the world of the snapshot, byte for byte,
 * and what of it is a change. It asks nobody: neither a run nor a cluster.
 *
 * Owns: what comes from where. With manifests: everything that is declared; machines, figures, the plan that runs and the time
 * come from the snapshot. Without them: all of it from the snapshot, which a person may have written.
 */
import { readManifests } from '@sinter/operator/local/manifests';
import type { Manifests } from '@sinter/operator/local/manifests';
import type { WorkflowName } from '@sinter/operator/model/index';
import { proposalOf } from '@sinter/operator/resources/index';
import type { Snapshot } from '@sinter/operator/snapshot/index';
import {
  inNamespace,
  isRefused,
  planManifests,
  printFindings,
  requireWorkflow,
  shownProposal,
} from '../application.ts';
import type { Planned, PlannedWorkflow } from '../application.ts';
import { shapeChange } from '../change.ts';
import type { ShapeChange } from '../change.ts';
import { EXIT, Refusal } from '../exit.ts';
import type { ExitCode } from '../exit.ts';
import { nameOf, readSnapshotFile } from '../snapshotFile.ts';
import type { Terminal } from '../terminal.ts';
import { shapeLines } from '../text/change.ts';
import { planLines } from '../text/plan.ts';

export interface SnapshotPlanOptions {
  /** Path of the snapshot; `-`: standard input. */
  readonly snapshot: string;
  /** Of manifests; none: what the snapshot declares. */
  readonly paths: readonly string[];
  /** Of objects that name none; undefined: the snapshot's. */
  readonly namespace: string | undefined;
  readonly exitCode: boolean;
  readonly json: boolean;
}

export async function planSnapshot(options: SnapshotPlanOptions, terminal: Terminal): Promise<ExitCode> {
  const read = await readSnapshotFile(options.snapshot, terminal);
  if (!read.ok) {
    const { problems } = read;
    report(
      { manifests: { ...NO_MANIFESTS, problems }, findings: [], workflows: [] },
      undefined,
      options,
      terminal,
    );
    return EXIT.refused;
  }
  const { snapshot } = read;
  const planned = options.paths.length === 0 ? declaredIn(snapshot) : await withManifests(snapshot, options);
  report(planned, snapshot, options, terminal);
  if (isRefused(planned)) return EXIT.refused;
  const changes = planned.workflows.some((w) => w.plan?.hash !== snapshot.current?.hash);
  return options.exitCode && changes ? EXIT.changed : EXIT.done;
}

const NO_MANIFESTS: Manifests = { objects: [], origins: [], files: [], folders: [], problems: [] };

function declaredIn(snapshot: Snapshot): Planned {
  const { namespace, name: workflow } = snapshot.workflow;
  const proposal = proposalOf(snapshot);
  const workflows = [{ namespace, workflow, ...shownProposal(proposal) }];
  return { manifests: NO_MANIFESTS, findings: proposal.plan.findings, workflows };
}

/** Throws a Refusal where the manifests do not have the workflow of the snapshot. */
async function withManifests(
  snapshot: Snapshot,
  { paths, namespace, snapshot: path }: SnapshotPlanOptions,
): Promise<Planned> {
  const { workflow, machines, observations, current, trials, enforcesLimits, scalesToZero, nowMs } = snapshot;
  const manifests = inNamespace(await readManifests(paths), namespace ?? workflow.namespace);
  const surroundings = { machines, observations, current, trials, enforcesLimits, scalesToZero, nowMs };
  const isIts = (w: WorkflowName): boolean =>
    w.namespace === workflow.namespace && w.workflow === workflow.name;
  const planned = planManifests(manifests, surroundings, isIts);
  if (isRefused(planned)) return planned;
  requireWorkflow(manifests, paths);
  if (planned.workflows.length > 0) return planned;
  const message =
    `${nameOf(path)} is of workflow ${workflow.namespace}/${workflow.name}, which is not in ${paths.join(', ')}; ` +
    'take a snapshot of one that is, or name the namespace with -n';
  throw new Refusal(EXIT.refused, message);
}

function report(
  planned: Planned,
  snapshot: Snapshot | undefined,
  options: SnapshotPlanOptions,
  { out, err }: Terminal,
): void {
  const { manifests, findings, workflows } = planned;
  if (options.json) {
    out.line(JSON.stringify(planJson(planned, snapshot), undefined, 2));
    return;
  }
  printFindings(manifests.problems, findings, manifests, err);
  for (const workflow of workflows) {
    const change = changeOf(workflow, snapshot);
    if (!workflow.plan || !change) continue;
    for (const line of planLines(workflow.plan, snapshot?.machines ?? [], out.colors, 'Allowed'))
      out.line(line);
    out.line();
    for (const line of shapeLines(change, out.colors)) out.line(line);
  }
}

const changeOf = ({ plan }: PlannedWorkflow, snapshot: Snapshot | undefined): ShapeChange | undefined =>
  plan && snapshot && shapeChange(snapshot.current, plan);

const planJson = ({ manifests, findings, workflows }: Planned, snapshot: Snapshot | undefined): object => ({
  workflows: workflows.map((w) => ({
    namespace: w.namespace,
    workflow: w.workflow,
    hash: w.plan?.hash ?? null,
    plan: w.planObject ?? null,
    current: snapshot?.current?.hash ?? null,
    changes: w.plan?.hash !== snapshot?.current?.hash,
    change: changeOf(w, snapshot) ?? null,
  })),
  findings,
  problems: manifests.problems,
});
