/**
 * The network between this machine and the machines of the cluster: a bridge with a cable to each.
 *
 * This machine reaches pods and Services by routes: a pod through its machine, a Service through the first machine, whose
 * kube-proxy sends it on. Nothing leaves by this machine's own default route.
 */
import { attempt, run, succeeds, until } from '../command.ts';
import type { Machine } from '../places.ts';
import { MACHINES, NETWORK, addressOf, linkOf, podRangeOf } from '../places.ts';

const ip = (...args: readonly string[]): Promise<string> => run(['ip', ...args]);
const hasLink = (name: string): Promise<boolean> => succeeds(['ip', 'link', 'show', name]);

export async function ensureBridge(): Promise<void> {
  const { bridge, host } = NETWORK;
  if (!(await hasLink(bridge))) {
    await ip('link', 'add', bridge, 'type', 'bridge');
    await ip('addr', 'add', `${host}/24`, 'dev', bridge);
  }
  await ip('link', 'set', bridge, 'up');
  const [first] = MACHINES;
  if (first) await ip('route', 'replace', NETWORK.services, 'via', addressOf(first));
}

/** Puts a cable into the network namespace of the process that holds the machine. */
export async function ensureCable(machine: Machine, holderPid: number): Promise<void> {
  const link = linkOf(machine);
  const inside = (...args: readonly string[]): Promise<string> =>
    run(['nsenter', `--target=${String(holderPid)}`, '--net', '--', 'ip', ...args]);
  if (!(await hasLink(link))) {
    const peer = ['peer', 'name', 'eth0', 'netns', String(holderPid)];
    await ip('link', 'add', link, 'type', 'veth', ...peer);
    await inside('addr', 'add', `${addressOf(machine)}/24`, 'dev', 'eth0');
    await inside('link', 'set', 'eth0', 'up');
    await inside('link', 'set', 'lo', 'up');
    await inside('route', 'add', 'default', 'via', NETWORK.host);
  }
  await ip('link', 'set', link, 'master', NETWORK.bridge, 'up');
  await ip('route', 'replace', podRangeOf(machine), 'via', addressOf(machine));
}

/** Pulls the cable, or plugs it in again. What is inside the machine goes on. */
export async function setCable(machine: Machine, plugged: boolean): Promise<void> {
  await ip('link', 'set', linkOf(machine), plugged ? 'up' : 'down');
}

export async function isPlugged(machine: Machine): Promise<boolean> {
  const { code, stdout } = await attempt(['ip', '-o', 'link', 'show', linkOf(machine)]);
  return code === 0 && /[<,]UP[,>]/.test(stdout);
}

/** Routes go with the bridge. A cable goes by itself, too, a moment after the machine that had its other end. */
export async function removeNetwork(): Promise<void> {
  for (const name of [...MACHINES.map(linkOf), NETWORK.bridge])
    await until(`link ${name} is gone`, async () => {
      await attempt(['ip', 'link', 'delete', name]);
      return !(await hasLink(name));
    });
}
