/**
 * What the threads of one function use: CPU, time in which they were busy, memory.
 *
 * Owns: reading it from the threads, now and then and never for a single call, and the sums over the threads that came one
 * after the other. What a thread did until its module was loaded is no execution's and does not count.
 */
import type { Worker } from 'node:worker_threads';

export interface RuntimeUse {
  /** CPU time, and time in which a thread ran or was ready to, in milliseconds: sums that only grow. */
  readonly cpuMs: number;
  readonly busyMs: number;
  /** Time in which a function blocked its thread to sleep, which is not in `busyMs`; absent: none does. */
  readonly sleptMs?: number;
  /** The largest memory of one thread that was seen since the last time; 0: none was. */
  readonly memoryBytes: number;
}

interface Reading {
  readonly cpuMs: number;
  readonly busyMs: number;
  readonly heapBytes: number;
}

export class Usage {
  readonly #threads = new Map<Worker, Reading>();
  readonly #kind: 'JavaScript' | 'Wasm';
  #cpuMs = 0;
  #busyMs = 0;
  #sleptMs = 0;
  #memoryBytes = 0;

  /** The memory of a JavaScript thread is its heap with its buffers, that of WASM what `saw` tells. */
  constructor(kind: 'JavaScript' | 'Wasm') {
    this.#kind = kind;
  }

  /** A thread that has loaded its module: counts from now on. */
  follow(worker: Worker): void {
    void readingOf(worker).then((reading) => {
      if (reading) this.#threads.set(worker, reading);
    });
  }

  leave(worker: Worker): void {
    this.#threads.delete(worker);
  }

  saw(memoryBytes: number): void {
    this.#memoryBytes = Math.max(this.#memoryBytes, memoryBytes);
  }

  slept(ms: number): void {
    this.#sleptMs += ms;
  }

  /** Asks the threads; one that is deep in a built-in answers late, one that has ended not at all. */
  async read(): Promise<RuntimeUse> {
    await Promise.all([...this.#threads.keys()].map((worker) => this.#readOne(worker)));
    const use = { cpuMs: this.#cpuMs, busyMs: this.#busyMs, memoryBytes: this.#memoryBytes };
    this.#memoryBytes = 0;
    if (this.#kind === 'JavaScript') return use;
    return { ...use, busyMs: Math.max(0, this.#busyMs - this.#sleptMs), sleptMs: this.#sleptMs };
  }

  async #readOne(worker: Worker): Promise<void> {
    const now = await readingOf(worker);
    const before = this.#threads.get(worker);
    if (!now || !before) return;
    this.#threads.set(worker, now);
    this.#cpuMs += Math.max(0, now.cpuMs - before.cpuMs);
    this.#busyMs += Math.max(0, now.busyMs - before.busyMs);
    if (this.#kind === 'JavaScript') this.saw(now.heapBytes);
  }
}

/** Undefined: it has ended. */
async function readingOf(worker: Worker): Promise<Reading | undefined> {
  try {
    const [cpu, heap] = await Promise.all([worker.cpuUsage(), worker.getHeapStatistics()]);
    return {
      cpuMs: (cpu.user + cpu.system) / 1_000,
      busyMs: worker.performance.eventLoopUtilization().active,
      heapBytes: heap.used_heap_size + heap.external_memory,
    };
  } catch {
    return undefined;
  }
}
