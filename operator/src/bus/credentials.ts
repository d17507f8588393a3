/**
 * Credentials: what each process shows to the bus (D11).
 *
 * Owns: who gets which list of rights, as a signed token. Its neighbours: the contract's `permissions.ts` makes the lists,
 * `keys.ts` keeps the keys that sign.
 * Invariants:
 *  1. A credential of a unit or gateway grants nothing that `permissions.ts` does not list.
 *  2. A renewal keeps the nkey and never contains a seed.
 *  3. A leaf's credential cannot be used by a client, nor a client's by a leaf.
 */
import { createUser, fromPublic } from '@nats-io/nkeys';
import type { KeyPair } from '@nats-io/nkeys';
import { gatewayPermissions, unitPermissions } from '@sinter/contract';
import type { Permissions, UnitScope } from '@sinter/contract';
import { encodeClaims, seconds, seedOf } from './claims.ts';
import { CREDENTIAL_LIFETIME_MS } from './keys.ts';
import type { BusKeys, Signers, Validity } from './keys.ts';

export interface Credential {
  readonly jwt: string;
  /** Absent in a renewal: the process has it already. */
  readonly seed?: string;
  readonly publicKey: string;
  readonly expiresAtMs: number;
}

/** A credential that was made together with its key. */
export interface NewCredential extends Credential {
  readonly seed: string;
}

/** A new credential of a unit, with a key of its own. */
export const signUnit = (keys: Signers, scope: UnitScope, v: Validity): NewCredential =>
  issueNew(keys, unitUser(scope), v);

/** The same unit, perhaps with other rights or a later end, for the key that it has. */
export const renewUnit = (keys: Signers, scope: UnitScope, publicKey: string, v: Validity): Credential =>
  issue(keys, unitUser(scope), fromPublic(publicKey), v);

export const signGateway = (keys: Signers, v: Validity): NewCredential => issueNew(keys, GATEWAY, v);
export const renewGateway = (keys: Signers, publicKey: string, v: Validity): Credential =>
  issue(keys, GATEWAY, fromPublic(publicKey), v);

/** The operator's own credential: everything in the store, which is what it keeps and what instances say. */
export const signOperator = (keys: Signers, v: Validity): NewCredential => issueNew(keys, OPERATOR, v);

/** The operator's credential in the system account. */
export const signSystem = (keys: BusKeys, v: Validity): NewCredential =>
  issueNew({ ...keys, storeSeed: keys.systemSeed }, OPERATOR, v);

/** A leaf server's credential in the account of calls: it carries the calls of every process on its machine. */
export const signLeaf = (keys: BusKeys, machine: string, v: Validity): NewCredential =>
  issueNew(keys, leafUser(machine), v);
export const renewLeaf = (keys: BusKeys, machine: string, publicKey: string, v: Validity): Credential =>
  issue(keys, leafUser(machine), fromPublic(publicKey), v);

/** Rights under a name, before there is a key. */
interface User {
  readonly name: string;
  readonly account: 'calls' | 'store';
  readonly permissions: Permissions;
  readonly connection: 'STANDARD' | 'LEAFNODE';
}

const EVERYTHING: Permissions = { publish: ['>'], subscribe: ['>'] };

const client = (name: string, permissions: Permissions): User => ({
  name,
  permissions,
  account: 'calls',
  connection: 'STANDARD',
});

const GATEWAY = client('_gateway', gatewayPermissions);
const OPERATOR: User = { ...client('_operator', EVERYTHING), account: 'store' };
const unitUser = (s: UnitScope): User => client(`${s.namespace}.${s.workflow}.${s.unit}`, unitPermissions(s));
const leafUser = (machine: string): User => ({
  ...client(`_leaf.${machine}`, EVERYTHING),
  connection: 'LEAFNODE',
});

function issueNew(keys: Signers, user: User, v: Validity): NewCredential {
  const key = createUser();
  return { ...issue(keys, user, key, v), seed: seedOf(key) };
}

function issue(keys: Signers, user: User, key: KeyPair, v: Validity): Credential {
  const publicKey = key.getPublicKey();
  const expiresAtMs = v.nowMs + (v.lifetimeMs ?? CREDENTIAL_LIFETIME_MS);
  const claims = { name: user.name, sub: publicKey, iat: seconds(v.nowMs), exp: seconds(expiresAtMs) };
  const issuer = keys.signingFor?.[user.account];
  const nats = { ...rights(user), ...(issuer === undefined ? {} : { issuer_account: issuer }) };
  const seed = user.account === 'calls' ? keys.accountSeed : keys.storeSeed;
  const jwt = encodeClaims({ ...claims, nats }, seed);
  return { jwt, publicKey, expiresAtMs };
}

const rights = (user: User) => ({
  type: 'user' as const,
  pub: { allow: user.permissions.publish },
  sub: { allow: user.permissions.subscribe },
  subs: -1,
  data: -1,
  payload: -1,
  allowed_connection_types: [user.connection],
});
