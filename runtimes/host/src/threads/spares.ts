/**
 * Threads that are started before anybody knows what they will run.
 *
 * Why: starting a thread takes as long as everything else between exec and serving. A host knows how many functions it has
 * before it has connected, so their threads start beside the connection; what they run is told to them when it is there.
 * Owns: the threads that nobody has taken yet. A spare is an ordinary JavaScript thread that waits for its first message.
 * Invariants:
 *  1. A spare holds nothing of anybody's: no code, no environment, no credential.
 *  2. A spare that dies unasked is forgotten; whoever wants a thread then starts one.
 */
import { MessageChannel, Worker } from 'node:worker_threads';
import type { MessagePort, ResourceLimits } from 'node:worker_threads';
import { resourceLimits } from './memoryWatch.ts';
import { workerUrl } from './workerUrl.ts';
import type { WorkerName } from './workerUrl.ts';

/** A thread that runs, and the host's end of its port. */
export interface Hatched {
  readonly worker: Worker;
  readonly port: MessagePort;
}

interface Spare extends Hatched {
  readonly limits: ResourceLimits;
  readonly forget: () => void;
}

/** What V8 lets a spare have; a function with more memory gets a thread of its own making. */
const SPARE_MEMORY_BYTES = 256 * 1024 * 1024;

const spares = new Set<Spare>();

/** Starts a thread with an empty environment and no arguments (D11). `start` is what it finds beside its port. */
export function hatch(entry: WorkerName, name: string, limits: ResourceLimits, start: object = {}): Hatched {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(workerUrl(entry), {
    name,
    workerData: { ...start, port: port2 },
    transferList: [port2],
    env: {},
    argv: [],
    execArgv: [],
    stdout: true,
    stderr: true,
    resourceLimits: limits,
  });
  return { worker, port: port1 };
}

/** Starts so many threads for JavaScript functions. */
export function prepareThreads(count: number): void {
  for (let i = 0; i < count; i++) {
    const limits = resourceLimits(SPARE_MEMORY_BYTES);
    const hatched = hatch('jsWorker', 'spare', limits);
    const spare: Spare = { ...hatched, limits, forget: () => spares.delete(spare) };
    hatched.worker.once('error', spare.forget);
    hatched.worker.once('exit', spare.forget);
    hatched.worker.unref();
    spares.add(spare);
  }
}

/** A spare that may have so much, if there is one; it is the taker's now. */
export function takeSpare(entry: WorkerName, limits: ResourceLimits): Hatched | undefined {
  if (entry !== 'jsWorker') return undefined;
  for (const spare of spares) {
    if ((limits.maxOldGenerationSizeMb ?? Infinity) > (spare.limits.maxOldGenerationSizeMb ?? 0)) continue;
    spares.delete(spare);
    spare.worker.off('error', spare.forget);
    spare.worker.off('exit', spare.forget);
    spare.worker.ref();
    return spare;
  }
  return undefined;
}

/** Ends what nobody took. */
export async function dropSpares(): Promise<void> {
  const left = [...spares];
  spares.clear();
  await Promise.all(left.map(({ worker }) => worker.terminate()));
}
