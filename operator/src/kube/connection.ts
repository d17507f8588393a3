/**
 * Where the API server is and who we are to it: in a pod by its service account, outside by a kubeconfig.
 *
 * Owns: the choice between the two, and the service account's files. Neighbours: `kubeconfig.ts` reads kubeconfigs and is
 * loaded only where one is used; `transport.ts` turns a Connection into requests.
 * Invariant: a token is never older than a minute (the kubelet replaces projected tokens) and is read anew at once when the
 * server refuses it.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { systemClock, type Clock } from './clock.ts';

export interface Connection {
  /** e.g. https://10.43.0.1:443, without a slash at the end. */
  readonly server: string;
  /** The namespace of the context or of the service account. */
  readonly namespace: string;
  /** Who we are at the moment. `fresh`: the server has refused the last one; the same object again: there is no other. */
  identity(options?: { readonly fresh?: boolean }): Promise<Identity>;
}

export interface Identity {
  readonly headers: Readonly<Record<string, string>>;
  /** The same object as long as nothing in it changes: sockets are kept for it. */
  readonly tls: ConnectionTls;
}

export interface ConnectionTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly servername?: string | undefined;
  readonly rejectUnauthorized?: boolean | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ConnectOptions {
  readonly environment: Environment;
  /** A file, or several as in $KUBECONFIG; it goes before the service account. */
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly clock?: Clock;
}

/** The given kubeconfig; else the service account of this pod; else $KUBECONFIG or ~/.kube/config. */
export async function connection(options: ConnectOptions): Promise<Connection> {
  const { environment, kubeconfig, context, clock = systemClock } = options;
  const inPod = kubeconfig === undefined && context === undefined;
  const here = inPod ? await inCluster({ environment, clock }) : undefined;
  if (here !== undefined) return here;
  const paths = kubeconfig ?? environment['KUBECONFIG'] ?? join(homedir(), '.kube', 'config');
  const { fromKubeconfig } = await import('./kubeconfig.ts');
  const files = paths.split(delimiter).filter((path) => path !== '');
  return fromKubeconfig({ files, environment, clock, ...(context !== undefined && { context }) });
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
const TOKEN_LIFE_MS = 60_000;

export interface InClusterOptions {
  readonly environment: Environment;
  readonly clock?: Clock;
  /** The folder of ca.crt, token and namespace. */
  readonly folder?: string;
}

/** Undefined outside a pod; throws in a pod whose service account cannot be read. */
export async function inCluster(options: InClusterOptions): Promise<Connection | undefined> {
  const { environment, folder = SERVICE_ACCOUNT, clock = systemClock } = options;
  const host = environment['KUBERNETES_SERVICE_HOST'];
  const port = environment['KUBERNETES_SERVICE_PORT'];
  if (host === undefined || host === '' || port === undefined) return undefined;
  const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');
  const tls = { ca: await read('ca.crt') };
  const token = tokenIdentity(() => read('token'), tls, clock);
  await token();
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: (await read('namespace')).trim(),
    identity: token,
  };
}

/** An identity by a token that is read anew each minute, and at once when it was refused. */
export function tokenIdentity(
  read: () => Promise<string>,
  tls: ConnectionTls,
  clock: Clock,
): Connection['identity'] {
  let known: { readonly identity: Identity; readonly token: string; readonly readAtMs: number } | undefined;
  return async ({ fresh = false } = {}) => {
    const now = clock.now();
    if (known !== undefined && !fresh && now - known.readAtMs < TOKEN_LIFE_MS) return known.identity;
    const token = (await read()).trim();
    const identity =
      known?.token === token ? known.identity : { headers: { authorization: `Bearer ${token}` }, tls };
    known = { identity, token, readAtMs: now };
    return identity;
  };
}
