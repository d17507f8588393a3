/**
 * From a plan to what runs on this machine: pure, but for the names of machines that it is given.
 *
 * Owns: instances on machines, environments with their Secrets' values, modules, and the one way in which a laptop differs
 * from a cluster: every function listens on the bus, because `sinter invoke` may call each.
 */
import { createHash } from 'node:crypto';
import type { RouteRevision } from '@sinter/contract';
import { environmentValues } from '../model/environment.ts';
import { readModule } from '../model/modules.ts';
import { namespaceOf } from '../model/nouns.ts';
import { cpuMillisOf } from '../model/quantity.ts';
import type { ConfigMap, Machine, WorkflowObject } from '../model/nouns.ts';
import { spread } from '../planner/placement.ts';
import type { Plan, PlanUnit } from '../planner/plan.ts';
import { entryRecord, planHash, routeRevision, unitScope } from '../resources/index.ts';
import { configMapsIn } from '../snapshot/gather.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Target, UnitTarget } from './deployment.ts';
import type { Place } from './fleet.ts';
import { pullVariables } from './pulling.ts';
import type { World } from './world.ts';

export interface LocalMachine extends Machine, Place {}

/** `userConfig` is the docker config of who runs this. */
export function targetOf(
  plan: Plan,
  snapshot: Snapshot,
  workflow: WorkflowObject,
  world: World,
  machines: readonly LocalMachine[],
  userConfig?: string,
): Target {
  const configMaps = configMapsIn(world.application, snapshot.workflow.namespace);
  return {
    hash: planHash(plan, snapshot),
    revision: everythingServed(routeRevision(plan, snapshot)),
    entry: entryRecord(workflow, keyDigests(workflow, world)),
    modules: modulesOf(snapshot, configMaps),
    units: plan.units.map((unit): UnitTarget => {
      const places = spread(unit, unit.instances, machines);
      return {
        scope: unitScope(unit, snapshot),
        cpuMillis: requestedOf(unit, snapshot),
        places: places.flatMap((name) => machines.find((m) => m.name === name) ?? []),
        environments: Object.fromEntries(
          unit.functions.map((fn) => [fn, environmentOf(fn, snapshot, world, configMaps)] as const),
        ),
        variables: pullVariables(unit, snapshot, world, userConfig),
      };
    }),
  };
}

/** In thousandths of a core: what its pod would request. */
const requestedOf = (unit: PlanUnit, { functions }: Snapshot): number =>
  functions
    .filter((fn) => unit.functions.includes(fn.name))
    .reduce((sum, fn) => sum + cpuMillisOf(fn.spec.resources.requests.cpu), 0);

const everythingServed = (revision: RouteRevision): RouteRevision => ({
  ...revision,
  units: revision.units.map((u) => ({ ...u, functions: u.functions.map((f) => ({ ...f, served: true })) })),
});

function environmentOf(
  name: string,
  snapshot: Snapshot,
  world: World,
  configMaps: (name: string) => ConfigMap | undefined,
): Readonly<Record<string, string>> {
  const fn = snapshot.functions.find((f) => f.name === name);
  if (!fn) return {};
  const secrets = (secret: string): Readonly<Record<string, string>> | undefined =>
    world.secretValues.get(`${snapshot.workflow.namespace}/${secret}`);
  return environmentValues(fn.spec, configMaps, secrets);
}

/** The code of every artifact that can be read here, by its sha256. */
function modulesOf(
  snapshot: Snapshot,
  configMaps: (name: string) => ConfigMap | undefined,
): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const fn of snapshot.functions)
    for (const artifact of fn.spec.artifacts) {
      const reading = readModule(artifact, configMaps);
      if (reading.is === 'Read') found.set(reading.sha256, reading.bytes);
    }
  return found;
}

/** sha256 of every value of each Secret that a trigger takes keys from: the gateway compares digests, it holds no key. */
function keyDigests(workflow: WorkflowObject, world: World): Readonly<Record<string, readonly string[]>> {
  const names = workflow.spec.triggers.flatMap((t) => t.http?.auth.key?.secretRef.name ?? []);
  return Object.fromEntries(
    names.map((name) => {
      const values = Object.values(world.secretValues.get(`${namespaceOf(workflow)}/${name}`) ?? {});
      return [name, values.map((v) => createHash('sha256').update(v).digest('hex'))] as const;
    }),
  );
}
