/**
 * The way into a cluster, for `sinter invoke`.
 *
 * Owns: the gateway's address (what `--gateway` says, else what the Workflow's status says) and the path: a function that
 * is exposed has one of its own, any other is called at its HTTP trigger. A cluster's gateway has no token that opens
 * everything: what a trigger asks for goes along with -H.
 */
import type { HttpTrigger, WorkflowObject } from '@sinter/operator/model/nouns';
import { callPath } from '../entry.ts';
import type { Entry, FunctionName } from '../entry.ts';
import type { ClusterFlags } from '../clusterFlags.ts';
import { EXIT, Refusal } from '../exit.ts';
import type { Terminal } from '../terminal.ts';
import { knowsCluster } from '../where.ts';
import { withCluster } from './access.ts';
import { workflowNamed } from './explain.ts';

export interface EntryOptions extends ClusterFlags {
  readonly gateway: string | undefined;
}

const FORWARD = 'kubectl port-forward -n sinter-system service/sinter-gateway 8080:80';
const FROM_HERE = `from outside of the cluster run '${FORWARD}' and add --gateway http://127.0.0.1:8080`;
const CLOSED =
  'only triggers are open, and with `expose: All` in the Workflow every function; the namespace goes to -n';

type Way = Pick<Entry, 'method' | 'path' | 'headers'>;

export async function clusterEntry(
  workflow: string,
  fn: string,
  options: EntryOptions,
  terminal: Terminal,
): Promise<Entry> {
  const gateway = options.gateway === undefined ? undefined : urlOf(options.gateway);
  const known = options.kubeconfig !== undefined || knowsCluster(terminal.environment);
  if (gateway !== undefined && !known) {
    const path = callPath({ namespace: options.namespace ?? 'default', workflow, fn });
    return entryAt(gateway, { method: 'POST', path, headers: {} });
  }
  return await withCluster(options, terminal, async (cluster) => {
    const object = await workflowNamed(cluster, workflow);
    const way = wayTo(object, { namespace: cluster.namespace, workflow, fn });
    return entryAt(gateway ?? addressOf(object), way);
  });
}

const entryAt = (url: string, way: Way): Entry => ({
  url,
  ...way,
  lost: `the gateway at ${url} does not answer`,
  remedy: `; ${FROM_HERE}`,
  closed: CLOSED,
});

function urlOf(text: string): string {
  if (URL.canParse(text) && /^https?:\/\//i.test(text)) return text;
  throw new Refusal(EXIT.usage, `--gateway: '${text}' must be a URL like http://192.0.2.1:8080`);
}

/** That of a trigger or of the gateway itself: the origin is the gateway's. */
function addressOf({ metadata, status }: WorkflowObject): string {
  const url = status?.address?.url ?? '';
  if (URL.canParse(url)) return new URL(url).origin;
  const label = `${metadata.namespace ?? ''}/${metadata.name}`;
  const message = `Workflow ${label} does not say yet where it answers (status.address); ${FROM_HERE}`;
  throw new Refusal(EXIT.refused, message);
}

function wayTo({ spec }: WorkflowObject, name: FunctionName): Way {
  const known = spec.functions.map((f) => f.name);
  if (!known.includes(name.fn)) {
    const message = `Workflow ${name.workflow} has no function '${name.fn}'; it has ${known.join(', ')}`;
    throw new Refusal(EXIT.refused, message);
  }
  if (spec.expose === 'All') return { method: 'POST', path: callPath(name), headers: {} };
  const trigger = spec.triggers.find((t) => t.to === name.fn && t.type === 'Http')?.http;
  if (trigger) return throughTrigger(trigger);
  const message = `function '${name.fn}' cannot be called from outside: it has no trigger of type Http, and the Workflow does not say expose: All`;
  throw new Refusal(EXIT.refused, message);
}

function throughTrigger({ hosts, methods, path }: HttpTrigger): Way {
  const host = hosts.find((name) => !name.startsWith('*'));
  const method = methods.includes('POST') ? 'POST' : (methods[0] ?? 'POST');
  return { method, path, headers: host === undefined ? {} : { Host: host } };
}
