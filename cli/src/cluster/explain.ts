/**
 * `sinter explain` against a cluster: a Workflow, and one of its plans, as the API server has them.
 *
 * Owns: which objects are read, and what is said where one is missing. The texts are those of a run.
 */
import { didYouMean } from '@sinter/crds';
import type { WorkflowObject, WorkflowPlanObject } from '@sinter/operator/model/nouns';
import { isForbidden } from '@sinter/operator/kube/errors';
import { planName } from '@sinter/operator/resources/hashes';
import type { ClusterFlags } from '../clusterFlags.ts';
import { EXIT, Refusal } from '../exit.ts';
import type { ExitCode } from '../exit.ts';
import type { Terminal } from '../terminal.ts';
import { conditionLines, liveLines, planStateLines } from '../text/conditions.ts';
import { explainLines, readPlanObject } from '../text/decisions.ts';
import { withCluster } from './access.ts';
import type { Cluster } from './access.ts';
import { PLANS, WORKFLOWS } from './kinds.ts';

export interface ClusterExplainOptions extends ClusterFlags {
  readonly workflow: string;
  /** Hash of the plan; undefined: the current one. */
  readonly plan: string | undefined;
  readonly json: boolean;
}

export const explainCluster = (options: ClusterExplainOptions, terminal: Terminal): Promise<ExitCode> =>
  withCluster(options, terminal, async (cluster) => {
    const workflow = await workflowNamed(cluster, options.workflow);
    const hash = options.plan ?? workflow.status?.plan?.current ?? '';
    const plan = hash === '' ? undefined : await planNamed(cluster, workflow, hash);
    if (options.json) {
      printJson(workflow, plan, hash, terminal);
      return EXIT.done;
    }
    print(workflow, plan, hash, terminal);
    return EXIT.done;
  });

function printJson(
  { metadata, status }: WorkflowObject,
  plan: WorkflowPlanObject | undefined,
  hash: string,
  { out }: Terminal,
): void {
  const { namespace, name: workflow } = metadata;
  const conditions = status?.conditions ?? [];
  const shown = plan && { ...plan, metadata: { ...plan.metadata, managedFields: undefined } };
  const object = { namespace, workflow, hash, plan: shown ?? null, findings: [], conditions, status };
  out.line(JSON.stringify(object, undefined, 2));
}

function print(
  { metadata, status }: WorkflowObject,
  plan: WorkflowPlanObject | undefined,
  hash: string,
  { out, err }: Terminal,
): void {
  const { namespace = '', name: workflow } = metadata;
  const conditions = conditionLines(status?.conditions ?? [], out.colors);
  const shown = plan && readPlanObject({ ...plan });
  if (!plan || !shown) {
    for (const line of conditions) out.line(line);
    if (conditions.length > 0) err.line();
    throw new Refusal(EXIT.refused, noPlanYet(`${namespace}/${workflow}`, conditions.length > 0));
  }
  const facts = [
    ...planStateLines(plan.status ?? {}),
    ...liveLines(status?.plan ?? {}, status?.address?.url),
    ...(conditions.length === 0 ? [] : ['', ...conditions]),
  ];
  for (const line of explainLines(shown, { namespace, workflow, hash }, out.colors, facts)) out.line(line);
}

const noPlanYet = (label: string, said: boolean): string =>
  said
    ? `${label} has no plan yet: the conditions above say why`
    : `${label} has no plan yet, and nobody has looked at it; does Sinter's operator run? ` +
      'kubectl get pods -A -l app.kubernetes.io/name=sinter';

/** Rejects with a Refusal that lists what there is. */
export async function workflowNamed(cluster: Cluster, name: string): Promise<WorkflowObject> {
  const { client, namespace, signal } = cluster;
  const found = await client.find(WORKFLOWS, { namespace, name }, { signal });
  if (found) return found;
  const here = (await client.list(WORKFLOWS, { namespace, signal })).items.map((w) => w.metadata.name);
  const elsewhere = (await everywhere(cluster)).filter((w) => w.metadata.name === name);
  throw new Refusal(EXIT.refused, noWorkflow(name, namespace, here, elsewhere));
}

/** The Workflows of all namespaces; none where this user may not see them. */
async function everywhere({ client, signal }: Cluster): Promise<readonly WorkflowObject[]> {
  try {
    return (await client.list(WORKFLOWS, { signal })).items;
  } catch (cause) {
    if (isForbidden(cause)) return [];
    throw cause;
  }
}

const NAMES_SHOWN = 12;

function noWorkflow(
  name: string,
  namespace: string,
  here: readonly string[],
  elsewhere: readonly WorkflowObject[],
): string {
  const near = didYouMean(name, [...here]);
  const namespaces = elsewhere.map((w) => w.metadata.namespace ?? '').sort();
  const more = here.length > NAMES_SHOWN ? ` and ${String(here.length - NAMES_SHOWN)} more` : '';
  const there =
    here.length === 0
      ? 'there is none at all: choose another namespace with -n'
      : `there are ${[...here].sort().slice(0, NAMES_SHOWN).join(', ')}${more}`;
  return [
    `there is no Workflow '${name}' in namespace '${namespace}'`,
    ...(near === undefined ? [] : [`did you mean '${near}'?`]),
    ...(namespaces.length === 0 ? [] : [`one of that name is in ${namespaces.join(', ')}: choose with -n`]),
    ...(near === undefined && namespaces.length === 0 ? [there] : []),
  ].join('; ');
}

async function planNamed(
  { client, signal }: Cluster,
  { metadata }: WorkflowObject,
  hash: string,
): Promise<WorkflowPlanObject> {
  const { namespace, name: workflow } = metadata;
  const found = await client.find(PLANS, { namespace, name: planName(workflow, hash) }, { signal });
  if (found) return found;
  const { items } = await client.list(PLANS, { namespace, signal });
  const own = items.filter((p) => p.spec.workflowRef.name === workflow);
  const hashes = own.map((p) => p.metadata.name.slice(workflow.length + 1)).sort();
  const there = hashes.length === 0 ? 'there is none' : `there are ${hashes.join(', ')}`;
  throw new Refusal(EXIT.refused, `there is no plan ${hash} of Workflow ${workflow}; ${there}`);
}
