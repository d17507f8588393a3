/**
 * The state file of a run: how other commands find it.
 *
 * Owns: its place, its form on disk, and which runs are still alive. It holds the gateway's token, so only the user can
 * read it (0600, in a folder with 0700).
 * Invariant: nothing is written to, or believed from, a folder that somebody else may write to. The temporary folder is
 * everybody's, and a name in it that can be guessed can be taken before us.
 */
import { accessSync, constants } from 'node:fs';
import { lstat, mkdir, readFile, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { codeOf, whyNot } from './failure.ts';
import type { RunState } from './run.ts';

const REMEDY = 'set XDG_RUNTIME_DIR to a folder of your own';
/** How often a folder is made that others take away in the same moment. */
const TRIES = 3;

/** `$XDG_RUNTIME_DIR/sinter`; where that is not set or of no use, a folder of the user's in the temporary folder. */
export function runsFolder(env: NodeJS.ProcessEnv = process.env): string {
  const runtime = env.XDG_RUNTIME_DIR;
  if (runtime !== undefined && runtime !== '' && isWritable(runtime)) return join(runtime, 'sinter');
  return join(tmpdir(), `sinter-${String(userInfo().uid)}`);
}

/** A session that was begun by `su`, or in a container, may name a folder that is not there or another user's. */
function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export const stateFileOf = (folder: string, pid: number): string => join(folder, `run-${String(pid)}.json`);

/** Replaces the file as a whole, so that a reader never sees half of it. Rejects where the folder is not the user's own. */
export async function writeState(path: string, state: RunState): Promise<void> {
  const folder = dirname(path);
  const next = `${path}.next`;
  for (let left = TRIES; ; left--) {
    await makeOwn(folder);
    try {
      await writeFile(next, JSON.stringify(state), { mode: 0o600 });
      await rename(next, path);
      return;
    } catch (cause) {
      // Another run has just ended and has taken the empty folder away.
      if (codeOf(cause) === 'ENOENT' && left > 1) continue;
      throw new Error(`the folder for state files, ${folder}, ${whyNot(cause)}; ${REMEDY}`, { cause });
    }
  }
}

/** Removes the file, and the folder when it was the last one in it. */
export async function removeState(path: string): Promise<void> {
  await rm(path, { force: true });
  await rmdir(dirname(path)).catch(() => undefined); // other runs are in it, or it is gone
}

/** Not `recursive`: there Node never ends where the parent takes no folders at all (/proc; seen with Node 24). */
async function makeOwn(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (cause) {
    if (codeOf(cause) !== 'EEXIST') {
      const why = `the folder that it lies in ${whyNot(cause)}`;
      throw new Error(`the folder for state files, ${folder}, cannot be made: ${why}; ${REMEDY}`, { cause });
    }
  }
  // One that is gone by now has been taken away by a run that has just ended: whoever writes into it finds out.
  if ((await isOwn(folder)) || !(await lstat(folder).catch(() => undefined))) return;
  const why = 'belongs to somebody else or others may write to it: remove it, or';
  throw new Error(`the folder for state files, ${folder}, ${why} ${REMEDY}`);
}

async function isOwn(folder: string): Promise<boolean> {
  const found = await lstat(folder).catch(() => undefined);
  return found?.isDirectory() === true && found.uid === userInfo().uid && (found.mode & 0o022) === 0;
}

/** The runs that are alive, newest first; files of dead ones are removed on the way. */
export async function liveRuns(folder = runsFolder()): Promise<readonly RunState[]> {
  const names = (await isOwn(folder)) ? await readdir(folder).catch(() => [] as string[]) : [];
  const states = await Promise.all(
    names.filter((n) => /^run-\d+\.json$/.test(n)).map((name) => readState(join(folder, name))),
  );
  return states
    .filter((s) => s !== undefined)
    .sort((a, b) => (a.startedAt < b.startedAt ? 1 : a.startedAt > b.startedAt ? -1 : b.pid - a.pid));
}

/** What a state file says; undefined where it is none of this version's. */
export function parseState(text: string): RunState | undefined {
  try {
    const state = JSON.parse(text) as Partial<RunState> | null;
    if (state?.version !== 1 || typeof state.pid !== 'number' || !Array.isArray(state.workflows))
      return undefined;
    return state as RunState;
  } catch {
    return undefined; // no JSON
  }
}

async function readState(path: string): Promise<RunState | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const state = parseState(text);
  if (state === undefined) return undefined; // of another version, or of nobody: it stays
  if (isAlive(state.pid)) return state;
  await rm(path, { force: true });
  return undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM';
  }
}
