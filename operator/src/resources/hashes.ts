/**
 * The hashes by which plans and units are told apart (D12), and the names made from them.
 *
 * Owns: what counts as content. A unit's name carries the hash of what it is, so an unchanged unit keeps running across
 * plans; a plan's hash covers units, channels and terms, so the same plan found twice is one object.
 * Invariants:
 *  1. Never in a hash: decisions, findings, the revision, instances, machines, the clock, names of units in a unit.
 *  2. The order in which objects, functions, edges or keys were written changes no hash.
 *  3. Of a Secret only its name and the keys that are read; its values change no name.
 */
import { createHash } from 'node:crypto';
import type { UnitScope } from '@sinter/contract';
import { asyncFunctionsOf, byEnds } from '../model/graph.ts';
import { bytesOf, cpuMillisOf, cpuText, memoryText } from '../model/quantity.ts';
import type { Quantity } from '../model/nouns.ts';
import type { Plan, PlanUnit } from '../planner/plan.ts';
import type { Snapshot, SnapshotFunction } from '../snapshot/snapshot.ts';
import { canonicalJson } from '../model/canonical.ts';

const HASH_LENGTH = 10;
const STEM_LENGTH = 40;

/** First 10 hexadecimal digits of the sha256 of a value's canonical JSON. */
export const shortHash = (value: unknown): string =>
  createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, HASH_LENGTH);

/** `<workflow>-<first function>` cut to 40, `-`, the hash of what the unit is. */
export function unitName(unit: PlanUnit, snapshot: Snapshot): string {
  const stem = `${snapshot.workflow.name}-${unit.functions[0] ?? ''}`.slice(0, STEM_LENGTH);
  return `${stem}-${unitHash(unit, snapshot)}`;
}

/** The Secret with the seed of a unit's key; the one with its token has the unit's own name. */
export const seedSecretName = (unit: string): string => `${unit}-seed`;

/** The hash of what a unit is: its code, its surroundings, its sizes and its rights. */
export function unitHash(unit: PlanUnit, snapshot: Snapshot): string {
  const { workflow } = snapshot;
  return shortHash({
    workflow: workflow.name,
    functions: unit.functions.map((name) => functionContent(name, unit, snapshot)).sort(byName),
    cpuMillis: unit.resources.cpuMillis,
    memoryBytes: unit.resources.memoryBytes,
    scope: scopeContent(unit, snapshot),
  });
}

function functionContent(name: string, unit: PlanUnit, snapshot: Snapshot) {
  const fn = snapshot.functions.find((f) => f.name === name);
  if (!fn) throw new Error(`unit with '${name}', which the snapshot does not have`);
  const { concurrency, timeoutSeconds, resources, volumeMounts, template } = fn.spec;
  return {
    name,
    artifacts: unit.variants.map((variant) => artifactContent(fn, variant)).sort(byArchitecture),
    concurrency,
    timeoutSeconds,
    limits: sizeContent(resources.limits),
    requests: sizeContent(resources.requests),
    environment: fn.environment,
    volumeMounts: [...volumeMounts].sort((a, b) => (a.mountPath < b.mountPath ? -1 : 1)),
    template: templateContent(template),
  };
}

/** `1`, `1000m` and 1 are the same size. */
const sizeContent = ({ cpu, memory }: { readonly cpu: Quantity; readonly memory: Quantity }) => ({
  cpuMillis: cpuMillisOf(cpu),
  memoryBytes: bytesOf(memory),
});

function artifactContent(fn: SnapshotFunction, variant: PlanUnit['variants'][number]) {
  const placed = variant.artifacts.find((a) => a.function === fn.name);
  const artifact = fn.artifacts.find((a) => a.name === placed?.artifact);
  const { architecture } = variant;
  return {
    architecture,
    type: artifact?.type,
    sha256: artifact?.sha256,
    ...(artifact?.image ? { image: artifact.image } : {}),
    isolation: placed?.isolation,
  };
}

/** Lists of a pod template that are sets or maps by name, in one order. */
export function templateContent(template: SnapshotFunction['spec']['template']) {
  const { imagePullSecrets, volumes, tolerations, ...spec } = template.spec;
  return {
    metadata: template.metadata,
    spec: {
      ...spec,
      imagePullSecrets: [...imagePullSecrets].sort(byName),
      volumes: [...volumes].sort(byName),
      tolerations: tolerations.map(canonicalJson).sort(),
    },
  };
}

/**
 * What a unit's credential follows from, as sorted (caller, callee, kind): the edges of its functions, and a stream of
 * its own for each function that has one (caller `*`). Who else calls it grants it nothing and changes nothing.
 */
function scopeContent(unit: PlanUnit, snapshot: Snapshot): readonly (readonly string[])[] {
  const { edges, asyncFunctions } = rightsOf(unit, snapshot);
  return [...edges.map((e) => [e.from, e.to, e.call]), ...asyncFunctions.map((fn) => ['*', fn, 'Async'])];
}

/** Edges of a unit's functions, and those of its functions that have a stream; both sorted. */
export function rightsOf(
  unit: PlanUnit,
  { workflow, functions }: Snapshot,
): Pick<UnitScope, 'edges' | 'asyncFunctions'> {
  const known = new Set(functions.map((f) => f.name));
  const kept = asyncFunctionsOf(workflow.spec);
  return {
    edges: workflow.spec.edges
      .filter((e) => unit.functions.includes(e.from) && known.has(e.to))
      .map(({ from, to, call }) => ({ from, to, call }))
      .sort(byEnds),
    asyncFunctions: unit.functions.filter((fn) => kept.has(fn)).sort(),
  };
}

/** A unit as the WorkflowPlan lists it. */
export interface UnitContent {
  readonly name: string;
  readonly functions: readonly string[];
  readonly resources: { readonly cpu: string; readonly memory: string };
  readonly variants: PlanUnit['variants'];
}

export const unitContent = (unit: PlanUnit, snapshot: Snapshot): UnitContent => ({
  name: unitName(unit, snapshot),
  functions: unit.functions,
  resources: { cpu: cpuText(unit.resources.cpuMillis), memory: memoryText(unit.resources.memoryBytes) },
  variants: unit.variants,
});

/** The hash of a plan: units, channels and edge terms (D12). */
export const planHash = (plan: Plan, snapshot: Snapshot): string =>
  shortHash({
    units: plan.units.map((unit) => unitContent(unit, snapshot)).sort(byName),
    channels: plan.channels,
  });

/** `<workflow>-<hash>`. */
export const planName = (workflow: string, hash: string): string => `${workflow}-${hash}`;

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

const byArchitecture = (
  a: { readonly architecture: string },
  b: { readonly architecture: string },
): number => (a.architecture < b.architecture ? -1 : 1);
