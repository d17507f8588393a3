/**
 * Keeps a busy JavaScript thread within its memory, before V8 would end the whole process.
 *
 * Owns: the limits given to V8 and the judgement of samples. V8's own limit cannot be the function's: a thread that
 * passes it by more than 16 MB in one step (an array that doubles, a big string) ends the *process*, not the thread (seen
 * with Node 24), and it does not count buffers at all. So V8's limit stands a gigabyte higher, as the last resort, and
 * the heap and the buffers of a busy thread are sampled: above the limit three times in a row, or half above it once, is
 * too much.
 * Garbage must not be taken for a leak. V8 is told to collect when the heap has grown by a quarter, so that a heap that
 * stays above its limit over 100 ms holds about three quarters of it alive. Buffers are collected only when 64 MB of them
 * have been made since the last time; so that much and as much again during a collection is allowed on top for them.
 */
import { setFlagsFromString } from 'node:v8';
import type { ResourceLimits, Worker } from 'node:worker_threads';

export const SAMPLE_EVERY_MS = 50;
const SAMPLES_IN_A_ROW = 3;
const AT_ONCE_FACTOR = 1.5;
const LAST_RESORT_MB = 1_024;
const MB = 1024 * 1024;
/** Buffers that are garbage and that V8 has not collected yet. */
export const BUFFER_GARBAGE_BYTES = 128 * MB;

let flagged = false;

/** What V8 is told of a thread that may take `memoryBytes`. */
export function resourceLimits(memoryBytes: number): ResourceLimits {
  if (!flagged) setFlagsFromString('--heap-growing-percent=25');
  flagged = true;
  const limitMb = Math.ceil(memoryBytes / MB);
  return {
    maxOldGenerationSizeMb: limitMb + LAST_RESORT_MB,
    maxYoungGenerationSizeMb: Math.max(2, Math.min(32, Math.floor(limitMb / 8))),
  };
}

export interface Sample {
  readonly heapBytes: number;
  /** Buffers, outside of the heap. */
  readonly bufferBytes: number;
}

/** Judges samples of one thread. */
export class MemoryJudge {
  readonly #limitBytes: number;
  #above = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  exceeds(sample: Sample): boolean {
    this.#above = isAbove(sample, this.#limitBytes) ? this.#above + 1 : 0;
    return this.#above >= SAMPLES_IN_A_ROW || isAbove(sample, this.#limitBytes * AT_ONCE_FACTOR);
  }
}

const isAbove = ({ heapBytes, bufferBytes }: Sample, limitBytes: number): boolean =>
  heapBytes > limitBytes || heapBytes + bufferBytes > limitBytes + BUFFER_GARBAGE_BYTES;

/** Samples a thread while it is busy (an idle one costs nothing), tells `seen`; calls `exceeded` once and stops. */
export class MemoryWatch {
  readonly #worker: Worker;
  readonly #judge: MemoryJudge;
  readonly #isBusy: () => boolean;
  readonly #exceeded: () => void;
  readonly #seen: (sample: Sample) => void;
  #timer: NodeJS.Timeout | undefined;
  #asking = false;
  #stopped = false;

  constructor(
    worker: Worker,
    limitBytes: number,
    isBusy: () => boolean,
    exceeded: () => void,
    seen: (sample: Sample) => void,
  ) {
    this.#worker = worker;
    this.#judge = new MemoryJudge(limitBytes);
    this.#isBusy = isBusy;
    this.#exceeded = exceeded;
    this.#seen = seen;
  }

  /** To be called when the thread gets work. */
  wake(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    this.#timer = setInterval(() => {
      if (!this.#isBusy()) this.#rest();
      else if (!this.#asking) void this.#sample();
    }, SAMPLE_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    this.#stopped = true;
    this.#rest();
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** A thread deep in a built-in answers late; one that has ended does not answer: its end is heard elsewhere. */
  async #sample(): Promise<void> {
    this.#asking = true;
    const sample = await this.#worker.getHeapStatistics().then(
      (s): Sample => ({ heapBytes: s.used_heap_size, bufferBytes: s.external_memory }),
      () => undefined,
    );
    this.#asking = false;
    if (sample !== undefined) this.#seen(sample);
    if (this.#stopped || sample === undefined || !this.#judge.exceeds(sample)) return;
    this.stop();
    this.#exceeded();
  }
}
