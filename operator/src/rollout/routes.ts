/**
 * The route as it is to be: from what stands there and what is wanted.
 *
 * Owns: which revisions are current, candidate, draining or retired after this step.
 * Invariants:
 *  1. Only the first revision becomes current at once; any other one was a candidate that served for OVERLAP_MS.
 *  2. What was current drains; what drains is taken off the list only when no root runs under it, or after its limit.
 *  3. A revision leaves the record only when no unit of it is left that is in no live one.
 */
import type { RouteRecord, RouteRevision } from '@sinter/contract';
import { isHere, lacking, rootsEnded, servesRevision } from './serving.ts';
import type { Change, Marks, RouteDraft, Target, Waiting, World } from './world.ts';

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
        ...(route.candidate === undefined ? {} : { candidate: route.candidate }),
      }
    : EMPTY;

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
    dueMs: [...headed.dueMs, ...drained.dueMs],
  };
}

interface Headed {
  readonly route: RouteDraft;
  readonly marks: Pick<Marks, 'servingSince'>;
  readonly changes: readonly Change[];
  readonly waiting: readonly Waiting[];
  readonly dueMs: readonly number[];
}

const unchanged = (route: RouteDraft): Headed => ({
  route,
  marks: {},
  changes: [],
  waiting: [],
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
  }
}

function withoutCandidate({ candidate, ...stored }: RouteDraft): Headed {
  return { ...unchanged(stored), changes: withdrawn(candidate, stored.current) };
}

/** Nobody enters any more: what was current drains, a candidate that nobody entered is retired. */
function withoutHead({ current, draining, revisions }: RouteDraft): RouteDraft {
  return { current: '', draining: current === '' ? draining : withHash(draining, current), revisions };
}

function headTowards(world: World, stored: RouteDraft, target: Target): Headed {
  const { hash, revision } = target;
  const { current, candidate, draining } = stored;
  const revisions = { ...stored.revisions, [hash]: revision };
  if (current === '' || current === hash) {
    const route = { current: hash, draining: draining.filter((h) => h !== hash), revisions };
    const changes = [
      ...(current === '' ? [{ kind: 'Started' as const, hash }] : []),
      ...withdrawn(candidate, hash),
    ];
    return { ...unchanged(route), changes };
  }
  const trying = { current, candidate: hash, draining, revisions };
  const waiting = waitingOf(world, target);
  if (candidate !== hash) {
    const changes = [...withdrawn(candidate, hash), { kind: 'Started' as const, hash }];
    return { ...unchanged(trying), waiting, changes };
  }
  if (waiting.length > 0 || world.stale.length > 0) return { ...unchanged(trying), waiting };
  return overlapped(world, trying, hash);
}

/** All serve: after the overlap the entries are switched over. */
function overlapped(world: World, trying: RouteDraft, hash: string): Headed {
  const { servingSince } = world.marks;
  const since = servingSince?.hash === hash ? servingSince.atMs : world.nowMs;
  const leftMs = since + OVERLAP_MS - world.nowMs;
  if (leftMs > 0)
    return { ...unchanged(trying), marks: { servingSince: { hash, atMs: since } }, dueMs: [leftMs] };
  const draining = withHash(
    trying.draining.filter((h) => h !== hash),
    trying.current,
  );
  const route = { current: hash, draining, revisions: trying.revisions };
  return { ...unchanged(route), changes: [{ kind: 'Switched', hash }] };
}

const withdrawn = (candidate: string | undefined, hash: string): readonly Change[] =>
  candidate === undefined || candidate === hash ? [] : [{ kind: 'Withdrawn', hash: candidate }];

function waitingOf(world: World, { hash, revision, units }: Target): readonly Waiting[] {
  const serves = servesRevision(world, hash, revision);
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

/** Units of live revisions and of the target: they are not to end. */
export function usedUnits(world: World, route: RouteDraft): ReadonlySet<string> {
  const live = [...liveOf(route)].flatMap((hash) => route.revisions[hash]?.units ?? []);
  const target = world.wanted.is === 'Run' ? world.wanted.target.units : [];
  return new Set([...live, ...target].map((u) => u.name));
}

const withHash = (list: readonly string[], hash: string): readonly string[] =>
  [...new Set([...list, hash])].sort();
