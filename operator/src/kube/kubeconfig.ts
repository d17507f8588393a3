/**
 * Kubeconfigs: which server, whom to trust, and who we are (token, client certificate, or an exec plugin).
 *
 * Owns: reading and merging the files as kubectl does, for what servers accept today. Loaded only outside a cluster, so that
 * the operator in its pod never pays for it (decision 0009).
 * Refusals: the `auth-provider` plugins, user names with passwords, and proxies; each by a message that says what to do.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import type { Clock } from './clock.ts';
import { tokenIdentity } from './connection.ts';
import type { Connection, ConnectionTls, Environment, Identity } from './connection.ts';

export interface KubeconfigOptions {
  /** The first that names a cluster, user or context has it. A file that is not there counts as empty. */
  readonly files: readonly string[];
  readonly context?: string;
  readonly environment: Environment;
  readonly clock: Clock;
}

interface Named {
  readonly name: string;
  /** The folder to which paths in it are relative. */
  readonly folder: string;
}

interface Cluster {
  readonly server?: string;
  readonly 'certificate-authority'?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'tls-server-name'?: string;
  readonly 'proxy-url'?: string;
}

interface User {
  readonly token?: string;
  readonly tokenFile?: string;
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly exec?: Exec;
  readonly username?: string;
  readonly 'auth-provider'?: { readonly name?: string };
}

interface Exec {
  readonly apiVersion?: string;
  readonly command?: string;
  readonly args?: readonly string[] | null;
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null;
  readonly provideClusterInfo?: boolean;
}

interface Context {
  readonly cluster?: string;
  readonly user?: string;
  readonly namespace?: string;
}

interface Config {
  readonly 'current-context'?: string;
  readonly clusters: readonly (Named & { readonly cluster: Cluster })[];
  readonly users: readonly (Named & { readonly user: User })[];
  readonly contexts: readonly (Named & { readonly context: Context })[];
}

/** Throws an Error that says which file, which entry, and what to do. */
export async function fromKubeconfig(options: KubeconfigOptions): Promise<Connection> {
  const { files, environment, clock } = options;
  const config = merged(await Promise.all(files.map(readConfig)));
  const where = files.join(', ');
  const name = options.context ?? config['current-context'];
  if (name === undefined || name === '')
    throw new Error(
      `${where} names no current context; give one with --context or kubectl config use-context`,
    );
  const { context } = entry(config.contexts, name, 'context', where);
  const cluster = entry(config.clusters, context.cluster ?? '', 'cluster', where);
  const user = context.user === undefined ? undefined : entry(config.users, context.user, 'user', where);
  const server = serverOf(cluster, where);
  const trust = await trustOf(cluster);
  return {
    server,
    namespace: context.namespace ?? 'default',
    identity: await identityOf(user, { server, trust, environment, clock }),
  };
}

async function readConfig(path: string): Promise<Config> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if ((error as { code?: unknown }).code === 'ENOENT') return '';
    throw error;
  });
  const raw = (parse(text) ?? {}) as Record<string, unknown>;
  const folder = dirname(path);
  const list = <T>(name: string): readonly (T & Named)[] =>
    ((raw[name] ?? []) as readonly (T & { name: string })[]).map((item) => ({ ...item, folder }));
  const current = raw['current-context'];
  return {
    ...(typeof current === 'string' && { 'current-context': current }),
    clusters: list('clusters'),
    users: list('users'),
    contexts: list('contexts'),
  };
}

function merged(configs: readonly Config[]): Config {
  const current = configs.map((config) => config['current-context']).find((name) => (name ?? '') !== '');
  return {
    ...(current !== undefined && { 'current-context': current }),
    clusters: configs.flatMap((config) => config.clusters),
    users: configs.flatMap((config) => config.users),
    contexts: configs.flatMap((config) => config.contexts),
  };
}

function entry<T extends Named>(list: readonly T[], name: string, what: string, where: string): T {
  const found = list.find((item) => item.name === name);
  if (found !== undefined) return found;
  const known = list.map((item) => item.name).join(', ');
  throw new Error(`${where} has no ${what} '${name}'; it has: ${known === '' ? 'none' : known}`);
}

function serverOf({ name, cluster }: Config['clusters'][number], where: string): string {
  if (cluster['proxy-url'] !== undefined)
    throw new Error(
      `cluster '${name}' in ${where} has a proxy-url; Sinter reaches API servers directly only`,
    );
  if (cluster.server === undefined) throw new Error(`cluster '${name}' in ${where} has no server`);
  return cluster.server.replace(/\/$/, '');
}

async function trustOf({ cluster, folder }: Config['clusters'][number]): Promise<ConnectionTls> {
  const ca = await content(cluster['certificate-authority-data'], cluster['certificate-authority'], folder);
  return {
    ca,
    servername: cluster['tls-server-name'],
    rejectUnauthorized: cluster['insecure-skip-tls-verify'] === true ? false : undefined,
  };
}

