/**
 * The images of the testbed, each for both architectures, and what is in them.
 *
 * Owns: names and contents. `base.ts` makes the lower layers, `load.ts` gives the images to machines.
 */
import { copyFile, cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Architecture } from '../places.ts';
import { cacheFolder } from '../places.ts';
import { PAUSE_IMAGE } from '../parts/machine.ts';
import type { Binaries } from '../supply/goBuilds.ts';
import { exists } from '../supply/packages.ts';
import { VERSIONS } from '../versions.ts';
import type { Image } from './archive.ts';
import { USER_ID, nodeLayer, systemLayer } from './base.ts';
import { layersFolder, packed } from './layer.ts';
import type { Layer } from './layer.ts';

export const SINTER_IMAGE = 'sinter.local/sinter:dev';
export const NATS_IMAGE = `sinter.local/nats:${VERSIONS.nats}`;

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const USER = `${String(USER_ID)}:${String(USER_ID)}`;
const PATH = 'PATH=/usr/local/bin:/usr/bin:/bin';

/** Where the bundles are found, and where they lie in the image. */
const BUNDLES = [
  { from: 'operator/dist/main.js', to: 'app/operator.mjs' },
  { from: 'runtimes/gateway/dist/main.js', to: 'app/gateway.mjs' },
  { from: 'runtimes/host/dist', to: 'app/host' },
] as const;

/** Images that change with their version only. */
export async function standingImages(
  architecture: Architecture,
  { pause, nats }: Pick<Binaries, 'pause' | 'nats'>,
): Promise<readonly Image[]> {
  return [
    {
      name: PAUSE_IMAGE,
      architecture,
      layers: [await binaryLayer('pause', pause[architecture])],
      config: { User: USER, Entrypoint: ['/pause'] },
    },
    {
      name: NATS_IMAGE,
      architecture,
      layers: [await binaryLayer('nats-server', nats[architecture])],
      config: { User: USER, Entrypoint: ['/nats-server'] },
    },
  ];
}

/** A static binary and nothing else. Packed anew each time: it is small. */
async function binaryLayer(name: string, binary: string): Promise<Layer> {
  const path = join(layersFolder(), `${binary.slice(cacheFolder().length + 1).replaceAll('/', '-')}.tar`);
  return await packed(path, async (folder) => {
    await copyFile(binary, join(folder, name));
  });
}

/** The one image of Sinter (D16), with the bundles as they are now. The app's layer is the same for both. */
export async function sinterImages(
  architectures: readonly Architecture[],
): Promise<ReadonlyMap<Architecture, Image>> {
  const app = await packed(join(layersFolder(), 'app.tar'), fillApp);
  const images = new Map<Architecture, Image>();
  for (const architecture of architectures) {
    const layers = [await systemLayer(architecture), await nodeLayer(architecture), app];
    const config = { User: USER, Env: [PATH], Cmd: ['/usr/local/bin/node'], WorkingDir: '/app' };
    images.set(architecture, { name: SINTER_IMAGE, architecture, layers, config });
  }
  return images;
}

async function fillApp(folder: string): Promise<void> {
  await mkdir(join(folder, 'app'));
  for (const { from, to } of BUNDLES) {
    const path = join(ROOT, from);
    if (await exists(path)) await cp(path, join(folder, to), { recursive: true });
  }
}
