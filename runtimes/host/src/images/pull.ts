/**
 * Pulls a function's module out of an image or artifact in a registry, with the tenant's own credentials (D18).
 *
 * Owns: the course of a pull, its bounds and its second attempts. It is loaded by hosts that have such a module only.
 *
 *   reference ─▶ manifest, by digest ─▶ (of an index: the one for this machine) ─▶ layers, from the top down ─▶ the file
 *
 * A layer with a title is a file of that name, as artifact tools push them; every other is an archive.
 * Invariants:
 *  1. Nothing is believed that the digest in the reference does not vouch for: the reference names the manifest, the
 *     manifest its layers, and every one of them is hashed as it comes.
 *  2. Whatever a registry sends, memory holds one module of at most 64 MiB and no layer.
 */
import { createHash } from 'node:crypto';
import { MODULE_LIMIT_BYTES } from '@sinter/bus';
import type { RouteImage } from '@sinter/contract';
import { credentialsFor } from './credentials.ts';
import { ImageError, explained } from './imageError.ts';
import { partsOf } from './layerPath.ts';
import { Seen, packingOf, readBlob, searchLayer, tooLarge } from './layers.ts';
import type { LayerLimits } from './layers.ts';
import { MANIFEST_TYPES, choose, parseManifest } from './manifest.ts';
import type { Descriptor } from './manifest.ts';
import { parseReference } from './reference.ts';
import { Registry } from './registry.ts';
import type { PullSettings } from './settings.ts';
import { bytesOf } from './wire.ts';

export interface PullOptions {
  readonly settings: PullSettings;
  /** Of this machine: `amd64`, `arm64`. */
  readonly architecture: string;
  readonly onProblem: (problem: string) => void;
  /** Between attempts. */
  readonly pause?: (ms: number) => Promise<void>;
  /** Ends the pull. */
  readonly signal?: AbortSignal;
  readonly limits?: LayerLimits;
}

const LIMITS: LayerLimits = {
  fileBytes: MODULE_LIMIT_BYTES,
  layerBytes: 1024 * 1024 * 1024,
  unpackedBytes: 4 * 1024 * 1024 * 1024,
};
const MANIFEST_LIMIT_BYTES = 4 * 1024 * 1024;
/** An index may name indexes; more than this is a riddle. */
const INDEX_DEPTH = 3;
const PULL_LIMIT_MS = 5 * 60_000;
const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 500;

const TITLE = 'org.opencontainers.image.title';
/** A layer with this is a folder that was packed, and its title the folder's. */
const UNPACK = 'io.deis.oras.content.unpack';

/** The module's bytes. Rejects with ImageError, whose message tells everything that its author needs. */
export async function pullModule(image: RouteImage, options: PullOptions): Promise<Uint8Array> {
  const late = AbortSignal.timeout(PULL_LIMIT_MS);
  const signal = options.signal ? AbortSignal.any([late, options.signal]) : late;
  try {
    return await Promise.race([new Pull(image, options, signal).run(), ended(signal)]);
  } catch (cause) {
    if (!(cause instanceof ImageError)) throw cause;
    throw explained(late.aborted ? tooLate() : cause, image.reference, image.path);
  }
}

const tooLate = (): ImageError =>
  new ImageError('RegistryUnreachable', `it did not come within ${String(PULL_LIMIT_MS / 60_000)} minutes`);

/** Rejects when the pull has to end, whatever of it still waits for something. */
const ended = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const end = (): void => {
      reject(new ImageError('RegistryUnreachable', 'the pull was aborted'));
    };
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
  });

class Pull {
  readonly #path: string;
  readonly #digest: string;
  readonly #wanted: readonly string[];
  readonly #options: PullOptions;
  readonly #limits: LayerLimits;
  readonly #signal: AbortSignal;
  readonly #registry: Registry;
  readonly #seen: Seen;

