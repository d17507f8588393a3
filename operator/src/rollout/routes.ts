/**
 * The route as it is to be: from what stands there and what is wanted.
 *
 * Owns: which revisions are current, candidate, draining or retired after this step.
 * Invariants:
 *  1. Only the first revision becomes current at once; any other one was a candidate that served for OVERLAP_MS. So it is before
 *     a candidate gets a weight, too; one of whose units nothing is left has none.
 *  2. What was current, and a candidate that was entered, drains; what drains is taken off the list only when no root runs under it, or after its limit.
 *  3. A revision leaves the record only when no unit of it is left that is in no live one.
 */
import type { RouteRecord, RouteRevision } from '@sinter/contract';
import { isHere, isUp, lacking, rootsEnded, servesRevision } from './serving.ts';
import type { Change, Marks, RouteDraft, Target, Try, Waiting, World } from './world.ts';
import { targetsOf, unitsIn } from './world.ts';

/** New interest has reached the hub by then. */
export const OVERLAP_MS = 250;
/** Beyond the longest timeout: to be heard of, and to end. */
export const DRAIN_SLACK_MS = 10_000;

/** The route after this step, and what led to it. */
export interface NextRoute {
  readonly route: RouteDraft;
  readonly marks: Marks;
  readonly changes: readonly Change[];
  /** Of the target's units; what keeps a candidate from becoming current. */
  readonly waiting: readonly Waiting[];
  /** The candidate may be entered, or is. */
  readonly serves: boolean;
  /** Milliseconds until something is due by time alone. */
  readonly dueMs: readonly number[];
}

const EMPTY: RouteDraft = { current: '', draining: [], revisions: {} };

export const draftOf = (route: RouteRecord | undefined): RouteDraft =>
  route
    ? {
        current: route.current,
        draining: route.draining,
        revisions: route.revisions,
        ...candidateOf(route.candidate, route.weightPercent),
      }
    : EMPTY;

const candidateOf = (
  candidate: string | undefined,
  weightPercent: number | undefined,
): Pick<RouteDraft, 'candidate' | 'weightPercent'> => ({
  ...(candidate === undefined ? {} : { candidate }),
  ...(candidate === undefined || weightPercent === undefined ? {} : { weightPercent }),
});

/** Revisions that are served: the current one, the candidate, those that drain. */
export const liveOf = (route: RouteDraft): ReadonlySet<string> =>
  new Set([route.current, route.candidate ?? '', ...route.draining].filter((hash) => hash !== ''));

export function nextRoute(world: World): NextRoute {
  const stored = draftOf(world.route);
  const headed = headFor(world, stored);
  const drained = drain(world, headed.route);
  const { route, changes } = drained;
  return {
    route: dropRetired(world, route),
    marks: { ...headed.marks, drainingSince: drained.since },
    changes: [...headed.changes, ...changes],
    waiting: headed.waiting,
    serves: headed.serves,
    dueMs: [...headed.dueMs, ...drained.dueMs],
  };
}

interface Headed {
  readonly route: RouteDraft;
  readonly marks: Pick<Marks, 'servingSince'>;
  readonly changes: readonly Change[];
  readonly waiting: readonly Waiting[];
  readonly serves: boolean;
  readonly dueMs: readonly number[];
}

const unchanged = (route: RouteDraft): Headed => ({
  route,
  marks: {},
  changes: [],
  waiting: [],
  serves: false,
  dueMs: [],
});

/** Current and candidate. */
function headFor(world: World, stored: RouteDraft): Headed {
  switch (world.wanted.is) {
    case 'Keep':
      return world.wanted.candidate === 'Stays' ? unchanged(stored) : withoutCandidate(stored);
    case 'Remove':
      return unchanged(withoutHead(stored));
    case 'Run':
      return headTowards(world, stored, world.wanted.target);
    case 'Try':
      return headBeside(world, stored, world.wanted);
  }
}

