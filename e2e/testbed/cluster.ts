/**
 * What tests do to the testbed that no user of a cluster could: faults of machines, cables and processes, and a look at
 * what the API server was asked.
 *
 * Whoever makes a fault mends it: every fault has its opposite, and both may be called twice.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import { API_SERVER, startApiServer as startServer } from './parts/controlPlane.ts';
import { isPlugged, setCable } from './parts/network.ts';
import { kubeconfig, sign } from './parts/pki.ts';
import { endProcess, enter, knownProcess } from './parts/processes.ts';
import { STATE_PLACES, machineNamed, placesOf } from './places.ts';

export { REGISTRY, REGISTRY_URL, startRegistry, stopRegistry } from './parts/registry.ts';
export { loadImage } from './images/load.ts';
export { loadSinter } from './up.ts';
export { MACHINES, NETWORK, addressOf } from './places.ts';

/** Pulls the machine's cable: its pods go on among themselves, nobody else reaches them. */
export async function cutOff(machine: string): Promise<void> {
  await setCable(machineNamed(machine), false);
}

export async function reconnect(machine: string): Promise<void> {
  await setCable(machineNamed(machine), true);
}

export const isCutOff = async (machine: string): Promise<boolean> =>
  !(await isPlugged(machineNamed(machine)));

/** Kills the API server, as a crash would. */
export async function stopApiServer(): Promise<void> {
  const server = await knownProcess(API_SERVER.name);
  if (server) await endProcess(server, 'SIGKILL');
}

/** Starts it again, as it was started first, and waits until it is ready. */
export async function startApiServer(): Promise<void> {
  const server = await knownProcess(API_SERVER.name);
  if (!server) throw new Error('no testbed is up');
  await startServer(server.env ?? {});
}

export interface ContainerName {
  readonly namespace: string;
  readonly pod: string;
  /** The pod's only one where it is not given. */
  readonly container?: string;
}

interface ContainerStatus {
  readonly name: string;
  readonly containerID?: string;
}

interface PodJson {
  readonly spec: { readonly nodeName?: string };
  readonly status: { readonly containerStatuses?: readonly ContainerStatus[] };
}

/** Signals the first process of a container from outside: SIGKILL cannot be caught, and is not told to it. */
export async function killContainer(
  name: ContainerName,
  signal: 'KILL' | 'STOP' | 'CONT' = 'KILL',
): Promise<void> {
  const kubectl = join(STATE_PLACES.bin, 'kubectl');
  const config = `--kubeconfig=${STATE_PLACES.kubeconfig}`;
  const said = await run([kubectl, config, '-n', name.namespace, 'get', 'pod', name.pod, '-o', 'json']);
  const { spec, status } = JSON.parse(said) as PodJson;
  const all = status.containerStatuses ?? [];
  const found = all.find((c) => name.container === undefined || c.name === name.container);
  const id = found?.containerID?.replace('containerd://', '');
  if (id === undefined || spec.nodeName === undefined)
    throw new Error(`${name.namespace}/${name.pod} has no running container ${name.container ?? ''}`);
  const pid = await processOf(spec.nodeName, id);
  await run(await enter(spec.nodeName, ['kill', `-${signal}`, pid], ['--pid']));
}

/** Process id as the machine counts them. */
async function processOf(machine: string, container: string): Promise<string> {
  const { containerd } = placesOf(machineNamed(machine));
  const tasks = await run(['ctr', '--address', containerd, '--namespace', 'k8s.io', 'tasks', 'ls']);
  const line = tasks.split('\n').find((l) => l.startsWith(container));
  const pid = line?.trim().split(/\s+/)[1];
  if (pid === undefined) throw new Error(`container ${container} does not run on ${machine}`);
  return pid;
}

/** Runs a command of this machine in the network of another one; gives its output. */
export async function inNetworkOf(machine: string, command: readonly string[]): Promise<string> {
  return await run(await enter(machine, command, ['--net']));
}

/** An entry of the API server's audit log, of what tests look at. */
export interface AuditEntry {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly userAgent?: string;
  readonly requestURI: string;
  readonly objectRef?: {
    readonly resource?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly subresource?: string;
  };
  readonly responseStatus?: { readonly code?: number };
  readonly requestReceivedTimestamp: string;
  readonly stage: string;
}

export interface AuditQuery {
  readonly since: Date;
  /** The whole name, as `system:serviceaccount:sinter-system:sinter`. */
  readonly user?: string;
  /** The beginning of it. */
  readonly userAgent?: string;
}

/**
 * What was asked since then: writes of everybody but machines, reads of Secrets, and everything that service accounts of
 * sinter-system asked. One entry a request: a watch is there from its end on.
 */
export async function auditEntries({
  since,
  user,
  userAgent = '',
}: AuditQuery): Promise<readonly AuditEntry[]> {
  const lines = (await readFile(STATE_PLACES.audit, 'utf8')).split('\n').filter((line) => line.endsWith('}'));
  return lines
    .map((line) => JSON.parse(line) as AuditEntry)
    .filter((e) => e.stage === 'ResponseComplete' || e.stage === 'Panic')
    .filter((e) => Date.parse(e.requestReceivedTimestamp) >= since.getTime())
    .filter((e) => user === undefined || e.user.username === user)
    .filter((e) => (e.userAgent ?? '').startsWith(userAgent));
}

/** A kubeconfig for a person with a certificate and no rights but what is granted to that name; gives its path. */
export async function kubeconfigFor(user: string, group = ''): Promise<string> {
  if (!/^[a-z0-9-]+$/.test(user))
    throw new Error(`the user's name becomes a file's: [a-z0-9-]+, not ${user}`);
  const { certificate, key } = await sign(`user-${user}`, { user, group });
  const path = join(STATE_PLACES.config, `user-${user}.kubeconfig`);
  const data = async (file: string): Promise<string> => (await readFile(file)).toString('base64');
  const identity = {
    'client-certificate-data': await data(certificate),
    'client-key-data': await data(key),
  };
  await writeFile(path, await kubeconfig(identity), { mode: 0o600 });
  return path;
}
