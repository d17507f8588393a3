/**
 * What the roll-outs of each workflow have come to, kept on the bus: remembered between reconciles, read after a restart.
 *
 * Owns: reading once, and when what changed is worth a write. What a decision follows from is written before anybody acts on
 * it; counts of calls now and then, and nothing where no call came in. Whoever writes over what another one wrote is told `Conflict`, and looks again.
 */
import type { WorkflowKey } from '@sinter/contract';
import { workflowToken } from '@sinter/contract';
import type { BusStore } from '../bus/cluster.ts';
import { NO_MEMORY } from '../rollout/index.ts';
import type { Memory, Trial } from '../rollout/index.ts';
import { canonicalJson } from '../model/canonical.ts';
import { WrittenByOther } from './routeCache.ts';

interface Known {
  readonly memory: Memory;
  /** As it was written last. */
  readonly written: Memory;
  readonly sequence: number;
  readonly writtenAtMs: number;
}

/** Calls alone: while a plan is tried, and else. */
const COUNTS_MS = { trial: 15_000, rest: 300_000 };

export class RolloutBook {
  readonly #records: BusStore['rollouts'];
  /** Milliseconds of a clock that never goes back. */
  readonly #clock: () => number;
  readonly #known = new Map<string, Known>();

  constructor(records: BusStore['rollouts'], clock: () => number) {
    this.#records = records;
    this.#clock = clock;
  }

  async read(w: WorkflowKey): Promise<Memory> {
    return (await this.#read(w)).memory;
  }

  /** As it was read or kept last; undefined: it was not. */
  known(w: WorkflowKey): Memory | undefined {
    return this.#known.get(workflowToken(w))?.memory;
  }

  async keep(w: WorkflowKey, memory: Memory): Promise<void> {
    const known = await this.#read(w);
    if (memory === known.memory) return;
    if (this.#isDue(known, memory)) await this.#write(w, memory, known);
    else this.#known.set(workflowToken(w), { ...known, memory });
  }

  /** Of a workflow that is no more. */
  async remove({ namespace, workflow }: WorkflowKey): Promise<void> {
    const w = { namespace, workflow };
    const { sequence, record } = await this.#records.read(w);
    if (record) await this.#records.remove(w, sequence);
    this.forget(w);
  }

  forget(w: WorkflowKey): void {
    this.#known.delete(workflowToken(w));
  }

  /** Nothing that is remembered need hold any more. */
  clear(): void {
    this.#known.clear();
  }

  async #read(w: WorkflowKey): Promise<Known> {
    const known = this.#known.get(workflowToken(w));
    if (known) return known;
    const { record, sequence } = await this.#records.read(w);
    const memory = memoryIn(record);
    const found = { memory, written: memory, sequence, writtenAtMs: this.#clock() };
    this.#known.set(workflowToken(w), found);
    return found;
  }

  #isDue({ written, writtenAtMs }: Known, memory: Memory): boolean {
    if (decisive(memory) !== decisive(written)) return true;
    const isCounting = memory.trial?.phase === 'WarmingUp' || memory.trial?.phase === 'Comparing';
    const dueMs = isCounting ? COUNTS_MS.trial : COUNTS_MS.rest;
    return memory.ledger.calls > written.ledger.calls && this.#clock() - writtenAtMs >= dueMs;
  }

  async #write({ namespace, workflow }: WorkflowKey, memory: Memory, known: Known): Promise<void> {
    const w = { namespace, workflow };
    // Whatever goes wrong, what stands there now is unknown.
    this.forget(w);
    const written = await this.#records.write({ ...w, memory }, known.sequence);
    if (written.kind === 'Conflict')
      throw new WrittenByOther(`somebody else wrote what the roll-outs of ${workflowToken(w)} came to`);
    const { sequence } = written;
    this.#known.set(workflowToken(w), { memory, written: memory, sequence, writtenAtMs: this.#clock() });
  }
}

/** What another version wrote is not understood: then nothing was tried yet. */
function memoryIn(record: { readonly memory?: { readonly version?: unknown } } | undefined): Memory {
  return record?.memory?.version === NO_MEMORY.version ? (record.memory as Memory) : NO_MEMORY;
}

const blocksOf = ({ scores }: Trial): number => scores.objective.scales[0]?.blocks ?? 0;

/** All but what only counts. */
const decisive = ({ ledger: { lost }, trial, ...rest }: Memory): string =>
  canonicalJson({
    ...rest,
    spent: lost,
    trial: trial
      ? [trial.of, trial.plan.hash, trial.current, trial.phase, trial.weightPercent, blocksOf(trial)]
      : null,
  });
