/**
 * Files that are generated and committed: what differs from what they should be, and writing them.
 *
 * Owns: nothing of their content. Whoever generates says which files there are to be, and which folders hold nothing else.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Generated {
  /** Path from the root of the repository → content. */
  readonly files: ReadonlyMap<string, string>;
  /** In these a file that is not among `files` is left over from something that is gone. */
  readonly folders: readonly string[];
}

const ROOT = join(import.meta.dirname, '..', '..');

/** Paths that are missing, different, or left over. */
export function differencesFrom(wanted: Generated): readonly string[] {
  const different = [...wanted.files].filter(([path, text]) => read(path) !== text).map(([path]) => path);
  return [...different, ...leftovers(wanted)].sort();
}

/**
 * The program of a generator: writes the files; with `--check` it writes nothing, names those that differ, and says to run
 * `command`. Gives the exit code.
 */
export function generate(args: readonly string[], command: string, wanted: Generated): number {
  if (!args.includes('--check')) {
    write(wanted);
    return 0;
  }
  const different = differencesFrom(wanted);
  if (different.length === 0) return 0;
  const names = different.map((path) => `  ${path}`).join('\n');
  console.error(`generated files differ from their sources; run \`${command}\` and commit:\n${names}`);
  return 1;
}

function write(wanted: Generated): void {
  for (const path of leftovers(wanted)) rmSync(join(ROOT, path));
  for (const [path, text] of wanted.files) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), text);
  }
}

const leftovers = ({ files, folders }: Generated): readonly string[] =>
  folders.flatMap(list).filter((path) => !files.has(path));

const list = (folder: string): readonly string[] =>
  orMissing(() => readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`)) ?? [];

const read = (path: string): string | undefined => orMissing(() => readFileSync(join(ROOT, path), 'utf8'));

function orMissing<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw cause;
  }
}
