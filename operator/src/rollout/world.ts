/**
 * What a roll-out step sees, and what it may ask for: plain data.
 *
 * Owns: the forms. `step.ts` decides; `reconcile/` gathers a World and carries the actions out, in their order.
 * Invariants:
 *  1. What must survive the operator is in `route` and in the units of the cluster. Marks and what was heard may be lost at
 *     any moment: then a step waits once more, and never does what it would not have done.
 *  2. A revision that the route holds without listing it (neither current, candidate nor draining) is _retired_: nobody
 *     enters it and nobody listens under it; it stays, for its edges, until its units are gone.
 */
import type { Announcement, EntryRecord, Observation, RouteRecord, RouteRevision } from '@sinter/contract';
import type { WorkflowKey } from '@sinter/contract';

/** Why something does not run: one word for programs, a sentence for people. */
export interface Problem {
  readonly reason: string;
  readonly message: string;
}

/** A revision as it is to run. */
export interface Target {
  readonly hash: string;
  readonly revision: RouteRevision;
  readonly entry: EntryRecord;
  /** Its units, with how many instances each is to have. */
  readonly units: readonly { readonly name: string; readonly instances: number }[];
  /** sha256 of the code that it needs on the bus. */
  readonly modules: readonly string[];
}

export type Wanted =
  | { readonly is: 'Run'; readonly target: Target }
  | Try
  /**
   * What is declared cannot be followed, or must not be: what runs goes on, but who is told to suspend is suspended. A candidate
   * stays as far as it has come, or goes.
   */
  | { readonly is: 'Keep'; readonly suspended: boolean; readonly candidate: 'Stays' | 'Goes' }
  | { readonly is: 'Remove' };

/** The target is to run beside the current revision, which goes on. */
export interface Try {
  readonly is: 'Try';
  readonly target: Target;
  /** Share of entries' calls, in percent, that are to enter it once it serves. */
  readonly weightPercent: number;
  /** The current revision, where what is declared still gives it: then its units and ways in are kept as they are to be. */
  readonly base?: Target;
}

/** What is to run, the base first. */
export const targetsOf = (wanted: Wanted): readonly Target[] => {
  if (wanted.is === 'Run') return [wanted.target];
  return wanted.is === 'Try' ? [...(wanted.base ? [wanted.base] : []), wanted.target] : [];
};

/** Every unit of theirs; one that is in both has as many instances as either wants. */
export function unitsIn(targets: readonly Target[]): Target['units'] {
  const instances = new Map<string, number>();
  for (const unit of targets.flatMap((t) => t.units))
    instances.set(unit.name, Math.max(unit.instances, instances.get(unit.name) ?? 0));
  return [...instances].map(([name, n]) => ({ name, instances: n }));
}

/** One pod of a unit. Pods that have ended are not among them. */
export interface PodState {
  /** Its name, which is the name of the instance too. */
  readonly instance: string;
  /** Empty: it has no machine yet. */
  readonly machine: string;
  /** False: it has a machine, and that one is cut off or gone. */
  readonly reachable: boolean;
  /** Its process runs, as far as the cluster knows. */
  readonly running: boolean;
  /** It was told to end. */
  readonly ending: boolean;
  /** It says that it serves, by its probe. */
  readonly ready: boolean;
  readonly problem?: Problem;
}

export interface UnitState {
  readonly name: string;
  /** Is any object of it there? Pods may outlive them all. */
  readonly exists: boolean;
  /** Instances that the cluster was asked for; 0: it was asked to end. */
  readonly desired: number;
  readonly pods: readonly PodState[];
  /** Why the cluster makes no pods: a quota, say. */
  readonly problem?: Problem;
}

/** What this process remembers from one step to the next. */
export interface Marks {
  /** Since when every unit of the candidate serves that nobody enters yet, in milliseconds of `nowMs`. */
  readonly servingSince?: { readonly hash: string; readonly atMs: number };
  /** Since when a revision drains. */
  readonly drainingSince: Readonly<Record<string, number>>;
}

