/**
 * A machine: namespaces of its own for network, mounts and processes, and in them containerd, kubelet and kube-proxy.
 *
 * Owns: the process that holds the namespaces, and the configuration of what runs in them. The cable is `network.ts`.
 * Invariants:
 *  1. Everything in a machine ends with the process that holds it, mounts and containers included: the kernel sees to it.
 *  2. Machines share no folder that Kubernetes or a hostPath below /var/lib writes to.
 */
import { mkdir, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../command.ts';
import type { Machine } from '../places.ts';
import { NETWORK, STATE_PLACES, addressOf, cgroupOf, placesOf, podRangeOf } from '../places.ts';
import { exists } from '../supply/packages.ts';
import { ensureCgroup } from './cgroups.ts';
import { ensureCable } from './network.ts';
import { PKI, kubeconfigOf } from './pki.ts';
import { endOfLog, ensureProcess, isRunning, knownProcess } from './processes.ts';
import type { Started } from './processes.ts';

export const PAUSE_IMAGE = 'sinter.local/pause:1';
/** kubelet says of every machine the architecture that it was compiled for itself; see `architecture.ts`. */
export const ARCHITECTURE_LABEL = 'testbed.sinter.dev/architecture';

/** Programs that a machine starts, for its PATH, and the one that holds it. */
export interface MachinePrograms {
  readonly env: Readonly<Record<string, string>>;
  readonly pause: string;
}

export async function ensureMachine(machine: Machine, { env, pause }: MachinePrograms): Promise<Started> {
  const holder = await ensureHolder(machine, pause);
  await ensureCgroup(machine);
  await ensureCable(machine, holder.pid);
  await writeConfigs(machine);
  const { folder, containerd } = placesOf(machine);
  const name = `containerd-${machine.name}`;
  const before = await knownProcess(name);
  if (!before || !(await isRunning(before))) await rm(containerd, { force: true }); // of one that was killed
  const command = ['containerd', '--config', join(folder, 'containerd.toml')];
  const started = await ensureProcess({ name, command, env, inside: machine.name });
  await until(`${name} listens`, async () => {
    if (!(await isRunning(started))) throw new Error(`${name} ended:\n${await endOfLog(name)}`);
    return await exists(containerd);
  });
  return started;
}

/** kubelet and kube-proxy, once the images are there that they need; gives kubelet's process. */
export async function ensureKubernetes(machine: Machine, { env }: MachinePrograms): Promise<Started> {
  const labels = [
    `sinter.dev/tier=${machine.tier}`,
    `topology.kubernetes.io/zone=${machine.tier.toLowerCase()}`,
    `${ARCHITECTURE_LABEL}=${machine.architecture}`,
  ];
  const kubelet = [
    'kubelet',
    `--config=${join(placesOf(machine).folder, 'kubelet.json')}`,
    `--kubeconfig=${kubeconfigOf(machine.name)}`,
    `--hostname-override=${machine.name}`,
    `--node-ip=${addressOf(machine)}`,
    `--node-labels=${labels.join(',')}`,
  ];
  const proxy = [
    'kube-proxy',
    `--kubeconfig=${kubeconfigOf('proxy')}`,
    `--hostname-override=${machine.name}`,
    `--cluster-cidr=${NETWORK.pods}`,
    '--proxy-mode=iptables',
    '--conntrack-max-per-core=0',
  ];
  const inside = machine.name;
  await ensureProcess({ name: `kube-proxy-${machine.name}`, command: proxy, env, inside });
  return await ensureProcess({ name: `kubelet-${machine.name}`, command: kubelet, env, inside });
}

async function ensureHolder(machine: Machine, pause: string): Promise<Started> {
  const { own } = placesOf(machine);
  for (const folder of Object.values(own)) await mkdir(folder, { recursive: true });
  await mkdir(join(own['/var/lib'] ?? '', 'kubelet'), { recursive: true });
  const mounts = Object.entries(own).map(([at, folder]) => `mount --bind ${folder} ${at}`);
  // kubelet hands mounts on to containers, which only shared ones allow.
  const script = [...mounts, 'mount --make-rshared /', `exec ${pause}`].join(' && ');
  const started = await ensureProcess({
    name: machine.name,
    command: ['unshare', '--net', '--mount', '--pid', '--fork', '--mount-proc', 'sh', '-c', script],
    forks: true,
  });
  await until(`machine ${machine.name} has its mounts`, async () => {
    if (!(await isRunning(started)))
      throw new Error(`${machine.name} ended:\n${await endOfLog(machine.name)}`);
    return (await readlink(`/proc/${String(started.pid)}/exe`).catch(() => '')) === pause;
  });
  return started;
}

async function writeConfigs(machine: Machine): Promise<void> {
  const { folder } = placesOf(machine);
  await mkdir(join(folder, 'cni'), { recursive: true });
  await writeFile(join(folder, 'cni', '10-bridge.conflist'), JSON.stringify(cni(machine)));
  await writeFile(join(folder, 'containerd.toml'), containerdConfig(machine));
  await writeFile(join(folder, 'kubelet.json'), JSON.stringify(kubeletConfig(machine)));
  await writeFile(join(folder, 'resolv.conf'), '');
}

const cni = (machine: Machine): object => ({
  cniVersion: '0.4.0',
  name: 'sinter-testbed',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isDefaultGateway: true,
      hairpinMode: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: podRangeOf(machine) }]] },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
});

/** `restrict_oom_score_adj`: who lacks CAP_SYS_RESOURCE, as in many virtual machines, may not lower a score. */
const containerdConfig = (machine: Machine): string => `version = 2
oom_score = 0
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${join(placesOf(machine).folder, 'cni')}"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "${join(STATE_PLACES.config, 'certs.d')}"
`;

const kubeletConfig = (machine: Machine): object => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  failSwapOn: false,
  failCgroupV1: false,
  cgroupDriver: 'cgroupfs',
  cgroupRoot: `/${cgroupOf(machine)}`,
  enforceNodeAllocatable: [],
  containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
  clusterDNS: [NETWORK.dnsService],
  clusterDomain: 'cluster.local',
  authentication: {
    anonymous: { enabled: false },
    webhook: { enabled: true },
    x509: { clientCAFile: PKI.ca },
  },
  authorization: { mode: 'Webhook' },
  // The disk is this machine's, however full that is.
  evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
  imageGCHighThresholdPercent: 100,
  volumePluginDir: '/var/lib/kubelet/volume-plugins',
  resolvConf: join(placesOf(machine).folder, 'resolv.conf'),
  oomScoreAdj: 0,
  nodeStatusUpdateFrequency: '4s',
});
