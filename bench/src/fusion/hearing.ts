/**
 * What hosts say of themselves while a plan is measured (D14), added up by unit.
 *
 * Owns: the sums. A window that began before the measurement did is taken as a whole: at one report a second that is an error
 * of at most a second at each end, and shares (of time, per execution) have none.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import { GATEWAY_CALLER } from '@sinter/contract';
import type { Observation } from '@sinter/contract';
import { listenToInstances } from '@sinter/operator/bus/listen';

export interface UnitSums {
  windowMs: number;
  /** CPU time of the process, and of its functions' threads. */
  cpuMs: number;
  functionsCpuMs: number;
  occupiedMs: number;
  /** The last that was said, and the most. */
  memoryBytes: number;
  peakBytes: number;
  readonly executions: Map<string, number>;
  readonly runMs: Map<string, number>;
  readonly ownCpuMs: Map<string, number>;
}

const nothing = (): UnitSums => ({
  windowMs: 0,
  cpuMs: 0,
  functionsCpuMs: 0,
  occupiedMs: 0,
  memoryBytes: 0,
  peakBytes: 0,
  executions: new Map(),
  runMs: new Map(),
  ownCpuMs: new Map(),
});

export class Hearing {
  readonly #stop: () => void;
  #sums = new Map<string, UnitSums>();
  #executionsAtMs = 0;

  constructor(nc: NatsConnection, namespace: string) {
    const { stop } = listenToInstances(nc, {
      onAnnouncement: () => undefined,
      onObservation: (o) => {
        if (o.namespace === namespace && o.unit !== GATEWAY_CALLER) this.#heard(o);
      },
    });
    this.#stop = stop;
  }

  /** By unit, since it was last asked. */
  take(): ReadonlyMap<string, UnitSums> {
    const sums = this.#sums;
    this.#sums = new Map();
    return sums;
  }

  /** Milliseconds since anybody said that something was executed. */
  silentMs(): number {
    return performance.now() - this.#executionsAtMs;
  }

  stop(): void {
    this.#stop();
  }

  #heard(o: Observation): void {
    let sums = this.#sums.get(o.unit);
    if (!sums) this.#sums.set(o.unit, (sums = nothing()));
    sums.windowMs += o.windowMs;
    sums.cpuMs += o.cpuMs ?? 0;
    sums.occupiedMs += o.occupiedMs ?? 0;
    sums.memoryBytes = o.memoryBytes;
    sums.peakBytes = Math.max(sums.peakBytes, o.memoryBytes);
    for (const f of o.functions) {
      add(sums.executions, f.function, f.executions);
      add(sums.runMs, f.function, f.runMs.sumMs);
      add(sums.ownCpuMs, f.function, f.cpuMs ?? 0);
      sums.functionsCpuMs += f.cpuMs ?? 0;
      if (f.executions > 0) this.#executionsAtMs = performance.now();
    }
  }
}

const add = (sums: Map<string, number>, name: string, value: number): void => {
  sums.set(name, (sums.get(name) ?? 0) + value);
};
