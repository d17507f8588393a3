/**
 * Tells when files change.
 *
 * Owns: watching folders rather than files, because editors save by writing another file and renaming it over the
 * first, which ends a watch on the file itself. One save is several events; they are told as one, after a pause.
 */
import { existsSync, watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

const PAUSE_MS = 150;

export class Watch {
  readonly #onChange: () => void;
  readonly #watchers = new Map<string, FSWatcher>();
  /** By folder: the names in it that matter; `*`: all. */
  #names = new Map<string, Set<string>>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** `onChange` is called after the last of a burst of changes. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Watches these files, and the lists of these folders, from now on; others no longer. */
  set(files: readonly string[], folders: readonly string[]): void {
    if (this.#closed) return;
    const names = new Map<string, Set<string>>();
    for (const file of files) add(names, dirname(resolve(file)), basename(file));
    for (const folder of folders) add(names, resolve(folder), '*');
    for (const folder of [...names.keys()]) addMissing(names, folder);
    this.#names = names;
    for (const [folder, watcher] of this.#watchers)
      if (!names.has(folder)) {
        watcher.close();
        this.#watchers.delete(folder);
      }
    for (const folder of names.keys()) this.#open(folder);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #open(folder: string): void {
    if (this.#watchers.has(folder) || !existsSync(folder)) return;
    const watcher = watch(folder, { persistent: false }, (_event, name) => {
      const wanted = this.#names.get(folder);
      // A folder that was itself moved or removed is told under its own name.
      if (!existsSync(folder)) this.#drop(folder);
      if (
        name === null ||
        wanted?.has('*') === true ||
        wanted?.has(name) === true ||
        name === basename(folder)
      )
        this.#changed();
    });
    watcher.on('error', () => {
      this.#drop(folder);
      this.#changed();
    });
    this.#watchers.set(folder, watcher);
  }

  #drop(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }

  #changed(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onChange, PAUSE_MS);
  }
}

function add(names: Map<string, Set<string>>, folder: string, name: string): void {
  const known = names.get(folder);
  if (known) known.add(name);
  else names.set(folder, new Set([name]));
}

/** A folder that is not there is waited for in the nearest one that is. */
function addMissing(names: Map<string, Set<string>>, folder: string): void {
  let missing = folder;
  while (!existsSync(missing) && dirname(missing) !== missing) {
    add(names, dirname(missing), basename(missing));
    missing = dirname(missing);
  }
}
