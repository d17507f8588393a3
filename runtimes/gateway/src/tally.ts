/**
 * What the way in sees: root calls that run now and that have ended, by revision (D3, D14).
 *
 * Owns: a recorder for each workflow, and when it speaks: each second where there is something new, now and then where
 * there is not, at once when a route changes. The writer of routes lets a replaced revision go only when every way in has
 * said, by the new generation, that no root call runs under the old one.
 * Invariant: a call is counted before it is sent and under the revision that the table then has; reading the route,
 * counting and sending are one synchronous step, as is taking on a new route and reporting it. So no call starts under a
 * revision that was reported as without calls by a newer generation.
 */
import { GATEWAY_CALLER, workflowToken } from '@sinter/contract';
import type { Outcome, WorkflowKey } from '@sinter/contract';
import { Recorder, ownMemoryBytes, publishObservation } from '@sinter/bus';
import type { Clock, Session } from '@sinter/bus';
import type { Table, Workflow } from './table.ts';

export interface TallyOptions {
  readonly session: Session;
  readonly clock: Clock;
  readonly instance: string;
  readonly machine: string;
  readonly architecture: string;
}

interface Count {
  readonly key: WorkflowKey;
  readonly recorder: Recorder;
}

export class Tally {
  readonly #options: TallyOptions;
  readonly #counts = new Map<string, Count>();

  constructor(options: TallyOptions) {
    this.#options = options;
  }

  /** A root call is about to start. Call `ends` or `fellBack` once when it has ended. */
  begins(key: WorkflowKey, revision: string): void {
    this.#of(key).rootBegins(revision);
  }

  ends(
    key: WorkflowKey,
    revision: string,
    to: string,
    outcome: Outcome,
    tookMs: number,
    requestBytes: number,
  ): void {
    const recorder = this.#of(key);
    recorder.rootEnds(revision);
    const machine = outcome.ok ? outcome.machine : '';
    const channel = machine === this.#options.machine ? 'Node' : 'Remote';
    recorder.calls(GATEWAY_CALLER, to, revision, channel).add(tookMs, outcome, requestBytes);
    recorder.entries(to, revision, 'Sync').add(tookMs, outcome.ok);
  }

  /** A root call that had begun found nobody under its revision: it ran nowhere, and begins anew under another. */
  fellBack(key: WorkflowKey, revision: string, to: string): void {
    const recorder = this.#of(key);
    recorder.rootEnds(revision);
    recorder.entries(to, revision, 'Sync').fellBack();
  }

  /** Root calls that run now, all workflows together. */
  get running(): number {
    let n = 0;
    for (const { recorder } of this.#counts.values()) n += recorder.running;
    return n;
  }

  /** Of every workflow that there is something to say of; at the end of all. */
  reportAll(table: Table, whom: 'Due' | 'All' = 'All'): void {
    const memoryBytes = ownMemoryBytes();
    const now = this.#options.clock.now();
    for (const w of table.all()) if (whom === 'All' || this.#of(w).isDue(now)) this.report(w, memoryBytes);
    this.#forget(table);
  }

  /** Says what was seen of a workflow since the last time. While cut off nothing is said, and counting goes on. */
  report(w: Workflow, memoryBytes = ownMemoryBytes()): void {
    const { session, clock, instance, machine, architecture } = this.#options;
    if (!w.route || !session.link.up) return;
    const key = { ...keyOf(w), unit: GATEWAY_CALLER, instance };
    const at = { machine, architecture, routeGeneration: w.route.generation, memoryBytes };
    const observation = this.#of(w).take(key, at, clock.now());
    const roots = { ...noRoots(w), ...observation.roots };
    publishObservation(session.link, { ...observation, roots });
  }

  #of(key: WorkflowKey): Recorder {
    const token = workflowToken(key);
    let count = this.#counts.get(token);
    if (!count) {
      count = { key: keyOf(key), recorder: new Recorder(this.#options.clock.now()) };
      this.#counts.set(token, count);
    }
    return count.recorder;
  }

  #forget(table: Table): void {
    for (const [token, { key, recorder }] of this.#counts)
      if (recorder.running === 0 && !table.get(key.namespace, key.workflow)) this.#counts.delete(token);
  }
}

const keyOf = ({ namespace, workflow }: WorkflowKey): WorkflowKey => ({ namespace, workflow });

/** Every revision of the route is named, also with zero: the writer must see that it is at zero. */
function noRoots({ route }: Workflow): Readonly<Record<string, number>> {
  const named = route ? [...Object.keys(route.revisions), ...route.draining] : [];
  return Object.fromEntries(named.map((revision) => [revision, 0]));
}
