/**
 * Manifests to plans, without starting anything: what `sinter plan` prints, and what `run` says before it applies.
 *
 * Owns: the order (read, validate, check, gather, plan) and which finding belongs to which file. The judgement is the
 * operator's.
 */
import { readManifests } from '@sinter/operator/local/manifests';
import type { ManifestProblem, Manifests } from '@sinter/operator/local/manifests';
import {
  check,
  DEFAULT_NAMESPACE,
  isError,
  namespaceOf,
  notYet,
  readApplication,
} from '@sinter/operator/model/index';
import type { Finding, Machine, ObjectName, WorkflowName } from '@sinter/operator/model/index';
import { propose } from '@sinter/operator/resources/index';
import type { Proposal } from '@sinter/operator/resources/index';
import type { GatherInput } from '@sinter/operator/snapshot/index';
import { EXIT, Refusal } from './exit.ts';
import { namedPlan } from './text/plan.ts';
import type { NamedPlan } from './text/plan.ts';
import { findingLines, problemLines } from './text/findings.ts';
import type { Stream } from './terminal.ts';

export interface PlannedWorkflow {
  readonly namespace: string;
  readonly workflow: string;
  /** Undefined where an Error stands in the way. */
  readonly plan: NamedPlan | undefined;
  readonly planObject: Readonly<Record<string, unknown>> | undefined;
}

export interface Planned {
  readonly manifests: Manifests;
  readonly findings: readonly Finding[];
  readonly workflows: readonly PlannedWorkflow[];
}

/**
 * Reads and plans as for the first time; objects without a namespace belong to `namespace`. What is wrong is in
 * `manifests.problems` and `findings`; nothing is thrown for it.
 */
export const planPaths = async (
  paths: readonly string[],
  machines: readonly Machine[],
  namespace = DEFAULT_NAMESPACE,
): Promise<Planned> =>
  // The clock decides nothing of a first plan; from files it is the same whenever it is made.
  planManifests(inNamespace(await readManifests(paths), namespace), { machines, current: null, nowMs: 0 });

/** What a plan is made from beside what is declared. */
export type Surroundings = Omit<GatherInput, 'application' | 'workflow'>;

/** Plans the workflows of manifests, or only those that are `meant`. */
export function planManifests(
  manifests: Manifests,
  surroundings: Surroundings,
  meant: (workflow: WorkflowName) => boolean = () => true,
): Planned {
  if (manifests.problems.some(isErrorProblem)) return { manifests, findings: [], workflows: [] };
  const { application, findings: refused } = readApplication(manifests.objects);
  const found = [...refused, ...check(application), ...notYet(application, 'Run')];
  const workflows = application.workflows
    .map(({ object }) => ({ namespace: namespaceOf(object), workflow: object.metadata.name }))
    .filter(meant)
    .map((workflow) => ({
      ...workflow,
      ...shownProposal(propose({ ...surroundings, application, workflow })),
    }));
  const findings = [...found, ...workflows.flatMap((w) => w.plan?.plan.findings ?? [])];
  const blocked = findings.some(isError);
  return {
    manifests,
    findings,
    workflows: blocked ? workflows.map((w) => ({ ...w, plan: undefined, planObject: undefined })) : workflows,
  };
}

/** A proposal as it is printed: one that is not to be applied has findings, and no names. */
export function shownProposal(proposal: Proposal | undefined): Pick<PlannedWorkflow, 'plan' | 'planObject'> {
  if (!proposal) return { plan: undefined, planObject: undefined };
  const { plan, named } = proposal;
  if (!named) return { plan: { plan, hash: '', unitNames: [] }, planObject: undefined };
  const planObject = { ...named.object };
  return { plan: namedPlan(plan, named.hash, planObject), planObject };
}

/** With a namespace written into every object that has none, as kubectl sends it. */
export function inNamespace(manifests: Manifests, namespace: string): Manifests {
  const placed = manifests.objects.map((object) => {
    const metadata = fieldsOf(object['metadata']);
    const given = metadata['namespace'];
    if (object['kind'] === 'ClusterOptimizationPolicy' || (given !== undefined && given !== ''))
      return object;
    return { ...object, metadata: { ...metadata, namespace } };
  });
  return { ...manifests, objects: placed };
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};

export const isErrorProblem = ({ severity }: ManifestProblem): boolean => severity === 'Error';

/** Nothing of this may be applied. */
export const isRefused = ({ manifests, findings }: Pick<Planned, 'manifests' | 'findings'>): boolean =>
  manifests.problems.some(isErrorProblem) || findings.some(isError);

/** Prints what is wrong, Errors last so that they are what is seen. */
export function printFindings(
  problems: readonly ManifestProblem[],
  findings: readonly Finding[],
  manifests: Manifests,
  to: Stream,
): void {
  const entries = [
    ...problems.map((p) => ({ severity: p.severity, lines: problemLines(p, to.colors) })),
    ...findings.map((f) => ({
      severity: f.severity,
      lines: findingLines(f, to.colors, originOf(f.object, manifests)),
    })),
  ];
  for (const severity of ['Notice', 'Error'] as const)
    for (const { lines } of entries.filter((e) => e.severity === severity))
      for (const line of lines) to.line(line);
}

/** `file:line` of an object. */
export function originOf(name: ObjectName, { objects, origins }: Manifests): string | undefined {
  const at = objects.findIndex((object) => {
    const metadata = (object['metadata'] ?? {}) as Readonly<Record<string, unknown>>;
    const namespace = metadata['namespace'] ?? (name.namespace === '' ? '' : 'default');
    return object['kind'] === name.kind && metadata['name'] === name.name && namespace === name.namespace;
  });
  const origin = origins[at];
  return origin && `${origin.file}:${String(origin.line)}`;
}

export const declaresWorkflow = ({ objects }: Manifests): boolean =>
  objects.some((o) => o['kind'] === 'Workflow');

/** Refuses manifests that declare nothing to run. */
export function requireWorkflow(manifests: Manifests, paths: readonly string[]): void {
  if (declaresWorkflow(manifests)) return;
  throw new Refusal(
    EXIT.refused,
    `${paths.join(', ')}: there is no Workflow; add one, it says which functions run`,
  );
}
