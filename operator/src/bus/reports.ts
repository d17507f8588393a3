/**
 * What instances say of themselves, kept for those who wait for it and for the figures: in a cluster and on a laptop.
 *
 * Owns: the last announcement and observation of every instance, and the sums since the last reset. Its neighbour
 * `listen.ts` hears them. An instance is gone when its process has ended (a cluster: when its pod is gone), never by
 * silence: whoever does not speak may still run calls.
 */
import { quantileOf } from '@sinter/contract';
import type { Announcement, Histogram, InstanceKey, Observation, UnitKey } from '@sinter/contract';

export interface LatencyFigures {
  readonly count: number;
  readonly failures: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What was seen of one workflow since the figures were last reset. */
export interface WorkflowFigures {
  readonly functions: readonly (LatencyFigures & { readonly function: string; readonly artifact: string })[];
  readonly edges: readonly (LatencyFigures & {
    readonly from: string;
    readonly to: string;
    readonly channel: 'InProcess' | 'Node' | 'Remote' | 'Queue';
  })[];
  /** Executions by machine. */
  readonly machines: readonly {
    readonly machine: string;
    readonly function: string;
    readonly executions: number;
  }[];
}

interface Sum {
  count: number;
  failures: number;
  readonly counts: number[];
}

export interface ReportsOptions {
  /** Sums for `figures`, which grow with every name that is spoken: for one machine, not for a cluster. Default true. */
  readonly figures?: boolean;
}

/** A process may speak under any instance's name of its own unit: of one unit so many are remembered, the newest. */
const INSTANCES_MAX = 1000;

export class Reports {
  readonly #sumsUp: boolean;
  /** Ids of instances by unit, the one that was heard of first before others. */
  readonly #instances = new Map<string, Set<string>>();
  readonly #live = new Map<string, Announcement>();
  readonly #seen = new Map<string, Observation>();
  readonly #sums = new Map<string, Sum>();
  readonly #watchers = new Set<(about?: InstanceKey) => void>();
  readonly #hearers = new Set<(observation: Observation) => void>();

  constructor({ figures = true }: ReportsOptions = {}) {
    this.#sumsUp = figures;
  }

  announced(a: Announcement): void {
    this.#note(a);
    this.#live.set(instanceOf(a), a);
    this.#changed(a);
  }

  observed(o: Observation): void {
    for (const hear of [...this.#hearers]) hear(o);
    this.#note(o);
    // Who counts has done so by now, and most of it are counts.
    this.#seen.set(instanceOf(o), { ...o, functions: [], edges: [], entries: [] });
    if (this.#sumsUp) this.#sum(o);
    this.#changed(o);
  }

  #sum(o: Observation): void {
    const workflow = `${o.namespace}/${o.workflow}`;
    for (const f of o.functions) {
      this.#add(`f ${workflow} ${f.function} ${f.artifact}`, f.executions, f.failures, f.runMs);
      this.#add(`m ${workflow} ${o.machine} ${f.function}`, f.executions, f.failures, f.runMs);
    }
    for (const e of o.edges)
      this.#add(`e ${workflow} ${e.from} ${e.to} ${e.channel}`, e.calls, e.failures, e.roundTripMs);
  }

  #note(key: InstanceKey): void {
    const unit = `${key.namespace}/${key.workflow}/${key.unit}`;
    const ids = this.#instances.get(unit) ?? new Set();
    this.#instances.set(unit, ids.add(instanceOf(key)));
    const [oldest] = ids;
    if (ids.size > INSTANCES_MAX && oldest !== undefined) this.#drop(oldest);
  }

  #drop(id: string): void {
    this.#live.delete(id);
    this.#seen.delete(id);
    const unit = id.slice(0, id.lastIndexOf('/'));
    const ids = this.#instances.get(unit);
    ids?.delete(id);
    if (ids?.size === 0) this.#instances.delete(unit);
  }

  /** An instance whose process has ended. */
  gone(instance: InstanceKey): void {
    this.#drop(instanceOf(instance));
    this.#changed(instance);
  }

