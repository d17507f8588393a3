/**
 * Takes away what `up` made: processes by their ids, then what they held, then the folder. Says what it could not take
 * away. The cache stays.
 *
 * Works on whatever is there, also on the remains of an `up` that was killed.
 */
import { rm } from 'node:fs/promises';
import { MACHINES, STATE } from './places.ts';
import { removeCgroup } from './parts/cgroups.ts';
import { restoreHost } from './parts/host.ts';
import { removeNetwork } from './parts/network.ts';
import { endProcess, knownProcess, knownProcesses } from './parts/processes.ts';
import { step } from './progress.ts';
import { exists } from './supply/packages.ts';

/** Is anything there to take away? */
export const isThere = (): Promise<boolean> => exists(STATE);

export async function down(): Promise<void> {
  if (!(await isThere())) return;
  await step('taking the cluster away', async () => {
    await endMachines();
    // Nothing that is thrown away needs to be closed in order.
    await Promise.all((await knownProcesses()).map((started) => endProcess(started, 'SIGKILL')));
    for (const machine of MACHINES) await removeCgroup(machine);
    await removeNetwork();
    await restoreHost();
    await rm(STATE, { recursive: true, force: true });
  });
}

/** With the process that holds it everything in a machine ends. */
async function endMachines(): Promise<void> {
  for (const machine of MACHINES) {
    const holder = await knownProcess(machine.name);
    if (holder) await endProcess(holder, 'SIGKILL');
  }
}
