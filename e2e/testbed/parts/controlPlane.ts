/**
 * etcd, API server, controller manager and scheduler, beside this machine's own processes.
 *
 * The API server has no kube-proxy beside it: `--enable-aggregator-routing` makes it reach webhooks by endpoint.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../command.ts';
import { NETWORK, STATE_PLACES } from '../places.ts';
import { Api } from './api.ts';
import { PKI, kubeconfigOf } from './pki.ts';
import { endOfLog, ensureProcess, isRunning } from './processes.ts';
import type { ProcessSpec, Started } from './processes.ts';

const etcdUrl = `http://127.0.0.1:${String(NETWORK.etcdPort)}`;
const etcdPeerUrl = `http://127.0.0.1:${String(NETWORK.etcdPeerPort)}`;
const auditPolicy = join(STATE_PLACES.config, 'audit.json');
const START_LIMIT_MS = 120_000;

/**
 * Writes of everybody but machines, whose status and leases are noise; reads of Secrets; everything that Sinter's own
 * namespace asks for, so that a test can count it.
 */
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'None', userGroups: ['system:nodes'] },
    { level: 'Metadata', verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'] },
    { level: 'Metadata', resources: [{ group: '', resources: ['secrets'] }] },
    { level: 'Metadata', userGroups: ['system:serviceaccounts:sinter-system'] },
  ],
};

const flags = (values: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(values).map(([name, value]) => `--${name}=${value}`);

const ETCD: ProcessSpec = {
  name: 'etcd',
  // A cluster that is thrown away need not survive a loss of power.
  command: [
    'etcd',
    '--unsafe-no-fsync',
    ...flags({
      'data-dir': STATE_PLACES.etcd,
      'listen-client-urls': etcdUrl,
      'advertise-client-urls': etcdUrl,
      'listen-peer-urls': etcdPeerUrl,
      'initial-advertise-peer-urls': etcdPeerUrl,
      'initial-cluster': `default=${etcdPeerUrl}`,
      'log-level': 'warn',
    }),
  ],
};

const API_SERVER_FLAGS = {
  'etcd-servers': etcdUrl,
  'advertise-address': NETWORK.host,
  'bind-address': NETWORK.host,
  'secure-port': String(NETWORK.apiPort),
  'tls-cert-file': PKI.api.certificate,
  'tls-private-key-file': PKI.api.key,
  'client-ca-file': PKI.ca,
  'kubelet-client-certificate': PKI.kubelet.certificate,
  'kubelet-client-key': PKI.kubelet.key,
  'kubelet-preferred-address-types': 'InternalIP',
  'token-auth-file': PKI.tokens,
  'authorization-mode': 'Node,RBAC',
  'enable-admission-plugins': 'NodeRestriction',
  'service-account-issuer': 'https://kubernetes.default.svc',
  'service-account-key-file': PKI.serviceAccountPublic,
  'service-account-signing-key-file': PKI.serviceAccountKey,
  'service-cluster-ip-range': NETWORK.services,
  'allow-privileged': 'true',
  'enable-aggregator-routing': 'true',
  // For `nodes.ts`, which corrects what an emulated machine says of itself.
  'feature-gates': 'MutatingAdmissionPolicy=true',
  'runtime-config': 'admissionregistration.k8s.io/v1beta1=true',
  'audit-log-path': STATE_PLACES.audit,
  'audit-log-maxsize': '1000',
  'audit-policy-file': auditPolicy,
  profiling: 'false',
};

export const API_SERVER: ProcessSpec = {
  name: 'kube-apiserver',
  command: ['kube-apiserver', ...flags(API_SERVER_FLAGS)],
};

const CONTROLLER_MANAGER: ProcessSpec = {
  name: 'kube-controller-manager',
  command: [
    'kube-controller-manager',
    ...flags({
      kubeconfig: kubeconfigOf('controller-manager'),
      'root-ca-file': PKI.ca,
      'service-account-private-key-file': PKI.serviceAccountKey,
      'cluster-signing-cert-file': PKI.ca,
      'cluster-signing-key-file': PKI.caKey,
      'leader-elect': 'false',
      'allocate-node-cidrs': 'false',
      'bind-address': '127.0.0.1',
      'node-monitor-grace-period': '20s',
      profiling: 'false',
    }),
  ],
};

const SCHEDULER: ProcessSpec = {
  name: 'kube-scheduler',
  command: [
    'kube-scheduler',
    ...flags({ kubeconfig: kubeconfigOf('scheduler'), 'leader-elect': 'false', 'bind-address': '127.0.0.1' }),
  ],
};

/** `env` has the PATH on which the binaries lie. */
export async function ensureControlPlane(env: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(STATE_PLACES.config, { recursive: true });
  await writeFile(auditPolicy, JSON.stringify(AUDIT_POLICY));
  const etcd = await ensureProcess({ ...ETCD, env });
  await until('etcd answers', async () => (await answers(`${etcdUrl}/health`)) || (await died(etcd)));
  await startApiServer(env);
  await ensureProcess({ ...CONTROLLER_MANAGER, env });
  await ensureProcess({ ...SCHEDULER, env });
}

export async function startApiServer(env: Readonly<Record<string, string>>): Promise<void> {
  const server = await ensureProcess({ ...API_SERVER, env });
  const api = await Api.as('admin');
  const ready = async (): Promise<boolean> =>
    (await api.ask('/readyz')).status === 200 || (await died(server));
  await until('the API server is ready', ready, START_LIMIT_MS);
  api.close();
}

/** A process that has ended will never be ready: what it said last tells why. */
async function died(started: Started): Promise<false> {
  if (await isRunning(started)) return false;
  throw new Error(`${started.name} ended:\n${await endOfLog(started.name)}`);
}

async function answers(url: string): Promise<boolean> {
  return await fetch(url).then(
    (answer) => answer.ok,
    () => false,
  );
}
