/**
 * One step of a roll-out: a pure function from the world as it is to what is to be done about it (D3).
 *
 *   bus prepared ─▶ route names the candidate ─▶ units made ─▶ all serve, 250 ms overlap ─▶ route switched ─▶ entry
 *                        │ does not come up: stays, to be looked at; what ran goes on     ▲      │
 *                        │                       └─▶ tried: entered under its weight ─────┘      ▼
 *                        ▼                              └─▶ withdrawn ──▶ old one drains ─▶ retired ─▶ units end, callers first
 *                 replaced when the target changes
 *
 * It is level-triggered: called again at any time, from any state that a crash between two actions can leave, it goes on from
 * there. `reconcile/workflow.ts` calls it; `local/deployment.ts` keeps the same rules for child processes.
 * Invariants:
 *  1. Entries only ever see a current revision, or a candidate with a weight, whose every unit serves it; but for the first, whose
 *     callers wait for room.
 *  2. A unit that is in a live revision or is wanted is never deleted; one that is in both plans is not touched.
 *  3. At most one candidate beside the current revision; any number drains.
 *  4. Where nothing is to be done there are no actions: a second call writes nothing.
 */
import type { EntryRecord, RouteRevision } from '@sinter/contract';
import { canonicalJson } from '../model/canonical.ts';
import { callersFirst } from '../model/graph.ts';
import { draftOf, nextRoute, usedUnits } from './routes.ts';
import type { NextRoute } from './routes.ts';
import { isHere, isUp, lacking, mayCall } from './serving.ts';
import { targetsOf, unitsIn } from './world.ts';
import type { Action, Outcome, RolloutStatus, RouteDraft, UnitState, Waiting, World } from './world.ts';

export function step(world: World): Outcome {
  const next = nextRoute(world);
  const ending = endingUnits(world, next.route);
  const actions = world.wanted.is === 'Remove' ? removal(world, next, ending) : change(world, next, ending);
  const status = statusOf(world, next, ending, actions);
  const dueMs = Math.min(...next.dueMs);
  return {
    actions,
    changes: next.changes,
    status,
    marks: next.marks,
    ...(Number.isFinite(dueMs) ? { againAfterMs: dueMs } : {}),
  };
}

function change(world: World, { route }: NextRoute, ending: readonly UnitState[]): readonly Action[] {
  const entry = entryActions(world, route);
  const write = routeActions(world, route);
  const first = draftOf(world.route).current === '';
  return [
    ...prepareActions(world, route),
    ...(first ? [...entry, ...write] : [...write, ...entry]),
    ...world.stale.map((unit) => ({ do: 'ApplyUnit' as const, unit })),
    ...endings(route, ending),
  ];
}

/** First nobody enters, then what runs ends, then what is stored goes. */
function removal(world: World, { route }: NextRoute, ending: readonly UnitState[]): readonly Action[] {
  const empty = Object.keys(route.revisions).length === 0 && route.draining.length === 0;
  if (!empty || ending.length > 0) return [...routeActions(world, route), ...endings(route, ending)];
  return [{ do: 'RemoveFromBus' }, { do: 'Release' }];
}

/** Streams and code are there before anything runs that needs them. */
function prepareActions(world: World, { revisions }: RouteDraft): readonly Action[] {
  const targets = targetsOf(world.wanted);
  if (targets.length === 0) return [];
  const functions = asyncFunctions(Object.values(revisions));
  const modules = [...new Set(targets.flatMap((t) => t.modules))].sort();
  const key = canonicalJson({ functions, modules });
  return key === world.prepared ? [] : [{ do: 'Prepare', key, functions }];
}

const asyncFunctions = (revisions: readonly RouteRevision[]): readonly string[] =>
  [
    ...new Set(
      revisions.flatMap((r) => r.units.flatMap((u) => u.functions.filter((f) => f.async).map((f) => f.name))),
    ),
  ].sort();

function routeActions(world: World, route: RouteDraft): readonly Action[] {
  if (same(route, draftOf(world.route))) return [];
  return [{ do: 'WriteRoute', route }];
}

function entryActions(world: World, route: RouteDraft): readonly Action[] {
  const entry = wantedEntry(world, route);
  if (!entry || same(entry, world.entry)) return [];
  return [{ do: 'WriteEntry', entry }];
}

