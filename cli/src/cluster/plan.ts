/**
 * `sinter plan -f PATH` against a cluster: what would run there with these manifests, and what of it is a change.
 *
 * Owns: which workflows are concerned: those of the manifests, and those that come to another snapshot by them (a Function,
 * a policy or a ConfigMap that they use is among the manifests). The plan itself is made as the operator makes it.
 */
import { canonicalJson } from '@sinter/operator/model/canonical';
import { check, findingsFor, isError, namespaceOf, notYet } from '@sinter/operator/model/index';
import type { Finding, WorkflowName, WorkflowPlanObject } from '@sinter/operator/model/index';
import { readManifests } from '@sinter/operator/local/manifests';
import type { Manifests } from '@sinter/operator/local/manifests';
import { planShape, propose } from '@sinter/operator/resources/index';
import { gather } from '@sinter/operator/snapshot/index';
import { inNamespace, isErrorProblem, printFindings, shownProposal } from '../application.ts';
import type { PlannedWorkflow } from '../application.ts';
import { changeOf } from '../change.ts';
import type { ClusterFlags } from '../clusterFlags.ts';
import { EXIT } from '../exit.ts';
import type { ExitCode } from '../exit.ts';
import type { Terminal } from '../terminal.ts';
import { changeLines } from '../text/change.ts';
import { planLines } from '../text/plan.ts';
import { withCluster } from './access.ts';
import { readWorld } from './world.ts';
import type { ClusterWorld } from './world.ts';

export interface ClusterPlanOptions extends ClusterFlags {
  readonly paths: readonly string[];
  readonly exitCode: boolean;
  readonly json: boolean;
}

/** A workflow as it would run, beside as it runs. */
interface Compared extends PlannedWorkflow {
  readonly running: WorkflowPlanObject | undefined;
  /** Hash of the plan that runs; empty: none does. */
  readonly runningHash: string;
  /** Hash in `planRef`; empty: the policy decides. */
  readonly pinned: string;
  /** What only this workflow has to follow, its plan's findings among them. */
  readonly findings: readonly Finding[];
}

interface Outcome {
  readonly manifests: Manifests;
  readonly findings: readonly Finding[];
  readonly workflows: readonly Compared[];
}

export async function planCluster(options: ClusterPlanOptions, terminal: Terminal): Promise<ExitCode> {
  const read = await readManifests(options.paths);
  if (read.problems.some(isErrorProblem)) {
    report({ manifests: read, findings: [], workflows: [] }, undefined, options, terminal);
    return EXIT.refused;
  }
  return await withCluster(options, terminal, async (cluster) => {
    const manifests = inNamespace(read, cluster.namespace);
    const world = await readWorld(cluster, manifests.objects);
    const outcome = compare(world, manifests, Date.now());
    report(outcome, world, options, terminal);
    if (outcome.findings.some(isError)) return EXIT.refused;
    const changes = outcome.workflows.some((w) => w.plan?.hash !== w.runningHash);
    return options.exitCode && changes ? EXIT.changed : EXIT.done;
  });
}

function compare(world: ClusterWorld, manifests: Manifests, nowMs: number): Outcome {
  const { planned } = world;
  const all = [...check(planned), ...notYet(planned)];
  const written = new Set(manifests.objects.map(labelOf));
  const names = planned.workflows
    .map(({ object }) => ({ namespace: namespaceOf(object), workflow: object.metadata.name }))
    .filter((name) => written.has(workflowLabel(name)) || isConcerned(world, name));
  const workflows = names.map((name) => compareOne(world, name, all, nowMs));
  const concerned = new Set(workflows.flatMap((w) => w.findings));
  const findings = [
    ...world.findings,
    ...all.filter(
      (f) => concerned.has(f) || written.has(`${f.object.kind} ${f.object.namespace} ${f.object.name}`),
    ),
    ...workflows.flatMap((w) => w.plan?.plan.findings ?? []),
  ];
  return { manifests, findings, workflows };
}

function compareOne(
  world: ClusterWorld,
  name: WorkflowName,
  all: readonly Finding[],
  nowMs: number,
): Compared {
  const { namespace, workflow } = name;
  const there = world.workflow(namespace, workflow);
  const runningHash = there?.status?.plan?.current ?? '';
  const running = runningHash === '' ? undefined : world.plan(namespace, workflow, runningHash);
  const current = running ? planShape(running) : null;
  const { machines, planned: application } = world;
  const proposal = propose({ application, workflow: name, machines, current, nowMs });
  const pinned = proposal?.snapshot.workflow.spec.planRef.hash ?? '';
  const findings = findingsFor(all, name, application);
  const shown = findings.some(isError) ? { plan: undefined, planObject: undefined } : shownProposal(proposal);
  return { ...name, ...shown, running, runningHash, pinned, findings };
}

/** What it is planned from is another with the manifests than without them. */
function isConcerned({ machines, planned, running }: ClusterWorld, workflow: WorkflowName): boolean {
  const [after, before] = [planned, running].map((application) =>
    gather({ application, workflow, machines, current: null, nowMs: 0 }),
  );
  return canonicalJson(after ?? null) !== canonicalJson(before ?? null);
}

const workflowLabel = ({ namespace, workflow }: WorkflowName): string => `Workflow ${namespace} ${workflow}`;

function labelOf(object: Readonly<Record<string, unknown>>): string {
  const metadata = (object['metadata'] ?? {}) as Readonly<Record<string, unknown>>;
  const namespace = typeof metadata['namespace'] === 'string' ? metadata['namespace'] : '';
  return `${String(object['kind'])} ${namespace} ${String(metadata['name'])}`;
}

function report(
  outcome: Outcome,
  world: ClusterWorld | undefined,
  options: ClusterPlanOptions,
  { out, err }: Terminal,
): void {
  const { manifests, findings, workflows } = outcome;
  if (options.json) {
    out.line(JSON.stringify(outcomeJson(outcome), undefined, 2));
    return;
  }
  printFindings(manifests.problems, findings, manifests, err);
  for (const [i, workflow] of workflows.entries()) {
    if (!workflow.planObject || !workflow.plan) continue;
    if (i > 0) out.line();
    for (const line of planLines(workflow.plan, world?.machines ?? [], out.colors, 'Allowed')) out.line(line);
    out.line();
    for (const line of changeLines(shownChange(workflow, workflow.plan.hash), out.colors)) out.line(line);
  }
  if (world && workflows.length === 0 && !findings.some(isError))
    out.line('no workflow of the cluster is concerned by these manifests');
}

function shownChange({ running, runningHash, planObject, pinned }: Compared, planned: string) {
  const { spec } = planObject as unknown as WorkflowPlanObject;
  return { running: runningHash, planned, pinned, change: changeOf(running?.spec, spec) };
}

const outcomeJson = ({ manifests, findings, workflows }: Outcome): object => ({
  workflows: workflows.map((w) => ({
    namespace: w.namespace,
    workflow: w.workflow,
    hash: w.plan?.hash ?? null,
    plan: w.planObject ?? null,
    current: w.runningHash === '' ? null : w.runningHash,
    changes: w.plan?.hash !== w.runningHash,
    change: w.planObject ? shownChange(w, w.plan?.hash ?? '').change : null,
  })),
  findings,
  problems: manifests.problems,
});
