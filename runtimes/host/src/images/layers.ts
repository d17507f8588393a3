/**
 * Looks for one file in one layer of an image, as the layer streams by.
 *
 * Owns: the bounds. A layer may be large, and what it unpacks to larger: nothing of it is kept but the file that is looked
 * for, and the digest of the whole is known before any of it is believed.
 */
import { createHash } from 'node:crypto';
import { Readable, Transform, pipeline } from 'node:stream';
import type { TransformCallback } from 'node:stream';
import type { ReadableStream, ReadableWritablePair } from 'node:stream/web';
import { createTarDecoder } from 'modern-tar';
import type { ParsedTarEntry } from 'modern-tar';
import { ImageError } from './imageError.ts';
import { meaningOf, partsOf } from './layerPath.ts';
import type { Descriptor } from './manifest.ts';
import { broken } from './wire.ts';

export interface LayerLimits {
  /** Of the module. */
  readonly fileBytes: number;
  /** Of a layer as it is stored. */
  readonly layerBytes: number;
  /** Of a layer as it unpacks. */
  readonly unpackedBytes: number;
}

export type Found =
  | { readonly is: 'File'; readonly bytes: Uint8Array }
  /** A link, with what it leads to, or something that is no file. */
  | { readonly is: 'NoFile'; readonly what: string }
  /** A layer below may have it, but this one deletes it. */
  | { readonly is: 'Deleted' }
  /** The layer says nothing about it. */
  | { readonly is: 'Nothing' };

export type Packing = 'None' | 'Gzip' | 'Zstd';

/** How a layer's tar archive is packed; undefined where the media type is that of something else. */
export function packingOf(mediaType: string): Packing | undefined {
  if (!/^application\/vnd\.(?:oci\.image|docker\.image\.rootfs)\./.test(mediaType)) return undefined;
  if (/\.tar[+.]gzip$/.test(mediaType)) return 'Gzip';
  if (/\.tar[+.]zstd$/.test(mediaType)) return 'Zstd';
  return /\.tar$/.test(mediaType) ? 'None' : undefined;
}

/** Names that were seen on the way, for who looked for another. */
export class Seen {
  readonly #names = new Set<string>();
  readonly #ending: string;

  constructor(path: string) {
    this.#ending = /\.[^./]+$/.exec(path)?.[0] ?? '';
  }

  /** The first few files that end alike. */
  add(name: string): void {
    if (this.#names.size < 5 && this.#ending !== '' && name.endsWith(this.#ending))
      this.#names.add(`/${(partsOf(name) ?? []).join('/')}`.slice(0, 200));
  }

  get names(): readonly string[] {
    return [...this.#names];
  }
}

/** Reads a layer to its end and looks for a path in it. Rejects with ImageError. */
export async function searchLayer(
  layer: Descriptor,
  content: Readable,
  wanted: readonly string[],
  limits: LayerLimits,
  seen: Seen,
): Promise<Found> {
  const check = new Check(layer);
  const unpack = unpacker(packingOf(layer.mediaType) ?? 'None', layer);
  const bound = new Bound(limits.unpackedBytes, layer);
  // What fails anywhere ends all of them; who reads the last one is told.
  pipeline([content, check, ...unpack, bound], () => undefined);
  try {
    const entries = Readable.toWeb(bound).pipeThrough(createTarDecoder() as TarDecoder);
    const found = await searchEntries(entries, wanted, limits, seen);
    if (!check.passed) throw notUnderstood(layer, 'goes on behind the end of its archive');
    return found;
  } catch (cause) {
    throw asImageError(cause, content, layer);
  }
}

/** Reads a blob that is the file itself. Rejects with ImageError. */
export async function readBlob(layer: Descriptor, content: Readable): Promise<Uint8Array> {
  const check = new Check(layer);
  pipeline([content, check], () => undefined);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of check) chunks.push(chunk as Buffer);
  } catch (cause) {
    throw asImageError(cause, content, layer);
  }
  return Buffer.concat(chunks);
}

type TarDecoder = ReadableWritablePair<ParsedTarEntry, Uint8Array>;

