/**
 * What an image consists of: from a manifest, or an index of manifests, to the list of its layers.
 *
 * Owns: the forms that are understood (OCI image spec 1.1, and Docker's of schema 2, which are alike) and which image of an
 * index is for this machine.
 */
import { ImageError } from './imageError.ts';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
}

export type Manifest =
  | { readonly is: 'Image'; readonly layers: readonly Descriptor[] }
  | { readonly is: 'Index'; readonly manifests: readonly IndexEntry[] };

export interface IndexEntry extends Descriptor {
  /** `linux/arm64`; undefined where it is for every machine. */
  readonly platform: string | undefined;
}

export const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const ENTRIES_LIMIT = 1_000;

export function parseManifest(bytes: Uint8Array): Manifest {
  const value = fieldsOf(parsed(bytes));
  const { manifests, layers, mediaType } = value;
  if (Array.isArray(manifests)) return { is: 'Index', manifests: listOf(manifests).map(indexEntry) };
  if (Array.isArray(layers)) return { is: 'Image', layers: listOf(layers).map(descriptor) };
  throw notUnderstood(
    `its manifest has neither layers nor manifests (media type '${isText(mediaType) ? mediaType.slice(0, 100) : ''}')`,
  );
}

/**
 * The image of an index that this machine runs. A module is no program of the machine's: where the index says nothing that
 * fits the architecture, one for WASM or one for every machine will do.
 */
export function choose(entries: readonly IndexEntry[], architecture: string): IndexEntry {
  const wanted = [`linux/${architecture}`, 'wasi/wasm', 'wasip1/wasm', undefined];
  for (const platform of wanted) {
    const found = entries.find((entry) => entry.platform === platform);
    if (found) return found;
  }
  const there = [...new Set(entries.map((e) => e.platform ?? 'any'))].join(', ') || 'nothing';
  throw new ImageError(
    'PlatformNotInImage',
    `it is for ${there.slice(0, 300)}, and this machine is linux/${architecture}: build it for that too, ` +
      `or allow only architectures that it has (placement.architectures)`,
  );
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown;
  } catch (cause) {
    throw notUnderstood(`its manifest is no JSON: ${String(cause)}`);
  }
}

function listOf(list: readonly unknown[]): readonly unknown[] {
  if (list.length <= ENTRIES_LIMIT) return list;
  throw notUnderstood(
    `its manifest has ${String(list.length)} entries, ${String(ENTRIES_LIMIT)} are taken at most`,
  );
}

function descriptor(value: unknown): Descriptor {
  const { mediaType, digest, size, annotations } = fieldsOf(value);
  if (typeof digest !== 'string' || !DIGEST.test(digest))
    throw notUnderstood(`digest '${String(digest).slice(0, 100)}' in its manifest is no sha256`);
  if (!Number.isSafeInteger(size) || Number(size) < 0) throw notUnderstood(`${digest} has no size`);
  const texts = Object.entries(fieldsOf(annotations)).filter((e): e is [string, string] => isText(e[1]));
  return {
    mediaType: isText(mediaType) ? mediaType : '',
    digest,
    size: Number(size),
    annotations: Object.fromEntries(texts),
  };
}

function indexEntry(value: unknown): IndexEntry {
  const { platform } = fieldsOf(value);
  const { os, architecture } = fieldsOf(platform);
  const named = isText(os) && isText(architecture) ? `${os}/${architecture}` : undefined;
  return { ...descriptor(value), platform: named };
}

const isText = (value: unknown): value is string => typeof value === 'string';

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};

const notUnderstood = (detail: string): ImageError => new ImageError('ImageNotUnderstood', detail);
