/** `sinter approve` and `sinter revert` against a cluster: a patch of `spec.planRef.hash` of the Workflow, and nothing else. */
import { chosen } from '../commands/pin.ts';
import type { Pinned, PinOptions } from '../commands/pin.ts';
import type { KnownPlan } from '../plans.ts';
import type { Terminal } from '../terminal.ts';
import { withCluster } from './access.ts';
import type { Cluster } from './access.ts';
import { workflowNamed } from './explain.ts';
import { PLANS, WORKFLOWS } from './kinds.ts';

const MANAGER = 'sinter-cli';

export const pinInCluster = (options: PinOptions, terminal: Terminal): Promise<Pinned> =>
  withCluster(options, terminal, async (cluster) => {
    const found = await workflowNamed(cluster, options.workflow);
    const { namespace = cluster.namespace, name } = found.metadata;
    const current = found.status?.plan?.current ?? '';
    const was = found.spec.planRef.hash;
    const plans = await plansOf(cluster, namespace, name);
    const planRef = chosen({ workflow: `${namespace}/${name}`, current, plans }, options.wish);
    const { client, signal } = cluster;
    if (planRef !== was)
      await client.merge(
        WORKFLOWS,
        { namespace, name },
        { spec: { planRef: { hash: planRef } } },
        { fieldManager: MANAGER, signal },
      );
    return { namespace, workflow: name, planRef, was, current };
  });

async function plansOf(
  { client, signal }: Cluster,
  namespace: string,
  workflow: string,
): Promise<readonly KnownPlan[]> {
  const { items } = await client.list(PLANS, { namespace, signal });
  return items
    .filter((p) => p.spec.workflowRef.name === workflow)
    .map(({ metadata, status }) => ({
      hash: metadata.name.slice(workflow.length + 1),
      sequence: status?.sequence ?? 0,
      state: status?.state,
      baseline: status?.comparison?.baseline,
      verdict: status?.comparison?.verdict,
    }));
}
