/**
 * How much of a crowded machine a process of a run gets, beside the others: as a kubelet does it, by the CPU that its unit
 * requests.
 *
 * Linux gives every session (each process of a run is one) the same share of a crowded machine, whatever it holds: ten functions
 * in one process would get a tenth of what they get in ten, and no plan that fuses could win there. A session's priority
 * makes up for it: each step of it is a factor of 1.25.
 *
 * Owns: the arithmetic, and the one file by which a session is told. Where the kernel has no such file nothing is to be done.
 * Neighbour: `fleet.ts` starts the processes.
 */
import { open } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

/** A unit that requests so much, or more, is as important as the gateway and the servers. */
const FULL_MILLIS = 1_000;
const STEP = 1.25;
const LEAST = 19;
/** Who is not root may tell one session in 100 ms. */
const BETWEEN_MS = 120;
const TRIES = 100;

/** 0 (a full share) to 19; `cpuMillis` thousandths of a core. */
export function priorityOf(cpuMillis: number): number {
  if (cpuMillis >= FULL_MILLIS) return 0;
  return Math.min(LEAST, Math.round(Math.log(FULL_MILLIS / Math.max(1, cpuMillis)) / Math.log(STEP)));
}

/** Never rejects: a process with another share than it should have still serves. */
export async function giveShare(pid: number, cpuMillis: number): Promise<void> {
  const priority = priorityOf(cpuMillis);
  if (priority === 0) return;
  for (let left = TRIES; left > 0; left -= 1) {
    if (await told(pid, priority)) return;
    await pause(BETWEEN_MS * (0.5 + Math.random()), undefined, { ref: false });
  }
}

/** False: asked too often, and to be asked again. */
async function told(pid: number, priority: number): Promise<boolean> {
  try {
    const file = await open(`/proc/${String(pid)}/autogroup`, 'r+');
    try {
      await file.write(String(priority));
    } finally {
      await file.close();
    }
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code !== 'EAGAIN';
  }
}
