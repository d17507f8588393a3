/**
 * The way to a cluster's API server, for one command.
 *
 * Owns: opening and closing the client, the note while an answer takes long, Ctrl-C, and the words for what goes wrong.
 * Everything of `kube/` is loaded here and below, so that commands without a cluster do not pay for it.
 */
import { existsSync } from 'node:fs';
import { connection } from '@sinter/operator/kube/connection';
import type { Connection } from '@sinter/operator/kube/connection';
import { kubeClient } from '@sinter/operator/kube/client';
import type { KubeClient } from '@sinter/operator/kube/client';
import type { ClusterFlags } from '../clusterFlags.ts';
import { EXIT, Interrupted, Refusal } from '../exit.ts';
import { endedBy, onInterrupt } from '../interrupt.ts';
import type { Terminal } from '../terminal.ts';
import { plain } from '../terminal.ts';
import { version } from '../package.ts';
import { knowsCluster, kubeconfigs } from '../where.ts';
import { hanging } from '../text/layout.ts';
import { clusterRefusal } from './failure.ts';

export interface Cluster {
  readonly client: KubeClient;
  /** What `-n` says, else the namespace of the context. */
  readonly namespace: string;
  /** The API server's address, for messages. */
  readonly server: string;
  /** Aborts at Ctrl-C: for every request. */
  readonly signal: AbortSignal;
}

/** Nothing is said of what is over before that. */
const SILENCE_MS = 2_000;

/** Does `work` with the cluster that the flags mean. Rejects with a Refusal for what a user can mend. */
export async function withCluster<T>(
  flags: ClusterFlags,
  terminal: Terminal,
  work: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const interrupt = onInterrupt(() => undefined);
  let server = '';
  let client: KubeClient | undefined;
  const quiet = sayAfter(SILENCE_MS, terminal, () => `waiting for the API server at ${server} …`);
  try {
    const to = await connect(flags, terminal);
    ({ server } = to);
    client = kubeClient({ connection: to, userAgent: `sinter-cli/${version()}` });
    const namespace = flags.namespace ?? to.namespace;
    return await work({ client, namespace, server, signal: interrupt.signal });
  } catch (cause) {
    if (interrupt.signal.aborted) throw new Interrupted(endedBy(interrupt));
    throw clusterRefusal(cause, server);
  } finally {
    quiet();
    client?.close();
    interrupt.release();
  }
}

async function connect(
  { context, kubeconfig }: ClusterFlags,
  { environment }: Terminal,
): Promise<Connection> {
  if (kubeconfig === undefined && !knowsCluster(environment)) {
    const looked = kubeconfigs(environment).join(', ');
    const message = `there is no kubeconfig at ${looked}; name one with --kubeconfig FILE or $KUBECONFIG`;
    throw new Refusal(EXIT.refused, message);
  }
  if (kubeconfig !== undefined && !existsSync(kubeconfig)) {
    const message = `--kubeconfig: '${kubeconfig}' is not there; write the path of a kubeconfig`;
    throw new Refusal(EXIT.refused, message);
  }
  try {
    const to = await connection({ environment, kubeconfig, context });
    await to.identity();
    return to;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Refusal(EXIT.refused, `the cluster cannot be reached as its kubeconfig says: ${why}`, {
      cause,
    });
  }
}

/** Says a line when something takes long; the result stops that. */
function sayAfter(ms: number, { err }: Terminal, text: () => string): () => void {
  const timer = setTimeout(() => {
    for (const line of hanging('', plain(text()))) err.line(err.colors.dim(line));
  }, ms);
  return () => {
    clearTimeout(timer);
  };
}
