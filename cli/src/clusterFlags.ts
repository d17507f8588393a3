/** The options by which a user names a cluster; `where.ts` has the rule that they belong to. */
import type { Terminal } from './terminal.ts';

export interface ClusterFlags {
  /** The one of the current context. */
  readonly cluster: boolean;
  readonly context: string | undefined;
  readonly kubeconfig: string | undefined;
  readonly namespace: string | undefined;
}

/** A cluster is meant, and no run. */
export const meansCluster = (
  { cluster, context, kubeconfig }: ClusterFlags,
  { command }: Pick<Terminal, 'command'>,
): boolean => cluster || context !== undefined || kubeconfig !== undefined || command === 'kubectl sinter';
