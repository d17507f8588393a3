/**
 * The content of ConfigMaps that somebody references.
 *
 * Owns: fetching each once for as long as it does not change, and a bound on what is kept. Which there are, and their
 * versions, is known from a watch of metadata alone: a cluster's other ConfigMaps are nobody's business here.
 */
import type { ConfigMap as DeclaredMap } from '../model/nouns.ts';
import type { KubeClient } from '../kube/client.ts';
import { KINDS, keyOf } from '../kube/objects.ts';
import type { Place } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';

export interface ContentsOptions {
  readonly client: KubeClient;
  readonly store: Store;
  /** Text that is kept, in characters; what was used longest ago goes first. */
  readonly keep?: number;
}

interface Kept {
  readonly version: string;
  readonly map: DeclaredMap;
  readonly size: number;
}

const KEEP = 16 * 1024 * 1024;

export class Contents {
  readonly #options: ContentsOptions;
  /** In the order of their last use. */
  readonly #kept = new Map<string, Kept>();
  #size = 0;

  constructor(options: ContentsOptions) {
    this.#options = options;
  }

  /** Of the object as it is now: its version, or `-` where there is none. For who wants to know whether it changed. */
  version(place: Place): string {
    return this.#options.store.get(keyOf(place))?.metadata.resourceVersion ?? '-';
  }

  /** Undefined: there is no such ConfigMap. */
  async get(place: Place, signal: AbortSignal): Promise<DeclaredMap | undefined> {
    const key = keyOf(place);
    const version = this.version(place);
    if (version === '-') return undefined;
    const kept = this.#kept.get(key);
    if (kept) this.#drop(key);
    if (kept?.version === version) return this.#keep(key, kept).map;
    const found = await this.#options.client.find(KINDS.configMaps, place, { signal });
    if (!found) return undefined;
    const { name, namespace, creationTimestamp, resourceVersion } = found.metadata;
    const { data, binaryData } = found;
    const map = { metadata: { name, namespace, creationTimestamp }, data, binaryData };
    return this.#keep(key, { version: resourceVersion ?? '', map, size: sizeOf(map) }).map;
  }

  #keep(key: string, kept: Kept): Kept {
    this.#drop(key);
    this.#kept.set(key, kept);
    this.#size += kept.size;
    for (const oldest of [...this.#kept.keys()]) {
      if (this.#size <= (this.#options.keep ?? KEEP) || oldest === key) break;
      this.#drop(oldest);
    }
    return kept;
  }

  #drop(key: string): void {
    this.#size -= this.#kept.get(key)?.size ?? 0;
    this.#kept.delete(key);
  }
}

const sizeOf = ({ data, binaryData }: DeclaredMap): number =>
  [...Object.values(data ?? {}), ...Object.values(binaryData ?? {})].reduce((n, text) => n + text.length, 0);
