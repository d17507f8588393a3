/**
 * The Kubernetes objects of a unit: its Deployments, its Secrets, its disruption budget; and the workflow's NetworkPolicy.
 *
 * Owns: which objects there are, their names and their numbers. Neighbour: `unitPod.ts` makes the pod.
 * Invariants:
 *  1. Everything is a function of the plan, the snapshot and the settings: the same in, the same out.
 *  2. Variants with the same artifacts are one Deployment; its name is the unit's where there is only one.
 *  3. Of a unit that has the same name only the settings' part and the number of pods can ever change.
 */
import type { Lookup } from '../model/environment.ts';
import type { Architecture, ConfigMap } from '../model/nouns.ts';
import { allowedMachines } from '../planner/placement.ts';
import type { PlanUnit, PlanVariant } from '../planner/plan.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { canonicalJson } from '../model/canonical.ts';
import { seedSecretName, unitName } from './hashes.ts';
import type { Deployment, NetworkPolicy, PodDisruptionBudget, Secret } from './kubernetes.ts';
import {
  CREDENTIAL_EXPIRES_ANNOTATION,
  CREDENTIAL_KEY_ANNOTATION,
  CREDENTIAL_ORIGIN_ANNOTATION,
  INSTANCES_ORIGIN_ANNOTATION,
  UNIT_LABEL,
  UNIT_SECRET_TYPE,
  VARIANT_LABEL,
  WORKFLOW_LABEL,
  ownerReferences,
  unitLabels,
  workflowLabels,
} from './labels.ts';
import type { WorkflowOwner } from './labels.ts';
import type { PodSettings } from './podSettings.ts';
import { podTemplate } from './unitPod.ts';

/** What all units of a workflow are made from. */
export interface UnitWorld {
  readonly snapshot: Snapshot;
  readonly owner: WorkflowOwner;
  readonly settings: PodSettings;
  /** ConfigMaps of the namespace, by name: their content becomes literals. */
  readonly configMaps: Lookup<ConfigMap>;
}

/** What is known of the credential in a unit's Secret without reading it. */
export interface CredentialNote {
  readonly publicKey: string;
  /** Absent: it has no end. */
  readonly expiresAtMs?: number;
  /** Who issued it, and whom it comes with to be trusted; absent: it was made before this was noted. */
  readonly origin?: string;
  /** The same of what its instances started with; absent as long as they have not been replaced because of it. */
  readonly instancesOrigin?: string;
}

export interface UnitObjects {
  /** The unit's name, which is that of its token's Secret. */
  readonly name: string;
  readonly deployments: readonly Deployment[];
  /** Null where the unit has one instance: a budget would only stop a machine from being emptied. */
  readonly disruptionBudget: PodDisruptionBudget | null;
}

/** Everything of a unit but its Secrets, which are written when its credential is made. */
export function unitObjects(unit: PlanUnit, credential: CredentialNote, world: UnitWorld): UnitObjects {
  const name = unitName(unit, world.snapshot);
  const deployments = deploymentsOf(unit, name, credential, world);
  return {
    name,
    deployments,
    disruptionBudget: replicasOf(deployments) > 1 ? disruptionBudget(name, world) : null,
  };
}

const replicasOf = (deployments: readonly Deployment[]): number =>
  deployments.reduce((all, { spec }) => all + spec.replicas, 0);

/** Variants that run the same artifacts, by architecture. */
interface VariantGroup {
  readonly variant: string;
  readonly architectures: readonly Architecture[];
}

function variantGroups(unit: PlanUnit): readonly VariantGroup[] {
  const groups = new Map<string, Architecture[]>();
  for (const { architecture, artifacts } of unit.variants) {
    const key = contentOf(artifacts);
    groups.set(key, [...(groups.get(key) ?? []), architecture]);
  }
  const all = [...groups.values()];
  return all.map((architectures) => ({
    variant: all.length === 1 ? 'all' : (architectures[0] ?? ''),
    architectures,
  }));
}

const contentOf = (artifacts: PlanVariant['artifacts']): string =>
  artifacts.map((artifact) => canonicalJson(artifact)).join();

function deploymentsOf(
  unit: PlanUnit,
  name: string,
  credential: CredentialNote,
  world: UnitWorld,
): readonly Deployment[] {
  const groups = variantGroups(unit);
  const replicas = shares(unit, groups, world.snapshot);
  return groups.map((group, i) => deployment(unit, name, group, replicas[i] ?? 0, credential, world));
}

/**
 * The instances divided over what differs, at least one each. A variant for which there is no machine gets none: its pods
 * could only wait.
 */
function shares(unit: PlanUnit, groups: readonly VariantGroup[], snapshot: Snapshot): readonly number[] {
  const { tiers } = unit.placement;
  const possible = groups.filter(
    ({ architectures }) => allowedMachines({ tiers, architectures }, snapshot.machines).length > 0,
  );
  return groups.map((group) => {
    const at = possible.indexOf(group);
    if (at < 0) return 0;
    const rest = at < unit.instances % possible.length ? 1 : 0;
    return Math.max(1, Math.floor(unit.instances / possible.length) + rest);
  });
}

