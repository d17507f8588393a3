/**
 * What one function of this instance has used since the last time: of its gate and of its threads.
 *
 * Owns: the differences between two readings. It is read about once a second, whatever the number of calls.
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
      busyMs: use.busyMs - this.#use.busyMs,
      memoryBytes: use.memoryBytes,
    };
    this.#times = times;
    this.#use = use;
    return since;
  }
}
