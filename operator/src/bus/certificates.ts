/**
 * Certificates of the bus where nobody else makes them (SINTER_TLS=Operator): an authority, and servers' certificates.
 *
 * Owns: their content, and how one authority follows another. Where they are kept and when they are renewed is said by
 * `reconcile/busSecrets.ts`.
 *
 * A process learns whom to trust once, at its start, and may run for longer than an authority signs. So a new authority is
 * *crossed*: its key is signed by the old one too, and servers show that beside their own certificate.
 *
 *    trusts old only ──▶ old ──crossed──▶ new ──▶ server        trusts old and new, or new only ──▶ new ──▶ server
 *
 * Invariants:
 *  1. Whoever trusts any authority that has not expired can verify every server.
 *  2. A leaf's certificate is good for clients of that leaf only: it is no client's, so it opens no route into the hub.
 */
import './reflect.ts';
import { X509Certificate, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const DAY_MS = 24 * 3600 * 1000;
export const AUTHORITY_LIFETIME_MS = 3650 * DAY_MS;
export const SERVER_LIFETIME_MS = 90 * DAY_MS;

/** Clocks of machines may be behind ours by so much. */
const SKEW_MS = 3600 * 1000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface Authority {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. Secret. */
  readonly key: string;
  /** PEM: this key as signed by the authority before, and that one's by the one before it; empty for the first. */
  readonly crossed: string;
  /** PEM: authorities before this one that have not expired. */
  readonly previous: string;
}

/** A server's certificate with what is needed to verify it, and its key; PEM. */
export interface ServerCertificate {
  readonly certificate: string;
  readonly key: string;
}

export interface ServerRequest {
  /** Names by which clients reach it; the first is its common name. */
  readonly dns: readonly [string, ...string[]];
  /** It connects to others of its kind with it: hub servers among themselves. */
  readonly isClientToo: boolean;
}

/** What there is to know of a certificate without trusting it. */
export interface CertificateFacts {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly dns: readonly string[];
  /** sha256, in upper-case hex with colons, as TLS shows it of a peer. */
  readonly fingerprint: string;
}

/** An authority; after another one: crossed by it. */
export async function newAuthority(
  nowMs: number,
  before?: Authority,
  lifetimeMs = AUTHORITY_LIFETIME_MS,
): Promise<Authority> {
  const keys = await newKeys();
  const name = `CN=Sinter bus ${await shortKeyId(keys.publicKey)}`;
  const extensions = await authorityExtensions(keys.publicKey);
  const life = { notBefore: new Date(nowMs - SKEW_MS), notAfter: new Date(nowMs + lifetimeMs) };
  const own = await x509.X509CertificateGenerator.createSelfSigned({
    ...life,
    name,
    keys,
    extensions,
    signingAlgorithm: ALGORITHM,
  });
  return {
    certificate: pemOf(own),
    key: await privatePem(keys.privateKey),
    crossed: before === undefined ? '' : (await cross(own, keys.publicKey, before)) + before.crossed,
    previous: before === undefined ? '' : unexpired(before.certificate + before.previous, nowMs),
  };
}

async function cross(
  own: x509.X509Certificate,
  publicKey: webcrypto.CryptoKey,
  by: Authority,
): Promise<string> {
  const signer = new x509.X509Certificate(by.certificate);
  const crossed = await x509.X509CertificateGenerator.create({
    subject: own.subject,
    issuer: signer.subject,
    notBefore: own.notBefore,
    notAfter: own.notAfter < signer.notAfter ? own.notAfter : signer.notAfter,
    publicKey,
    signingKey: await privateKey(by.key),
    signingAlgorithm: ALGORITHM,
    extensions: [...(await authorityExtensions(publicKey)), await issuerOf(signer)],
  });
  return pemOf(crossed);
}

/** A certificate with a key of its own. It ends with its authority at the latest. */
export async function newServerCertificate(
  authority: Authority,
  request: ServerRequest,
  nowMs: number,
  lifetimeMs = SERVER_LIFETIME_MS,
): Promise<ServerCertificate> {
  const keys = await newKeys();
  const signer = new x509.X509Certificate(authority.certificate);
  const untilMs = Math.min(nowMs + lifetimeMs, signer.notAfter.getTime());
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${request.dns[0]}`,
    issuer: signer.subject,
    notBefore: new Date(nowMs - SKEW_MS),
    notAfter: new Date(untilMs),
    publicKey: keys.publicKey,
    signingKey: await privateKey(authority.key),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(request.isClientToo ? [serverAuth, clientAuth] : [serverAuth]),
      new x509.SubjectAlternativeNameExtension(request.dns.map((value) => ({ type: 'dns', value }))),
      await issuerOf(signer),
    ],
  });
  return { certificate: pemOf(certificate) + authority.crossed, key: await privatePem(keys.privateKey) };
}

/** Everything that clients are to trust: this authority and those before it, PEM. */
export const trustOf = (authority: Authority, nowMs: number): string =>
  authority.certificate + unexpired(authority.previous, nowMs);

/** The first certificate in a PEM text; undefined where there is none. */
export function certificateFacts(pem: string): CertificateFacts | undefined {
  const [first] = certificatesIn(pem);
  if (first === undefined) return undefined;
  try {
    return factsOf(new X509Certificate(first));
  } catch {
    return undefined;
  }
}

const factsOf = (found: X509Certificate): CertificateFacts => ({
  fromMs: found.validFromDate.getTime(),
  untilMs: found.validToDate.getTime(),
  dns: (found.subjectAltName ?? '')
    .split(', ')
    .filter((name) => name.startsWith('DNS:'))
    .map((name) => name.slice('DNS:'.length)),
  fingerprint: found.fingerprint256,
});

/** Was this certificate (the first in the text) signed by this authority? */
export function isSignedBy(pem: string, authority: string): boolean {
  const [first] = certificatesIn(pem);
  return first !== undefined && new X509Certificate(first).verify(new X509Certificate(authority).publicKey);
}

/** The last third of a life has begun. */
export const isNearItsEnd = ({ fromMs, untilMs }: CertificateFacts, nowMs: number): boolean =>
  nowMs >= untilMs - (untilMs - fromMs) / 3;

/** The certificates in a PEM text. */
export const certificatesIn = (pem: string): readonly string[] =>
  (pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []).map((one) => `${one}\n`);

const unexpired = (pem: string, nowMs: number): string =>
  certificatesIn(pem)
    .filter((one) => new X509Certificate(one).validToDate.getTime() > nowMs)
    .join('');

const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

async function authorityExtensions(publicKey: webcrypto.CryptoKey): Promise<x509.Extension[]> {
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags;
  return [
    new x509.BasicConstraintsExtension(true, undefined, true), // no limit of length: the crossed one stands between
    new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
  ];
}

const issuerOf = (signer: x509.X509Certificate): Promise<x509.Extension> =>
  x509.AuthorityKeyIdentifierExtension.create(signer.publicKey);

async function shortKeyId(publicKey: webcrypto.CryptoKey): Promise<string> {
  const spki = await webcrypto.subtle.exportKey('spki', publicKey);
  const digest = await webcrypto.subtle.digest('SHA-256', spki);
  return Buffer.from(digest).toString('hex').slice(0, 8);
}

const pemOf = (certificate: x509.X509Certificate): string => `${certificate.toString('pem').trim()}\n`;

const privatePem = async (key: webcrypto.CryptoKey): Promise<string> =>
  `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY').trim()}\n`;

const privateKey = (pem: string): Promise<webcrypto.CryptoKey> =>
  webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(pem), ALGORITHM, true, ['sign']);
