/**
 * Keeps a busy JavaScript thread within its memory, before V8 would end the whole process.
 *
 * Owns: the limits given to V8 and the judgement of samples. V8's own limit cannot be the function's: a thread that
 * passes it by more than 16 MB in one step (an array that doubles, a big string) ends the *process*, not the thread (seen
 * with Node 24), and it does not count buffers at all. So V8's limit stands a gigabyte higher, as the last resort, and
 * the heap and the buffers of a busy thread are sampled: above the limit three times in a row, or half above it once, is
 * too much. So that garbage is not taken for a leak, V8 is told to collect when the heap has grown by a quarter; a heap
 * that stays above its limit over 100 ms then holds more than three quarters of it alive.
 */
import { setFlagsFromString } from 'node:v8';
import type { ResourceLimits, Worker } from 'node:worker_threads';

export const SAMPLE_EVERY_MS = 50;
const SAMPLES_IN_A_ROW = 3;
const AT_ONCE_FACTOR = 1.5;
const LAST_RESORT_MB = 1_024;
const MB = 1024 * 1024;

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

/** Judges samples of one thread. */
export class MemoryJudge {
  readonly #limitBytes: number;
  #above = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  exceeds(usedBytes: number): boolean {
    this.#above = usedBytes > this.#limitBytes ? this.#above + 1 : 0;
    return this.#above >= SAMPLES_IN_A_ROW || usedBytes > this.#limitBytes * AT_ONCE_FACTOR;
  }
}

/** Samples a thread while it is busy (an idle one costs nothing); calls `exceeded` once and stops. */
export class MemoryWatch {
  readonly #worker: Worker;
  readonly #judge: MemoryJudge;
  readonly #isBusy: () => boolean;
  readonly #exceeded: (usedBytes: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #asking = false;
  #stopped = false;

  constructor(
    worker: Worker,
    limitBytes: number,
    isBusy: () => boolean,
    exceeded: (usedBytes: number) => void,
  ) {
    this.#worker = worker;
    this.#judge = new MemoryJudge(limitBytes);
    this.#isBusy = isBusy;
    this.#exceeded = exceeded;
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
    const used = await this.#worker.getHeapStatistics().then(
      (s) => s.used_heap_size + s.external_memory,
      () => 0,
    );
    this.#asking = false;
    if (this.#stopped || !this.#judge.exceeds(used)) return;
    this.stop();
    this.#exceeded(used);
  }
}
