/**
 * What the wire carries of a plan: the route of its revision, the entry record, and each unit's rights.
 *
 * Owns: the step from a plan to the contract's records. Their form is the contract's; who writes them into the bus is
 * the applier's affair.
 */
import { CONTRACT_VERSION } from '@sinter/contract';
import type {
  EntryAuth,
  EntryRecord,
  EntryTrigger,
  RouteArtifact,
  RouteEdge,
  RouteFunction,
  RouteRevision,
  UnitScope,
} from '@sinter/contract';
import { asyncFunctionsOf, entriesOf } from '../model/graph.ts';
import { namespaceOf } from '../model/nouns.ts';
import type { Trigger, WorkflowObject } from '../model/nouns.ts';
import { bytesOf } from '../model/quantity.ts';
import type { Plan, PlanChannel, PlanUnit } from '../planner/plan.ts';
import type { Snapshot, SnapshotArtifact } from '../snapshot/snapshot.ts';
import { rightsOf, unitName } from './hashes.ts';

/**
 * The route of one revision: its units with the functions that they serve, and the edges with their terms. Only for a
 * plan without Errors.
 */
export function routeRevision(plan: Plan, snapshot: Snapshot): RouteRevision {
  const served = servedFunctions(plan, snapshot);
  const kept = asyncFunctionsOf(snapshot.workflow.spec);
  const route = (unit: PlanUnit, name: string): RouteFunction => ({
    ...routeFunction(unit, name, snapshot),
    served: served.has(name),
    async: kept.has(name),
  });
  return {
    units: plan.units.map((unit) => ({
      name: unitName(unit, snapshot),
      functions: unit.functions.map((name) => route(unit, name)),
    })),
    edges: plan.channels.filter((c) => hasUnit(plan, c.from) && hasUnit(plan, c.to)).map(routeEdge),
  };
}

/** Functions that listen on the bus: an entry, or a caller in another unit of the same revision. */
function servedFunctions(plan: Plan, snapshot: Snapshot): ReadonlySet<string> {
  const unitOf = new Map(plan.units.flatMap((unit, i) => unit.functions.map((fn) => [fn, i] as const)));
  const across = plan.channels.filter((c) => unitOf.get(c.from) !== unitOf.get(c.to)).map((c) => c.to);
  return new Set([...entriesOf(snapshot.workflow.spec), ...across]);
}

const hasUnit = (plan: Plan, fn: string): boolean => plan.units.some((unit) => unit.functions.includes(fn));

function routeFunction(
  unit: PlanUnit,
  name: string,
  snapshot: Snapshot,
): Omit<RouteFunction, 'served' | 'async'> {
  const fn = snapshot.functions.find((f) => f.name === name);
  if (!fn) throw new Error(`route of '${name}', which the snapshot does not have`);
  const { concurrency, timeoutSeconds, resources } = fn.spec;
  return {
    name,
    concurrency,
    timeoutSeconds,
    memoryBytes: bytesOf(resources.limits.memory),
    artifacts: unit.variants.flatMap((variant) => routeArtifact(fn, variant)),
  };
}

function routeArtifact(
  fn: Snapshot['functions'][number],
  variant: PlanUnit['variants'][number],
): readonly RouteArtifact[] {
  const placed = variant.artifacts.find((a) => a.function === fn.name);
  const artifact = fn.artifacts.find((a) => a.name === placed?.artifact);
  const code = artifact && codeOf(artifact);
  if (!placed || !artifact || artifact.type === 'Container' || !code) return [];
  const { name, type } = artifact;
  return [{ architecture: variant.architecture, name, type, isolation: placed.isolation, ...code }];
}

/** Where the host finds an artifact's code; undefined where it is nowhere. */
function codeOf({ sha256, image }: SnapshotArtifact): Pick<RouteArtifact, 'sha256' | 'image'> | undefined {
  if (image) return { sha256: image.reference, image };
  return sha256 === null ? undefined : { sha256 };
}

function routeEdge({ from, to, terms }: PlanChannel): RouteEdge {
  const { call, timeoutSeconds, attempts, on, backoffSeconds, maxBackoffSeconds, durability } = terms;
  const retry = on && {
    attempts,
    on,
    backoffSeconds: backoffSeconds ?? 0,
    maxBackoffSeconds: maxBackoffSeconds ?? 0,
  };
  return {
    from,
    to,
    call,
    timeoutSeconds,
    ...(retry ? { retry } : {}),
    ...(durability ? { durability } : {}),
  };
}

/**
 * What the gateway reads of a workflow. `keyDigests` gives, for the name of each Secret with keys, the sha256 (hex) of
 * each value. A trigger that cannot be served yet is left out, and a Secret without digests lets nobody in: an entry
 * must never be open by oversight.
 */
export function entryRecord(
  workflow: WorkflowObject,
  keyDigests: Readonly<Record<string, readonly string[]>>,
): EntryRecord {
  const { expose, suspend, functions, triggers } = workflow.spec;
  return {
    version: CONTRACT_VERSION,
    namespace: namespaceOf(workflow),
    workflow: workflow.metadata.name,
    expose,
    suspended: suspend,
    functions: functions
      .filter((f) => !f.service)
      .map((f) => f.name)
      .sort(),
    triggers: triggers
      .flatMap((trigger) => entryTrigger(trigger, keyDigests))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function entryTrigger(
  { name, to, type, http }: Trigger,
  keyDigests: Readonly<Record<string, readonly string[]>>,
): readonly EntryTrigger[] {
  if (type !== 'Http' || !http) return [];
  const { hosts, path, methods } = http;
  const auth = entryAuth(http.auth, keyDigests);
  return [{ name, to, type, hosts: [...hosts].sort(), path, methods: [...methods].sort(), auth }];
}

function entryAuth(
  { type, jwt, key }: NonNullable<Trigger['http']>['auth'],
  keyDigests: Readonly<Record<string, readonly string[]>>,
): EntryAuth {
  if (type === 'None') return { type };
  if (type === 'Jwt' && jwt) return { type, issuer: jwt.issuer, audiences: [...jwt.audiences].sort() };
  const secret = key?.secretRef.name ?? '';
  const digests = Object.hasOwn(keyDigests, secret) ? (keyDigests[secret] ?? []) : [];
  return { type: 'Key', sha256: [...digests].sort() };
}

/** What a unit's rights on the bus follow from (D11). */
export function unitScope(unit: PlanUnit, snapshot: Snapshot): UnitScope {
  return {
    namespace: snapshot.workflow.namespace,
    workflow: snapshot.workflow.name,
    unit: unitName(unit, snapshot),
    functions: [...unit.functions].sort(),
    ...rightsOf(unit, snapshot),
  };
}
