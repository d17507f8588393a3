/**
 * Units in the cluster: their objects made, ended and removed, their credentials issued, renewed and revoked.
 *
 * Owns: the order of writes for one unit. What the objects look like is `resources/`'s to say, when a unit comes or goes
 * `rollout/`'s. Secrets are written without ever being looked at: what is known of a credential stands on the Deployment.
 *
 *   issue ─▶ Secrets (seed, token) ─▶ Deployments, annotated with the key ─▶ budget
 *   no pods ─▶ revoke, where it grants more than is declared ─▶ Secrets, budget ─▶ Deployments, which remember the key
 *
 * Invariants:
 *  1. Cut off anywhere and called again, it comes to the same; a key whose Deployment was never made is simply replaced.
 *  2. A unit that is as it should be is not written.
 */
import { ANNOUNCE_MS } from '@sinter/contract';
import type { InstanceKey, UnitScope, WorkflowKey } from '@sinter/contract';
import type { IssuedCredential, RenewedCredential, UnitCredentials } from '../bus/cluster.ts';
import { isCutOff, isSameIssuer } from '../bus/origin.ts';
import type { Reports } from '../bus/reports.ts';
import { applyObject, isAsDesired } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';
import { isAlreadyExists, isForbidden, isNotFound } from '../kube/errors.ts';
import { KINDS, keyOf } from '../kube/objects.ts';
import type { Deployment, KubeObject, Place, PodDisruptionBudget, Secret } from '../kube/objects.ts';
import { canonicalJson } from '../model/canonical.ts';
import type { ConfigMap } from '../model/nouns.ts';
import type { Lookup } from '../model/environment.ts';
import {
  MANAGED_LABEL,
  WORKFLOW_LABEL,
  credentialNote,
  notePatch,
  seedSecret,
  seedSecretName,
  tokenSecret,
  unitObjects,
  workflowNetworkPolicy,
} from '../resources/index.ts';
import type { CredentialNote, PodSettings, UnitObjects, WorkflowOwner } from '../resources/index.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { FaultPoint } from './faults.ts';
import { MANAGER } from './kinds.ts';
import { missingSecret } from './problems.ts';
import { unitOf, workflowKeyOf } from './stores.ts';
import type { Stores } from './stores.ts';
import type { WantedUnit } from './target.ts';

export interface UnitsOptions {
  readonly client: KubeClient;
  readonly stores: Stores;
  readonly credentials: UnitCredentials;
  readonly reports: Pick<Reports, 'announcement'>;
  readonly settings: () => PodSettings;
  readonly fault: FaultPoint;
}

/** What the objects of a workflow's units are made from. */
export interface UnitSite {
  readonly owner: WorkflowOwner;
  readonly snapshot: Snapshot;
  readonly configMaps: Lookup<ConfigMap>;
}

/** Objects of one unit that are there. */
interface Found {
  readonly deployments: readonly Deployment[];
  readonly budgets: readonly PodDisruptionBudget[];
}

/** What came of a look at the credentials of several units. */
export interface Renewals {
  /** In how many milliseconds one is to be looked at again; Infinity: never. */
  readonly againInMs: number;
  readonly failed: readonly { readonly unit: string; readonly cause: unknown }[];
}

/** Whoever heard of a renewal has said so by then. */
const TELL_AGAIN_MS = ANNOUNCE_MS + 5_000;
/** Tokens end at whole seconds. */
const ROUNDING_MS = 2_000;

/** Somebody's own object has the name of one that is to be made. */
export class NameTaken extends Error {
  override readonly name = 'NameTaken';

  constructor({ kind, metadata }: KubeObject) {
    super(
      `there is a ${kind} ${keyOf(metadata)} that is not Sinter's, and it stays as it is; give it another name, or the workflow`,
    );
  }
}

