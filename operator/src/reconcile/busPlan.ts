/**
 * The bus as it is to be, whoever's it is: what is written into Sinter's namespace, and what follows for connections,
 * credentials and servers (D11, the three modes).
 *
 * Owns: what differs between the modes. `busSecrets.ts` has the bundled one in full.
 */
import type { BusFinding } from '../bus/cluster.ts';
import { signOperator } from '../bus/credentials.ts';
import { parseShared, parseSigning } from '../bus/external.ts';
import type { BusKeys, Validity } from '../bus/keys.ts';
import { SYSTEM_TRUST } from '../bus/link.ts';
import { tokenFacts } from '../bus/tokens.ts';
import type { FileCredential } from '../bus/tokens.ts';
import type { Issuing } from '../bus/units.ts';
import { planCredential, planGatewaySecret, planSecrets, secretNames, credentialIn } from './busSecrets.ts';
import type { BundledSettings, SecretWrite, StoredSecrets } from './busSecrets.ts';
import type { Wanted } from './busServers.ts';

export interface BusSettings extends BundledSettings {
  readonly mode: 'Bundled' | 'SigningKey' | 'SharedCredential';
  /** Addresses of the hub, e.g. `tls://sinter-nats.sinter-system.svc:4222`. */
  readonly urls: readonly string[];
  /** On how many servers streams are kept. */
  readonly replicas: number;
  /** Name of the user's Secret; not for Bundled. */
  readonly externalSecret: string;
}

/** What holds once everything is there. */
export interface BusWorld {
  readonly issuing: Issuing;
  readonly ca?: string;
  /** The gateway's token, as it is stored. */
  readonly gatewayJwt: string;
  /** A credential for the operator's own connection. */
  readonly operator: (v: Validity) => FileCredential;
  /** Only of servers whose accounts are ours. */
  readonly servers?: { readonly keys: BusKeys; readonly wanted: Wanted };
  /** What this mode does not give. */
  readonly findings: readonly BusFinding[];
}

export interface BusPlan {
  readonly writes: readonly SecretWrite[];
  /** Absent while something is missing; `missing` says what. */
  readonly world?: BusWorld;
  readonly missing?: BusFinding;
}

/** Every Secret that is looked at. */
export function secretsOf(settings: BusSettings): readonly string[] {
  const names = secretNames(settings.fullname);
  if (settings.mode !== 'Bundled') return [names.gateway, settings.externalSecret];
  return Object.values(names);
}

export function planBus(settings: BusSettings, stored: StoredSecrets, nowMs: number): Promise<BusPlan> {
  switch (settings.mode) {
    case 'Bundled':
      return planBundled(settings, stored, nowMs);
    case 'SigningKey':
      return Promise.resolve(planSigning(settings, stored, nowMs));
    case 'SharedCredential':
      return Promise.resolve(planShared(settings, stored));
  }
}

async function planBundled(settings: BusSettings, stored: StoredSecrets, nowMs: number): Promise<BusPlan> {
  const { writes, facts } = await planSecrets(settings, stored, nowMs);
  if (!facts) return { writes, missing: away('the Secrets of the bus are being made') };
  if (settings.tls === 'CertManager' && facts.ca === undefined)
    return {
      writes,
      missing: away(`cert-manager has not made Secret ${secretNames(settings.fullname).hubTls} yet`),
    };
  const { keys, accounts, fingerprints } = facts;
  const state = (role: 'hub' | 'leaf') => {
    const fingerprint = fingerprints[role];
    return { accounts: accounts[role], ...(fingerprint === undefined ? {} : { fingerprint }) };
  };
  return {
    writes,
    world: {
      issuing: { kind: 'Signs', signers: keys },
      ...(facts.ca === undefined ? {} : { ca: facts.ca }),
      gatewayJwt: facts.gateway.jwt,
      operator: (v) => signOperator(keys, v),
      servers: { keys, wanted: { hub: state('hub'), leaf: state('leaf') } },
      findings: [],
    },
  };
}

function planSigning(settings: BusSettings, stored: StoredSecrets, nowMs: number): BusPlan {
  const data = stored.get(settings.externalSecret)?.data;
  const read = parseSigning(data ?? {});
  if ('problem' in read) return invalid(settings, data !== undefined, read.problem);
  const name = secretNames(settings.fullname).gateway;
  const ca = trustOfUser(settings, data);
  const validity = { nowMs, lifetimeMs: settings.credentialLifetimeMs };
  const writes = planGatewaySecret(name, stored.get(name), read.given, {}, pemOf(ca), validity);
  return {
    writes,
    world: {
      issuing: { kind: 'Signs', signers: read.given },
      ...(ca === undefined ? {} : { ca }),
      gatewayJwt: credentialIn(stored.get(name))?.jwt ?? '',
      operator: (v) => signOperator(read.given, v),
      findings: [NO_REVOCATION],
    },
  };
}

function planShared(settings: BusSettings, stored: StoredSecrets): BusPlan {
  const data = stored.get(settings.externalSecret)?.data;
  const read = parseShared(data ?? {});
  if ('problem' in read) return invalid(settings, data !== undefined, read.problem);
  const name = secretNames(settings.fullname).gateway;
  const ca = trustOfUser(settings, data);
  return {
    writes: planCredential(name, stored.get(name), read.given, pemOf(ca)),
    world: {
      issuing: { kind: 'Shares', credential: read.given },
      ...(ca === undefined ? {} : { ca }),
      gatewayJwt: read.given.jwt,
      operator: () => read.given,
      findings: [NOT_ENFORCED],
    },
  };
}

/** What the user gave to trust; else, where an address wants TLS, what the machine trusts. */
function trustOfUser(
  { urls }: BusSettings,
  data: Readonly<Record<string, string>> | undefined,
): string | undefined {
  const given = data?.['ca.crt'] ?? '';
  if (given !== '') return given;
  return urls.some((url) => url.startsWith('tls://')) ? SYSTEM_TRUST : undefined;
}

/** Clients that are given no authorities trust the machine's. */
export const pemOf = (ca: string | undefined): string | undefined => (ca === SYSTEM_TRUST ? undefined : ca);

const away = (message: string): BusFinding => ({ reason: 'BusUnavailable', severity: 'Error', message });

function invalid({ externalSecret, namespace }: BusSettings, isThere: boolean, problem: string): BusPlan {
  const message = isThere
    ? `Secret ${namespace}/${externalSecret} cannot be used: ${problem}`
    : `Secret ${namespace}/${externalSecret} with what leads to your NATS is not there: make it, see docs/guides/nats.md`;
  return { writes: [], missing: { reason: 'BusCredentialInvalid', severity: 'Error', message } };
}

const NO_REVOCATION: BusFinding = {
  reason: 'RevocationNotPossible',
  severity: 'Warning',
  message:
    'Credentials are signed with signing keys of accounts that are not ours: a credential of a unit that was retired ' +
    'is good until it expires; shorten credentialLifetimeSeconds, or revoke its key in the account yourself',
};

const NOT_ENFORCED: BusFinding = {
  reason: 'GraphNotEnforced',
  severity: 'Warning',
  message:
    'Every process has the same credential (SharedCredential): a function can reach more than its declared edges; ' +
    'use the bundled NATS, or SigningKey',
};

/** When a token was issued. */
export const issuedAtMs = (jwt: string): number => tokenFacts(jwt)?.issuedAtMs ?? 0;