  constructor(image: RouteImage, options: PullOptions, signal: AbortSignal) {
    const { settings, onProblem, limits = LIMITS } = options;
    const reference = parseReference(image.reference);
    const { registry, repository } = reference;
    this.#path = image.path;
    this.#digest = reference.digest;
    this.#wanted = partsOf(image.path) ?? [];
    this.#options = options;
    this.#limits = limits;
    this.#signal = signal;
    this.#seen = new Seen(image.path);
    this.#registry = new Registry({
      reference,
      signal,
      insecure: settings.insecure.includes(registry),
      credentials: credentialsFor(registry, repository, settings.configs, onProblem),
    });
  }

  async run(): Promise<Uint8Array> {
    const layers = await this.#layers();
    for (const layer of layers.toReversed()) {
      const found = isFile(layer) ? await this.#asFile(layer) : await this.#inLayer(layer);
      if (found === 'Deleted') break;
      if (found) return found;
    }
    throw this.#notThere();
  }

  /** The layers of the image for this machine, bottom first. */
  async #layers(): Promise<readonly Descriptor[]> {
    let digest = this.#digest;
    for (let depth = 0; depth < INDEX_DEPTH; depth++) {
      const manifest = parseManifest(await this.#again(() => this.#manifest(digest)));
      if (manifest.is === 'Image') return manifest.layers;
      ({ digest } = choose(manifest.manifests, this.#options.architecture));
    }
    throw new ImageError('ImageNotUnderstood', 'its index leads to indexes only');
  }

  async #manifest(digest: string): Promise<Uint8Array> {
    const what = `manifest ${digest}`;
    const bytes = await bytesOf(
      await this.#registry.open('manifests', digest, MANIFEST_TYPES),
      MANIFEST_LIMIT_BYTES,
      what,
    );
    const found = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    if (found === digest) return bytes;
    throw new ImageError('DigestMismatch', `${what} came as ${found}`, { passing: true });
  }

  /** A layer that is one file: the wanted one, or none. */
  async #asFile(layer: Descriptor): Promise<Uint8Array | undefined> {
    const title = layer.annotations[TITLE] ?? '';
    this.#seen.add(title);
    if (partsOf(title)?.join('/') !== this.#wanted.join('/')) return undefined;
    const { fileBytes } = this.#limits;
    if (layer.size > fileBytes) throw tooLarge(layer.size, fileBytes);
    return await this.#again(async () => readBlob(layer, await this.#blob(layer)));
  }

  async #inLayer(layer: Descriptor): Promise<Uint8Array | 'Deleted' | undefined> {
    if (packingOf(layer.mediaType) === undefined) return undefined;
    const { layerBytes } = this.#limits;
    if (layer.size > layerBytes)
      throw new ImageError(
        'TooLarge',
        `layer ${layer.digest} has ${String(layer.size)} bytes, at most ${String(layerBytes)} are pulled: ` +
          `put the module into a layer of its own, above the large ones`,
      );
    const found = await this.#again(async () =>
      searchLayer(layer, await this.#blob(layer), this.#wanted, this.#limits, this.#seen),
    );
    switch (found.is) {
      case 'File':
        return found.bytes;
      case 'NoFile':
        throw new ImageError('PathNotInImage', found.what);
      case 'Deleted':
        return 'Deleted';
      case 'Nothing':
        return undefined;
    }
  }

  async #blob({ digest }: Descriptor) {
    return (await this.#registry.open('blobs', digest, '*/*')).body;
  }

  #notThere(): ImageError {
    const names = this.#seen.names;
    const there = names.length === 0 ? '' : `; it has ${names.join(', ')}`;
    return new ImageError(
      'PathNotInImage',
      `the image has no file ${this.#path}${there}: correct module.image.path, or build the file into the image`,
    );
  }

  /** Once more, after a pause that doubles, as long as what stands in the way may pass. */
  async #again<T>(attempt: () => Promise<T>): Promise<T> {
    const { pause = wait, onProblem } = this.#options;
    for (let n = 1; ; n++) {
      try {
        return await attempt();
      } catch (cause) {
        const passing = cause instanceof ImageError && cause.passing && !this.#signal.aborted;
        if (!passing || n === ATTEMPTS) throw cause;
        onProblem(`${cause.message}: tried again`);
        await pause(FIRST_PAUSE_MS * 2 ** (n - 1));
      }
    }
  }
}

const isFile = ({ annotations }: Descriptor): boolean =>
  annotations[TITLE] !== undefined && annotations[UNPACK] !== 'true';

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
