/**
 * An image of one architecture as an archive that containerd imports: OCI image layout in a tar file.
 *
 * A layer that the importing side has already may be left out: a new build of the app then is a few hundred KiB.
 */
import { createHash } from 'node:crypto';
import { link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../command.ts';
import type { Architecture } from '../places.ts';
import type { Layer } from './layer.ts';
import { layersFolder } from './layer.ts';

export interface Image {
  /** With tag, as manifests name it. */
  readonly name: string;
  readonly architecture: Architecture;
  readonly layers: readonly Layer[];
  readonly config: {
    readonly User?: string;
    readonly Env?: readonly string[];
    readonly Entrypoint?: readonly string[];
    readonly Cmd?: readonly string[];
    readonly WorkingDir?: string;
  };
}

interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly bytes: Buffer;
}

const TYPE = 'application/vnd.oci.image';
const LAYOUT = JSON.stringify({ imageLayoutVersion: '1.0.0' });
const PACK_LIMIT_MS = 120_000;

/** Digest of the image's manifest: two images with the same digest are the same. */
export const digestOf = (image: Image): string => documents(image).manifest.digest;

/** Writes the archive to `path`. */
export async function writeArchive(
  image: Image,
  path: string,
  leaveOut: ReadonlySet<string> = new Set(),
): Promise<void> {
  // Beside the layers: they are linked, not copied.
  const work = await mkdtemp(join(layersFolder(), '.archive-'));
  try {
    const blobs = join(work, 'blobs', 'sha256');
    await mkdir(blobs, { recursive: true });
    const { config, manifest, index } = documents(image);
    for (const blob of [config, manifest]) await writeFile(join(blobs, hexOf(blob.digest)), blob.bytes);
    for (const { path: from, digest } of image.layers)
      if (!leaveOut.has(digest)) await linkOnce(from, join(blobs, hexOf(digest)));
    await writeFile(join(work, 'oci-layout'), LAYOUT);
    await writeFile(join(work, 'index.json'), JSON.stringify(index));
    await run(['tar', '-C', work, '-cf', path, 'oci-layout', 'index.json', 'blobs'], {
      limitMs: PACK_LIMIT_MS,
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function documents(image: Image): { config: Blob; manifest: Blob; index: object } {
  const config = blob('config.v1+json', {
    architecture: image.architecture,
    os: 'linux',
    config: image.config,
    rootfs: { type: 'layers', diff_ids: image.layers.map((l) => l.digest) },
  });
  const mediaType = `${TYPE}.layer.v1.tar`;
  const manifest = blob('manifest.v1+json', {
    schemaVersion: 2,
    mediaType: `${TYPE}.manifest.v1+json`,
    config: described(config),
    layers: image.layers.map(({ digest, size }) => ({ mediaType, digest, size })),
  });
  const { architecture, name } = image;
  const entry = {
    ...described(manifest),
    platform: { architecture, os: 'linux' },
    annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name },
  };
  return { config, manifest, index: { schemaVersion: 2, manifests: [entry] } };
}

function blob(type: string, content: object): Blob {
  const bytes = Buffer.from(JSON.stringify(content));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { mediaType: `${TYPE}.${type}`, digest, size: bytes.length, bytes };
}

const described = ({ mediaType, digest, size }: Blob): object => ({ mediaType, digest, size });
const hexOf = (digest: string): string => digest.replace('sha256:', '');

async function linkOnce(from: string, to: string): Promise<void> {
  await link(from, to).catch((cause: unknown) => {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause;
  });
}
