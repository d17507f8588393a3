/**
 * A cgroup for each machine, below which its kubelet puts its pods. Version 1 (a tree for each controller) and version 2
 * (one tree).
 */
import { readFile, readdir, rmdir, writeFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../command.ts';
import type { Machine } from '../places.ts';
import { cgroupOf } from '../places.ts';
import { exists } from '../supply/packages.ts';

const ROOT = '/sys/fs/cgroup';
/** What kubelet asks for, where the kernel has it. */
const CONTROLLERS = ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids'];
const CPUSET = ['cpuset.cpus', 'cpuset.mems'];

export async function cgroupVersion(): Promise<1 | 2> {
  return (await exists(join(ROOT, 'cgroup.controllers'))) ? 2 : 1;
}

/** The trees in which a machine has a folder. */
async function trees(): Promise<readonly string[]> {
  if ((await cgroupVersion()) === 2) return [ROOT];
  const names = await readdir(ROOT, { withFileTypes: true });
  const folders = names.filter((d) => d.isDirectory()).map((d) => join(ROOT, d.name));
  const mounted: string[] = [];
  for (const folder of folders) if (await exists(join(folder, 'cgroup.procs'))) mounted.push(folder);
  return mounted;
}

export async function ensureCgroup(machine: Machine): Promise<void> {
  if ((await cgroupVersion()) === 2) await delegate();
  for (const tree of await trees()) {
    const folder = join(tree, cgroupOf(machine));
    await mkdir(folder, { recursive: true });
    // In version 1 a new cpuset is empty, and nothing can be put into it.
    if (await exists(join(tree, 'cpuset.cpus')))
      for (const file of CPUSET) await writeFile(join(folder, file), await readFile(join(tree, file)));
  }
}

/** Version 2: a child has only the controllers that its parent hands down. */
async function delegate(): Promise<void> {
  const offered = (await readFile(join(ROOT, 'cgroup.controllers'), 'utf8')).trim().split(' ');
  for (const controller of CONTROLLERS.filter((c) => offered.includes(c)))
    await writeFile(join(ROOT, 'cgroup.subtree_control'), `+${controller}`).catch((cause: unknown) => {
      throw new Error(
        `cgroup controller ${controller} cannot be handed down in ${ROOT}: run the testbed where processes are not ` +
          'in the root cgroup themselves (not directly in a container), or set KUBECONFIG to use another cluster',
        { cause },
      );
    });
}

/** Removes what is empty by now; its processes have been killed with the machine. */
export async function removeCgroup(machine: Machine): Promise<void> {
  for (const tree of await trees()) {
    const folder = join(tree, cgroupOf(machine));
    if (!(await exists(folder))) continue;
    await until(`${folder} is empty`, async () => await removed(folder), 20_000);
  }
}

async function removed(folder: string): Promise<boolean> {
  const inside = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const child of inside.filter((d) => d.isDirectory())) await removed(join(folder, child.name));
  return await rmdir(folder).then(
    () => true,
    (cause: unknown) => cause instanceof Error && 'code' in cause && cause.code === 'ENOENT',
  );
}