/**
 * The ways in as they are to be now. While the target is only tried, its ways in hold as far as the current revision has
 * the functions: a trigger that was taken away, shut or suspended is so at once, whatever becomes of the candidate.
 */
function wantedEntry({ wanted, entry }: World, route: RouteDraft): EntryRecord | undefined {
  if (wanted.is === 'Remove') return undefined;
  if (wanted.is === 'Keep') return entry && { ...entry, suspended: wanted.suspended };
  const { target } = wanted;
  const running = targetsOf(wanted).find(({ hash }) => hash === route.current);
  if (running) return running.entry;
  const served = new Set(
    (route.revisions[route.current]?.units ?? []).flatMap((u) =>
      u.functions.filter((f) => f.served).map((f) => f.name),
    ),
  );
  return {
    ...target.entry,
    functions: target.entry.functions.filter((fn) => served.has(fn)),
    triggers: target.entry.triggers.filter((t) => served.has(t.to)),
  };
}

/** Units that are here and in nothing that is to run. Where nothing is known of what should run, none is. */
function endingUnits(world: World, route: RouteDraft): readonly UnitState[] {
  if (world.wanted.is === 'Keep' && !world.route) return [];
  const used = usedUnits(world, route);
  return world.units.filter((u) => !used.has(u.name) && isHere(u));
}

/** Callers before callees: what is asked for in the meantime finds whom it asks. */
const endings = (route: RouteDraft, ending: readonly UnitState[]): readonly Action[] => {
  const callers = ending.filter(mayCall);
  return ending.flatMap((u): readonly Action[] => {
    if (!u.exists) return [];
    if (!mayCall(u)) return [{ do: 'DeleteUnit', unit: u.name }];
    const awaited = Object.values(route.revisions).some((r) => isAwaited(u.name, r, callers));
    return u.desired > 0 && !awaited ? [{ do: 'EndUnit', unit: u.name }] : [];
  });
};

/** Does a unit that ends too, and comes before it, still call it? */
function isAwaited(unit: string, revision: RouteRevision, callers: readonly UnitState[]): boolean {
  const unitOf = new Map(revision.units.flatMap((u) => u.functions.map((f) => [f.name, u.name] as const)));
  const order = callersFirst([...unitOf.keys()].sort(), revision.edges).map((fn) => unitOf.get(fn));
  const place = (name: string): number => order.indexOf(name);
  return revision.edges.some(({ from, to, call }) => {
    const caller = unitOf.get(from) ?? '';
    if (call !== 'Sync' || unitOf.get(to) !== unit || place(caller) >= place(unit)) return false;
    return callers.some((u) => u.name === caller);
  });
}

function statusOf(
  world: World,
  next: NextRoute,
  ending: readonly UnitState[],
  actions: readonly Action[],
): RolloutStatus {
  const { current, candidate, weightPercent, draining } = next.route;
  return {
    current,
    draining,
    ...(candidate === undefined ? {} : { candidate }),
    ...(weightPercent === undefined ? {} : { weightPercent }),
    serves: next.serves,
    waiting: next.waiting,
    down: downUnits(world, next.route),
    ending: ending.map((u) => u.name).sort(),
    settled:
      !actions.some(changes) && candidate === undefined && draining.length === 0 && ending.length === 0,
  };
}

/** To make sure of what stands on the bus, as the first look after a start does, changes nothing that runs. */
const changes = (action: Action): boolean => action.do !== 'Prepare';

/** Units of the current revision that are not up as they should be. */
function downUnits(world: World, { current, revisions }: RouteDraft): readonly Waiting[] {
  const revision = revisions[current];
  if (!revision) return [];
  const up = isUp(world, current, revision);
  return revision.units.flatMap(({ name }) => lacking(world, name, desiredOf(world, name), up) ?? []);
}

function desiredOf({ wanted, units }: World, unit: string): number {
  const target = unitsIn(targetsOf(wanted)).find((u) => u.name === unit);
  return target?.instances ?? units.find((u) => u.name === unit)?.desired ?? 1;
}

const same = (a: object, b: object | undefined): boolean =>
  b !== undefined && canonicalJson(a) === canonicalJson(b);