export class Units {
  readonly #options: UnitsOptions;
  /** What lies in a unit's Secrets, as far as we know it: our copy of its Deployments may be older, and tenants may edit those. */
  readonly #issued = new Map<string, CredentialNote>();

  constructor(options: UnitsOptions) {
    this.#options = options;
  }

  /** Units of the target whose objects are missing or otherwise than they should be. */
  stale(units: Iterable<WantedUnit>, site: UnitSite): readonly string[] {
    return [...units].filter((unit) => this.#isStale(unit, site)).map((unit) => unit.scope.unit);
  }

  #isStale(wanted: WantedUnit, site: UnitSite): boolean {
    const { unit } = wanted.scope;
    const found = this.#found(wanted.scope, unit);
    const note = this.#noteOf(wanted.scope, unit, found);
    if (!note || this.#lacksSecret(wanted.scope, unit)) return true;
    const objects = this.#objects(wanted, note, site);
    if ((objects.disruptionBudget === null) !== (found.budgets.length === 0)) return true;
    return [...pairs(objects.deployments, found.deployments), ...budgetPair(objects, found)].some(
      ([desired, current]) => !isAsDesired(current, desired, MANAGER.workflow),
    );
  }

  /** Makes a unit as it should be. */
  async apply(wanted: WantedUnit, site: UnitSite, signal: AbortSignal): Promise<void> {
    const { scope } = wanted;
    const found = this.#found(scope, scope.unit);
    const known = this.#lacksSecret(scope, scope.unit) ? undefined : this.#noteOf(scope, scope.unit, found);
    const note = known ?? (await this.#issue(scope, site.owner, signal));
    const objects = this.#objects(wanted, note, site);
    for (const [desired, current] of pairs(objects.deployments, found.deployments)) {
      await this.#options.fault('Deployment');
      await this.#apply(KINDS.deployments, desired, current, signal);
    }
    for (const [desired, current] of budgetPair(objects, found)) {
      await this.#options.fault('PodDisruptionBudget');
      await this.#apply(KINDS.podDisruptionBudgets, desired, current, signal);
    }
    if (objects.disruptionBudget === null) await this.#removeBudgets(found, signal);
  }

  /** Asks the instances to end: they finish what they accepted. */
  async end(w: WorkflowKey, unit: string, signal: AbortSignal): Promise<void> {
    const { client, fault } = this.#options;
    for (const { metadata } of this.#found(w, unit).deployments) {
      await fault('Scale');
      await orGone(
        client.merge(
          KINDS.deployments,
          metadata,
          { spec: { replicas: 0 } },
          {
            fieldManager: MANAGER.workflow,
            signal,
          },
        ),
      );
    }
  }

  /** Removes what is left of a unit without instances. `revoke`: its credential grants more than is declared. */
  async remove(w: WorkflowKey, unit: string, revoke: boolean, signal: AbortSignal): Promise<void> {
    const { client, credentials, fault } = this.#options;
    const found = this.#found(w, unit);
    const note = this.#noteOf(w, unit, found);
    if (revoke && note && !this.#isOfOthers(w, note.publicKey)) {
      await fault('Revoke');
      await credentials.revoke([note.publicKey]);
    }
    for (const name of [unit, seedSecretName(unit)]) {
      await fault('DeleteSecret');
      await this.#deleteSecret({ namespace: w.namespace, name }, signal);
    }
    await this.#removeBudgets(found, signal);
    for (const { metadata } of found.deployments) {
      await fault('DeleteDeployment');
      await client.delete(KINDS.deployments, metadata, { signal, uid: metadata.uid });
    }
    this.#issued.delete(idOf(w, unit));
  }

  /** Whoever edits a Deployment of his own must not have the key of somebody else's unit revoked. */
  #isOfOthers({ namespace, workflow }: WorkflowKey, publicKey: string): boolean {
    const own = keyOf({ namespace, name: workflow });
    return this.#options.stores.deployments
      .list()
      .filter((d) => credentialNote(d.metadata.annotations ?? {})?.publicKey === publicKey)
      .some((d) => workflowKeyOf(d).some((workflowKey) => workflowKey !== own));
  }

  /** The workflow is gone, and its Secrets with it. */
  forget(w: WorkflowKey): void {
    for (const id of this.#issued.keys()) if (id.startsWith(idOf(w, ''))) this.#issued.delete(id);
  }

  /** The cluster's policy lets us delete none but our own: what it keeps from us under the name is somebody else's, and stays. */
  async #deleteSecret(place: Place, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.client.delete(KINDS.secrets, place, { signal });
    } catch (cause) {
      if (!isForbidden(cause)) throw cause;
    }
  }

