/** `sinter snapshot WORKFLOW`: what a plan would be made from at this moment, as a file for `sinter plan --snapshot`. */
import type { ClusterFlags } from '../clusterFlags.ts';
import { snapshotOfRun } from '../control.ts';
import { EXIT } from '../exit.ts';
import type { ExitCode } from '../exit.ts';
import { findWorkflow } from '../runs.ts';
import { whereIs } from '../where.ts';
import type { Terminal } from '../terminal.ts';

export interface SnapshotOptions extends ClusterFlags {
  readonly workflow: string;
  readonly run: string | undefined;
}

export async function snapshotCommand(options: SnapshotOptions, terminal: Terminal): Promise<ExitCode> {
  terminal.out.write(await snapshotText(options, terminal));
  return EXIT.done;
}

async function snapshotText(options: SnapshotOptions, terminal: Terminal): Promise<string> {
  if ((await whereIs(options, terminal)) === 'Run') return await snapshotOfRun(await findWorkflow(options));
  const { snapshotOfCluster } = await import('../cluster/snapshot.ts');
  return await snapshotOfCluster(options, terminal);
}
