/** Which machines are ready, as the API server has it. */
import { uptime } from 'node:os';
import { MACHINES } from '../places.ts';
import type { Machine } from '../places.ts';
import { Api } from './api.ts';
import { knownProcess } from './processes.ts';

interface Node {
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly status: { readonly conditions?: readonly NodeCondition[] };
}

interface NodeCondition {
  readonly type: string;
  readonly status: string;
  readonly lastHeartbeatTime: string;
}

/** Of the kernel's clock, in which starts of processes are told. */
const TICKS_PER_SECOND = 100;
/** Clocks are compared to the second. */
const SLACK_MS = 1_000;

/**
 * Names of the machines that are ready, say the right architecture, and have said so since their kubelet was started: of
 * one that was just killed the API server still thinks well.
 */
export async function readyMachines(): Promise<readonly string[]> {
  const api = await Api.as('admin');
  const { status, body } = await api.ask('/api/v1/nodes');
  api.close();
  if (status !== 200) return [];
  const { items } = JSON.parse(body) as { readonly items: readonly Node[] };
  const ready: string[] = [];
  for (const machine of MACHINES) {
    const node = items.find((n) => n.metadata.name === machine.name);
    if (node && isReady(node, machine, await startOf(machine))) ready.push(machine.name);
  }
  return ready;
}

const isReady = ({ metadata, status }: Node, machine: Machine, sinceMs: number): boolean =>
  metadata.labels['kubernetes.io/arch'] === machine.architecture &&
  status.conditions?.some(
    (c) => c.type === 'Ready' && c.status === 'True' && Date.parse(c.lastHeartbeatTime) >= sinceMs,
  ) === true;

async function startOf(machine: Machine): Promise<number> {
  const kubelet = await knownProcess(`kubelet-${machine.name}`);
  if (!kubelet) return Infinity;
  const bootedAt = Date.now() - uptime() * 1000;
  return bootedAt + (kubelet.startTicks / TICKS_PER_SECOND) * 1000 - SLACK_MS;
}
