/**
 * Spans put together: which of them are executions of a function, who called whom, and what an execution waited for.
 *
 * Owns: the reading of kinds, parents and links. An execution begins with a Server or Consumer span that no span of the same
 * process contains, with an Internal span that nothing contains (a job), or with one whose parent is of another service (its
 * server span is missing). Its Client and Producer spans are what it called; where an execution follows from one, that is a call
 * along an edge. Neighbours: `graph.ts` gives names, `figures.ts` takes the times.
 * Invariant: parents that go in a circle, that are missing, or that are of another time are told, and stop nothing.
 */
import { keyOf } from './span.ts';
import type { Assumptions, Span } from './span.ts';

export interface Execution {
  readonly span: Span;
  /** Its Client and Producer spans. */
  readonly outgoing: readonly Span[];
  readonly calls: readonly Call[];
  /** Undefined: it was called from outside of the graph. */
  readonly caller: Call | undefined;
}

export interface Call {
  readonly from: Execution;
  readonly to: Execution;
  /** The Client or Producer span; undefined: there is none. */
  readonly span: Span | undefined;
  /** Of a producer or to a consumer: nobody waits. */
  readonly isQueued: boolean;
}

interface Open {
  readonly span: Span;
  readonly outgoing: Span[];
  readonly calls: Call[];
  caller: Call | undefined;
}

const LOOP = '# spans have parents that go in a circle: the circle is cut';
const MISSING = '# called spans have a parent that is not in the file: they are taken for calls from outside';
const LOST = '# spans belong to no execution, because their parents are not in the file: they are left out';
const NO_SERVER = '# spans follow from another service without a server span: they are taken for one';
const BATCH = '# consumer spans take several messages: each is counted once, for the first one';
export const JOB = '# executions are of jobs that nobody called: they are taken for root calls';

/** Every execution, in the order in which the spans came. */
export function executionsOf(spans: readonly Span[], assumptions: Assumptions): readonly Execution[] {
  const forest = new Forest(spans, assumptions);
  return forest.executions();
}

class Forest {
  readonly #spans: readonly Span[];
  readonly #assumptions: Assumptions;
  readonly #byKey: ReadonlyMap<string, Span>;
  /** Spans whose parent is not to be followed. */
  readonly #cut = new Set<Span>();
  readonly #open = new Map<Span, Open>();
  /** The execution that a span is part of; null: none. */
  readonly #home = new Map<Span, Open | null>();

  constructor(spans: readonly Span[], assumptions: Assumptions) {
    this.#spans = spans;
    this.#assumptions = assumptions;
    this.#byKey = new Map(spans.map((span) => [keyOf(span), span]));
    this.#cutLoops();
  }

  executions(): readonly Execution[] {
    for (const span of this.#spans) {
      if (this.#begins(span)) this.#open.set(span, { span, outgoing: [], calls: [], caller: undefined });
    }
    for (const span of this.#spans) this.#place(span);
    for (const execution of this.#open.values()) this.#join(execution);
    return [...this.#open.values()];
  }

  #parentOf(span: Span): Span | undefined {
    if (span.parentId === '' || this.#cut.has(span)) return undefined;
    return this.#byKey.get(keyOf({ traceId: span.traceId, spanId: span.parentId }));
  }

  #cutLoops(): void {
    const done = new Set<Span>();
    for (const start of this.#spans) {
      const path = new Set<Span>();
      let at: Span | undefined = start;
      while (at && !done.has(at) && !path.has(at)) {
        path.add(at);
        at = this.#parentOf(at);
      }
      if (at && path.has(at)) {
        const loop = [...path].slice([...path].indexOf(at));
        for (const span of loop) this.#cut.add(span);
        this.#assumptions.add(LOOP, loop.length);
      }
      for (const span of path) done.add(span);
    }
  }

  #begins(span: Span): boolean {
    const parent = this.#parentOf(span);
    if (span.kind === 'Client' || span.kind === 'Producer') return false;
    if (span.kind === 'Internal') {
      if (parent && parent.service !== span.service) this.#assumptions.add(NO_SERVER);
      else if (!parent && span.parentId === '') this.#assumptions.add(JOB);
      return parent ? parent.service !== span.service : span.parentId === '';
    }
    const isNested =
      parent?.service === span.service && parent.kind !== 'Client' && parent.kind !== 'Producer';
    return !isNested;
  }

  #homeOf(span: Span): Open | undefined {
    const path: Span[] = [];
    let at: Span | undefined = span;
    while (at && !this.#open.has(at) && !this.#home.has(at)) {
      path.push(at);
      at = this.#parentOf(at);
    }
    const home = at ? (this.#open.get(at) ?? this.#home.get(at) ?? null) : null;
    for (const one of path) this.#home.set(one, home);
    return home ?? undefined;
  }

  /** What is called is noted where it is called. */
  #place(span: Span): void {
    if (this.#open.has(span)) return;
    const home = this.#homeOf(span);
    if (!home && (span.parentId !== '' || this.#cut.has(span))) this.#assumptions.add(LOST);
    if (span.kind === 'Client' || span.kind === 'Producer') home?.outgoing.push(span);
  }

  #join(to: Open): void {
    const { span } = to;
    const parent = this.#parentOf(span) ?? this.#linked(span);
    if (!parent) {
      if (span.parentId !== '' && !this.#cut.has(span)) this.#assumptions.add(MISSING);
      return;
    }
    const from = this.#homeOf(parent);
    if (!from || from === to) return;
    const through = parent.kind === 'Client' || parent.kind === 'Producer' ? parent : undefined;
    const isQueued = span.kind === 'Consumer' || parent.kind === 'Producer';
    const call: Call = { from, to, span: through, isQueued };
    to.caller = call;
    from.calls.push(call);
  }

  /** A consumer follows from what it links to. */
  #linked(span: Span): Span | undefined {
    if (span.kind !== 'Consumer') return undefined;
    const known = span.links.flatMap((link) => this.#byKey.get(keyOf(link)) ?? []);
    if (known.length > 1) this.#assumptions.add(BATCH);
    return known[0];
  }
}
