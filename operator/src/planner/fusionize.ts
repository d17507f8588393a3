/**
 * Fusionize++ as published (IEEE TCC 12(4), 2024, doi 10.1109/TCC.2024.3451108): the baseline that the search has to beat.
 *
 * Owns: its optimiser, on its own terms. Neighbour: `fusionizeStep.ts` walks Sinter's graph with it.
 * Its terms: every task is deployed as a function of its own and is the *root* of what runs in it. A root calls a task locally
 * (in the same function) or remotely (the task's own function), by one rule for each root and callee, whoever in the function
 * calls. So a task may be local in several functions at once.
 *
 *   path phase            one change a step: an async call that is local becomes remote, a sync call that is remote local
 *   infrastructure phase  all functions at once to the next memory size that they were not measured at; when they were at all,
 *                         each to the one where mean duration · size is least
 *
 * Its quirks are kept: a callee that a root calls both ways counts as sync; roots and callees come by name (as in its later
 * runs; in the earlier ones by first appearance); a task that calls itself is passed over; sizes are chosen by cost alone,
 * whatever latency they give up; nothing is ever taken back when it made something worse.
 */

/** Calls that were seen: which root called which task, how often and how. */
export interface Calls {
  readonly root: string;
  readonly callee: string;
  readonly sync: number;
  readonly async: number;
}

/** What is deployed. */
export interface Setup {
  /** `root callee` for each rule that says local; every other call is remote. */
  readonly local: ReadonlySet<string>;
  /** Memory of each function, in MB. */
  readonly sizes: ReadonlyMap<string, number>;
}

/** A setup that ran: calls that were seen, and the mean duration of each function in milliseconds. */
export interface Tested {
  readonly setup: Setup;
  readonly calls: readonly Calls[];
  readonly durationsMs: ReadonlyMap<string, number>;
}

/** One change of a rule. */
export interface Rule {
  readonly root: string;
  readonly callee: string;
  readonly becomes: 'Local' | 'Remote';
}

export const ruleKey = (root: string, callee: string): string => `${root} ${callee}`;

/** The setup after the last one that was tested; undefined: it stays. */
export function nextSetup(history: readonly Tested[], sizes: readonly number[]): Setup | undefined {
  const last = history[history.length - 1];
  if (!last) return undefined;
  const rule = nextRule(last.setup, last.calls);
  if (rule) return { ...last.setup, local: withRule(last.setup.local, rule) };
  return nextSizes(last.setup, history, sizes);
}

/** The path phase: the first rule that is to change, by root and callee. */
export function nextRule({ local }: Setup, calls: readonly Calls[]): Rule | undefined {
  for (const { root, callee, sync } of [...calls].sort(byRootAndCallee)) {
    if (root === callee) continue;
    const isLocal = local.has(ruleKey(root, callee));
    if (sync > 0 && !isLocal) return { root, callee, becomes: 'Local' };
    if (sync === 0 && isLocal) return { root, callee, becomes: 'Remote' };
  }
  return undefined;
}

const byRootAndCallee = (a: Calls, b: Calls): number =>
  a.root < b.root ? -1 : a.root > b.root ? 1 : a.callee < b.callee ? -1 : a.callee > b.callee ? 1 : 0;

function withRule(local: ReadonlySet<string>, { root, callee, becomes }: Rule): ReadonlySet<string> {
  const next = new Set(local);
  if (becomes === 'Local') next.add(ruleKey(root, callee));
  else next.delete(ruleKey(root, callee));
  return next;
}

/** The infrastructure phase, over the setups with the same rules. */
function nextSizes(setup: Setup, history: readonly Tested[], sizes: readonly number[]): Setup | undefined {
  const alike = history.filter((tested) => isSameSet(tested.setup.local, setup.local));
  const ascending = [...sizes].sort((a, b) => a - b);
  const untested = new Map(
    [...setup.sizes.keys()].flatMap((fn) => {
      const next = ascending.find(
        (size) => !alike.some((t) => t.setup.sizes.get(fn) === size && t.durationsMs.has(fn)),
      );
      return next === undefined || !alike.some((t) => t.durationsMs.has(fn)) ? [] : [[fn, next] as const];
    }),
  );
  const next =
    untested.size > 0
      ? new Map([...setup.sizes, ...untested])
      : new Map([...setup.sizes.keys()].map((fn) => [fn, cheapest(fn, setup, alike)]));
  return [...next].every(([fn, size]) => setup.sizes.get(fn) === size)
    ? undefined
    : { ...setup, sizes: next };
}

const isSameSet = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean =>
  a.size === b.size && [...a].every((item) => b.has(item));

/** A function is paid by duration and size, so that is what is least. */
function cheapest(fn: string, setup: Setup, alike: readonly Tested[]): number {
  const costs = new Map<number, number[]>();
  for (const { setup: tested, durationsMs } of alike) {
    const [size, ms] = [tested.sizes.get(fn), durationsMs.get(fn)];
    if (size !== undefined && ms !== undefined) costs.set(size, [...(costs.get(size) ?? []), ms * size]);
  }
  const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
  const [best] = [...costs].sort((a, b) => mean(a[1]) - mean(b[1]) || a[0] - b[0]);
  return best?.[0] ?? setup.sizes.get(fn) ?? 0;
}