export const NO_MARKS: Marks = { drainingSince: {} };

export interface World {
  readonly workflow: WorkflowKey;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: number;
  readonly wanted: Wanted;
  /** As it is stored on the bus. */
  readonly route: RouteRecord | undefined;
  readonly entry: EntryRecord | undefined;
  /** Every unit of the workflow that has objects or pods in the cluster. */
  readonly units: readonly UnitState[];
  /** Units of the target, and of the base, whose objects are missing or not as they are to be. */
  readonly stale: readonly string[];
  /** Instances of the gateway that run on machines within reach. */
  readonly gateways: readonly string[];
  /** Last words of instances, by `heardKey`. */
  readonly announcements: ReadonlyMap<string, Announcement>;
  readonly observations: ReadonlyMap<string, Observation>;
  readonly marks: Marks;
  /** The key of the last `Prepare` that this process carried out; empty: none yet. */
  readonly prepared: string;
}

/** How an instance of a workflow is told apart. */
export const heardKey = (unit: string, instance: string): string => `${unit}/${instance}`;

/**
 * A route without what its writer adds by itself: version, generation, and the workflow's name. The weight is absent, and not
 * zero, until the candidate was entered for the first time: only then calls may run under it.
 */
export type RouteDraft = Pick<
  RouteRecord,
  'current' | 'candidate' | 'weightPercent' | 'draining' | 'revisions'
>;

/** In the order in which they are to be carried out; where one fails, those after it are not. */
export type Action =
  /** Streams for exactly these functions (others go when they are empty), and the target's code. */
  | { readonly do: 'Prepare'; readonly key: string; readonly functions: readonly string[] }
  | { readonly do: 'WriteEntry'; readonly entry: EntryRecord }
  | { readonly do: 'WriteRoute'; readonly route: RouteDraft }
  /** A unit of the target or the base: made, or made to be as wanted. */
  | { readonly do: 'ApplyUnit'; readonly unit: string }
  /** Its instances are asked to end: they finish what they accepted. */
  | { readonly do: 'EndUnit'; readonly unit: string }
  /** No instance is left within reach: its credential is revoked where it grants more than is declared, its objects go. */
  | { readonly do: 'DeleteUnit'; readonly unit: string }
  /** Nothing runs any more: streams, entry and route go, in this order. */
  | { readonly do: 'RemoveFromBus' }
  /** The workflow may go. */
  | { readonly do: 'Release' };

/** A unit that does not serve (yet). */
export interface Waiting {
  readonly unit: string;
  /** Instances that serve. */
  readonly serving: number;
  readonly desired: number;
  readonly problem?: Problem;
}

/** What a step changes, for those who want to be told. */
export type Change =
  /** A revision is live for the first time: the first one, or a candidate. */
  | { readonly kind: 'Started' | 'Switched' | 'Withdrawn' | 'Drained'; readonly hash: string }
  /** Calls begin to enter a candidate. */
  | { readonly kind: 'Entered'; readonly hash: string }
  /** Calls still ran after the longest timeout: its units end all the same. */
  | { readonly kind: 'DrainedLate'; readonly hash: string };

export interface RolloutStatus {
  /** After the actions. */
  readonly current: string;
  readonly candidate?: string;
  readonly weightPercent?: number;
  /** The candidate may be entered; where it was, something of each of its units is up. */
  readonly serves: boolean;
  readonly draining: readonly string[];
  /** Units of a candidate that do not serve yet. */
  readonly waiting: readonly Waiting[];
  /** Of the current revision's units. */
  readonly down: readonly Waiting[];
  /** Units that are on their way out. */
  readonly ending: readonly string[];
  /** Nothing that changes what runs is left to be done or waited for. */
  readonly settled: boolean;
}

export interface Outcome {
  readonly actions: readonly Action[];
  readonly changes: readonly Change[];
  readonly status: RolloutStatus;
  readonly marks: Marks;
  /** Look again after so long, even if nothing happens. */
  readonly againAfterMs?: number;
}
