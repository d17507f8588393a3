/**
 * The bus of a cluster, as the controllers use it.
 *
 * Owns: the port, nothing else. `reconcile/bus.ts` makes one and keeps it alive: keys, certificates, accounts, the
 * operator's own connection. Whatever a controller asks here goes over the connection of that moment: it may be renewed
 * between two questions, never under one.
 *
 * What is asked while the bus is away rejects with BusAway within ASK_LIMIT_MS: come again later, nothing is buffered.
 */
import type { EntryRecord, InstanceKey, RouteRecord, UnitScope, WorkflowKey } from '@sinter/contract';
import type { Kept } from './inventory.ts';
import type { ObservationsRecord } from '../observations/index.ts';
import type { RolloutRecord } from '../rollout/index.ts';
import type { PutModule } from './modules.ts';
import type { Change } from './provision.ts';
import type { Reports } from './reports.ts';
import type { Records } from './routes.ts';
import type { AsyncCallee } from './streams.ts';

/** Longest wait for an answer of the bus, in milliseconds. */
export const ASK_LIMIT_MS = 10_000;

export interface ClusterBus {
  /** Streams, buckets, routes, modules. */
  readonly store: BusStore;
  readonly credentials: UnitCredentials;
  /** What instances said. Heard by every replica of the operator, leader or not. */
  readonly reports: Reports;
  /** How the bus is now. */
  readonly state: () => BusState;
  /** Tells that `state()` changed, until what is returned is called. */
  readonly onChange: (changed: () => void) => () => void;
}

/** What is kept on the bus. Every method can be cut off at any point and called again; what is so already costs reads only. */
export interface BusStore {
  /** The bucket for the code of a namespace; before the first `putModule` there. */
  provideNamespace(namespace: string): Promise<readonly Change[]>;
  /** Deletes that bucket: no workflow is left there. */
  discardNamespace(namespace: string): Promise<readonly Change[]>;
  putModule(namespace: string, bytes: Uint8Array): Promise<PutModule>;
  /**
   * A stream for each function with an async in-edge. Those of other functions of the workflow go when they are empty
   * (`Kept` while they are not).
   */
  provideAsync(workflow: WorkflowKey, callees: readonly AsyncCallee[]): Promise<readonly Change[]>;
  /** For a workflow that is deleted: its streams go, with what is in them. Each `Deleted` says how many messages that were. */
  discardAsync(workflow: WorkflowKey): Promise<readonly Change[]>;
  readonly routes: Records<RouteRecord>;
  readonly entries: Records<EntryRecord>;
  /** What is there, by whose it is. */
  kept(): Promise<Kept>;
  /** Names (sha256) of a namespace's modules. */
  modulesOf(namespace: string): Promise<readonly string[]>;
  /** Deletes a module that was put before this time; true where it did. */
  removeModule(namespace: string, sha256: string, beforeMs: number): Promise<boolean>;
  /** Forgets for good what was deleted of a workflow's route and entry before this time. True where one of them is not deleted. */
  purgeDeleted(workflow: WorkflowKey, beforeMs: number): Promise<boolean>;
  readonly observations: Records<ObservationsRecord>;
  readonly rollouts: Records<RolloutRecord>;
}

/**
 * Credentials of units (D11). A unit's name is the hash of what it is, its scope included: the scope behind a key never changes.
 *
 * The order that survives a crash at any point: `issue` → the unit's Secrets → its Deployment with the annotations; later
 * `isDue` by the annotation → `renew` → the Secret with the token, written whole → annotation → `deliver`; at the end: no pods
 * left → `revoke` (where `grantsMore`) → only then delete the Deployment, whose annotation is what remembers the key.
 */
export interface UnitCredentials {
  /** What a client trusts: the authorities' certificates, PEM; undefined where the bus has no TLS. `ca.crt` beside the token. */
  ca(): string | undefined;
  /** Who issues today and whom a client trusts, as `origin.ts` writes it; undefined while that is not known. */
  origin(): string | undefined;
  /** A new key with its rights. With SharedCredential: the shared one. */
  issue(scope: UnitScope): IssuedCredential;
  /** A third of the life is over. Never of a credential that has no end, nor of one that is not ours to renew. */
  isDue(expiresAtMs: number | undefined): boolean;
  /** In how many milliseconds it will be due, 0 where it is; undefined: never. */
  dueInMs(expiresAtMs: number | undefined): number | undefined;
  /** For the key that the unit has: what to write into the Secret, and to deliver. Never a seed. */
  renew(scope: UnitScope, publicKey: string): RenewedCredential;
  /**
   * Hands a renewed credential to running instances; resolves when the bus has it. Nobody answers, but each says with its
   * next announcement when the one that it has ends: call it anew while that is too early.
   */
  deliver(renewed: RenewedCredential, instances: readonly InstanceKey[]): Promise<void>;
  /**
   * Voids all that was issued to these keys until now: kept in Sinter's Secrets when it resolves, brought to every server
   * soon after, together with what others revoke (a changed account drops pulls under way, decision 0008). Again: no write.
   * `NotPossible`: the accounts are the user's own; the credentials end with their lives (see `state`).
   */
  revoke(publicKeys: readonly string[]): Promise<'Revoked' | 'NotPossible'>;
}

export interface RenewedCredential {
  readonly jwt: string;
  /** Annotation `sinter.dev/credential-key`. */
  readonly publicKey: string;
  /** Annotation `sinter.dev/credential-expires`; absent: it has no end. */
  readonly expiresAtMs?: number;
}

export interface IssuedCredential extends RenewedCredential {
  readonly seed: string;
}

/** What holds of the bus as a whole. Reasons are stable: they become conditions' reasons. */
export type BusReason =
  /** No connection, or no JetStream on it, right now. */
  | 'BusUnavailable'
  | 'NatsTooOld'
  | 'JetStreamMissing'
  /** JetStream answers, but not in the domain `hub`. */
  | 'JetStreamDomainMissing'
  /** A credential with many edges does not fit into the server's longest control line. */
  | 'BusControlLineTooSmall'
  /** Largest message below what the contract promises. */
  | 'BusPayloadTooSmall'
  /** SharedCredential: every process may do everything. */
  | 'GraphNotEnforced'
  /** SigningKey: a removed edge is closed to new units only, until credentials expire. */
  | 'RevocationNotPossible'
  /** What the user gave (Secret of the credential or of the signing keys) cannot be used. */
  | 'BusCredentialInvalid'
  /** Servers that could not be told of changed accounts, or do not show their renewed certificate. */
  | 'BusServersBehind';

export interface BusFinding {
  readonly reason: BusReason;
  /** `Error`: workflows cannot run on it. `Warning`: they can, with less than promised. */
  readonly severity: 'Error' | 'Warning';
  /** One sentence for a user: what was found, what is needed, what to do. */
  readonly message: string;
}

export interface BusState {
  /** No finding of severity Error. */
  readonly ready: boolean;
  readonly findings: readonly BusFinding[];
  /** How often it had lost a bucket, which was made anew: what stood there is gone. Absent: never. */
  readonly losses?: number;
}

/** The bus cannot be asked now. Transient. */
export class BusAway extends Error {
  override readonly name = 'BusAway';
}