  /** Renews what is due of these units; one that cannot be renewed holds up no other. */
  async renewAll(scopes: readonly UnitScope[], owner: WorkflowOwner, signal: AbortSignal): Promise<Renewals> {
    const failed: { readonly unit: string; readonly cause: unknown }[] = [];
    let againInMs = Infinity;
    for (const scope of scopes)
      try {
        againInMs = Math.min(againInMs, (await this.renew(scope, owner, signal)) ?? Infinity);
      } catch (cause) {
        signal.throwIfAborted();
        failed.push({ unit: scope.unit, cause });
      }
    return { againInMs, failed };
  }

  /**
   * Renews a unit's credential where it is due, or comes from keys or names authorities that are not those of today, and
   * brings it again to instances that say they have an older one. Gives in how many milliseconds to look again; undefined: never.
   */
  async renew(scope: UnitScope, owner: WorkflowOwner, signal: AbortSignal): Promise<number | undefined> {
    const { credentials } = this.#options;
    const found = this.#found(scope, scope.unit);
    const note = this.#noteOf(scope, scope.unit, found);
    if (!note || found.deployments.length === 0) return undefined;
    const origin = credentials.origin();
    if (origin === undefined) return undefined;
    if (note.origin !== undefined && !isSameIssuer(note.origin, origin)) {
      await this.#replaceKey(scope, note, found, owner, signal);
      return TELL_AGAIN_MS;
    }
    if (note !== this.#issued.get(idOf(scope, scope.unit)))
      await this.#noteRenewal(scope, note, found, signal);
    const dueInMs = note.origin === origin ? credentials.dueInMs(note.expiresAtMs) : 0;
    if (dueInMs === undefined) return undefined;
    const instances = this.#instances(scope);
    if (dueInMs === 0) {
      const renewed = await this.#renewed(scope, note, found, owner, signal);
      await credentials.deliver(renewed, instances);
      return TELL_AGAIN_MS;
    }
    const behind = instances.filter((instance) => this.#isBehind(instance, note));
    if (behind.length === 0) return dueInMs;
    await credentials.deliver(credentials.renew(scope, note.publicKey), behind);
    return Math.min(dueInMs, TELL_AGAIN_MS);
  }

  async #renewed(
    scope: UnitScope,
    before: CredentialNote,
    found: Found,
    owner: WorkflowOwner,
    signal: AbortSignal,
  ): Promise<RenewedCredential> {
    const { credentials, fault } = this.#options;
    const renewed = credentials.renew(scope, before.publicKey);
    await fault('RenewSecret');
    await this.#put(tokenSecret(scope.unit, renewed.jwt, credentials.ca(), owner), signal);
    await this.#noteRenewal(scope, this.#noteFor(renewed, before), found, signal);
    return renewed;
  }

  /** What was issued is void, and nobody can be told over the bus: a new key, and instances that start with it. */
  async #replaceKey(
    scope: UnitScope,
    before: CredentialNote,
    found: Found,
    owner: WorkflowOwner,
    signal: AbortSignal,
  ): Promise<void> {
    const note = this.#noteFor(await this.#putNew(scope, owner, signal), before);
    await this.#noteRenewal(scope, note, found, signal);
  }

