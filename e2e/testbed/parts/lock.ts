/** One command at a time changes the testbed; others say who does and end. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../places.ts';
import { startTicksOf } from './processes.ts';

interface Holder {
  readonly pid: number;
  readonly startTicks: number;
}

/** Beside the cache: the state's folder comes and goes. */
const lockFile = (): string => join(cacheFolder(), 'lock');

/** Rejects when another command has it that still runs. */
export async function withLock<T>(work: () => Promise<T>): Promise<T> {
  const file = lockFile();
  await mkdir(dirname(file), { recursive: true });
  await take(file);
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function take(file: string): Promise<void> {
  const { pid } = process;
  const me: Holder = { pid, startTicks: (await startTicksOf(pid)) ?? 0 };
  for (let attempts = 0; attempts < 3; attempts++) {
    const taken = await writeFile(file, JSON.stringify(me), { flag: 'wx' }).then(
      () => true,
      () => false,
    );
    if (taken) return;
    const holder = await holderOf(file);
    if (holder && (await startTicksOf(holder.pid)) === holder.startTicks)
      throw new Error(`process ${String(holder.pid)} is changing the testbed; wait for its end`);
    await rm(file, { force: true }); // it was killed
  }
  throw new Error(`${file} cannot be taken`);
}

async function holderOf(file: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Holder;
  } catch {
    return undefined; // gone, or not yet whole
  }
}
