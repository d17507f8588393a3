/**
 * Where everything of the testbed lies, and its addresses. Pure.
 *
 * Two folders: the cache (binaries and layers, kept) and the state (one cluster, thrown away by `down`).
 * Addresses are from 198.18.0.0/15, the range that is reserved for benchmarks: nothing outside the machine is ever meant.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';

export type Architecture = 'amd64' | 'arm64';
export const ARCHITECTURES: readonly Architecture[] = ['amd64', 'arm64'];

export interface Machine {
  readonly name: string;
  /** Of its addresses and its link; 1 to 9. */
  readonly index: number;
  readonly architecture: Architecture;
  readonly tier: 'Cloud' | 'Edge';
}

/** Machines whose architecture is not that of this machine are emulated, instruction by instruction. */
export const MACHINES: readonly Machine[] = [
  { name: 'n1', index: 1, architecture: 'amd64', tier: 'Cloud' },
  { name: 'n2', index: 2, architecture: 'amd64', tier: 'Edge' },
  { name: 'n3', index: 3, architecture: 'arm64', tier: 'Edge' },
];

export function machineNamed(name: string): Machine {
  const machine = MACHINES.find((m) => m.name === name);
  if (machine) return machine;
  throw new Error(`there is no machine ${name}; there are ${MACHINES.map((m) => m.name).join(', ')}`);
}

export const NETWORK = {
  bridge: 'sinter-br',
  /** Of this machine on the bridge: API server, DNS and registry listen there. */
  host: '198.18.0.1',
  machines: '198.18.0.0/24',
  pods: '198.18.128.0/17',
  services: '198.19.0.0/16',
  apiService: '198.19.0.1',
  dnsService: '198.19.0.10',
  apiPort: 6443,
  dnsPort: 5353,
  registryPort: 5000,
  etcdPort: 2379,
  etcdPeerPort: 2380,
  /** The registry's name for pods and machines; this machine says `host`. */
  registryName: 'registry.testbed',
} as const;

export const addressOf = (machine: Machine): string => `198.18.0.${String(10 + machine.index)}`;
export const podRangeOf = (machine: Machine): string => `198.18.${String(128 + machine.index)}.0/24`;
/** This machine's end of the machine's cable. */
export const linkOf = (machine: Machine): string => `sinter-v${String(machine.index)}`;
export const cgroupOf = (machine: Machine): string => `sinter-${machine.name}`;

/** Unix sockets allow no long paths, and the folder is taken away as a whole: it is nobody's choice. */
export const STATE = '/tmp/sinter-testbed';

export const STATE_PLACES = {
  bin: join(STATE, 'bin'),
  pki: join(STATE, 'pki'),
  logs: join(STATE, 'log'),
  processes: join(STATE, 'process'),
  config: join(STATE, 'config'),
  machines: join(STATE, 'machine'),
  etcd: join(STATE, 'etcd'),
  registry: join(STATE, 'registry'),
  kubeconfig: join(STATE, 'admin.kubeconfig'),
  audit: join(STATE, 'log', 'audit.log'),
  ready: join(STATE, 'ready'),
  host: join(STATE, 'host.json'),
} as const;

export interface MachinePlaces {
  readonly folder: string;
  /** Folders of its own that it sees at these places: a machine shares no such file with another one. */
  readonly own: Readonly<Record<string, string>>;
  /** Its containerd, as this machine reaches it. */
  readonly containerd: string;
}

export function placesOf(machine: Machine): MachinePlaces {
  const folder = join(STATE_PLACES.machines, machine.name);
  const own = {
    '/var/lib': join(folder, 'var-lib'),
    '/var/log': join(folder, 'var-log'),
    '/run': join(folder, 'run'),
  };
  return { folder, own, containerd: join(own['/run'], 'containerd', 'containerd.sock') };
}

/** Binaries and layers: made once, kept. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const cache = env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache');
  return join(cache, 'sinter', 'testbed');
}
