/**
 * What removes the files of a run that could not do it itself: killed with -9, or told twice to end.
 *
 * Owns: one small process that waits. An end in order is the run's own affair.
 * Invariant: it reads a pipe whose other end only we hold: a line means that nothing is left to do, the end of the pipe
 * without a line means that we are gone. It is in a session of its own: Ctrl-C does not reach it.
 */
import { spawn } from 'node:child_process';

/** Twice: servers are killed in the same moment, and what one was just writing may come after the first time. */
const SWEEP = [
  'folder=$1; shift',
  'read -r _ || { rm -rf -- "$@"; sleep 1; rm -rf -- "$@"; rmdir -- "$folder"; } >/dev/null 2>&1',
].join('\n');

export interface Sweeper {
  /** Nothing is left to remove: it ends. Never rejects; idempotent. */
  readonly dismiss: () => Promise<void>;
}

/** Removes these files and folders as soon as this process is gone, however it ended; and `folder`, if it is empty then. */
export function sweepAfter(paths: readonly string[], folder: string): Sweeper {
  const child = spawn('/bin/sh', ['-c', SWEEP, 'sh', folder, ...paths], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  });
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => {
      resolve(); // without a shell no server has come up either
    });
    child.once('exit', () => {
      resolve();
    });
  });
  child.stdin.on('error', () => undefined); // it is gone already
  return {
    dismiss: () => {
      child.stdin.end('done\n');
      return ended;
    },
  };
}
