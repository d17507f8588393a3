/**
 * What was seen of every workflow: heard from its instances, asked by whoever plans and judges.
 *
 * Owns: which workflow's figures are whose, and which machines are of one class. `observations/` has the figures of one,
 * `recordKeeper.ts` keeps them while no operator runs. A workflow that is taken away and comes back goes on with what was known
 * of it, until it is forgotten.
 */
import { newId, workflowToken } from '@sinter/contract';
import type { Observation, RouteRecord, WorkflowKey } from '@sinter/contract';
import { WorkflowObservations } from '../observations/index.ts';

/** As much of a machine as tells its class. */
export interface SightMachine {
  readonly name: string;
  readonly architecture: string;
  readonly tier: string;
}

const UNKNOWN = 'unknown';

export interface SightOptions {
  readonly machine: (name: string) => SightMachine | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class Sight {
  readonly #epoch = newId();
  readonly #workflows = new Map<string, WorkflowObservations>();
  readonly #options: SightOptions;

  constructor(options: SightOptions) {
    this.#options = options;
  }

  /** Every workflow that a route was ever seen of. */
  get workflows(): Iterable<WorkflowObservations> {
    return this.#workflows.values();
  }

  of(workflow: WorkflowKey): WorkflowObservations {
    const token = workflowToken(workflow);
    const known = this.#workflows.get(token);
    if (known) return known;
    const { namespace, workflow: name } = workflow;
    const fresh = new WorkflowObservations({ namespace, workflow: name }, this.#epoch);
    this.#workflows.set(token, fresh);
    return fresh;
  }

  /** Undefined: no route of it was seen, or it was forgotten. */
  known(workflow: WorkflowKey): WorkflowObservations | undefined {
    return this.#workflows.get(workflowToken(workflow));
  }

  /** A route as it stands now: only what it names is taken in. */
  follow(route: RouteRecord): void {
    const observations = this.of(route);
    if (route.generation > observations.generation) observations.follow(route);
  }

  heard(o: Observation): void {
    const machine = this.#options.machine(o.machine);
    // What an instance says of a machine that nobody else knows is not repeated: it may say something else each time.
    const machineClass = machine ? `${machine.architecture} ${machine.tier}` : UNKNOWN;
    this.#workflows.get(workflowToken(o))?.heard(o, machineClass, this.#options.now());
  }

  forget(workflow: WorkflowKey): void {
    this.#workflows.delete(workflowToken(workflow));
  }
}
