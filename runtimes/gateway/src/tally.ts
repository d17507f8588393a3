/**
 * What the way in sees: root calls that run now, by revision, and round trips by edge (D3, D14).
 *
 * Owns: counting, and saying so: each second where there is something new, now and then where there is not, at once when a
 * route changes. The writer of routes lets a replaced revision
 * go only when every way in has said, by the new generation, that no root call runs under the old one.
 * Invariant: a call is counted before it is sent and under the revision that the table then has; reading the route,
 * counting and sending are one synchronous step, as is taking on a new route and reporting it. So no call starts under a
 * revision that was reported as without calls by a newer generation.
 */
import {
  CONTRACT_VERSION,
  GATEWAY_CALLER,
  HISTOGRAM_BOUNDS_MS,
  QUIET_MS,
  seenSubject,
  workflowToken,
} from '@sinter/contract';
import type { EdgeObservation, Observation, WorkflowKey } from '@sinter/contract';
import type { Clock, Session } from '@sinter/bus';
import type { Table, Workflow } from './table.ts';

export interface TallyOptions {
  readonly session: Session;
  readonly clock: Clock;
  readonly instance: string;
  readonly machine: string;
  readonly architecture: string;
}

interface Edge {
  readonly to: string;
  readonly revision: string;
  readonly channel: 'Node' | 'Remote';
  calls: number;
  failures: number;
  fellBack: number;
  readonly counts: number[];
  sumMs: number;
}

interface Count {
  readonly key: WorkflowKey;
  readonly roots: Map<string, number>;
  readonly edges: Map<string, Edge>;
  sinceMs: number;
  /** A call has begun or ended since. */
  news: boolean;
}

const encoder = new TextEncoder();
const FIRST_MS = HISTOGRAM_BOUNDS_MS[0] ?? 1;
const STEP = Math.log((HISTOGRAM_BOUNDS_MS[1] ?? 2) / FIRST_MS);

/** The bucket of a duration: the first bound that is not below it. */
export function bucketOf(ms: number): number {
  if (!(ms > FIRST_MS)) return 0;
  // Rounding first keeps a duration that is exactly a bound in that bound's bucket.
  const index = Math.ceil(Number((Math.log(ms / FIRST_MS) / STEP).toFixed(9)));
  return Math.min(index, HISTOGRAM_BOUNDS_MS.length);
}

export class Tally {
  readonly #options: TallyOptions;
  readonly #counts = new Map<string, Count>();

  constructor(options: TallyOptions) {
    this.#options = options;
  }

  /** A root call is about to start. Call `ends` once when it has ended. */
  begins(key: WorkflowKey, revision: string): void {
    const count = this.#count(key);
    count.roots.set(revision, (count.roots.get(revision) ?? 0) + 1);
    count.news = true;
  }

  /** `machine` is where it ran; undefined where it failed. */
  ends(key: WorkflowKey, revision: string, to: string, machine: string | undefined, tookMs: number): void {
    const count = this.#left(key, revision);
    const channel = machine === this.#options.machine ? 'Node' : 'Remote';
    const edge = edgeOf(count, to, revision, channel);
    edge.calls += 1;
    if (machine === undefined) edge.failures += 1;
    const bucket = bucketOf(tookMs);
    edge.counts[bucket] = (edge.counts[bucket] ?? 0) + 1;
    edge.sumMs += tookMs;
  }

  /** A root call that had begun found nobody under its revision: it ran nowhere, and begins anew under another. */
  fellBack(key: WorkflowKey, revision: string, to: string): void {
    edgeOf(this.#left(key, revision), to, revision, 'Remote').fellBack += 1;
  }

  /** One root call less runs under the revision. */
  #left(key: WorkflowKey, revision: string): Count {
    const count = this.#count(key);
    count.news = true;
    const left = (count.roots.get(revision) ?? 1) - 1;
    if (left > 0) count.roots.set(revision, left);
    else count.roots.delete(revision);
    return count;
  }

  /** Root calls that run now, all workflows together. */
  get running(): number {
    let n = 0;
    for (const { roots } of this.#counts.values()) for (const r of roots.values()) n += r;
    return n;
  }

  /** Of every workflow that there is something to say of; at the end of all. */
  reportAll(table: Table, whom: 'Due' | 'All' = 'All'): void {
    const memoryBytes = process.memoryUsage.rss();
    for (const w of table.all()) if (whom === 'All' || this.#isDue(w)) this.report(w, memoryBytes);
    this.#forget(table);
  }

  #isDue(w: Workflow): boolean {
    const { news, sinceMs } = this.#count(w);
    return news || this.#options.clock.now() - sinceMs >= QUIET_MS;
  }

  /** Says what was seen of a workflow since the last time. While cut off nothing is said, and counting goes on. */
  report(w: Workflow, memoryBytes = process.memoryUsage.rss()): void {
    const { link } = this.#options.session;
    if (!w.route || !link.up) return;
    const key = { ...keyOf(w), unit: GATEWAY_CALLER, instance: this.#options.instance };
    const count = this.#count(w);
    const now = this.#options.clock.now();
    const observation: Observation = {
      ...key,
      version: CONTRACT_VERSION,
      machine: this.#options.machine,
      architecture: this.#options.architecture,
      windowMs: now - count.sinceMs,
      routeGeneration: w.route.generation,
      roots: rootsOf(w, count),
      functions: [],
      edges: [...count.edges.values()].map(observed),
      memoryBytes,
    };
    link.publish(seenSubject(key), encoder.encode(JSON.stringify(observation)));
    count.edges.clear();
    count.sinceMs = now;
    count.news = false;
  }

  #count(key: WorkflowKey): Count {
    const token = workflowToken(key);
    let count = this.#counts.get(token);
    if (!count) {
      const sinceMs = this.#options.clock.now();
      count = { key: keyOf(key), roots: new Map(), edges: new Map(), sinceMs, news: false };
      this.#counts.set(token, count);
    }
    return count;
  }

  #forget(table: Table): void {
    for (const [token, { key, roots }] of this.#counts)
      if (roots.size === 0 && !table.get(key.namespace, key.workflow)) this.#counts.delete(token);
  }
}

const keyOf = ({ namespace, workflow }: WorkflowKey): WorkflowKey => ({ namespace, workflow });

/** Every revision of the route is named, also with zero: the writer must see that it is at zero. */
function rootsOf(w: Workflow, count: Count): Readonly<Record<string, number>> {
  const named = w.route ? [...Object.keys(w.route.revisions), ...w.route.draining] : [];
  return { ...Object.fromEntries(named.map((r) => [r, 0])), ...Object.fromEntries(count.roots) };
}

function edgeOf(count: Count, to: string, revision: string, channel: Edge['channel']): Edge {
  const key = `${revision}.${channel}.${to}`;
  let edge = count.edges.get(key);
  if (!edge) {
    const counts = new Array<number>(HISTOGRAM_BOUNDS_MS.length + 1).fill(0);
    edge = { to, revision, channel, calls: 0, failures: 0, fellBack: 0, counts, sumMs: 0 };
    count.edges.set(key, edge);
  }
  return edge;
}

const observed = ({
  to,
  revision,
  channel,
  calls,
  failures,
  fellBack,
  counts,
  sumMs,
}: Edge): EdgeObservation => ({
  from: GATEWAY_CALLER,
  to,
  revision,
  channel,
  calls,
  failures,
  ...(fellBack === 0 ? {} : { fellBack }),
  roundTripMs: { counts, sumMs },
});
