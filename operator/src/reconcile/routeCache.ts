/**
 * What stands on the bus of each workflow, remembered between reconciles.
 *
 * Owns: reading once, writing only after what was read last, and the generation of what is written. There is one writer;
 * should there be a second for a moment (a leader that does not know yet that it is none), the bus tells it `Conflict`, and
 * what it remembered is forgotten.
 * Invariant: a generation is above everything that anybody may have seen of the workflow, also after the route was deleted.
 */
import { CONTRACT_VERSION } from '@sinter/contract';
import type { EntryRecord, RouteRecord, WorkflowKey } from '@sinter/contract';
import type { BusStore } from '../bus/cluster.ts';
import type { Stored, Written } from '../bus/routes.ts';
import type { RouteDraft } from '../rollout/index.ts';

export interface OnBus {
  readonly route: Stored<RouteRecord>;
  readonly entry: Stored<EntryRecord>;
}

type Books = Pick<BusStore, 'routes' | 'entries'>;

/** Somebody else wrote since: look again. Transient. */
export class WrittenByOther extends Error {
  override readonly name = 'WrittenByOther';
}

const idOf = (w: WorkflowKey): string => `${w.namespace}/${w.workflow}`;

export class RouteCache {
  readonly #books: Books;
  readonly #known = new Map<string, OnBus>();
  readonly #onRoute: (route: RouteRecord) => void;

  /** `onRoute` is told of every route that stands on the bus, when it was read or written. */
  constructor(books: Books, onRoute: (route: RouteRecord) => void = () => undefined) {
    this.#books = books;
    this.#onRoute = onRoute;
  }

  async read(w: WorkflowKey): Promise<OnBus> {
    const known = this.#known.get(idOf(w));
    if (known) return known;
    const [route, entry] = await Promise.all([this.#books.routes.read(w), this.#books.entries.read(w)]);
    const found = { route, entry };
    this.#known.set(idOf(w), found);
    if (route.record) this.#onRoute(route.record);
    return found;
  }

  /** As it was read last; undefined: it was not. */
  known(w: WorkflowKey): OnBus | undefined {
    return this.#known.get(idOf(w));
  }

  /** `heard`: the highest generation that an instance said it goes by. */
  async writeRoute(w: WorkflowKey, draft: RouteDraft, heard: number): Promise<void> {
    const before = await this.read(w);
    const { record: last, sequence: stood, floor = 0 } = before.route;
    // A deletion counts in the sequence, so what comes after one is above what was before it.
    const generation = Math.max(last?.generation ?? 0, stood, floor, heard) + 1;
    const { namespace, workflow } = w;
    const record: RouteRecord = {
      namespace,
      workflow,
      version: CONTRACT_VERSION,
      generation,
      ...draft,
    };
    const sequence = await this.#insist(w, () => this.#books.routes.write(record, before.route.sequence));
    this.#known.set(idOf(w), { ...before, route: { record, sequence } });
    this.#onRoute(record);
  }

  async writeEntry(w: WorkflowKey, record: EntryRecord): Promise<void> {
    const before = await this.read(w);
    const sequence = await this.#insist(w, () => this.#books.entries.write(record, before.entry.sequence));
    this.#known.set(idOf(w), { ...before, entry: { record, sequence } });
  }

  async remove(w: WorkflowKey): Promise<void> {
    const { entry, route } = await this.read(w);
    if (entry.record) await this.#insist(w, () => this.#books.entries.remove(w, entry.sequence));
    if (route.record) await this.#insist(w, () => this.#books.routes.remove(w, route.sequence));
    this.forget(w);
  }

  forget(w: WorkflowKey): void {
    this.#known.delete(idOf(w));
  }

  /** Nothing that is remembered need hold any more. */
  clear(): void {
    this.#known.clear();
  }

  /** Whatever goes wrong, what stands there now is unknown. */
  async #insist(w: WorkflowKey, write: () => Promise<Written>): Promise<number> {
    this.forget(w);
    const written = await write();
    if (written.kind === 'Written') return written.sequence;
    throw new WrittenByOther(`somebody else wrote the route of ${idOf(w)}`);
  }
}
