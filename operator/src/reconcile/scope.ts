/**
 * What of the cluster one workflow depends on.
 *
 * Owns: which objects a plan of it and its findings may follow from, and a fingerprint of them: as long as that is the same,
 * nothing needs to be judged or planned again. It reads stores only and is cheap enough for every reconcile.
 * Invariant: whatever changes a plan or a finding changes the fingerprint.
 */
import { namespaceOf } from '../model/nouns.ts';
import type {
  AnyPolicyObject,
  Declared,
  FunctionObject,
  Machine,
  PlanName,
  WorkflowObject,
} from '../model/nouns.ts';
import { policyObjectOf } from '../model/policy.ts';
import { configMapsOf as mapsOf } from '../model/configMaps.ts';
import { keyOf, placeOf } from '../kube/objects.ts';
import type { KubeObject, Place } from '../kube/objects.ts';
import { canonicalJson } from '../model/canonical.ts';
import { machinesOf } from '../snapshot/machines.ts';
import type { Contents } from './contents.ts';
import { declaredOf, reading } from './declared.ts';
import { hostFindings } from './hosts.ts';
import type { AllowedHosts } from './hosts.ts';
import type { StoredObject } from './kinds.ts';
import { addressesOf, functionKeysOf } from './stores.ts';
import type { Stores } from './stores.ts';

/** Objects of the cluster, before the content of ConfigMaps is there. */
export interface Scope {
  readonly workflow: Declared<WorkflowObject>;
  /** Others with which it may be at odds: of its namespace, at its addresses, under its policy. */
  readonly others: readonly Declared<WorkflowObject>[];
  readonly functions: readonly Declared<FunctionObject>[];
  readonly refused: readonly { readonly namespace: string; readonly name: string }[];
  readonly policies: ReturnType<typeof declaredOf<'OptimizationPolicy'>>;
  readonly clusterPolicies: ReturnType<typeof declaredOf<'ClusterOptimizationPolicy'>>;
  readonly configMaps: readonly Place[];
  readonly machines: readonly Machine[];
  readonly plans: readonly PlanName[];
  readonly fingerprint: string;
}

export interface ScopeSources {
  readonly stores: Stores;
  readonly contents: Pick<Contents, 'version'>;
  readonly hosts?: AllowedHosts | undefined;
}

/** The scope of a workflow that can be read. */
export function scopeOf(
  stored: StoredObject,
  workflow: Declared<WorkflowObject>,
  { stores, contents, hosts }: ScopeSources,
): Scope {
  const namespace = namespaceOf(workflow.object);
  const { functions, refused, storedFunctions } = functionsOf(stored, namespace, stores);
  const storedPolicies = stores.policies.list(namespace);
  const policies = declaredOf('OptimizationPolicy', storedPolicies);
  const clusterPolicies = declaredOf('ClusterOptimizationPolicy', stores.clusterPolicies.list());
  const storedOthers = othersOf(stored, workflow.object, { policies, clusterPolicies }, stores);
  const configMaps = configMapsOf(functions.map((f) => f.object));
  const machines = machinesOf(stores.nodes.list());
  const plans = plansOf(stored, stores);
  return {
    workflow,
    others: declaredOf('Workflow', storedOthers).map((other) => withoutForbidden(other, hosts)),
    functions,
    refused,
    policies,
    clusterPolicies,
    configMaps,
    machines,
    plans,
    fingerprint: canonicalJson([
      versionOf(stored),
      storedOthers.map(versionOf).sort(),
      storedFunctions.map(versionOf).sort(),
      [...storedPolicies, ...stores.clusterPolicies.list()].map(versionOf).sort(),
      configMaps.map((place) => `${keyOf(place)} ${contents.version(place)}`),
      machines,
      workflow.object.spec.planRef.hash === '' ? [] : plans.map((p) => p.hash).sort(),
    ]),
  };
}

/** The generation counts changes of the spec; what is reported in the status changes nothing here. */
const versionOf = ({ metadata: { uid, generation, creationTimestamp } }: KubeObject): string =>
  `${String(uid)} ${String(generation)} ${String(creationTimestamp)}`;

/** The Functions that it names; all of its namespace where one is missing, because a message then says which there are. */
function functionsOf(stored: StoredObject, namespace: string, { functions: store }: Stores) {
  const wanted = [...new Set(functionKeysOf(stored))];
  const found = wanted.flatMap((key) => store.get(key) ?? []);
  const storedFunctions = found.length === wanted.length ? found : store.list(namespace);
  const refused = storedFunctions
    .filter((f) => !reading('Function', f).ok)
    .map((f) => ({ namespace, name: f.metadata.name }));
  return { functions: declaredOf('Function', storedFunctions), refused, storedFunctions };
}

/** Who may not answer where it asks to stands in nobody's way there: it counts as one without triggers. */
const withoutForbidden = (
  other: Declared<WorkflowObject>,
  hosts: AllowedHosts | undefined,
): Declared<WorkflowObject> =>
  hostFindings(other.object, hosts).length === 0
    ? other
    : { ...other, object: { ...other.object, spec: { ...other.object.spec, triggers: [] } } };

type Policies = Pick<Scope, 'policies' | 'clusterPolicies'>;

/** A group of a cluster's policy is about every workflow under it, wherever that is. */
function othersOf(
  stored: StoredObject,
  workflow: WorkflowObject,
  policies: Policies,
  { workflows }: Stores,
): readonly StoredObject[] {
  const none = { functions: [], workflows: [], configMaps: [], secrets: [] };
  const policy: AnyPolicyObject | undefined = policyObjectOf({ ...none, ...policies }, workflow)?.object;
  const isEverywhere = policy?.kind === 'ClusterOptimizationPolicy' && policy.spec.fusion.mode === 'Manual';
  const near = isEverywhere ? workflows.list() : workflows.list(stored.metadata.namespace);
  const rivals = addressesOf(stored).flatMap((address) => workflows.by('address', address));
  const own = keyOf(stored.metadata);
  return [...new Set([...near, ...rivals])].filter((one) => keyOf(one.metadata) !== own);
}

/** Every ConfigMap that the functions read code or variables from, or mount, sorted. */
const configMapsOf = (functions: readonly FunctionObject[]): readonly Place[] =>
  [...new Set(functions.flatMap(keysOfMaps))].sort().map(placeOf);

const keysOfMaps = (fn: FunctionObject): readonly string[] =>
  mapsOf(fn).map((name) => keyOf({ namespace: fn.metadata.namespace, name }));

/** The plans of a workflow that are there, by the hash in their names. */
function plansOf({ metadata: { namespace = '', name } }: StoredObject, stores: Stores): readonly PlanName[] {
  return stores.plans.by('workflow', keyOf({ namespace, name })).map((plan) => ({
    namespace,
    workflow: name,
    hash: plan.metadata.name.slice(name.length + 1),
  }));
}
