/**
 * Keeps what was observed, so that the next operator goes on from it: a record of each workflow in the bucket of records.
 *
 * Owns: when a record is read and written. `observations/checkpoint.ts` says what stands in it.
 *
 *   a workflow that is new here ─▶ read ─▶ (longer known than what was heard here) taken up
 *   calls came in since, and the last writing is a minute ago ─▶ written
 *
 * Invariants:
 *  1. Where no call came in nothing is written.
 *  2. Nothing depends on it: what cannot be read or written is told, and tried again in a later round.
 */
import { workflowToken } from '@sinter/contract';
import type { WorkflowKey } from '@sinter/contract';
import type { ObservationsRecord, WorkflowObservations } from '../observations/index.ts';
import type { Records } from './routes.ts';
import type { Sight } from './sight.ts';

export interface RecordKeeperOptions {
  readonly sight: Sight;
  readonly records: Records<ObservationsRecord>;
  /** Milliseconds of a clock that never goes back. */
  readonly clock: () => number;
  /** What went wrong; the round goes on with the next workflow. */
  readonly onProblem: (workflow: WorkflowKey, cause: unknown) => void;
}

/** Of one workflow. */
const WRITE_EVERY_MS = 60_000;

interface Kept {
  sequence: number;
  atMs: number;
  /** How much had been heard then. */
  heard: number;
}

export class RecordKeeper {
  readonly #options: RecordKeeperOptions;
  readonly #kept = new Map<string, Kept>();

  constructor(options: RecordKeeperOptions) {
    this.#options = options;
  }

  /** Looks at every workflow; `Last`: writes what is new, however short the last writing is ago. */
  async round(which: 'Due' | 'Last' = 'Due'): Promise<void> {
    for (const observations of [...this.#options.sight.workflows]) {
      try {
        await this.#keep(observations, which);
      } catch (cause) {
        this.#options.onProblem(observations.workflow, cause);
      }
    }
  }

  /** Of a workflow that is no more. */
  async remove(workflow: WorkflowKey): Promise<void> {
    const { sequence, record } = await this.#options.records.read(workflow);
    if (record) await this.#options.records.remove(workflow, sequence);
    this.#kept.delete(workflowToken(workflow));
  }

  async #keep(observations: WorkflowObservations, which: 'Due' | 'Last'): Promise<void> {
    const { workflow } = observations;
    const kept = this.#kept.get(workflowToken(workflow));
    if (!kept) await this.#takeUp(observations);
    else if (kept.heard !== observations.calls && (which === 'Last' || this.#isDue(kept)))
      await this.#write(observations, kept);
  }

  #isDue({ atMs }: Kept): boolean {
    return this.#options.clock() - atMs >= WRITE_EVERY_MS;
  }

  async #takeUp(observations: WorkflowObservations): Promise<void> {
    const { records, clock } = this.#options;
    const { record, sequence } = await records.read(observations.workflow);
    if (record !== undefined) observations.restore(record);
    const kept = { sequence, atMs: clock(), heard: observations.calls };
    this.#kept.set(workflowToken(observations.workflow), kept);
  }

  async #write(observations: WorkflowObservations, kept: Kept): Promise<void> {
    const { calls } = observations;
    const written = await this.#options.records.write(observations.toRecord(), kept.sequence);
    if (written.kind === 'Conflict') {
      // A leader that did not know yet that it was none: the next writing is over what it left.
      kept.sequence = (await this.#options.records.read(observations.workflow)).sequence;
      return;
    }
    kept.sequence = written.sequence;
    kept.atMs = this.#options.clock();
    kept.heard = calls;
  }
}
