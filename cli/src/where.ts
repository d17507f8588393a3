/**
 * Whether a command is about a run on this machine or about a cluster.
 *
 * Owns: the rule, which is the same for every command:
 *  1. `--run` means a run, and nothing else does so for sure.
 *  2. `--cluster`, `--context`, `--kubeconfig` mean a cluster, and so does being called as `kubectl sinter`.
 *  3. Where nothing is said: a run if there is one on this machine, else the cluster of the current context.
 * A namespace says nothing: runs have namespaces too.
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { liveRuns } from '@sinter/operator/local/stateFile';
import { meansCluster } from './clusterFlags.ts';
import type { ClusterFlags } from './clusterFlags.ts';
import { EXIT, Refusal } from './exit.ts';
import type { Terminal } from './terminal.ts';

export type Where = 'Run' | 'Cluster';

/** Rejects with both ways where there is neither. */
export async function whereIs(
  flags: ClusterFlags & { readonly run: string | undefined },
  terminal: Terminal,
): Promise<Where> {
  if (flags.run !== undefined) return 'Run';
  if (meansCluster(flags, terminal)) return 'Cluster';
  if ((await liveRuns()).length > 0) return 'Run';
  if (!knowsCluster(terminal.environment)) throw new Refusal(EXIT.noRun, neither());
  terminal.err.line(
    terminal.err.colors.dim('no run on this machine: asking the cluster of the current context'),
  );
  return 'Cluster';
}

/** There is a kubeconfig, or this is a pod. */
export function knowsCluster(environment: Terminal['environment']): boolean {
  const inPod = (environment['KUBERNETES_SERVICE_HOST'] ?? '') !== '';
  return inPod || kubeconfigs(environment).some((path) => existsSync(path));
}

/** Where kubectl would look. */
export function kubeconfigs({ KUBECONFIG = '', HOME = '' }: Terminal['environment']): readonly string[] {
  const paths = KUBECONFIG.split(delimiter).filter((path) => path !== '');
  return paths.length > 0 ? paths : [join(HOME === '' ? homedir() : HOME, '.kube', 'config')];
}

const neither = (): string =>
  "no run was found on this machine, and no kubeconfig; start a run with 'sinter run PATH' in another terminal, " +
  'or name a cluster with --kubeconfig FILE (or $KUBECONFIG, or ~/.kube/config)';
