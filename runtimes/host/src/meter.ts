/**
 * What this instance has used since the last time: each function of its gate and its threads, and all of the process.
 *
 * Owns: the differences between two readings. They are taken about once a second, whatever the number of calls.
 */
import type { Gate, GateTimes, ThreadUse } from '@sinter/bus';
import type { FunctionRuntime } from './threads/runtime.ts';
import type { RuntimeUse } from './threads/usage.ts';

export class Meter {
  readonly #gate: Gate;
  readonly #runtime: Pick<FunctionRuntime, 'use'>;
  #times: GateTimes = { queuedMs: 0, occupiedMs: 0 };
  #use: RuntimeUse = { cpuMs: 0, busyMs: 0, memoryBytes: 0 };

  constructor(gate: Gate, runtime: Pick<FunctionRuntime, 'use'>) {
    this.#gate = gate;
    this.#runtime = runtime;
  }

  async read(): Promise<ThreadUse> {
    const use = await this.#runtime.use();
    const { times } = this.#gate;
    const since: ThreadUse = {
      queuedMs: times.queuedMs - this.#times.queuedMs,
      occupiedMs: times.occupiedMs - this.#times.occupiedMs,
      cpuMs: use.cpuMs - this.#use.cpuMs,
      busyMs: Math.max(0, use.busyMs - this.#use.busyMs),
      memoryBytes: use.memoryBytes,
      ...(use.sleptMs === undefined ? {} : { sleptMs: use.sleptMs - (this.#use.sleptMs ?? 0) }),
    };
    this.#times = times;
    this.#use = use;
    return since;
  }
}

/** For how long at least one of the process's executions was under way. */
export class Occupancy {
  #running = 0;
  #sinceMs = 0;
  #ms = 0;

  begins(nowMs: number): void {
    if (this.#running === 0) this.#sinceMs = nowMs;
    this.#running += 1;
  }

  ends(nowMs: number): void {
    this.#running -= 1;
    if (this.#running === 0) this.#ms += nowMs - this.#sinceMs;
  }

  /** Milliseconds since the last time. */
  take(nowMs: number): number {
    const ms = this.#ms + (this.#running > 0 ? nowMs - this.#sinceMs : 0);
    this.#ms = 0;
    this.#sinceMs = nowMs;
    return ms;
  }
}
