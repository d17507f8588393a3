/**
 * The graph of a workflow: who calls whom, in which order, and whether a call can come back to its caller.
 *
 * Owns: questions about edges alone. Everything here is total: it answers for graphs that are not valid too.
 */
import type { CallKind, WorkflowSpec } from './nouns.ts';

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly call: CallKind;
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** By caller, then callee: the order in which edges are listed everywhere. */
export const byEnds = (a: GraphEdge | { from: string; to: string }, b: typeof a): number =>
  byText(a.from, b.from) || byText(a.to, b.to);

/** A cycle of sync edges, from its smallest name on and back to it; undefined where there is none. */
export function syncCycle(edges: readonly GraphEdge[]): readonly string[] | undefined {
  const callees = calleesOf(edges.filter((e) => e.call === 'Sync'));
  const done = new Set<string>();
  for (const start of [...callees.keys()].sort(byText)) {
    const cycle = cycleFrom(start, callees, done);
    if (cycle) return cycle;
  }
  return undefined;
}

/** Depth first, without recursion: 200 functions in a row must not depend on the size of the stack. */
function cycleFrom(
  start: string,
  callees: ReadonlyMap<string, readonly string[]>,
  done: Set<string>,
): readonly string[] | undefined {
  const path: { readonly name: string; next: number }[] = [{ name: start, next: 0 }];
  while (path.length > 0) {
    const top = path[path.length - 1];
    if (!top) return undefined;
    const callee = done.has(top.name) ? undefined : callees.get(top.name)?.[top.next++];
    if (callee === undefined) {
      done.add(top.name);
      path.pop();
      continue;
    }
    const at = path.findIndex((step) => step.name === callee);
    if (at >= 0) return fromSmallest(path.slice(at).map((step) => step.name));
    path.push({ name: callee, next: 0 });
  }
  return undefined;
}

function fromSmallest(cycle: readonly string[]): readonly string[] {
  const smallest = [...cycle].sort(byText)[0] ?? '';
  const at = cycle.indexOf(smallest);
  return [...cycle.slice(at), ...cycle.slice(0, at), smallest];
}

function calleesOf(edges: readonly GraphEdge[]): ReadonlyMap<string, readonly string[]> {
  const out = new Map<string, string[]>();
  for (const { from, to } of [...edges].sort(byEnds)) {
    const known = out.get(from);
    if (known) known.push(to);
    else out.set(from, [to]);
  }
  return out;
}

/**
 * Callers before callees along sync edges; otherwise by name. It depends on the graph alone, not on the order in which
 * it was written, so that a unit's name (which takes the first) does not change when lines are moved.
 */
export function callersFirst(names: readonly string[], edges: readonly GraphEdge[]): readonly string[] {
  const waiting = new Set([...names].sort(byText));
  const calls = edges.filter((e) => e.call === 'Sync' && e.from !== e.to);
  const callers = new Map([...waiting].map((name) => [name, calls.filter((e) => e.to === name)]));
  const out: string[] = [];
  while (waiting.size > 0) {
    const free = [...waiting].find((name) => !callers.get(name)?.some((e) => waiting.has(e.from)));
    const next = free ?? [...waiting][0];
    if (next === undefined) break;
    waiting.delete(next);
    out.push(next);
  }
  return out;
}

/** Functions whose calls can be kept for later: they have an async in-edge, or an entry may ask for it. */
export function asyncFunctionsOf(spec: WorkflowSpec): ReadonlySet<string> {
  const called = spec.edges.filter((e) => e.call === 'Async').map((e) => e.to);
  return new Set([...called, ...entriesOf(spec)]);
}

/** Functions that calls enter through: a trigger, or the exposure of every function. */
export function entriesOf(spec: WorkflowSpec): ReadonlySet<string> {
  const exposed = spec.expose === 'All' ? spec.functions.map((f) => f.name) : [];
  return new Set([...spec.triggers.map((t) => t.to), ...exposed]);
}
