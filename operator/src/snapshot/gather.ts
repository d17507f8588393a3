/**
 * Gathers declared objects, machines and the clock into one frozen Snapshot.
 *
 * Owns: what of the world a plan may depend on, and its order. It judges nothing: `check` (model/) has done that, and
 * a reference that leads nowhere comes out as a function that is missing or a digest that is null.
 */
import { environmentSources, secretsOf } from '../model/environment.ts';
import type { Lookup } from '../model/environment.ts';
import { imageModuleOf } from '../model/images.ts';
import { moduleSourceOf, readModule } from '../model/modules.ts';
import { functionNameOf, namespaceOf } from '../model/nouns.ts';
import type {
  Application,
  Artifact,
  ConfigMap,
  FunctionObject,
  Machine,
  Vertex,
  WorkflowName,
  WorkflowObject,
  WorkflowSpec,
} from '../model/nouns.ts';
import { resolvePolicy } from '../model/policy.ts';
import { isComponent } from '../model/wasm.ts';
import { freeze } from './freeze.ts';
import { inOrder, NO_OBSERVATIONS } from './observations.ts';
import type { Observations } from './observations.ts';
import type {
  CurrentPlan,
  PlanShape,
  Snapshot,
  SnapshotArtifact,
  SnapshotFunction,
  Trials,
} from './snapshot.ts';

export interface GatherInput {
  readonly application: Application;
  readonly workflow: WorkflowName;
  readonly machines: readonly Machine[];
  /** The plan that runs, or null before the first. */
  readonly current: CurrentPlan | null;
  /** Whether processes are held to their CPU limits; absent: they are. */
  readonly enforcesLimits?: boolean;
  /** Whether units end when they are idle; absent: they do not. */
  readonly scalesToZero?: boolean;
  /** Absent: nothing was measured. */
  readonly observations?: Observations;
  /** Absent: no plan was ever tried. */
  readonly trials?: Trials;
  readonly nowMs: number;
}

/** No plan was ever tried. */
export const NO_TRIALS: Trials = { coolingUntilMs: null, candidate: null, lost: [] };

/** The frozen world for one workflow; undefined where there is no such workflow. */
export function gather(input: GatherInput): Snapshot | undefined {
  const { application, machines, current, nowMs } = input;
  const workflow = workflowNamed(application, input.workflow);
  if (!workflow) return undefined;
  return freeze({
    workflow: { namespace: namespaceOf(workflow), name: workflow.metadata.name, spec: workflow.spec },
    functions: functionsOf(application, workflow),
    policy: resolvePolicy(application, workflow),
    machines: [...machines].sort(byName).map(machineAlone),
    enforcesLimits: input.enforcesLimits ?? true,
    scalesToZero: input.scalesToZero ?? false,
    observations: ofGraph(input.observations ?? NO_OBSERVATIONS, workflow.spec),
    current: current && { ...shapeAlone(current), ...defined('sinceMs', current.sinceMs) },
    trials: trialsAlone(input.trials ?? NO_TRIALS),
    nowMs,
  });
}

/** A field that is there only where its value is. */
const defined = <K extends string, T>(key: K, value: T | undefined): Partial<Record<K, T>> =>
  value === undefined ? {} : ({ [key]: value } as Record<K, T>);

const machineAlone = (m: Machine): Machine => ({
  name: m.name,
  architecture: m.architecture,
  tier: m.tier,
  ...defined('cpuMillis', m.cpuMillis),
  ...defined('memoryBytes', m.memoryBytes),
  ...defined('busDistanceMs', m.busDistanceMs),
});

const shapeAlone = ({ hash, units }: PlanShape): PlanShape => ({
  hash,
  units: units.map(({ functions, resources, variants }) => ({
    functions,
    ...defined('resources', resources),
    ...defined('variants', variants),
  })),
});

const trialsAlone = ({ coolingUntilMs, candidate, lost }: Trials): Trials => ({
  coolingUntilMs,
  candidate: candidate && shapeAlone(candidate),
  lost: lost
    .map(({ untilMs, reason, measured, ...shape }) => ({
      ...shapeAlone(shape),
      untilMs,
      reason,
      ...defined('measured', measured),
    }))
    .sort((a, b) => (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0)),
});

/** The figures of vertices and edges that are (still) in the graph, in order. */
function ofGraph(observations: Observations, { functions, edges }: WorkflowSpec): Observations {
  const known = new Set(functions.map((f) => f.name));
  const ends = new Set(edges.map((e) => `${e.from} ${e.to}`));
  return inOrder({
    ...observations,
    roots: observations.roots.filter((r) => known.has(r.function)),
    functions: observations.functions.filter((f) => known.has(f.function)),
    edges: observations.edges.filter((e) => ends.has(`${e.from} ${e.to}`)),
    units: observations.units.filter((u) => u.functions.every((f) => known.has(f))),
  });
}

const workflowNamed = (application: Application, { namespace, workflow }: WorkflowName) =>
  application.workflows
    .map(({ object }) => object)
    .find((o) => o.metadata.name === workflow && namespaceOf(o) === namespace);

function functionsOf(application: Application, workflow: WorkflowObject): readonly SnapshotFunction[] {
  const namespace = namespaceOf(workflow);
  const functions = new Map(
    application.functions
      .filter(({ object }) => namespaceOf(object) === namespace)
      .map(({ object }) => [object.metadata.name, object]),
  );
  const configMaps = configMapsIn(application, namespace);
  const found = workflow.spec.functions.flatMap((vertex) => {
    const fn = functions.get(functionNameOf(vertex) ?? '');
    return fn ? [snapshotFunction(vertex, fn, configMaps)] : [];
  });
  return found.sort(byName);
}

/** The ConfigMaps of a namespace, by name. */
export function configMapsIn(application: Application, namespace: string): Lookup<ConfigMap> {
  const maps = new Map(
    application.configMaps.filter((m) => namespaceOf(m) === namespace).map((m) => [m.metadata.name, m]),
  );
  return (name) => maps.get(name);
}

function snapshotFunction(
  vertex: Vertex,
  fn: FunctionObject,
  configMaps: Lookup<ConfigMap>,
): SnapshotFunction {
  const environment = environmentSources(fn.spec, configMaps);
  return {
    name: vertex.name,
    functionName: fn.metadata.name,
    spec: fn.spec,
    artifacts: fn.spec.artifacts.map((a) => snapshotArtifact(a, configMaps)).sort(byName),
    environment,
    secrets: secretsOf(environment),
  };
}

function snapshotArtifact(artifact: Artifact, configMaps: Lookup<ConfigMap>): SnapshotArtifact {
  const reading = readModule(artifact, configMaps);
  const image = imageModuleOf(artifact);
  return {
    name: artifact.name,
    type: artifact.type,
    source: moduleSourceOf(artifact),
    sha256: reading.is === 'Read' ? reading.sha256 : null,
    ...(image ? { image } : {}),
    component: artifact.type === 'Wasm' && reading.is === 'Read' && isComponent(reading.bytes),
    architectures: artifact.container?.architectures ?? [],
  };
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
