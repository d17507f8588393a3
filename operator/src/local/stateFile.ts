/**
 * The state file of a run: how other commands find it.
 *
 * Owns: its place, its form on disk, and which runs are still alive. It holds the gateway's token, so only the user can
 * read it (0600, in a folder with 0700).
 */
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { RunState } from './run.ts';

/** `$XDG_RUNTIME_DIR/sinter`; where there is none, a folder of the user's in the temporary folder. */
export function runsFolder(env: NodeJS.ProcessEnv = process.env): string {
  const runtime = env.XDG_RUNTIME_DIR;
  if (runtime !== undefined && runtime !== '') return join(runtime, 'sinter');
  return join(tmpdir(), `sinter-${String(userInfo().uid)}`);
}

export const stateFileOf = (folder: string, pid: number): string => join(folder, `run-${String(pid)}.json`);

/** Replaces the file as a whole, so that a reader never sees half of it. */
export async function writeState(path: string, state: RunState): Promise<void> {
  const folder = join(path, '..');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const next = `${path}.next`;
  await writeFile(next, JSON.stringify(state), { mode: 0o600 });
  await rename(next, path);
}

/** The runs that are alive, newest first; files of dead ones are removed on the way. */
export async function liveRuns(folder = runsFolder()): Promise<readonly RunState[]> {
  const names = await readdir(folder).catch(() => [] as string[]);
  const states = await Promise.all(
    names.filter((n) => /^run-\d+\.json$/.test(n)).map((name) => readState(join(folder, name))),
  );
  return states
    .filter((s) => s !== undefined)
    .sort((a, b) => (a.startedAt < b.startedAt ? 1 : a.startedAt > b.startedAt ? -1 : b.pid - a.pid));
}

async function readState(path: string): Promise<RunState | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  if (text === '') return undefined;
  const state = JSON.parse(text) as RunState;
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
