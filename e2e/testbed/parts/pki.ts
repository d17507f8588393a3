/**
 * Certificates and keys of one cluster, by openssl, on the P-256 curve; and the tokens of its own processes.
 *
 * They live as long as the cluster, at most DAYS.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../command.ts';
import { MACHINES, NETWORK, STATE_PLACES } from '../places.ts';
import { exists } from '../supply/packages.ts';

const DAYS = '30';
const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const { pki } = STATE_PLACES;

export const PKI = {
  ca: join(pki, 'ca.crt'),
  caKey: join(pki, 'ca.key'),
  api: { certificate: join(pki, 'api.crt'), key: join(pki, 'api.key') },
  kubelet: { certificate: join(pki, 'kubelet-client.crt'), key: join(pki, 'kubelet-client.key') },
  serviceAccountKey: join(pki, 'service-account.key'),
  serviceAccountPublic: join(pki, 'service-account.pub'),
  tokens: join(pki, 'tokens.csv'),
} as const;

interface Identity {
  readonly user: string;
  readonly group: string;
}

/** Users with a token. All but machines may do everything, as the testbed's own. */
const IDENTITIES: Readonly<Record<string, Identity>> = {
  admin: { user: 'admin', group: 'system:masters' },
  'controller-manager': { user: 'system:kube-controller-manager', group: 'system:masters' },
  scheduler: { user: 'system:kube-scheduler', group: 'system:masters' },
  proxy: { user: 'system:kube-proxy', group: 'system:masters' },
  dns: { user: 'testbed:dns', group: 'system:masters' },
  volumes: { user: 'testbed:volumes', group: 'system:masters' },
  ...Object.fromEntries(
    MACHINES.map(({ name }) => [name, { user: `system:node:${name}`, group: 'system:nodes' }]),
  ),
};

const API_NAMES = [
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
  'localhost',
].map((name) => `DNS:${name}`);
const API_ADDRESSES = ['127.0.0.1', NETWORK.host, NETWORK.apiService].map((ip) => `IP:${ip}`);

export const kubeconfigOf = (identity: string): string => join(STATE_PLACES.config, `${identity}.kubeconfig`);

/** Makes what is missing; the last file that is written says that all are there. */
export async function ensurePki(): Promise<void> {
  await mkdir(pki, { recursive: true, mode: 0o700 });
  if (await exists(PKI.tokens)) return;
  await authority();
  await sign('api', { user: 'kube-apiserver', group: '' }, [...API_NAMES, ...API_ADDRESSES]);
  await sign('kubelet-client', { user: 'kube-apiserver-kubelet-client', group: 'system:masters' });
  const key = PKI.serviceAccountKey;
  await run(['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key]);
  await run(['openssl', 'ec', '-in', key, '-pubout', '-out', PKI.serviceAccountPublic]);
  await writeTokens();
}

async function authority(): Promise<void> {
  const files = ['-keyout', PKI.caKey, '-out', PKI.ca];
  await run(['openssl', 'req', '-x509', ...CURVE, ...files, '-days', DAYS, '-subj', '/CN=sinter-testbed']);
}

/** A certificate for a user, or for a server of these names; gives its files. */
export async function sign(
  name: string,
  { user, group }: Identity,
  names: readonly string[] = [],
): Promise<{ readonly certificate: string; readonly key: string }> {
  const [key, request, certificate] = ['key', 'csr', 'crt'].map((end) => join(pki, `${name}.${end}`)) as [
    string,
    string,
    string,
  ];
  const subject = `${group === '' ? '' : `/O=${group}`}/CN=${user}`;
  await run(['openssl', 'req', ...CURVE, '-keyout', key, '-out', request, '-subj', subject]);
  const extensions = join(pki, `${name}.ext`);
  await writeFile(
    extensions,
    names.length > 0 ? `subjectAltName=${names.join(',')}` : 'basicConstraints=CA:FALSE',
  );
  const by = ['-CA', PKI.ca, '-CAkey', PKI.caKey, '-CAcreateserial', '-days', DAYS];
  await run(['openssl', 'x509', '-req', '-in', request, ...by, '-extfile', extensions, '-out', certificate]);
  await Promise.all([rm(request), rm(extensions)]);
  return { certificate, key };
}

async function writeTokens(): Promise<void> {
  const tokens = Object.entries(IDENTITIES).map(([name, identity]) => ({
    ...identity,
    name,
    token: randomBytes(24).toString('base64url'),
  }));
  await mkdir(STATE_PLACES.config, { recursive: true, mode: 0o700 });
  for (const { name, token } of tokens)
    await writeFile(kubeconfigOf(name), await kubeconfig({ token }), { mode: 0o600 });
  await writeFile(STATE_PLACES.kubeconfig, await readFile(kubeconfigOf('admin')), { mode: 0o600 });
  const lines = tokens.map(({ token, user, name, group }) => `${token},${user},${name},"${group}"`);
  await writeFile(`${PKI.tokens}.next`, `${lines.join('\n')}\n`, { mode: 0o600 });
  await rename(`${PKI.tokens}.next`, PKI.tokens);
}

/** Whole in itself. JSON is YAML: kubectl, Kubernetes' own processes and its clients read it. */
export async function kubeconfig(user: Readonly<Record<string, unknown>>): Promise<string> {
  const ca = (await readFile(PKI.ca)).toString('base64');
  const server = `https://${NETWORK.host}:${String(NETWORK.apiPort)}`;
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'testbed', cluster: { server, 'certificate-authority-data': ca } }],
    users: [{ name: 'testbed', user }],
    contexts: [{ name: 'testbed', context: { cluster: 'testbed', user: 'testbed' } }],
    'current-context': 'testbed',
  });
}
