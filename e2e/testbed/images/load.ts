/**
 * Gives images to machines: into the containerd of each, so that no registry is needed.
 *
 * Invariant: what a machine has already is not given again, neither an image nor a layer.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attempt, run } from '../command.ts';
import type { Machine } from '../places.ts';
import { placesOf } from '../places.ts';
import { digestOf, writeArchive } from './archive.ts';
import type { Image } from './archive.ts';

const IMPORT_LIMIT_MS = 300_000;

const ctr = (machine: Machine, ...args: readonly string[]): readonly string[] => [
  'ctr',
  '--address',
  placesOf(machine).containerd,
  '--namespace',
  'k8s.io',
  ...args,
];

/** Gives it to every one of these machines of its architecture that does not have it; gives their names. */
export async function loadImage(image: Image, machines: readonly Machine[]): Promise<readonly string[]> {
  const loaded: string[] = [];
  for (const machine of machines) {
    if (machine.architecture !== image.architecture) continue;
    if ((await digestAt(machine, image.name)) === digestOf(image)) continue;
    await importInto(machine, image);
    loaded.push(machine.name);
  }
  return loaded;
}

async function importInto(machine: Machine, image: Image): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'sinter-image-'));
  try {
    const archive = join(work, 'image.tar');
    await writeArchive(image, archive, await contentOf(machine));
    const platform = ['--platform', `linux/${image.architecture}`];
    await run(ctr(machine, 'images', 'import', ...platform, archive), { limitMs: IMPORT_LIMIT_MS });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Lines of `images ls`: name, type, digest, … */
async function digestAt(machine: Machine, name: string): Promise<string | undefined> {
  const { stdout } = await attempt(ctr(machine, 'images', 'ls', `name==${name}`));
  const line = stdout.split('\n').find((l) => l.startsWith(`${name} `));
  return line?.split(/\s+/)[2];
}

async function contentOf(machine: Machine): Promise<ReadonlySet<string>> {
  return new Set((await run(ctr(machine, 'content', 'ls', '--quiet'))).trim().split('\n'));
}
