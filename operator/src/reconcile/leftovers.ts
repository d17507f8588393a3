/**
 * What the bus keeps for nobody: of workflows that went without their finalizer, and code that nothing runs any more.
 *
 * Owns: when something is certainly nobody's. A workflow's: the whole copy of the cluster lacks it in every round for KEEP_MS, and is
 * asked again by its controller, whose turn it is, before anything goes: accepted work may lie there, and a cluster that is
 * restored from a copy may get its workflows back late. Code: no route names it in two rounds, nobody has asked for
 * it to be there, and it is older than KEEP_MS. On a bus that others may use too nothing is looked for.
 *
 *   bus ─▶ kept ─▶ not in the cluster, for KEEP_MS ─▶ the Workflow controller removes it ─▶ its mark goes after KEEP_MS
 */
import type { RouteRecord, WorkflowKey } from '@sinter/contract';
import type { BusStore } from '../bus/cluster.ts';
import { keyOf } from '../kube/objects.ts';
import type { RouteCache } from './routeCache.ts';
import type { Stores } from './stores.ts';

export interface LeftoversOptions {
  readonly store: BusStore;
  readonly stores: Pick<Stores, 'workflows'>;
  readonly routes: Pick<RouteCache, 'read'>;
  /** Those that are served; empty: all. */
  readonly namespaces: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export interface Found {
  /** Keys of workflows of which something is there for nobody. */
  readonly workflows: readonly string[];
  /** Namespaces with a bucket of code and without a workflow. */
  readonly namespaces: readonly string[];
  /** Modules that were removed, as `namespace/sha256`. */
  readonly removed: readonly string[];
}

const HOUR_MS = 3_600_000;
/** What was put or deleted more lately than this is left alone. */
export const KEEP_MS = 24 * HOUR_MS;

/** In milliseconds since 1970. */
type Since = ReadonlyMap<string, number>;

export class Leftovers {
  readonly #options: LeftoversOptions;
  /** What seemed to be nobody's in the last whole round, and in this one: of each sort, and since when. */
  #suspected: ReadonlyMap<string, Since> = new Map();
  #suspecting = new Map<string, Since>();
  /** Code that was asked to be there, and when, as `namespace/sha256`. */
  readonly #needed = new Map<string, number>();
  #workflows: ReadonlySet<string> = new Set();

  constructor(options: LeftoversOptions) {
    this.#options = options;
  }

  /** These modules are about to run: before they are looked for on the bus. */
  needs(namespace: string, modules: Iterable<string>): void {
    for (const sha256 of modules) this.#needed.set(`${namespace}/${sha256}`, this.#options.now());
  }

  isLeftover(workflow: string): boolean {
    return this.#workflows.has(workflow);
  }

  /** One that fails and is tried again soon counts once: between two that count lies the time for a copy to catch up. */
  async round(): Promise<Found> {
    this.#suspecting = new Map();
    const found = await this.#look();
    this.#suspected = this.#suspecting;
    return found;
  }

  async #look(): Promise<Found> {
    const { store, stores, now } = this.#options;
    const kept = await store.kept();
    const nobodys = (all: readonly WorkflowKey[]): readonly WorkflowKey[] =>
      all.filter((w) => this.#isServed(w.namespace) && !this.#isThere(w));
    const found = new Set(nobodys(kept.queued).map(idOf));
    for (const workflow of nobodys(kept.routed))
      if (await store.purgeDeleted(workflow, now() - KEEP_MS)) found.add(idOf(workflow));
    this.#workflows = this.#forLong('workflows', [...found]);
    const served = kept.namespaces.filter((namespace) => this.#isServed(namespace));
    const [used, unused] = [true, false].map((wanted) =>
      served.filter((namespace) => stores.workflows.list(namespace).length > 0 === wanted),
    );
    const removed: string[] = [];
    for (const namespace of used ?? []) removed.push(...(await this.#removeCode(namespace)));
    return {
      workflows: [...this.#workflows],
      namespaces: [...this.#forLong('namespaces', unused ?? [])],
      removed,
    };
  }

  async #removeCode(namespace: string): Promise<readonly string[]> {
    const { store, now } = this.#options;
    const beforeMs = now() - KEEP_MS;
    for (const [id, atMs] of this.#needed) if (atMs < beforeMs) this.#needed.delete(id);
    const runs = await this.#codeThatRuns(namespace);
    const modules = (await store.modulesOf(namespace)).map((sha256) => `${namespace}/${sha256}`);
    const idle = modules.filter((id) => !runs.has(id));
    const removed: string[] = [];
    for (const id of this.#twice(`code of ${namespace}`, idle)) {
      const isNeeded = this.#needed.has(id);
      if (!isNeeded && (await store.removeModule(namespace, id.slice(namespace.length + 1), beforeMs)))
        removed.push(id);
    }
    return removed;
  }

  /** Of every revision that a route of the namespace still has. */
  async #codeThatRuns(namespace: string): Promise<ReadonlySet<string>> {
    const { stores, routes } = this.#options;
    const runs = new Set<string>();
    for (const { metadata } of stores.workflows.list(namespace)) {
      const { route } = await routes.read({ namespace, workflow: metadata.name });
      for (const sha256 of codeIn(route.record)) runs.add(`${namespace}/${sha256}`);
    }
    return runs;
  }

  /** Those of today that were there in every round for KEEP_MS: a cluster that is put together anew may take a while. */
  #forLong(sort: string, today: readonly string[]): ReadonlySet<string> {
    const since = this.#sinceOf(sort, today);
    return new Set(this.#twice(sort, today, since).filter((id) => this.#isOld(since.get(id))));
  }

  #isOld(sinceMs = Infinity): boolean {
    return this.#options.now() - sinceMs >= KEEP_MS;
  }

  /** Those of today that were there in the round before too. */
  #twice(sort: string, today: readonly string[], since = this.#sinceOf(sort, today)): readonly string[] {
    const before = this.#suspected.get(sort);
    this.#suspecting.set(sort, since);
    return today.filter((id) => before?.has(id));
  }

  #sinceOf(sort: string, today: readonly string[]): Since {
    const before = this.#suspected.get(sort);
    return new Map(today.map((id) => [id, before?.get(id) ?? this.#options.now()]));
  }

  #isServed(namespace: string): boolean {
    const { namespaces } = this.#options;
    return namespaces.length === 0 || namespaces.includes(namespace);
  }

  #isThere(workflow: WorkflowKey): boolean {
    return this.#options.stores.workflows.get(idOf(workflow)) !== undefined;
  }
}

const idOf = ({ namespace, workflow }: WorkflowKey): string => keyOf({ namespace, name: workflow });

const codeIn = (route: RouteRecord | undefined): readonly string[] =>
  Object.values(route?.revisions ?? {}).flatMap((revision) =>
    revision.units.flatMap((unit) =>
      unit.functions.flatMap((fn) => fn.artifacts.map((artifact) => artifact.sha256)),
    ),
  );