/** Nobody is to enter the candidate any more; what runs under it is finished. */
function withoutCandidate({ candidate, weightPercent, ...stored }: RouteDraft): Headed {
  const draining =
    candidate !== undefined && weightPercent !== undefined
      ? withHash(stored.draining, candidate)
      : stored.draining;
  return { ...unchanged({ ...stored, draining }), changes: withdrawn(candidate, stored.current) };
}

/** Nobody enters any more: what was entered drains, a candidate that nobody entered is retired. */
function withoutHead(stored: RouteDraft): RouteDraft {
  const { current, draining, revisions } = withoutCandidate(stored).route;
  return { current: '', draining: current === '' ? draining : withHash(draining, current), revisions };
}

function headTowards(world: World, stored: RouteDraft, target: Target): Headed {
  const { hash, revision } = target;
  if (stored.current === '' || stored.current === hash) {
    const { route, changes } = withoutCandidate(stored);
    const draining = route.draining.filter((h) => h !== hash);
    const revisions = { ...stored.revisions, [hash]: revision };
    const started = stored.current === '' ? [{ kind: 'Started' as const, hash }] : [];
    return { ...unchanged({ current: hash, draining, revisions }), changes: [...started, ...changes] };
  }
  const named = withCandidate(stored, target);
  const waiting = waitingOf(world, target, world.route?.generation);
  if (stored.candidate !== hash || waiting.length > 0 || world.stale.length > 0) return { ...named, waiting };
  const overlap = overlapped(world, hash);
  return overlap.leftMs > 0 ? { ...named, ...overlap.pending } : switched(named.route, hash);
}

/** The route names the target as its candidate; another one goes. */
function withCandidate(stored: RouteDraft, { hash, revision }: Target): Headed {
  const revisions = { ...stored.revisions, [hash]: revision };
  if (stored.candidate === hash) return unchanged({ ...stored, revisions });
  const { route, changes } = withoutCandidate(stored);
  const started = { kind: 'Started' as const, hash };
  return { ...unchanged({ ...route, candidate: hash, revisions }), changes: [...changes, started] };
}

/** All serve: after the overlap they may be entered. */
function overlapped(
  { marks: { servingSince }, nowMs }: World,
  hash: string,
): { readonly leftMs: number; readonly pending: Pick<Headed, 'marks' | 'dueMs'> } {
  const atMs = servingSince?.hash === hash ? servingSince.atMs : nowMs;
  const leftMs = atMs + OVERLAP_MS - nowMs;
  return { leftMs, pending: { marks: { servingSince: { hash, atMs } }, dueMs: [leftMs] } };
}

function switched({ current, draining, revisions }: RouteDraft, hash: string): Headed {
  const left = withHash(
    draining.filter((h) => h !== hash),
    current,
  );
  return {
    ...unchanged({ current: hash, draining: left, revisions }),
    changes: [{ kind: 'Switched', hash }],
  };
}

/** The target beside the current revision, under its weight. */
function headBeside(world: World, stored: RouteDraft, { target, base, weightPercent }: Try): Headed {
  const { hash } = target;
  if (stored.current === '' || stored.current === hash) return headTowards(world, stored, target);
  const known = base?.hash === stored.current ? { [base.hash]: base.revision } : {};
  const named = withCandidate({ ...stored, revisions: { ...stored.revisions, ...known } }, target);
  const isEntered = named.route.weightPercent !== undefined;
  const waiting = waitingOf(world, target, isEntered ? undefined : world.route?.generation);
  const { route } = named;
  if (route.weightPercent !== undefined) {
    const serves = stands(world, target);
    return { ...named, route: { ...route, weightPercent: serves ? weightPercent : 0 }, waiting, serves };
  }
  const serves = stored.candidate === hash && waiting.length === 0 && world.stale.length === 0;
  if (!serves || weightPercent === 0) return { ...named, waiting, serves };
  const overlap = overlapped(world, hash);
  if (overlap.leftMs > 0) return { ...named, ...overlap.pending, serves };
  // It may drain from when it was current: who enters it now keeps it.
  const draining = route.draining.filter((h) => h !== hash);
  const entered: Headed['changes'] = [{ kind: 'Entered', hash }];
  const changes = [...named.changes, ...entered];
  return { ...named, route: { ...route, draining, weightPercent }, changes, serves };
}