/** What stands there in base64, or in the file. */
async function content(
  data: string | undefined,
  file: string | undefined,
  folder: string,
): Promise<string | undefined> {
  if (data !== undefined && data !== '') return Buffer.from(data, 'base64').toString('utf8');
  if (file === undefined || file === '') return undefined;
  return readFile(isAbsolute(file) ? file : join(folder, file), 'utf8');
}

interface Surroundings {
  readonly server: string;
  readonly trust: ConnectionTls;
  readonly environment: Environment;
  readonly clock: Clock;
}

async function identityOf(
  named: Config['users'][number] | undefined,
  around: Surroundings,
): Promise<Connection['identity']> {
  if (named === undefined) return always({ headers: {}, tls: around.trust });
  const { user, folder, name } = named;
  refuseOldWays(name, user);
  if (user.exec !== undefined) return execIdentity(name, user.exec, folder, around);
  const cert = await content(user['client-certificate-data'], user['client-certificate'], folder);
  const key = await content(user['client-key-data'], user['client-key'], folder);
  const tls = { ...around.trust, cert, key };
  const { token, tokenFile } = user;
  if (tokenFile !== undefined && token === undefined) {
    const path = isAbsolute(tokenFile) ? tokenFile : join(folder, tokenFile);
    return tokenIdentity(() => readFile(path, 'utf8'), tls, around.clock);
  }
  return always({ headers: token === undefined ? {} : { authorization: `Bearer ${token}` }, tls });
}

const always =
  (identity: Identity): Connection['identity'] =>
  () =>
    Promise.resolve(identity);

function refuseOldWays(name: string, user: User): void {
  const provider = user['auth-provider']?.name;
  if (provider !== undefined)
    throw new Error(
      `user '${name}' logs in by the auth-provider '${provider}', which Kubernetes has retired; use an exec plugin`,
    );
  if (user.username !== undefined)
    throw new Error(
      `user '${name}' logs in by user name and password; use a token, a certificate or an exec plugin`,
    );
}

interface ExecStatus {
  readonly token?: string;
  readonly clientCertificateData?: string;
  readonly clientKeyData?: string;
  readonly expirationTimestamp?: string;
}

const EXEC_LIMIT_MS = 60_000;
/** A credential is renewed before it ends, so that it does not end on the way. */
const EXEC_SPARE_MS = 10_000;

/** Runs the plugin when there is no credential, when it ends, and when the server has refused it. */
function execIdentity(
  name: string,
  exec: Exec,
  folder: string,
  around: Surroundings,
): Connection['identity'] {
  let known: { readonly identity: Identity; readonly until: number } | undefined;
  return async ({ fresh = false } = {}) => {
    const nowMs = around.clock.date().getTime();
    if (known !== undefined && !fresh && nowMs < known.until) return known.identity;
    const status = await runPlugin(name, exec, folder, around);
    const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = status;
    const tls = cert === undefined ? around.trust : { ...around.trust, cert, key };
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const until =
      expirationTimestamp === undefined ? Infinity : Date.parse(expirationTimestamp) - EXEC_SPARE_MS;
    known = { identity: { headers, tls }, until };
    return known.identity;
  };
}

async function runPlugin(
  name: string,
  exec: Exec,
  folder: string,
  around: Surroundings,
): Promise<ExecStatus> {
  const { command = '', args } = exec;
  const apiVersion = exec.apiVersion ?? 'client.authentication.k8s.io/v1';
  const { server, trust } = around;
  const cluster = {
    server,
    'tls-server-name': trust.servername,
    'insecure-skip-tls-verify': trust.rejectUnauthorized === false ? true : undefined,
    'certificate-authority-data':
      trust.ca === undefined ? undefined : Buffer.from(trust.ca).toString('base64'),
  };
  const spec = { interactive: false, ...(exec.provideClusterInfo === true && { cluster }) };
  const env = {
    ...around.environment,
    ...Object.fromEntries((exec.env ?? []).map((variable) => [variable.name, variable.value])),
    KUBERNETES_EXEC_INFO: JSON.stringify({ apiVersion, kind: 'ExecCredential', spec }),
  };
  // As kubectl: a name is looked up in PATH, a path is relative to the file.
  const program = command.includes('/') && !isAbsolute(command) ? join(folder, command) : command;
  const run = promisify(execFile);
  try {
    const { stdout } = await run(program, [...(args ?? [])], { env, timeout: EXEC_LIMIT_MS });
    const { status } = JSON.parse(stdout) as { readonly status?: ExecStatus };
    if (status?.token === undefined && status?.clientCertificateData === undefined)
      throw new Error('it gave neither a token nor a certificate');
    return status;
  } catch (cause) {
    const said = (cause as { stderr?: unknown }).stderr;
    const text = typeof said === 'string' && said !== '' ? said.trim() : String(cause);
    throw new Error(`user '${name}': the exec plugin '${command}' failed: ${text}`, { cause });
  }
}
