/**
 * The folder of a run: a temporary one, or one that the user keeps.
 *
 * Owns: making it, the keys in it, and what is said where it cannot be used. Neighbour: `stateFile.ts` has the other
 * folder, through which commands find runs.
 */
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseKeys } from '../bus/keys.ts';
import type { BusKeys } from '../bus/keys.ts';
import { codeOf, whyNot } from './failure.ts';

/** A new folder that only the user can read. Rejects with what to do where there can be none. */
export async function temporaryFolder(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), 'sinter-run-'));
  } catch (cause) {
    const remedy = 'set TMPDIR to a folder that you may write to';
    throw new Error(`the temporary folder, ${tmpdir()}, ${whyNot(cause)}; ${remedy}`, { cause });
  }
}

/** The keys that are kept in a folder; where there are none yet, it is made and these are put there. */
export async function keptKeys(folder: string, fresh: BusKeys): Promise<BusKeys> {
  const path = join(folder, 'keys.json');
  const kept = await usable(folder, async () => {
    await makeFolder(folder);
    const text = await readFile(path, 'utf8').catch(missing);
    if (text === undefined || text === '') await writeFile(path, JSON.stringify(fresh), { mode: 0o600 });
    return text;
  });
  if (kept === undefined || kept === '') return fresh;
  try {
    return parseKeys(kept);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${path} does not hold the keys of a run: ${why}`, { cause });
  }
}

async function usable<T>(folder: string, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (cause) {
    const remedy = 'give one that you may write to';
    throw new Error(`the state folder, ${folder}, ${whyNot(cause)}; ${remedy}`, { cause });
  }
}

function missing(cause: unknown): undefined {
  if (codeOf(cause) === 'ENOENT') return undefined;
  throw cause;
}

/** With its parents. Not `recursive`: there Node never ends where a parent takes no folders at all (/proc; seen with Node 24). */
async function makeFolder(folder: string): Promise<void> {
  const make = (): Promise<void> => mkdir(folder, { mode: 0o700 });
  try {
    await make();
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') return;
    if (codeOf(cause) !== 'ENOENT' || dirname(folder) === folder) throw cause;
    await makeFolder(dirname(folder));
    await make();
  }
}