async function searchEntries(
  entries: ReadableStream<ParsedTarEntry>,
  wanted: readonly string[],
  limits: LayerLimits,
  seen: Seen,
): Promise<Found> {
  let found: Found = { is: 'Nothing' };
  for await (const { header, body } of entries) {
    const { name, type = 'file', linkname = '', size } = header;
    const meaning = meaningOf({ name, type }, wanted);
    if (meaning === 'File') found = { is: 'File', bytes: await fileOf(body, size, limits) };
    else await passOver(body);
    if (meaning === 'Link')
      found = { is: 'NoFile', what: `'${name}' is a link to '${linkname}': write the path it leads to` };
    else if (meaning === 'Other') found = { is: 'NoFile', what: `'${name}' is a ${type}, no file` };
    else if (meaning === 'Deleted' && found.is === 'Nothing') found = { is: 'Deleted' };
    if (type === 'file') seen.add(name);
  }
  return found;
}

/** To its end and not by cancelling it: the decoder, which is ahead, would take that for the body of a later entry. */
async function passOver(body: ParsedTarEntry['body']): Promise<void> {
  const reader = body.getReader();
  while (!(await reader.read()).done);
}

async function fileOf(
  body: ParsedTarEntry['body'],
  size: number,
  { fileBytes }: LayerLimits,
): Promise<Uint8Array> {
  if (!(size <= fileBytes)) throw tooLarge(size, fileBytes);
  const bytes = new Uint8Array(size);
  let at = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  if (at === size) return bytes;
  throw new ImageError('ImageNotUnderstood', 'the archive of a layer ends in the midst of the file');
}

export const tooLarge = (size: number, limit: number): ImageError =>
  new ImageError('TooLarge', `it has ${String(size)} bytes, at most ${String(limit)} are allowed`);

/** Passes a blob on, and fails at its end, or sooner, where it is not what its descriptor says. */
class Check extends Transform {
  readonly #blob: Descriptor;
  readonly #hash = createHash('sha256');
  #size = 0;
  #passed = false;

  constructor(blob: Descriptor) {
    super();
    this.#blob = blob;
  }

  get passed(): boolean {
    return this.#passed;
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.#size += chunk.length;
    this.#hash.update(chunk);
    if (this.#size > this.#blob.size) done(this.#mismatch('has more bytes than the manifest says'));
    else done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    const digest = `sha256:${this.#hash.digest('hex')}`;
    this.#passed = digest === this.#blob.digest;
    done(this.#passed ? null : this.#mismatch(`came with ${String(this.#size)} bytes as ${digest}`));
  }

  #mismatch(what: string): ImageError {
    return new ImageError(
      'DigestMismatch',
      `blob ${this.#blob.digest} of ${String(this.#blob.size)} bytes ${what}`,
      { passing: true },
    );
  }
}

/** Passes on so many bytes, and no more: a small blob can unpack to a very large one. */
class Bound extends Transform {
  readonly #limitBytes: number;
  readonly #layer: Descriptor;
  #size = 0;

  constructor(limitBytes: number, layer: Descriptor) {
    super();
    this.#limitBytes = limitBytes;
    this.#layer = layer;
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.#size += chunk.length;
    if (this.#size <= this.#limitBytes) done(null, chunk);
    else
      done(
        new ImageError(
          'TooLarge',
          `layer ${this.#layer.digest} unpacks to more than ${String(this.#limitBytes)} bytes`,
        ),
      );
  }
}

/** Asked for when a layer is packed: in a bundle an import would load it at the start of every unit. */
const zlib = () => process.getBuiltinModule('node:zlib');

function unpacker(packing: Packing, layer: Descriptor): readonly Transform[] {
  switch (packing) {
    case 'None':
      return [];
    case 'Gzip':
      return [zlib().createGunzip()];
    case 'Zstd':
      // Node 22.15 and newer.
      if (typeof zlib().createZstdDecompress === 'function') return [zlib().createZstdDecompress()];
      throw notUnderstood(layer, 'is packed with zstd, which this host does not know: build it with gzip');
  }
}

const notUnderstood = (layer: Descriptor, what: string, more = {}): ImageError =>
  new ImageError('ImageNotUnderstood', `layer ${layer.digest} ${what}`, more);

/** What ended the reading: our own word, the connection, or what came over it. */
function asImageError(cause: unknown, content: Readable, layer: Descriptor): ImageError {
  if (cause instanceof ImageError) return cause;
  const connection = content.errored;
  if (connection && !(connection instanceof ImageError)) return broken(`blob ${layer.digest}`, connection);
  const why = cause instanceof Error ? cause.message : String(cause);
  return notUnderstood(layer, `cannot be unpacked: ${why}`, { passing: true, cause });
}
