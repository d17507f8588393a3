/**
 * What the Secrets of the bus in Sinter's namespace should hold, given what they hold: a list of writes, empty when all is so.
 *
 * Owns: names, content, and when something is made anew. `busKeeper.ts` reads, writes and comes back. Keys are drawn here;
 * nothing else of it is random, reads a clock or waits for anybody.
 *
 *   keys, authority  ──▶  auth.conf of hub and leaf, leaf.creds, certificates, the gateway's credential
 *   (first, alone)        (next round, from what is stored by then)
 *
 * Invariants:
 *  1. What others are made from is stored before anything is made from it: of two operators that begin at once one creates
 *     the keys, and both go on from those.
 *  2. What would be signed today as it was then is left as it is; a second round writes nothing.
 *  3. The keys are never overwritten, a seed of a credential that is in use never changes with its renewal.
 */
import { fmtCreds } from '@nats-io/jwt';
import { accountsOf, authConf } from '../bus/auth.ts';
import type { Accounts, Role } from '../bus/auth.ts';
import {
  certificateFacts,
  isNearItsEnd,
  isSignedBy,
  newAuthority,
  newServerCertificate,
  trustOf,
} from '../bus/certificates.ts';
import type { Authority, ServerRequest } from '../bus/certificates.ts';
import { keyOf } from '../bus/claims.ts';
import { renewGateway, renewLeaf, signGateway, signLeaf } from '../bus/credentials.ts';
import type { Credential, NewCredential } from '../bus/credentials.ts';
import { createKeys, parseKeys, parseRevoked } from '../bus/keys.ts';
import type { BusKeys, Signers, Validity } from '../bus/keys.ts';
import { isDue, parseCredsFile, tokenFacts } from '../bus/tokens.ts';

export type TlsMode = 'Operator' | 'CertManager' | 'Off';

export interface BundledSettings {
  /** Prefix of all names, e.g. `sinter`. */
  readonly fullname: string;
  readonly namespace: string;
  /** e.g. `cluster.local`. */
  readonly clusterDomain: string;
  readonly tls: TlsMode;
  /** There are leaf servers. */
  readonly hasLeaves: boolean;
  readonly credentialLifetimeMs: number;
  readonly leafLifetimeMs: number;
  /** Defaults of `certificates.ts` where they are not given. */
  readonly authorityLifetimeMs?: number;
  readonly certificateLifetimeMs?: number;
}

