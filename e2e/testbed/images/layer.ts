/** A layer of an image: a folder as a tar file that is the same for the same content, whoever packs it and when. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../command.ts';
import { cacheFolder } from '../places.ts';
import { exists } from '../supply/packages.ts';

export interface Layer {
  readonly path: string;
  /** `sha256:…` of the file, which is not compressed. */
  readonly digest: string;
  readonly size: number;
}

const PACK = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];
/** A whole system with Node in it takes a second; a slow disk may take more. */
const PACK_LIMIT_MS = 120_000;

export const layersFolder = (): string => join(cacheFolder(), 'layers');

/** The layer of this name from the cache; where it is not there, from a folder that `fill` fills. */
export async function cachedLayer(name: string, fill: (folder: string) => Promise<void>): Promise<Layer> {
  const path = join(layersFolder(), `${name}.tar`);
  const known = `${path}.json`;
  if (await exists(known)) return JSON.parse(await readFile(known, 'utf8')) as Layer;
  const layer = await packed(path, fill);
  await writeFile(`${known}.next`, JSON.stringify(layer));
  await rename(`${known}.next`, known);
  return layer;
}

/** Packs what `fill` puts into a folder, into `path`. */
export async function packed(path: string, fill: (folder: string) => Promise<void>): Promise<Layer> {
  await mkdir(layersFolder(), { recursive: true });
  const work = await mkdtemp(join(layersFolder(), '.pack-'));
  try {
    const folder = join(work, 'root');
    await mkdir(folder, { mode: 0o755 });
    await fill(folder);
    const tar = join(work, 'layer.tar');
    await run(['tar', ...PACK, '-C', folder, '-cf', tar, '.'], { limitMs: PACK_LIMIT_MS });
    const layer = { path, digest: await digestOf(tar), size: (await stat(tar)).size };
    await rename(tar, path);
    return layer;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}