/** Of each unit something is up: its calls find somebody. */
const stands = (world: World, { hash, revision, units }: Target): boolean => {
  const up = isUp(world, hash, revision);
  return units.every(({ name }) =>
    world.units.some(
      (u) => u.name === name && u.pods.some((pod) => pod.reachable && !pod.ending && up(name, pod)),
    ),
  );
};

const withdrawn = (candidate: string | undefined, hash: string): readonly Change[] =>
  candidate === undefined || candidate === hash ? [] : [{ kind: 'Withdrawn', hash: candidate }];

/** `generation`: of the route that instances must have heard. */
function waitingOf(world: World, { hash, revision, units }: Target, generation?: number): readonly Waiting[] {
  const serves = servesRevision(world, hash, revision, generation);
  return units.flatMap((u) => lacking(world, u.name, u.instances, serves) ?? []);
}

/** Takes off the list what has drained. */
function drain(
  world: World,
  route: RouteDraft,
): {
  readonly route: RouteDraft;
  readonly since: Marks['drainingSince'];
  readonly changes: readonly Change[];
  readonly dueMs: readonly number[];
} {
  const wasDraining = new Set(world.route?.draining);
  const changes: Change[] = [];
  const dueMs: number[] = [];
  const since: Record<string, number> = {};
  for (const hash of route.draining) {
    const at = (wasDraining.has(hash) ? world.marks.drainingSince[hash] : undefined) ?? world.nowMs;
    const leftMs = at + longestMs(route.revisions[hash]) + DRAIN_SLACK_MS - world.nowMs;
    // Only what is stored as draining can have been seen as such.
    const ended = wasDraining.has(hash) && rootsEnded(world, hash, world.route?.generation ?? 0);
    if (ended) changes.push({ kind: 'Drained', hash });
    else if (leftMs <= 0) changes.push({ kind: 'DrainedLate', hash });
    else {
      since[hash] = at;
      dueMs.push(leftMs);
    }
  }
  return { route: { ...route, draining: Object.keys(since).sort() }, since, changes, dueMs };
}

/** No call of this revision runs longer, in milliseconds. */
export const longestMs = (revision: RouteRevision | undefined): number =>
  Math.max(
    0,
    ...(revision?.units ?? []).flatMap((u) => u.functions.map((f) => f.timeoutSeconds)),
    ...(revision?.edges ?? []).map((e) => e.timeoutSeconds ?? 0),
  ) * 1000;

/** Retired revisions stay until their units are gone: their edges say in which order those end. */
function dropRetired(world: World, route: RouteDraft): RouteDraft {
  const live = liveOf(route);
  const used = usedUnits(world, route);
  const kept = Object.entries(route.revisions).filter(
    ([hash, { units }]) =>
      live.has(hash) ||
      units.some(({ name }) => !used.has(name) && world.units.some((u) => u.name === name && isHere(u))),
  );
  return { ...route, revisions: Object.fromEntries(kept) };
}

/** Units of live revisions and of what is wanted: they are not to end. */
export function usedUnits(world: World, route: RouteDraft): ReadonlySet<string> {
  const live = [...liveOf(route)].flatMap((hash) => route.revisions[hash]?.units ?? []);
  const wanted = unitsIn(targetsOf(world.wanted));
  return new Set([...live, ...wanted].map((u) => u.name));
}

const withHash = (list: readonly string[], hash: string): readonly string[] =>
  [...new Set([...list, hash])].sort();