  /** Instances are replaced where what they started with leads nowhere any more. */
  #noteFor({ publicKey, expiresAtMs }: RenewedCredential, before?: CredentialNote): CredentialNote {
    const origin = this.#options.credentials.origin();
    const startedWith = before?.instancesOrigin ?? before?.origin;
    const isNew = before === undefined || (startedWith !== undefined && isCutOff(startedWith, origin ?? ''));
    const instancesOrigin = isNew ? origin : before.instancesOrigin;
    return {
      publicKey,
      ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
      ...(origin === undefined ? {} : { origin }),
      ...(instancesOrigin === undefined ? {} : { instancesOrigin }),
    };
  }

  /** Writes it on those of the unit's Deployments that say something else. */
  async #noteRenewal(
    scope: UnitScope,
    note: CredentialNote,
    { deployments }: Found,
    signal: AbortSignal,
  ): Promise<void> {
    const options = { fieldManager: MANAGER.workflow, signal };
    for (const { metadata } of deployments) {
      const before = credentialNote(metadata.annotations ?? {});
      if (isSameNote(note, before)) continue;
      await orGone(this.#options.client.merge(KINDS.deployments, metadata, notePatch(note, before), options));
    }
    this.#issued.set(idOf(scope, scope.unit), note);
  }

  #instances(scope: UnitScope): readonly InstanceKey[] {
    return this.#options.stores.pods
      .by('workflow', keyOf({ namespace: scope.namespace, name: scope.workflow }))
      .filter((pod) => unitOf(pod) === scope.unit)
      .map((pod): InstanceKey => ({ ...keyOfUnit(scope), instance: pod.metadata.name }));
  }

  /** Who does not say when its credential ends is believed to have the newest one. */
  #isBehind(instance: InstanceKey, { expiresAtMs = 0 }: CredentialNote): boolean {
    const endsAtMs = this.#options.reports.announcement(instance)?.credentialEndsAtMs ?? Infinity;
    return endsAtMs + ROUNDING_MS < expiresAtMs;
  }

  /** Nobody may connect to the workflow's pods. */
  async guard(owner: WorkflowOwner, signal: AbortSignal): Promise<void> {
    const desired = workflowNetworkPolicy(owner);
    const { networkPolicies } = this.#options.stores;
    const [[, current] = []] = pairs([desired], networkPolicies.by('workflow', keyOf(owner)));
    if (isAsDesired(current, desired, MANAGER.workflow)) return;
    await this.#options.fault('NetworkPolicy');
    await this.#apply(KINDS.networkPolicies, desired, current, signal);
  }

  async #issue(scope: UnitScope, owner: WorkflowOwner, signal: AbortSignal): Promise<CredentialNote> {
    const note = this.#noteFor(await this.#putNew(scope, owner, signal));
    this.#issued.set(idOf(scope, scope.unit), note);
    return note;
  }

  async #putNew(scope: UnitScope, owner: WorkflowOwner, signal: AbortSignal): Promise<IssuedCredential> {
    const { credentials, fault } = this.#options;
    const issued = credentials.issue(scope);
    await fault('SeedSecret');
    await fault('TokenSecret');
    await Promise.all([
      this.#put(seedSecret(scope.unit, issued.seed, owner), signal),
      this.#put(tokenSecret(scope.unit, issued.jwt, credentials.ca(), owner), signal),
    ]);
    return issued;
  }

  /** Writes a Secret whole, whatever stood there: it is never read. */
  async #put(secret: KubeObject, signal: AbortSignal): Promise<void> {
    const { client } = this.#options;
    const options = { fieldManager: MANAGER.workflow, signal };
    try {
      await client.create<Secret>(KINDS.secrets, secret, options);
    } catch (cause) {
      if (!isAlreadyExists(cause)) throw cause;
      await client.replace<Secret>(KINDS.secrets, secret, options);
    }
  }

  /** What has the name of an object of ours and is none is somebody's own: it stays as it is (NameTaken). */
  async #apply<T extends KubeObject>(
    kind: Parameters<typeof applyObject<T>>[0]['kind'],
    desired: KubeObject,
    current: T | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (current === undefined) {
      const there = await this.#options.client.find(kind, desired.metadata, { signal });
      if (there && !isLabelledAs(there, desired)) throw new NameTaken(desired);
    }
    await applyObject<T>({
      client: this.#options.client,
      kind,
      desired,
      current,
      manager: MANAGER.workflow,
      signal,
    });
  }

  async #removeBudgets({ budgets }: Found, signal: AbortSignal): Promise<void> {
    for (const { metadata } of budgets) {
      await this.#options.fault('DeleteBudget');
      await this.#options.client.delete(KINDS.podDisruptionBudgets, metadata, { signal });
    }
  }

  #objects({ plan }: WantedUnit, note: CredentialNote, site: UnitSite): UnitObjects {
    const { owner, snapshot, configMaps } = site;
    return unitObjects(plan, note, { snapshot, owner, settings: this.#options.settings(), configMaps });
  }

  #found({ namespace, workflow }: WorkflowKey, unit: string): Found {
    const key = keyOf({ namespace, name: workflow });
    const { deployments, disruptionBudgets } = this.#options.stores;
    return {
      deployments: deployments.by('workflow', key).filter((d) => unitOf(d) === unit),
      budgets: disruptionBudgets.by('workflow', key).filter((b) => unitOf(b) === unit),
    };
  }

  #noteOf(w: WorkflowKey, unit: string, { deployments }: Found): CredentialNote | undefined {
    const issued = this.#issued.get(idOf(w, unit));
    if (issued) return issued;
    const noted = deployments.flatMap((d) => credentialNote(d.metadata.annotations ?? {}) ?? []);
    const origin = this.#options.credentials.origin();
    // Of a key that was replaced not all may have been told.
    return noted.find((note) => note.origin === origin) ?? noted[0];
  }

  /** An instance waits for a Secret of ours that somebody has deleted. */
  #lacksSecret({ namespace, workflow }: WorkflowKey, unit: string): boolean {
    const ours = new Set([unit, seedSecretName(unit)]);
    const key = keyOf({ namespace, name: workflow });
    return this.#options.stores.pods
      .by('workflow', key)
      .some((pod) => unitOf(pod) === unit && ours.has(missingSecret(pod) ?? ''));
  }
}