/** A Secret, its values decoded. */
export interface StoredSecret {
  readonly resourceVersion: string;
  readonly data: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export type StoredSecrets = ReadonlyMap<string, StoredSecret>;

export interface SecretWrite {
  readonly name: string;
  readonly data: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly type: 'Opaque' | 'kubernetes.io/tls';
  /** Nobody can change it any more, only delete it. */
  readonly immutable: boolean;
  /** Only over this version; absent: only if there is none. */
  readonly over?: string;
  /** Why, for logs. */
  readonly because: string;
}

/** What the stored Secrets add up to, for those who use the bus. */
export interface BusFacts {
  readonly keys: BusKeys;
  /** The tokens that servers of each role are to know. */
  readonly accounts: Readonly<Record<Role, Accounts>>;
  /** Fingerprints of the certificates that servers are to show; absent: not known, or no TLS. */
  readonly fingerprints: Readonly<Partial<Record<Role, string>>>;
  /** What clients trust, PEM; absent: no TLS, or nobody has said yet. */
  readonly ca?: string;
  readonly gateway: NewCredential;
}

export interface SecretsPlan {
  readonly writes: readonly SecretWrite[];
  /** Absent while something is missing. */
  readonly facts?: BusFacts;
}

export const secretNames = (fullname: string) => ({
  keys: `${fullname}-bus-keys`,
  revoked: `${fullname}-bus-revoked`,
  authority: `${fullname}-bus-ca`,
  hub: `${fullname}-nats-hub`,
  leaf: `${fullname}-nats-leaf`,
  hubTls: `${fullname}-nats-hub-tls`,
  leafTls: `${fullname}-nats-leaf-tls`,
  gateway: `${fullname}-gateway`,
});

/** When what is in a Secret was signed. */
export const ISSUED_AT = 'sinter.dev/issued-at';
/** Every leaf shares one credential: a DaemonSet's pods mount the same Secret. */
const ALL_LEAVES = 'all';

export async function planSecrets(
  settings: BundledSettings,
  stored: StoredSecrets,
  nowMs: number,
): Promise<SecretsPlan> {
  const first = await planRoots(settings, stored, nowMs);
  if (first.length > 0) return { writes: first };
  const keys = keysIn(settings, stored);
  const authority = settings.tls === 'Operator' ? authorityIn(settings, stored) : undefined;
  const ca = trustIn(settings, stored, authority, nowMs);
  const writes = [
    ...planAuth(settings, stored, keys, nowMs),
    ...(authority ? await planCertificates(settings, stored, authority, nowMs) : []),
    ...planGateway(settings, stored, keys, ca, nowMs),
  ];
  return writes.length > 0 ? { writes } : { writes, facts: factsIn(settings, stored, keys, ca) };
}

/** What others are made from: the keys, the authority. */
async function planRoots(
  settings: BundledSettings,
  stored: StoredSecrets,
  nowMs: number,
): Promise<readonly SecretWrite[]> {
  const names = secretNames(settings.fullname);
  const writes: SecretWrite[] = [];
  if (!stored.has(names.keys)) {
    const data = { 'keys.json': JSON.stringify(createKeys()) };
    writes.push({ ...opaque(names.keys, data, 'there are no keys yet'), immutable: true });
  }
  const authority = settings.tls === 'Operator' ? await planAuthority(settings, stored, nowMs) : undefined;
  return authority ? [...writes, authority] : writes;
}

async function planAuthority(
  settings: BundledSettings,
  stored: StoredSecrets,
  nowMs: number,
): Promise<SecretWrite | undefined> {
  const name = secretNames(settings.fullname).authority;
  const found = stored.get(name);
  const before = found && authorityIn(settings, stored);
  const facts = before && certificateFacts(before.certificate);
  if (found && !facts) throw broken(name, 'tls.crt');
  if (facts && !isNearItsEnd(facts, nowMs)) return undefined;
  const made = await newAuthority(nowMs, before, settings.authorityLifetimeMs);
  const data = {
    'tls.crt': made.certificate,
    'tls.key': made.key,
    'crossed.crt': made.crossed,
    'previous.crt': made.previous,
  };
  const because = before ? 'the authority is in the last third of its life' : 'there is no authority yet';
  return { ...opaque(name, data, because), ...over(found) };
}

function planAuth(
  settings: BundledSettings,
  stored: StoredSecrets,
  keys: BusKeys,
  nowMs: number,
): readonly SecretWrite[] {
  const names = secretNames(settings.fullname);
  const roles: readonly Role[] = settings.hasLeaves ? ['hub', 'leaf'] : ['hub'];
  return roles.flatMap((role) => {
    const found = stored.get(names[role]);
    const auth = standingAuth(found, keys, role, nowMs);
    const creds = role === 'leaf' ? leafCreds(settings, found, keys, nowMs) : undefined;
    const data = { 'auth.conf': auth.text, ...(creds === undefined ? {} : { 'leaf.creds': creds }) };
    const because = found ? 'accounts or the credential changed' : 'the servers wait for it';
    return differs(found, data)
      ? [{ ...opaque(names[role], data, because), annotations: issuedAt(auth.atMs), ...over(found) }]
      : [];
  });
}

/** The stored text where it is what would be written for its own time; else one of now, later than any before. */
function standingAuth(
  found: StoredSecret | undefined,
  keys: BusKeys,
  role: Role,
  nowMs: number,
): { readonly text: string; readonly atMs: number } {
  const beforeMs = Date.parse(found?.annotations[ISSUED_AT] ?? '') || 0;
  const before = authConf(keys, beforeMs, role);
  if (found?.data['auth.conf'] === before) return { text: before, atMs: beforeMs };
  // Servers keep the token that was issued last: two of one second could not be told apart.
  const atMs = Math.max(Math.floor(nowMs / 1000) * 1000, beforeMs + 1000);
  return { text: authConf(keys, atMs, role), atMs };
}

function leafCreds(
  settings: BundledSettings,
  found: StoredSecret | undefined,
  keys: BusKeys,
  nowMs: number,
): string {
  const before = parseCredsFile(found?.data['leaf.creds'] ?? '');
  const validity = { nowMs, lifetimeMs: settings.leafLifetimeMs };
  const made = standing(before, keys.revoked, validity, {
    sign: (v) => signLeaf(keys, ALL_LEAVES, v),
    renew: (key, v) => renewLeaf(keys, ALL_LEAVES, key, v),
  });
  return new TextDecoder().decode(fmtCreds(made.jwt, keyOf(made.seed)));
}

interface Signing {
  readonly sign: (v: Validity) => NewCredential;
  readonly renew: (publicKey: string, v: Validity) => Credential;
}

/** The stored credential where it stands; renewed for its key where a third is over or it would be another today; else new. */
export function standing(
  before: { readonly jwt: string; readonly seed: string } | undefined,
  revoked: Readonly<Record<string, number>>,
  v: Required<Validity>,
  { sign, renew }: Signing,
): NewCredential {
  const facts = before && tokenFacts(before.jwt);
  if (!before || !facts || revoked[facts.publicKey] !== undefined) return sign(v);
  const again = renew(facts.publicKey, { nowMs: facts.issuedAtMs, lifetimeMs: v.lifetimeMs });
  const stands = again.jwt === before.jwt && !isDue(facts, v.nowMs);
  return { ...(stands ? again : renew(facts.publicKey, v)), seed: before.seed };
}

async function planCertificates(
  settings: BundledSettings,
  stored: StoredSecrets,
  authority: Authority,
  nowMs: number,
): Promise<readonly SecretWrite[]> {
  const names = secretNames(settings.fullname);
  const wanted: readonly (readonly [string, ServerRequest])[] = [
    [names.hubTls, hubRequest(settings)],
    ...(settings.hasLeaves ? [[names.leafTls, leafRequest(settings)] as const] : []),
  ];
  const writes: SecretWrite[] = [];
  for (const [name, request] of wanted) {
    const found = stored.get(name);
    const why = whyNewCertificate(found, authority, request, nowMs);
    const trust = trustOf(authority, nowMs);
    if (why === undefined && found?.data['ca.crt'] === trust) continue;
    const pair =
      why === undefined
        ? { 'tls.crt': found?.data['tls.crt'] ?? '', 'tls.key': found?.data['tls.key'] ?? '' }
        : await newPair(settings, authority, request, nowMs);
    const data = { ...pair, 'ca.crt': trust };
    const because = why ?? 'authorities changed';
    writes.push({ ...opaque(name, data, because), type: 'kubernetes.io/tls', ...over(found) });
  }
  return writes;
}

async function newPair(
  settings: BundledSettings,
  authority: Authority,
  request: ServerRequest,
  nowMs: number,
): Promise<Readonly<Record<string, string>>> {
  const made = await newServerCertificate(authority, request, nowMs, settings.certificateLifetimeMs);
  return { 'tls.crt': made.certificate, 'tls.key': made.key };
}

function whyNewCertificate(
  found: StoredSecret | undefined,
  authority: Authority,
  request: ServerRequest,
  nowMs: number,
): string | undefined {
  const pem = found?.data['tls.crt'] ?? '';
  const facts = certificateFacts(pem);
  if (!facts || (found?.data['tls.key'] ?? '') === '') return 'there is no certificate yet';
  if (!isSignedBy(pem, authority.certificate)) return 'it was signed by another authority';
  if (isNearItsEnd(facts, nowMs)) return 'the certificate is in the last third of its life';
  if (facts.dns.join() !== request.dns.join()) return 'the names of the servers changed';
  return undefined;
}

/** Clients, routes (by the names of pods) and leaves reach the hub by these. */
export function hubRequest({ fullname, namespace, clusterDomain }: BundledSettings): ServerRequest {
  const service = `${fullname}-nats`;
  const inNamespace = `${service}.${namespace}`;
  const pods = `*.${service}-headless.${namespace}.svc`;
  return {
    dns: [
      service,
      inNamespace,
      `${inNamespace}.svc`,
      `${inNamespace}.svc.${clusterDomain}`,
      pods,
      `${pods}.${clusterDomain}`,
      'localhost',
    ],
    isClientToo: true,
  };
}

/** Clients reach a leaf by the address of its machine, and know it by this name. */
export const leafRequest = ({ fullname }: BundledSettings): ServerRequest => ({
  dns: [`${fullname}-nats-leaf`, 'localhost'],
  isClientToo: false,
});

function planGateway(
  settings: BundledSettings,
  stored: StoredSecrets,
  keys: BusKeys,
  ca: string | undefined,
  nowMs: number,
): readonly SecretWrite[] {
  const name = secretNames(settings.fullname).gateway;
  return planGatewaySecret(name, stored.get(name), keys, keys.revoked, ca, {
    nowMs,
    lifetimeMs: settings.credentialLifetimeMs,
  });
}

/** The gateway's credential, whoever's the accounts are. */
export function planGatewaySecret(
  name: string,
  found: StoredSecret | undefined,
  signers: Signers,
  revoked: Readonly<Record<string, number>>,
  ca: string | undefined,
  v: Required<Validity>,
): readonly SecretWrite[] {
  const made = standing(credentialIn(found), revoked, v, {
    sign: (at) => signGateway(signers, at),
    renew: (key, at) => renewGateway(signers, key, at),
  });
  return planCredential(name, found, made, ca);
}

export function planCredential(
  name: string,
  found: StoredSecret | undefined,
  { jwt, seed }: { readonly jwt: string; readonly seed: string },
  ca: string | undefined,
): readonly SecretWrite[] {
  const data = { jwt, seed, ...(ca === undefined ? {} : { 'ca.crt': ca }) };
  const because = found ? 'the credential or whom it trusts changed' : 'gateways wait for it';
  return differs(found, data) ? [{ ...opaque(name, data, because), ...over(found) }] : [];
}

export function credentialIn(
  found: StoredSecret | undefined,
): { readonly jwt: string; readonly seed: string } | undefined {
  const { jwt, seed } = found?.data ?? {};
  return jwt === undefined || seed === undefined ? undefined : { jwt, seed };
}

function keysIn(settings: BundledSettings, stored: StoredSecrets): BusKeys {
  const names = secretNames(settings.fullname);
  const keys = parseKeys(stored.get(names.keys)?.data['keys.json'] ?? '');
  return { ...keys, revoked: revokedIn(stored.get(names.revoked)) };
}

/** What was revoked, as it is kept. */
export const revokedIn = (found: StoredSecret | undefined): Readonly<Record<string, number>> =>
  parseRevoked(JSON.parse(found?.data['revoked.json'] ?? '{}'));

function authorityIn(settings: BundledSettings, stored: StoredSecrets): Authority {
  const { data = {} } = stored.get(secretNames(settings.fullname).authority) ?? {};
  return {
    certificate: data['tls.crt'] ?? '',
    key: data['tls.key'] ?? '',
    crossed: data['crossed.crt'] ?? '',
    previous: data['previous.crt'] ?? '',
  };
}

function trustIn(
  settings: BundledSettings,
  stored: StoredSecrets,
  authority: Authority | undefined,
  nowMs: number,
): string | undefined {
  if (settings.tls === 'Off') return undefined;
  if (authority) return trustOf(authority, nowMs);
  const names = secretNames(settings.fullname);
  const parts = [names.hubTls, names.leafTls].map((name) => stored.get(name)?.data['ca.crt'] ?? '');
  const all = [...new Set(parts.filter((part) => part !== ''))].join('\n');
  return all === '' ? undefined : all;
}

function factsIn(
  settings: BundledSettings,
  stored: StoredSecrets,
  keys: BusKeys,
  ca: string | undefined,
): BusFacts {
  const names = secretNames(settings.fullname);
  const gateway = credentialIn(stored.get(names.gateway)) ?? { jwt: '', seed: '' };
  const { publicKey = '', expiresAtMs = Infinity } = tokenFacts(gateway.jwt) ?? {};
  const atMs = (role: Role): number => Date.parse(stored.get(names[role])?.annotations[ISSUED_AT] ?? '') || 0;
  const shown = (name: string): string | undefined =>
    certificateFacts(stored.get(name)?.data['tls.crt'] ?? '')?.fingerprint;
  const [hub, leaf] = settings.tls === 'Off' ? [] : [shown(names.hubTls), shown(names.leafTls)];
  return {
    keys,
    accounts: { hub: accountsOf(keys, atMs('hub'), 'hub'), leaf: accountsOf(keys, atMs('leaf'), 'leaf') },
    fingerprints: { ...(hub === undefined ? {} : { hub }), ...(leaf === undefined ? {} : { leaf }) },
    ...(ca === undefined ? {} : { ca }),
    gateway: { ...gateway, publicKey, expiresAtMs },
  };
}

const opaque = (
  name: string,
  data: Readonly<Record<string, string>>,
  because: string,
): Omit<SecretWrite, 'over'> => ({ name, data, annotations: {}, type: 'Opaque', immutable: false, because });

const over = (found: StoredSecret | undefined): { readonly over?: string } =>
  found ? { over: found.resourceVersion } : {};

const issuedAt = (ms: number): Readonly<Record<string, string>> => ({
  [ISSUED_AT]: new Date(ms).toISOString(),
});

const differs = (found: StoredSecret | undefined, data: Readonly<Record<string, string>>): boolean =>
  !found || Object.entries(data).some(([key, value]) => found.data[key] !== value);

const broken = (name: string, key: string): Error =>
  new Error(`Secret ${name}: ${key} cannot be read; mend it, or delete the Secret to have it made anew`);
