/** Names in the cluster: CoreDNS on this machine, behind a Service without a selector. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../command.ts';
import { NETWORK, STATE_PLACES } from '../places.ts';
import { Api } from './api.ts';
import { kubeconfigOf } from './pki.ts';
import { ensureProcess } from './processes.ts';

const corefile = join(STATE_PLACES.config, 'Corefile');

/** What is not in the cluster does not exist: nothing outside is asked. */
const COREFILE = `.:${String(NETWORK.dnsPort)} {
  bind ${NETWORK.host}
  errors
  hosts {
    ${NETWORK.host} ${NETWORK.registryName}
    fallthrough
  }
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${kubeconfigOf('dns')} testbed
    pods insecure
    ttl 5
  }
  template ANY ANY {
    rcode NXDOMAIN
  }
  cache 5
}
`;

const ports = [
  { name: 'dns', protocol: 'UDP' },
  { name: 'dns-tcp', protocol: 'TCP' },
];

const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'kube-dns', namespace: 'kube-system' },
  spec: {
    clusterIP: NETWORK.dnsService,
    ports: ports.map((p) => ({ ...p, port: 53, targetPort: NETWORK.dnsPort })),
  },
};

const ENDPOINTS = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: 'kube-dns',
    namespace: 'kube-system',
    labels: { 'kubernetes.io/service-name': 'kube-dns' },
  },
  addressType: 'IPv4',
  ports: ports.map((p) => ({ ...p, port: NETWORK.dnsPort })),
  endpoints: [{ addresses: [NETWORK.host] }],
};

export async function ensureDns(env: Readonly<Record<string, string>>): Promise<void> {
  await writeFile(corefile, COREFILE);
  await ensureProcess({ name: 'coredns', command: ['coredns', '-conf', corefile], env });
  const api = await Api.as('admin');
  const made = async (): Promise<boolean> => (await api.ask('/api/v1/namespaces/kube-system')).status === 200;
  await until('the API server has made the namespace kube-system', made);
  await api.apply('/api/v1/namespaces/kube-system/services/kube-dns', SERVICE);
  await api.apply('/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns', ENDPOINTS);
  api.close();
}
