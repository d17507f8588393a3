/**
 * The gateway of a cluster, for `sinter invoke`.
 *
 * Owns: its address: what `--gateway` says, else what the Workflow's status says; and the namespace. A cluster's gateway
 * has no token that opens everything: what a trigger asks for goes along with -H.
 */
import type { Entry } from '../entry.ts';
import type { ClusterFlags } from '../clusterFlags.ts';
import { EXIT, Refusal } from '../exit.ts';
import type { Terminal } from '../terminal.ts';
import { knowsCluster } from '../where.ts';
import { withCluster } from './access.ts';
import { workflowNamed } from './explain.ts';

export interface EntryOptions extends ClusterFlags {
  readonly gateway: string | undefined;
}

const FORWARD = 'kubectl port-forward -n sinter-system service/sinter-gateway 8080';
const REMEDY = `; where it is not reachable from here, run '${FORWARD}' and add --gateway http://127.0.0.1:8080`;

export async function clusterEntry(
  workflow: string,
  options: EntryOptions,
  terminal: Terminal,
): Promise<Entry> {
  const { gateway } = options;
  if (gateway === undefined) return await addressOf(workflow, options, terminal);
  const url = urlOf(gateway);
  const namespace = options.namespace ?? (await contextNamespace(options, terminal));
  return entryAt(url, namespace, '; is --gateway its address?');
}

const entryAt = (url: string, namespace: string, remedy: string): Entry => ({
  url,
  namespace,
  headers: {},
  lost: `the gateway at ${url} does not answer`,
  remedy,
});

function urlOf(text: string): string {
  if (URL.canParse(text) && /^https?:\/\//i.test(text)) return text;
  throw new Refusal(EXIT.usage, `--gateway: '${text}' must be a URL like http://192.0.2.1:8080`);
}

/** Of the context, where there is one that names any. */
async function contextNamespace(options: ClusterFlags, terminal: Terminal): Promise<string> {
  if (options.kubeconfig === undefined && !knowsCluster(terminal.environment)) return 'default';
  return await withCluster(options, terminal, ({ namespace }) => Promise.resolve(namespace));
}

async function addressOf(workflow: string, options: EntryOptions, terminal: Terminal): Promise<Entry> {
  return await withCluster(options, terminal, async (cluster) => {
    const { status } = await workflowNamed(cluster, workflow);
    const url = status?.address?.url;
    if (url === undefined || !URL.canParse(url)) {
      const message = `Workflow ${cluster.namespace}/${workflow} does not say where it answers (status.address): give the gateway's address with --gateway URL${REMEDY}`;
      throw new Refusal(EXIT.refused, message);
    }
    // It may be that of a trigger: functions are called at paths of the gateway's own.
    return entryAt(new URL(url).origin, cluster.namespace, REMEDY);
  });
}