  /** Forgets every instance of which this says no: those without a pod. Says how many those were. */
  forget(exists: (key: InstanceKey) => boolean): number {
    const known = new Map<string, InstanceKey>([...this.#live, ...this.#seen]);
    const gone = [...known].filter(([, key]) => !exists(key));
    for (const [id] of gone) this.#drop(id);
    if (gone.length > 0) this.#changed();
    return gone.length;
  }

  /** Last announcements of the instances of a unit. */
  announcements(unit: UnitKey): readonly Announcement[] {
    return [...this.#live.values()].filter(
      (a) => a.namespace === unit.namespace && a.workflow === unit.workflow && a.unit === unit.unit,
    );
  }

  announcement(key: InstanceKey): Announcement | undefined {
    return this.#live.get(instanceOf(key));
  }

  /** Last observation of an instance, without what it counted. */
  observation(key: InstanceKey): Observation | undefined {
    return this.#seen.get(instanceOf(key));
  }

  /** Tells of every observation, whole, until what is returned is called. */
  onObservation(hear: (observation: Observation) => void): () => void {
    this.#hearers.add(hear);
    return () => this.#hearers.delete(hear);
  }

  /** Tells of every change of what is kept, and of whom (undefined: of several), until what is returned is called. */
  watch(changed: (about?: InstanceKey) => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  /**
   * Have all of these (who may start or run a root) seen this generation, and does none of them run one under the
   * revision? Who has not spoken yet is waited for.
   */
  rootsEnded(expected: readonly InstanceKey[], revision: string, generation: number): boolean {
    return expected.every((key) => {
      const seen = this.#seen.get(instanceOf(key));
      if (!seen) return false;
      return seen.routeGeneration >= generation && (seen.roots[revision] ?? 0) === 0;
    });
  }

  /** Resolves to true as soon as the condition holds, to false at the limit or when the signal aborts. */
  async until(condition: () => boolean, limitMs: number, signal?: AbortSignal): Promise<boolean> {
    if (condition()) return true;
    return await new Promise<boolean>((resolve) => {
      const done = (held: boolean): void => {
        this.#watchers.delete(look);
        clearTimeout(limit);
        clearInterval(poll);
        signal?.removeEventListener('abort', aborted);
        resolve(held);
      };
      const look = (): void => {
        if (condition()) done(true);
      };
      const aborted = (): void => {
        done(condition());
      };
      const limit = setTimeout(aborted, limitMs);
      const poll = setInterval(look, 500); // silence passes without a message
      this.#watchers.add(look);
      signal?.addEventListener('abort', aborted, { once: true });
    });
  }

  figures(namespace: string, workflow: string): WorkflowFigures {
    const of = (kind: string): readonly (readonly [readonly string[], LatencyFigures])[] =>
      [...this.#sums]
        .filter(([key]) => key.startsWith(`${kind} ${namespace}/${workflow} `))
        .map(([key, sum]) => [key.split(' ').slice(2), figuresOf(sum)] as const);
    return {
      functions: of('f').map(([[fn = '', artifact = ''], figures]) => ({
        function: fn,
        artifact,
        ...figures,
      })),
      edges: of('e').map(([[from = '', to = '', channel], figures]) => ({
        from,
        to,
        channel: channel as WorkflowFigures['edges'][number]['channel'],
        ...figures,
      })),
      machines: of('m').map(([[machine = '', fn = ''], { count }]) => ({
        machine,
        function: fn,
        executions: count,
      })),
    };
  }

  reset(): void {
    this.#sums.clear();
  }

  /** What was only started, and never asked, is no figure. */
  #add(key: string, count: number, failures: number, histogram: Histogram): void {
    if (count === 0) return;
    const sum = this.#sums.get(key) ?? { count: 0, failures: 0, counts: [] };
    this.#sums.set(key, sum);
    sum.count += count;
    sum.failures += failures;
    histogram.counts.forEach((n, i) => (sum.counts[i] = (sum.counts[i] ?? 0) + n));
  }

  #changed(about?: InstanceKey): void {
    for (const look of [...this.#watchers]) look(about);
  }
}

const instanceOf = (k: InstanceKey): string => `${k.namespace}/${k.workflow}/${k.unit}/${k.instance}`;

const figuresOf = (sum: Sum): LatencyFigures => ({
  count: sum.count,
  failures: sum.failures,
  p50Ms: quantileOf(sum.counts, 0.5),
  p99Ms: quantileOf(sum.counts, 0.99),
});
