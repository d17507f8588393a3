/**
 * The code of an artifact, where it can be read from the declared objects alone (inline, ConfigMap).
 *
 * Owns: how text and base64 become the bytes that a host runs, and their digest. Neighbours: `javascript.ts` and
 * `wasm.ts` judge the bytes; whoever applies a plan puts them into the bus under the digest (D18). Images and URLs are
 * pulled by the unit itself, so nothing is fetched here.
 */
import { createHash } from 'node:crypto';
import type { Artifact, ConfigMap } from './nouns.ts';
import { own } from './environment.ts';
import type { Lookup } from './environment.ts';

export type ModuleReading =
  | { readonly is: 'Read'; readonly bytes: Uint8Array; readonly sha256: string }
  /** An image, a URL or a container: not here. */
  | { readonly is: 'Elsewhere' }
  | { readonly is: 'NoConfigMap'; readonly configMap: string }
  | {
      readonly is: 'NoKey';
      readonly configMap: string;
      readonly key: string;
      readonly keys: readonly string[];
    }
  /** A WASM module as text must be base64. */
  | { readonly is: 'NotBase64'; readonly field: 'inline' | 'configMap' };

/** Where an artifact says that its code is. */
export function moduleSourceOf(artifact: Artifact): 'Inline' | 'ConfigMap' | 'Image' | 'Url' | 'Container' {
  const { type, module } = artifact;
  if (type === 'Container') return 'Container';
  if (module?.image) return 'Image';
  if (module?.url) return 'Url';
  return module?.configMap ? 'ConfigMap' : 'Inline';
}

/** The bytes of an artifact's module, or why there are none. */
export function readModule(artifact: Artifact, configMaps: Lookup<ConfigMap>): ModuleReading {
  switch (moduleSourceOf(artifact)) {
    case 'Inline':
      return fromText(artifact, artifact.module?.inline ?? '', 'inline');
    case 'ConfigMap':
      return fromConfigMap(artifact, configMaps);
    default:
      return { is: 'Elsewhere' };
  }
}

function fromConfigMap(artifact: Artifact, configMaps: Lookup<ConfigMap>): ModuleReading {
  const { name, key } = artifact.module?.configMap ?? { name: '', key: '' };
  const map = configMaps(name);
  if (!map) return { is: 'NoConfigMap', configMap: name };
  const text = own(map.data, key);
  if (text !== undefined) return fromText(artifact, text, 'configMap');
  const binary = own(map.binaryData, key);
  if (binary === undefined) return { is: 'NoKey', configMap: name, key, keys: keysOf(map) };
  const bytes = fromBase64(binary);
  return bytes ? read(bytes) : { is: 'NotBase64', field: 'configMap' };
}

function fromText(artifact: Artifact, text: string, field: 'inline' | 'configMap'): ModuleReading {
  if (artifact.type === 'JavaScript') return read(new TextEncoder().encode(text));
  const bytes = fromBase64(text);
  return bytes ? read(bytes) : { is: 'NotBase64', field };
}

const read = (bytes: Uint8Array): ModuleReading => ({
  is: 'Read',
  bytes,
  sha256: createHash('sha256').update(bytes).digest('hex'),
});

/** Every key of a ConfigMap, sorted. */
export const keysOf = (map: ConfigMap): readonly string[] =>
  [...Object.keys(map.data ?? {}), ...Object.keys(map.binaryData ?? {})].sort();

/** Strict base64, white space aside; undefined where it is anything else. */
function fromBase64(text: string): Uint8Array | undefined {
  const packed = text.replace(/\s+/g, '');
  if (packed.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(packed)) return undefined;
  return new Uint8Array(Buffer.from(packed, 'base64'));
}
