/**
 * Plans of workflows on the cluster, for scenarios: an application under a policy of one's own or the cluster's, what became of
 * its plans, what was told of them, what the operator wrote.
 *
 * Neighbours: `lab.ts` has the application, `harness.ts` the cluster. It judges nothing: scenarios do.
 */
import { WORKFLOW, app } from '../application.ts';
import type { AppOptions } from '../application.ts';
import { sinter } from '../../cli/test/sinter.ts';
import type { Ended } from '../../cli/test/sinter.ts';
import { auditEntries } from '../testbed/cluster.ts';
import { RELEASE, SINTER_NAMESPACE, TARGET, eventually, kubectl, list } from './harness.ts';
import type { ClusterObject, Manifest } from './harness.ts';

export interface PlanObject extends ClusterObject {
  readonly status?: {
    readonly sequence?: number;
    readonly state?: string;
    readonly gain?: string;
    readonly comparison?: {
      readonly baseline: string;
      readonly verdict: string;
      readonly message: string;
      readonly current: PlanFigures;
      readonly candidate: PlanFigures;
    };
  };
}

interface PlanFigures {
  readonly calls: number;
  readonly errors: string;
  readonly rootP50?: string;
}

export const OPERATOR_USER = `system:serviceaccount:${SINTER_NAMESPACE}:${RELEASE}-operator`;

/** An application whose groups nobody has said. `policy`: the spec of its own; without it the cluster's default decides. */
export function ungrouped(options: AppOptions, policy?: Manifest): readonly Manifest[] {
  const { workflow = {} } = options;
  const all = app(policy ? options : { ...options, workflow: { ...workflow, policyRef: undefined } });
  return all.flatMap((object) => {
    if (object['kind'] !== 'OptimizationPolicy') return [object];
    return policy ? [{ ...object, spec: policy }] : [];
  });
}

/** By sequence. */
export async function plansOf(namespace: string, workflow = WORKFLOW): Promise<readonly PlanObject[]> {
  const all = await list<PlanObject>('workflowplans.sinter.dev', namespace);
  return all
    .filter(({ metadata: { name } }) => name.slice(0, -11) === workflow)
    .sort((a, b) => (a.status?.sequence ?? Infinity) - (b.status?.sequence ?? Infinity));
}

export const hashOf = ({ metadata: { name } }: PlanObject): string => name.slice(-10);

interface EventObject extends ClusterObject {
  readonly reason: string;
  readonly note?: string;
  readonly regarding?: { readonly kind?: string; readonly name?: string };
}

/** What was told of a workflow: notes by reason. */
export async function told(namespace: string, workflow = WORKFLOW): Promise<ReadonlyMap<string, string[]>> {
  const notes = new Map<string, string[]>();
  for (const { reason, note = '', regarding } of await list<EventObject>(
    'events.v1.events.k8s.io',
    namespace,
  ))
    if (regarding?.kind === 'Workflow' && regarding.name === workflow)
      notes.set(reason, [...(notes.get(reason) ?? []), note]);
  return notes;
}

/** What the operator wrote in this namespace since then. */
export async function writesSince(since: Date, namespace: string): Promise<readonly string[]> {
  const entries = await auditEntries({ since, user: OPERATOR_USER });
  return entries
    .filter((e) => ['create', 'update', 'patch', 'delete'].includes(e.verb))
    .filter((e) => e.objectRef?.namespace === namespace)
    .map((e) => `${e.verb} ${e.requestURI}`);
}

const REST_MS = 10_000;

/** Waits for ten seconds without a write. */
export async function atRest(namespace: string): Promise<void> {
  let wrote: readonly string[] = [];
  await eventually(
    'it has come to rest',
    async () => {
      const since = new Date();
      await new Promise((resolve) => setTimeout(resolve, REST_MS));
      wrote = await writesSince(since, namespace);
      return wrote.length === 0;
    },
    120_000,
    () => wrote,
  );
}

/** `sinter …` as somebody with the cluster's kubeconfig says it. */
export const say = (words: readonly string[], namespace: string): Promise<Ended> =>
  sinter([...words, '-n', namespace, '--cluster'], { env: { KUBECONFIG: TARGET.kubeconfig } });

/** As a person reads it. */
export const table = (namespace: string): Promise<string> =>
  kubectl(['get', 'workflowplans', '--namespace', namespace]);