function deployment(
  unit: PlanUnit,
  name: string,
  { variant, architectures }: VariantGroup,
  replicas: number,
  credential: CredentialNote,
  { snapshot, owner, settings, configMaps }: UnitWorld,
): Deployment {
  const labels = { ...unitLabels(owner.name, name), [VARIANT_LABEL]: variant };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: variant === 'all' ? name : `${name}-${variant}`,
      namespace: owner.namespace,
      labels,
      annotations: annotationsOf(credential),
      ownerReferences: ownerReferences(owner),
    },
    spec: {
      replicas,
      // New interest has reached the hub long before the old pod is asked to end.
      minReadySeconds: 1,
      revisionHistoryLimit: 1,
      selector: { matchLabels: { [UNIT_LABEL]: name, [VARIANT_LABEL]: variant } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: podTemplate({
        ...{ unit, name, architectures, labels, snapshot, settings, configMaps },
        annotations: given(INSTANCES_ORIGIN_ANNOTATION, credential.instancesOrigin),
      }),
    },
  };
}

const annotationsOf = (note: CredentialNote): Readonly<Record<string, string>> => ({
  [CREDENTIAL_KEY_ANNOTATION]: note.publicKey,
  ...given(
    CREDENTIAL_EXPIRES_ANNOTATION,
    note.expiresAtMs === undefined ? undefined : new Date(note.expiresAtMs).toISOString(),
  ),
  ...given(CREDENTIAL_ORIGIN_ANNOTATION, note.origin),
  ...given(INSTANCES_ORIGIN_ANNOTATION, note.instancesOrigin),
});

const given = (name: string, value: string | undefined): Readonly<Record<string, string>> =>
  value === undefined ? {} : { [name]: value };

/** What turns a unit's Deployment from one note to another, its instances' origin included; a JSON merge patch. */
export function notePatch(note: CredentialNote, before: CredentialNote | undefined): object {
  const gone = before
    ? Object.fromEntries(Object.keys(annotationsOf(before)).map((name) => [name, null]))
    : {};
  const annotations = { ...gone, ...annotationsOf(note) };
  if (note.instancesOrigin === before?.instancesOrigin) return { metadata: { annotations } };
  const pod = { metadata: { annotations: given(INSTANCES_ORIGIN_ANNOTATION, note.instancesOrigin) } };
  return { metadata: { annotations }, spec: { template: pod } };
}

/** The note as it stands on a Deployment, which is how a restarted operator knows; undefined where there is none. */
export function credentialNote(annotations: Readonly<Record<string, string>>): CredentialNote | undefined {
  const publicKey = annotations[CREDENTIAL_KEY_ANNOTATION];
  const expiresAtMs = Date.parse(annotations[CREDENTIAL_EXPIRES_ANNOTATION] ?? '');
  const origin = annotations[CREDENTIAL_ORIGIN_ANNOTATION];
  const instancesOrigin = annotations[INSTANCES_ORIGIN_ANNOTATION];
  if (publicKey === undefined) return undefined;
  return {
    publicKey,
    ...(Number.isNaN(expiresAtMs) ? {} : { expiresAtMs }),
    ...(origin === undefined ? {} : { origin }),
    ...(instancesOrigin === undefined ? {} : { instancesOrigin }),
  };
}

/** Machines are emptied one instance at a time, and one that does not get ready holds up nobody. */
const disruptionBudget = (name: string, { owner }: UnitWorld): PodDisruptionBudget => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: {
    name,
    namespace: owner.namespace,
    labels: unitLabels(owner.name, name),
    ownerReferences: ownerReferences(owner),
  },
  spec: {
    maxUnavailable: 1,
    unhealthyPodEvictionPolicy: 'AlwaysAllow',
    selector: { matchLabels: { [UNIT_LABEL]: name } },
  },
});

/**
 * The Secret that holds the seed of a unit's key: made once and never written again. It is apart from the token because that one
 * is written whole at each renewal, by somebody who does not have the seed.
 */
export const seedSecret = (name: string, seed: string, owner: WorkflowOwner): Secret =>
  secretOf(seedSecretName(name), name, { seed }, owner);

/** The Secret that holds a unit's token, and `ca`: the certificates that the bus is verified with, PEM; undefined without TLS. */
export const tokenSecret = (
  name: string,
  jwt: string,
  ca: string | undefined,
  owner: WorkflowOwner,
): Secret => secretOf(name, name, { jwt, ...(ca === undefined ? {} : { 'ca.crt': ca }) }, owner);

const secretOf = (
  name: string,
  unit: string,
  data: Readonly<Record<string, string>>,
  owner: WorkflowOwner,
): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name,
    namespace: owner.namespace,
    labels: unitLabels(owner.name, unit),
    ownerReferences: ownerReferences(owner),
  },
  type: UNIT_SECRET_TYPE,
  data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, base64(text)])),
});

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

/**
 * Nobody connects to a unit: calls reach it over the bus, by a connection of its own, and the kubelet's probes come from
 * its machine, which no policy shuts out. Egress stays open: what a function may reach beyond the bus (a database, the
 * internet) is its author's affair, and a policy of the user's own adds to this one.
 */
export const workflowNetworkPolicy = (owner: WorkflowOwner): NetworkPolicy => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: {
    name: `sinter-${owner.name}`,
    namespace: owner.namespace,
    labels: workflowLabels(owner.name),
    ownerReferences: ownerReferences(owner),
  },
  spec: {
    podSelector: { matchLabels: { [WORKFLOW_LABEL]: owner.name } },
    policyTypes: ['Ingress'],
    ingress: [],
  },
});
