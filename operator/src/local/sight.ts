/**
 * What was seen of every workflow of this run: heard from its instances, asked by its optimiser.
 *
 * Owns: which workflow's figures are whose, and which machines are of one class. `observations/` has the figures of one.
 * A workflow that is taken away and comes back goes on with what was known of it.
 */
import { newId, workflowToken } from '@sinter/contract';
import type { Observation, RouteRecord, WorkflowKey } from '@sinter/contract';
import { WorkflowObservations } from '../observations/index.ts';
import type { Machine } from '../model/nouns.ts';

export class Sight {
  readonly #epoch = newId();
  readonly #workflows = new Map<string, WorkflowObservations>();
  readonly #classes: ReadonlyMap<string, string>;
  readonly #now: () => number;

  /** `now`: milliseconds since 1970. */
  constructor(machines: readonly Machine[], now: () => number) {
    this.#classes = new Map(machines.map((m) => [m.name, `${m.architecture} ${m.tier}`]));
    this.#now = now;
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

  follow(route: RouteRecord): void {
    this.of(route).follow(route);
  }

  heard(observation: Observation): void {
    const machineClass = this.#classes.get(observation.machine) ?? observation.architecture;
    this.#workflows.get(workflowToken(observation))?.heard(observation, machineClass, this.#now());
  }
}
