/**
 * Who serves, who has let go: judgements about instances from what the cluster knows and what they said themselves.
 *
 * Owns: what counts as serving, and when nothing runs under a revision any more.
 * Invariants:
 *  1. Whether a revision may be entered is for its instances to say, not for probes: a probe knows nothing of revisions.
 *  2. An instance on a machine that is cut off is neither waited for nor counted: a cut must not stop changes for ever.
 */
import { GATEWAY_CALLER } from '@sinter/contract';
import type { RouteRevision } from '@sinter/contract';
import { heardKey } from './world.ts';
import type { PodState, Problem, UnitState, Waiting, World } from './world.ts';

/** Units of a revision, with what the cluster has of each. */
const stateOf = (world: World, name: string): UnitState =>
  world.units.find((u) => u.name === name) ?? { name, exists: false, desired: 0, pods: [] };

/** Does this unit listen on the bus under any revision? One that only pulls work or serves its own process says none. */
const listens = (revision: RouteRevision, unit: string): boolean =>
  revision.units.find((u) => u.name === unit)?.functions.some((f) => f.served) ?? false;

type Judge = (unit: string, pod: PodState) => boolean;

/**
 * By the instance's own word: it serves this revision. `generation`: of the route after which it must have said so; a revision
 * that went from the route and came back may have been let go of meanwhile.
 */
export const servesRevision =
  (world: World, hash: string, revision: RouteRevision, generation = 0): Judge =>
  (unit, pod) => {
    const said = world.announcements.get(heardKey(unit, pod.instance));
    if (!pod.running || said?.state !== 'Serving') return false;
    if (!listens(revision, unit)) return true;
    return said.revisions.includes(hash) && (said.routeGeneration ?? Infinity) >= generation;
  };

/** Either by its own word or by its probe: enough to say that a unit is up, after a restart of the operator too. */
export const isUp =
  (world: World, hash: string, revision: RouteRevision): Judge =>
  (unit, pod) =>
    pod.ready || servesRevision(world, hash, revision)(unit, pod);

/** What a unit still lacks; undefined: it serves. */
export function lacking(world: World, unit: string, desired: number, serves: Judge): Waiting | undefined {
  const { pods, problem } = stateOf(world, unit);
  const staying = pods.filter((p) => !p.ending);
  const within = staying.filter((p) => p.reachable);
  const needed = Math.max(1, desired - (staying.length - within.length));
  const serving = within.filter((p) => serves(unit, p)).length;
  if (serving >= needed && serving === within.length) return undefined;
  const why = problemOf(world, unit, within, serves) ?? problem ?? cutOff(staying, within);
  return { unit, serving, desired: Math.max(1, desired), ...(why ? { problem: why } : {}) };
}

function problemOf(
  world: World,
  unit: string,
  pods: readonly PodState[],
  serves: Judge,
): Problem | undefined {
  const late = pods.filter((p) => !serves(unit, p));
  for (const pod of late) {
    const said = world.announcements.get(heardKey(unit, pod.instance));
    if (said?.state === 'Failed') {
      const message = said.problem ?? 'it failed to start';
      return { reason: 'UnitFailed', message: message.slice(0, MESSAGE_MAX) };
    }
  }
  return late.find((p) => p.problem)?.problem;
}

const MESSAGE_MAX = 500;

function cutOff(staying: readonly PodState[], within: readonly PodState[]): Problem | undefined {
  if (within.length > 0 || staying.length === 0) return undefined;
  const machines = [...new Set(staying.map((p) => p.machine))].sort().join(', ');
  return { reason: 'MachineUnreachable', message: `its instances are on ${machines}, which is cut off` };
}

/**
 * Has everybody who may start or run a root seen the route as it now is, and does nobody run one under the revision? Who
 * has not spoken yet is waited for.
 */
export function rootsEnded(world: World, hash: string, generation: number): boolean {
  const hosts = world.units.flatMap((u) =>
    u.pods.filter((p) => p.running && p.reachable).map((p) => heardKey(u.name, p.instance)),
  );
  const gateways = world.gateways.map((instance) => heardKey(GATEWAY_CALLER, instance));
  return [...gateways, ...hosts].every((key) => {
    const seen = world.observations.get(key);
    return seen !== undefined && seen.routeGeneration >= generation && (seen.roots[hash] ?? 0) === 0;
  });
}

/** Does it have, or will it have, instances that can run or make a call? */
export const mayCall = (unit: UnitState): boolean => unit.desired > 0 || unit.pods.some((p) => p.reachable);

/** Is anything of it left? What is on a machine that is cut off ends when the machine is back. */
export const isHere = (unit: UnitState): boolean => unit.exists || mayCall(unit);
