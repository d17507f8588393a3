/**
 * What a plan against a cluster is made from: the objects that are there, with those of the manifests in their place.
 *
 * Owns: which objects are read. Manifests win over what is there; of what is there only the namespaces of the manifests
 * matter, but for Workflows, because two of them may want one path wherever they are.
 * Invariant: no Secret is read: a plan depends on their names only, and who plans may not be who may read them.
 */
import { isForbidden } from '@sinter/operator/kube/errors';
import { KINDS } from '@sinter/operator/kube/objects';
import type { Kind, KubeObject } from '@sinter/operator/kube/objects';
import { configMapsOf } from '@sinter/operator/model/configMaps';
import { namespaceOf, readApplication } from '@sinter/operator/model/index';
import type {
  Application,
  Finding,
  FunctionObject,
  Machine,
  WorkflowObject,
  WorkflowPlanObject,
} from '@sinter/operator/model/index';
import { validate, withoutDefaults } from '@sinter/crds';
import type { RawObject } from '@sinter/operator/local/run';
import { machinesOf } from '@sinter/operator/snapshot/index';
import type { Cluster } from './access.ts';
import { CLUSTER_POLICIES, FUNCTIONS, PLANS, POLICIES, WORKFLOWS } from './kinds.ts';

export interface ClusterWorld {
  readonly machines: readonly Machine[];
  /** With the manifests, as it would be. */
  readonly planned: Application;
  /** Without them, as it is. */
  readonly running: Application;
  /** What could not be taken in of the manifests. */
  readonly findings: readonly Finding[];
  /** The Workflow as it is there; undefined: it is new. */
  workflow(namespace: string, name: string): WorkflowObject | undefined;
  plan(namespace: string, workflow: string, hash: string): WorkflowPlanObject | undefined;
}

/** Reads the cluster; `given` are objects of files, with their namespaces written. */
export async function readWorld(cluster: Cluster, given: readonly RawObject[]): Promise<ClusterWorld> {
  const namespaces = namespacesOf(given);
  const there = await readObjects(cluster, namespaces);
  const live: readonly RawObject[] = [
    ...there.functions,
    ...there.workflows,
    ...there.policies,
    ...there.clusterPolicies,
  ].map(asWritten);
  const configMaps = await readConfigMaps(cluster, withManifests(live, given));
  const running = readApplication([...live, ...configMaps], cluster.namespace);
  const merged = readApplication(withManifests([...live, ...configMaps], given), cluster.namespace);
  const plans = there.plans.map(planNameOf);
  const keys = new Set(given.map(keyOf));
  return {
    machines: machinesOf(there.nodes),
    planned: { ...merged.application, plans, secretsUnknown: true },
    running: { ...running.application, plans, secretsUnknown: true },
    findings: merged.findings.filter(({ object: o }) => keys.has(`${o.kind} ${o.namespace} ${o.name}`)),
    workflow: (namespace, name) =>
      there.workflows.find((w) => w.metadata.name === name && namespaceOf(w) === namespace),
    plan: (namespace, workflow, hash) =>
      there.plans.find(
        (p) => p.metadata.namespace === namespace && p.metadata.name === `${workflow}-${hash}`,
      ),
  };
}

/**
 * An object of the server as its author may have written it: without defaults, which nobody asked for, and without fields
 * that are newer than this program.
 */
function asWritten(stored: KubeObject): RawObject {
  const verdict = validate(stored, { unknownFields: 'Drop' });
  return withoutDefaults(verdict.ok ? verdict.object : stored) as RawObject;
}

interface Objects {
  readonly nodes: readonly KubeObject[];
  readonly functions: readonly FunctionObject[];
  readonly workflows: readonly WorkflowObject[];
  readonly policies: readonly KubeObject[];
  readonly clusterPolicies: readonly KubeObject[];
  readonly plans: readonly WorkflowPlanObject[];
}

/** The namespaces of objects; undefined: every one, because one of the objects holds for all. */
function namespacesOf(given: readonly RawObject[]): readonly string[] | undefined {
  const names = given.map((object) => metadataOf(object)['namespace']);
  const known = names.filter((name) => typeof name === 'string');
  return known.length < names.length ? undefined : [...new Set(known)];
}

async function readObjects(cluster: Cluster, namespaces: readonly string[] | undefined): Promise<Objects> {
  const { client, signal } = cluster;
  const all = async <T extends KubeObject>(kind: Kind<T>): Promise<readonly T[]> =>
    (await client.list(kind, { signal })).items;
  const inEach = async <T extends KubeObject>(kind: Kind<T>): Promise<readonly T[]> => {
    if (namespaces === undefined) return await all(kind);
    const lists = namespaces.map((namespace) => client.list(kind, { namespace, signal }));
    return (await Promise.all(lists)).flatMap((list) => list.items);
  };
  const [workflows, functions, policies, plans, clusterPolicies, nodes] = await Promise.all([
    all(WORKFLOWS).catch((cause: unknown) => {
      if (isForbidden(cause)) return inEach(WORKFLOWS);
      throw cause;
    }),
    inEach(FUNCTIONS),
    inEach(POLICIES),
    inEach(PLANS),
    all(CLUSTER_POLICIES),
    all(KINDS.nodes),
  ]);
  return { workflows, functions, policies, plans, clusterPolicies, nodes };
}

/** The ConfigMaps that Functions refer to and that are there. */
async function readConfigMaps(
  { client, signal, namespace: own }: Cluster,
  objects: readonly RawObject[],
): Promise<readonly RawObject[]> {
  const { functions } = readApplication(objects, own).application;
  const wanted = new Map(
    functions
      .map(({ object }) => object)
      .flatMap((fn) => configMapsOf(fn).map((name) => ({ namespace: namespaceOf(fn), name })))
      .map((place) => [`${place.namespace}/${place.name}`, place]),
  );
  const found = await Promise.all(
    [...wanted.values()].map((place) => client.find(KINDS.configMaps, place, { signal })),
  );
  return found.filter((map) => map !== undefined).map((map) => ({ ...map }));
}

const planNameOf = ({ metadata, spec }: WorkflowPlanObject) => ({
  namespace: metadata.namespace ?? '',
  workflow: spec.workflowRef.name,
  hash: metadata.name.slice(spec.workflowRef.name.length + 1),
});

type Fields = Readonly<Record<string, unknown>>;

const metadataOf = (object: RawObject): Fields => (object['metadata'] ?? {}) as Fields;

const keyOf = (object: RawObject): string => {
  const { namespace, name } = metadataOf(object);
  return `${String(object['kind'])} ${typeof namespace === 'string' ? namespace : ''} ${String(name)}`;
};

/** Manifests in place of what is there; a Workflow stays as old as it is, for of two with one path the older keeps it. */
function withManifests(live: readonly RawObject[], given: readonly RawObject[]): readonly RawObject[] {
  const old = new Map(live.map((object) => [keyOf(object), object]));
  const dated = given.map((object) => {
    const { creationTimestamp } = metadataOf(old.get(keyOf(object)) ?? {});
    if (typeof creationTimestamp !== 'string') return object;
    return { ...object, metadata: { ...metadataOf(object), creationTimestamp } };
  });
  const replaced = new Set(dated.map(keyOf));
  return [...live.filter((object) => !replaced.has(keyOf(object))), ...dated];
}
