/**
 * Which words of instances are worth a look at their workflow.
 *
 * Owns: the choice. Hundreds of instances speak every few seconds, and almost all of it changes nothing: only a workflow that
 * waits for something is looked at, and only when an instance says something new about it.
 */
import type { Announcement, InstanceKey, Observation } from '@sinter/contract';
import type { Heard } from './observe.ts';

export class Attention {
  readonly #heard: Heard;
  /** Workflows that wait for the word of an instance. */
  readonly #waiting = new Set<string>();
  /** What each instance of those said last, as far as it matters. */
  readonly #last = new Map<string, string>();

  constructor(heard: Heard) {
    this.#heard = heard;
  }

  /** Says whether the workflow waits. */
  set(workflow: string, waits: boolean): void {
    if (waits) this.#waiting.add(workflow);
    else if (this.#waiting.delete(workflow))
      for (const id of this.#last.keys()) if (id.startsWith(`${workflow}/`)) this.#last.delete(id);
  }

  /** Workflows that wait. */
  keys(): Iterable<string> {
    return this.#waiting;
  }

  /** Is what this instance says now news to its workflow? */
  isNews(key: InstanceKey): boolean {
    const workflow = `${key.namespace}/${key.workflow}`;
    if (!this.#waiting.has(workflow)) return false;
    const id = `${workflow}/${key.unit}/${key.instance}`;
    const says = digest(this.#heard.announcement(key), this.#heard.observation(key));
    if (this.#last.get(id) === says) return false;
    this.#last.set(id, says);
    return true;
  }
}

/** Who serves what, and who still runs what: not how much, nor how fast. */
const digest = (said: Announcement | undefined, seen: Observation | undefined): string =>
  JSON.stringify([
    said?.state,
    said?.revisions,
    said?.problem,
    seen?.routeGeneration,
    Object.entries(seen?.roots ?? {})
      .filter(([, n]) => n > 0)
      .map(([hash]) => hash)
      .sort(),
  ]);
