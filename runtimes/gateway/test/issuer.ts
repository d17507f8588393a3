/** A real issuer of tokens on loopback: discovery, published keys, signed tokens, and what can go wrong with each. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import type { CryptoKey, JWK, JWTPayload } from 'jose';

export const AUDIENCE = 'cars';

export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly published: JWK;
}

export async function newKey(alg = 'ES256', kid: string = randomUUID()): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, published: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** An RSA key of so many bits as it is published, whatever a library would say to it. */
export const rsaKey = (bits: number): JWK => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  return { ...(publicKey.export({ format: 'jwk' }) as JWK), kid: `rsa${String(bits)}`, alg: 'RS256' };
};

export type Answering = (req: IncomingMessage, res: ServerResponse) => void;

export interface TestIssuer {
  readonly url: string;
  /** Published now. */
  keys: JWK[];
  /** Instead of the documents, by path. */
  readonly faults: Map<string, Answering>;
  /** How often each path was asked for. */
  readonly asked: Map<string, number>;
  token(key: SigningKey, claims?: JWTPayload & { exp?: number | undefined }, head?: object): Promise<string>;
  /** Ends the server; `up` brings it back at the same place. */
  down(): Promise<void>;
  up(): Promise<void>;
}

export const CONFIGURATION = '/.well-known/openid-configuration';
export const KEYS = '/keys';

export const json = (res: ServerResponse, value: unknown): void => {
  res.setHeader('content-type', 'application/json');
  res.end(JSON.stringify(value));
};

export async function startIssuer(
  tls?: { readonly key: string; readonly cert: string },
  path = '',
): Promise<TestIssuer> {
  let server: Server | undefined;
  let port = 0;
  const listen = async (): Promise<void> => {
    server = tls ? createTlsServer(tls, serve) : createServer(serve);
    await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  };
  const serve = (req: IncomingMessage, res: ServerResponse): void => {
    const at = (req.url ?? '').slice(path.length);
    issuer.asked.set(at, (issuer.asked.get(at) ?? 0) + 1);
    const fault = issuer.faults.get(at);
    if (fault) fault(req, res);
    else if (at === CONFIGURATION) json(res, { issuer: issuer.url, jwks_uri: `${issuer.url}${KEYS}` });
    else if (at === KEYS) json(res, { keys: issuer.keys });
    else res.writeHead(404).end();
  };
  await listen();
  const issuer: TestIssuer = {
    url: `${tls ? 'https' : 'http'}://localhost:${String(port)}${path}`,
    keys: [],
    faults: new Map(),
    asked: new Map(),
    token: (key, claims = {}, head = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const payload = { iss: issuer.url, aud: AUDIENCE, sub: 'somebody', exp: now + 300, ...claims };
      return new SignJWT(payload)
        .setProtectedHeader({ alg: key.alg, kid: key.kid, ...head })
        .sign(key.privateKey);
    },
    down: () =>
      new Promise((resolve) => {
        server?.close(() => resolve());
        server?.closeAllConnections();
        if (!server?.listening) resolve();
      }),
    up: listen,
  };
  return issuer;
}
