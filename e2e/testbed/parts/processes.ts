/**
 * Processes that outlive the command that starts them.
 *
 * Owns: starting one in a session of its own, the file that says which it is, and ending it. One file a process, with what
 * it takes to start it again.
 * Invariant: no signal is sent to a process that is not the one that was started: ids are used again, so the time of its
 * start is compared first.
 */
import { spawn } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { assertNotInterrupted, until } from '../command.ts';
import { STATE, STATE_PLACES } from '../places.ts';

export interface ProcessSpec {
  readonly name: string;
  readonly command: readonly string[];
  /** Added to our own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Inside the namespaces of this machine, by name. */
  readonly inside?: string;
  /** Its first child is what is meant: it lives in the namespace of processes that the command makes. */
  readonly forks?: boolean;
}

export interface Started extends ProcessSpec {
  readonly pid: number;
  /** Clock ticks after boot: with the id it is unique. */
  readonly startTicks: number;
}

/** What a process that is told to end may take before it is killed. */
const GRACE_MS = 5_000;
const NAMESPACES = ['--net', '--mount', '--pid'];

const fileOf = (name: string): string => join(STATE_PLACES.processes, `${name}.json`);
export const logOf = (name: string): string => join(STATE_PLACES.logs, `${name}.log`);

/** Starts it unless it runs already. Its output goes to its log. */
export async function ensureProcess(spec: ProcessSpec): Promise<Started> {
  const known = await knownProcess(spec.name);
  if (known && (await isRunning(known))) return known;
  assertNotInterrupted();
  const pid = await launch(spec);
  const startTicks = await startTicksOf(pid);
  if (startTicks === undefined) throw new Error(`${spec.name} ended at once:\n${await endOfLog(spec.name)}`);
  const started: Started = { ...spec, pid, startTicks };
  await writeFile(fileOf(spec.name), JSON.stringify(started));
  return started;
}

async function launch(spec: ProcessSpec): Promise<number> {
  const [program = '', ...args] = await commandOf(spec);
  const log = openSync(logOf(spec.name), 'a', 0o600);
  const child = spawn(program, args, {
    cwd: STATE,
    env: { ...process.env, ...spec.env },
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  const failed = new Promise<never>((_, reject) => {
    child.once('error', (cause) => {
      reject(new Error(`${program} does not start: ${cause.message}`, { cause }));
    });
  });
  child.unref();
  const { pid } = child;
  if (pid === undefined) return await failed;
  return spec.inside === undefined && spec.forks !== true ? pid : await childOf(pid, spec.name);
}

async function commandOf(spec: ProcessSpec): Promise<readonly string[]> {
  if (spec.inside === undefined) return spec.command;
  return await enter(spec.inside, spec.command);
}

/** The command that runs this one inside a machine. */
export async function enter(
  machine: string,
  command: readonly string[],
  namespaces: readonly string[] = NAMESPACES,
): Promise<readonly string[]> {
  const holder = await knownProcess(machine);
  if (!holder || !(await isRunning(holder))) throw new Error(`machine ${machine} does not run`);
  return ['nsenter', `--target=${String(holder.pid)}`, ...namespaces, '--', ...command];
}

/** Who makes or enters a namespace of processes stays outside and has a child inside: that is the process that is meant. */
async function childOf(pid: number, name: string): Promise<number> {
  const children = `/proc/${String(pid)}/task/${String(pid)}/children`;
  // No interrupt ends this: what was started has to be written down.
  while ((await startTicksOf(pid)) !== undefined) {
    const found = Number((await readFile(children, 'utf8').catch(() => '')).trim().split(' ')[0]);
    if (found > 0) return found;
    await setTimeout(2);
  }
  throw new Error(`${name} ended at once:\n${await endOfLog(name)}`);
}

export async function knownProcess(name: string): Promise<Started | undefined> {
  const text = await readFile(fileOf(name), 'utf8').catch(() => '');
  return text === '' ? undefined : (JSON.parse(text) as Started);
}

export async function knownProcesses(): Promise<readonly Started[]> {
  const files = await readdir(STATE_PLACES.processes).catch(() => []);
  const found = await Promise.all(files.map((file) => knownProcess(file.replace(/\.json$/, ''))));
  return found.filter((p) => p !== undefined);
}

export async function isRunning({ pid, startTicks }: Started): Promise<boolean> {
  return (await startTicksOf(pid)) === startTicks;
}

/** Undefined where there is no such process, or only what its parent has not buried yet. */
export async function startTicksOf(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => '');
  // The name, in brackets, may hold anything. After it: state, …, and as the 20th the time of the start.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (text === '' || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return Number(fields[19]);
}

/** Ends it and waits. Its file stays, so that it can be started again, unless it is to be forgotten. */
export async function endProcess(started: Started, signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
  if (!(await isRunning(started))) return;
  send(started.pid, signal);
  const gone = async (): Promise<boolean> => !(await isRunning(started));
  await until('', gone, GRACE_MS, 20).catch(() => {
    send(started.pid, 'SIGKILL');
  });
  await until(`${started.name} (process ${String(started.pid)}) ends`, gone, 30_000, 20);
}

export async function forgetProcess(name: string): Promise<void> {
  await rm(fileOf(name), { force: true });
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ESRCH')) throw cause;
  }
}

export async function endOfLog(name: string, lines = 15): Promise<string> {
  const text = await readFile(logOf(name), 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}
