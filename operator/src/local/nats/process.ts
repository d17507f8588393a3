/**
 * One nats-server as a child process.
 *
 * Owns: starting it, its end, and that it ends when we do. What it is told is `config.ts`'s, when it is ready is
 * `servers.ts`'s.
 * Invariants:
 *  1. It dies with its parent, also when that is killed with -9. A shell starts a watcher and then *becomes* the server
 *     (exec), so pid and exit are the server's own. The watcher reads a pipe whose other end only we hold: a line means
 *     that the server has ended (nothing to do), the end of the pipe without a line means that we have.
 *  2. It is in a process group of its own: Ctrl-C in a terminal reaches only us, and we stop it last.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

const WATCHED = [
  'exec 3<&0 </dev/null',
  '( read -r _ <&3 || kill -KILL $$ ) >/dev/null 2>&1 &',
  'exec "$@" 3<&-',
].join('\n');

const TERM_LIMIT_MS = 5000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface NatsProcess {
  readonly pid: number;
  /** Settles when it has ended, for whatever reason. Never rejects. */
  readonly exited: Promise<Exit>;
  /** What it said before its log file was open: why a start failed, at most 4 KB. */
  readonly said: () => string;
  /** SIGTERM, after five seconds SIGKILL. */
  readonly stop: () => Promise<Exit>;
  /** SIGKILL. */
  readonly kill: () => Promise<Exit>;
}

/** Starts a server. Rejects where it cannot be executed at all. */
export async function startProcess(path: string, configPath: string): Promise<NatsProcess> {
  const child = spawn('/bin/sh', ['-c', WATCHED, 'sh', path, '--config', configPath], {
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true,
    env: {},
  });
  const exited = exitOf(child);
  const said = tail(child);
  const pid = await spawned(child);
  return {
    pid,
    exited,
    said,
    stop: () => endWith(child, exited, 'SIGTERM'),
    kill: () => endWith(child, exited, 'SIGKILL'),
  };
}

const spawned = (child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      resolve(child.pid ?? 0);
    });
  });

function exitOf(child: ChildProcess): Promise<Exit> {
  child.stdin?.on('error', () => undefined); // the watcher may be gone already: nothing is left to tell it
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      child.stdin?.end('ended\n');
      resolve({ code, signal });
    });
  });
}

function tail(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-4096);
  });
  return () => text;
}

async function endWith(child: ChildProcess, exited: Promise<Exit>, signal: NodeJS.Signals): Promise<Exit> {
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), TERM_LIMIT_MS);
  const exit = await exited;
  clearTimeout(timer);
  return exit;
}
