/**
 * From nothing to a cluster whose machines are ready; from half a cluster to the rest of it.
 *
 * Owns: the order of the steps. Every step looks first at what is there.
 */
import { chmod, lstat, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { until } from './command.ts';
import { baseLayers } from './images/base.ts';
import { SINTER_IMAGE, sinterImages, standingImages } from './images/catalogue.ts';
import { loadImage } from './images/load.ts';
import { ensureArchitecturePolicy } from './parts/architecture.ts';
import { ensureControlPlane } from './parts/controlPlane.ts';
import { ensureDns } from './parts/dns.ts';
import { prepareHost } from './parts/host.ts';
import { ensureKubernetes, ensureMachine } from './parts/machine.ts';
import type { MachinePrograms } from './parts/machine.ts';
import { ensureBridge } from './parts/network.ts';
import { ensurePki } from './parts/pki.ts';
import { readyMachines } from './parts/readiness.ts';
import { writeRegistryHosts } from './parts/registry.ts';
import { ensureStorage } from './parts/storage.ts';
import type { Architecture } from './places.ts';
import { ARCHITECTURES, MACHINES, STATE, STATE_PLACES } from './places.ts';
import { step } from './progress.ts';
import { buildBinaries, buildForImages } from './supply/goBuilds.ts';
import type { Binaries } from './supply/goBuilds.ts';
import { installPackages, obstacle } from './supply/packages.ts';

const READY_LIMIT_MS = 180_000;

/** Brings the whole cluster up. Rejects with what stands in the way. */
export async function up(): Promise<void> {
  const why = obstacle();
  if (why !== undefined) throw new Error(why);
  await ensureState();
  await installPackages();
  // The layers wait for a network and a disk, the builds for the cores.
  const [binaries] = await Promise.all([buildBinaries(), baseLayers()]);
  const env = { PATH: [...binaries.folders, process.env['PATH'] ?? ''].join(':') };
  await linkTools(binaries);
  await step('certificates, network', async () => {
    await prepareHost();
    await ensurePki();
    await ensureBridge();
  });
  await step('control plane', async () => {
    await ensureControlPlane(env);
    await ensureArchitecturePolicy();
    await ensureDns(env);
    await ensureStorage();
    await writeRegistryHosts();
  });
  await ensureMachines({ env, pause: binaries.pause.amd64 }, binaries);
  await writeFile(STATE_PLACES.ready, '');
}

/** A name in the temporary folder can be taken by anybody before us: only our own folder will do. */
async function ensureState(): Promise<void> {
  await mkdir(STATE, { mode: 0o755, recursive: true });
  const found = await lstat(STATE);
  if (!found.isDirectory() || found.uid !== 0 || (found.mode & 0o022) !== 0)
    throw new Error(`${STATE} belongs to somebody else, or others may write to it: remove it`);
  for (const folder of ['bin', 'logs', 'processes', 'machines'] as const)
    await mkdir(STATE_PLACES[folder], { recursive: true });
  await mkdir(STATE_PLACES.etcd, { recursive: true, mode: 0o700 });
  await chmod(STATE_PLACES.etcd, 0o700);
}

/** kubectl and helm for whoever uses the cluster. */
async function linkTools({ kubernetes, helm }: Binaries): Promise<void> {
  const tools = { kubectl: join(dirname(kubernetes), 'kubectl'), helm };
  for (const [name, path] of Object.entries(tools)) {
    await rm(join(STATE_PLACES.bin, name), { force: true });
    await symlink(path, join(STATE_PLACES.bin, name));
  }
}

async function ensureMachines(programs: MachinePrograms, binaries: Binaries): Promise<void> {
  await step('machines', async () => {
    for (const machine of MACHINES) await ensureMachine(machine, programs);
  });
  await loadStanding(binaries);
  await step('machines are ready', async () => {
    for (const machine of MACHINES) await ensureKubernetes(machine, programs);
    await untilReady();
  });
}

async function loadStanding(binaries: Pick<Binaries, 'pause' | 'nats'>): Promise<void> {
  for (const architecture of ARCHITECTURES)
    for (const image of await standingImages(architecture, binaries))
      await step(`image ${image.name} for ${architecture}`, async () => {
        await loadImage(image, MACHINES);
      });
}

/** Puts Sinter's image, with the bundles as they are now, on every machine; gives the machines that did not have it. */
export async function loadSinter(): Promise<readonly string[]> {
  const loaded: string[] = [];
  const images: ReadonlyMap<Architecture, Parameters<typeof loadImage>[0]> =
    await sinterImages(ARCHITECTURES);
  for (const [architecture, image] of images)
    await step(`image ${SINTER_IMAGE} for ${architecture}`, async () => {
      loaded.push(...(await loadImage(image, MACHINES)));
    });
  return loaded;
}

export async function loadAll(): Promise<readonly string[]> {
  await loadStanding(await buildForImages());
  return await loadSinter();
}

async function untilReady(): Promise<void> {
  const all = async (): Promise<boolean> => (await readyMachines()).length === MACHINES.length;
  await until('every machine is ready; what they say is in the logs', all, READY_LIMIT_MS, 250);
}
