/**
 * Commands that are waited for.
 *
 * Owns: starting them, their output, and one way to end all of them. Processes that outlive us are `parts/processes.ts`.
 * Invariants:
 *  1. A command that fails is an error that says what was run and the last that it said.
 *  2. After an interrupt nothing is started and nothing waited for, until `goOn` says that what follows is to be done.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to our own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to its standard input. */
  readonly input?: string | Uint8Array;
  readonly limitMs?: number;
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  readonly code: number;
  readonly stderr: string;

  constructor(command: readonly string[], ended: Ended) {
    const said = (ended.stderr.trim() || ended.stdout.trim()).split('\n').slice(-8).join('\n  ');
    super(`${command.join(' ').slice(0, 300)} ended with ${ended.code}:\n  ${said}`);
    this.code = ended.code;
    this.stderr = ended.stderr;
  }
}

const DEFAULT_LIMIT_MS = 120_000;
/** Of a command that could not be started, as in a shell. */
const NOT_STARTED = 127;
const running = new Set<ChildProcess>();

let interrupted = false;

export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

export function assertNotInterrupted(): void {
  if (interrupted) throw new Interrupted('interrupted');
}

/** Ends every command that runs: whoever waits for one, or for anything, gets an error. */
export function interrupt(): void {
  interrupted = true;
  for (const child of running) child.kill('SIGTERM');
}

/** From here on things are done again: to clean up. */
export function goOn(): void {
  interrupted = false;
}

/** Runs to the end, whatever its code. Rejects with Interrupted only. */
export async function attempt(command: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  assertNotInterrupted();
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  running.add(child);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => undefined); // it ended before it had read everything: its code says whether that matters
  child.stdin.end(options.input ?? '');
  const limitMs = options.limitMs ?? DEFAULT_LIMIT_MS;
  return await new Promise((resolve) => {
    const timer = setTimeout(() => {
      err.push(Buffer.from(`\nended after ${limitMs} ms\n`));
      child.kill('SIGKILL');
    }, limitMs);
    const done = (code: number): void => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    };
    child.once('error', (cause) => {
      err.push(Buffer.from(cause.message));
      done(NOT_STARTED);
    });
    child.once('close', (code) => {
      done(code ?? 1);
    });
  });
}

/** Gives what it wrote to standard output. Rejects with CommandFailed. */
export async function run(command: readonly string[], options: CommandOptions = {}): Promise<string> {
  const ended = await attempt(command, options);
  if (ended.code !== 0) throw new CommandFailed(command, ended);
  return ended.stdout;
}

export async function succeeds(command: readonly string[]): Promise<boolean> {
  return (await attempt(command)).code === 0;
}

/** Rejects with what was waited for when it does not come to be in time. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limitMs = 60_000,
  everyMs = 100,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await holds())) {
    assertNotInterrupted();
    if (performance.now() > end) throw new Error(`not within ${limitMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