/** An object that was lost from our copy, or whose owner somebody took away, is ours still; its pods would be a second set. */
const isLabelledAs = (there: KubeObject, desired: KubeObject): boolean =>
  [MANAGED_LABEL, WORKFLOW_LABEL].every(
    (label) => there.metadata.labels?.[label] === desired.metadata.labels?.[label],
  );

const idOf = (w: WorkflowKey, unit: string): string => `${w.namespace}/${w.workflow}/${unit}`;

const keyOfUnit = ({ namespace, workflow, unit }: UnitScope) => ({ namespace, workflow, unit });

/** Each object that is to be, with the one that is. */
const pairs = <T extends KubeObject>(
  desired: readonly KubeObject[],
  current: readonly T[],
): readonly (readonly [KubeObject, T | undefined])[] =>
  desired.map((d) => [d, current.find((c) => c.metadata.name === d.metadata.name)] as const);

const budgetPair = ({ disruptionBudget }: UnitObjects, { budgets }: Found) =>
  disruptionBudget === null ? [] : pairs([disruptionBudget], budgets);

const isSameNote = (note: CredentialNote, other: CredentialNote | undefined): boolean =>
  other !== undefined && canonicalJson(note) === canonicalJson(other);

/** What is gone already need not be changed. */
async function orGone(change: Promise<unknown>): Promise<void> {
  try {
    await change;
  } catch (cause) {
    if (!isNotFound(cause)) throw cause;
  }
}
