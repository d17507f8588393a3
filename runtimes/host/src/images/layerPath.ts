/**
 * What the entries of one layer mean for one path of the image (OCI image spec, "Image Layer Filesystem Changeset").
 *
 * Layers are looked at from the top down, so the first one that says anything about the path has the last word:
 *
 *   app/count.wasm          the file itself
 *   app/.wh.count.wasm      it is deleted; likewise .wh.app
 *   app/.wh..wh..opq        everything below app is deleted, but for what this layer itself brings
 *   app (a file)            nothing below it is left
 *   app (a link)            the file lies elsewhere: nobody follows links here, their author is told
 *
 * Owns: this table. `layers.ts` reads entries, and the order within a layer plays no part but between two of one name.
 */

/** As much of an entry of a tar archive as counts. */
export interface Entry {
  readonly name: string;
  readonly type: string;
  readonly linkname?: string;
}

export type Meaning = 'File' | 'Link' | 'Other' | 'Deleted' | 'Nothing';

const DELETED = '.wh.';
const OPAQUE = '.wh..wh..opq';

/** A path as a list of its parts, whatever it begins with; undefined where it leaves the image. */
export function partsOf(path: string): readonly string[] | undefined {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return parts.includes('..') ? undefined : parts;
}

/** What an entry says about the wanted path. */
export function meaningOf(entry: Entry, wanted: readonly string[]): Meaning {
  const parts = partsOf(entry.name);
  if (!parts || parts.length === 0 || parts.length > wanted.length) return 'Nothing';
  const last = parts.at(-1) ?? '';
  const at = parts.length - 1;
  if (!parts.slice(0, -1).every((part, i) => part === wanted[i])) return 'Nothing';
  if (last === OPAQUE) return 'Deleted';
  if (last.startsWith(DELETED)) return last.slice(DELETED.length) === wanted[at] ? 'Deleted' : 'Nothing';
  if (last !== wanted[at]) return 'Nothing';
  return kindOf(entry.type, parts.length < wanted.length);
}

/** `above`: the entry is where a folder on the way to the wanted path has to be. */
function kindOf(type: string, above: boolean): Meaning {
  if (type === 'symlink') return 'Link';
  if (above) return type === 'directory' ? 'Nothing' : 'Deleted';
  if (type === 'link') return 'Link';
  return type === 'file' ? 'File' : 'Other';
}
