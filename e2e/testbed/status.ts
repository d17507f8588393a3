/** What of the testbed is there, for people and for programs. */
import { join } from 'node:path';
import { NATS_IMAGE, SINTER_IMAGE } from './images/catalogue.ts';
import { isPlugged } from './parts/network.ts';
import { isRunning, knownProcesses } from './parts/processes.ts';
import { readyMachines } from './parts/readiness.ts';
import type { Architecture } from './places.ts';
import { MACHINES, NETWORK, STATE_PLACES, addressOf } from './places.ts';
import { exists } from './supply/packages.ts';

export interface TestbedStatus {
  /** `Up`: every machine is ready. `Partly`: something runs. */
  readonly state: 'Up' | 'Partly' | 'Down';
  readonly kubeconfig: string;
  readonly kubectl: string;
  readonly helm: string;
  readonly images: { readonly sinter: string; readonly nats: string };
  readonly registry: string;
  readonly auditLog: string;
  readonly machines: readonly {
    readonly name: string;
    readonly architecture: Architecture;
    readonly tier: string;
    readonly address: string;
    readonly ready: boolean;
    readonly connected: boolean;
  }[];
  readonly processes: readonly { readonly name: string; readonly pid: number; readonly running: boolean }[];
}

export async function status(): Promise<TestbedStatus> {
  const started = await knownProcesses();
  const processes = await Promise.all(
    started.map(async (p) => ({ name: p.name, pid: p.pid, running: await isRunning(p) })),
  );
  const ready = (await exists(STATE_PLACES.kubeconfig)) ? await readyMachines() : [];
  const machines = await Promise.all(
    MACHINES.map(async (machine) => ({
      name: machine.name,
      architecture: machine.architecture,
      tier: machine.tier,
      address: addressOf(machine),
      ready: ready.includes(machine.name),
      connected: await isPlugged(machine),
    })),
  );
  const whole = processes.every((p) => p.running) && machines.every((m) => m.ready);
  return {
    state: processes.length === 0 ? 'Down' : whole ? 'Up' : 'Partly',
    kubeconfig: STATE_PLACES.kubeconfig,
    kubectl: join(STATE_PLACES.bin, 'kubectl'),
    helm: join(STATE_PLACES.bin, 'helm'),
    images: { sinter: SINTER_IMAGE, nats: NATS_IMAGE },
    registry: `${NETWORK.registryName}:${String(NETWORK.registryPort)}`,
    auditLog: STATE_PLACES.audit,
    machines,
    processes,
  };
}

export function statusText(s: TestbedStatus): string {
  if (s.state === 'Down') return 'no testbed is up; `npm run testbed -- up` brings one up';
  const machines = s.machines.map((m) => {
    const how = `${m.ready ? 'ready' : 'not ready'}${m.connected ? '' : ', cut off'}`;
    return `  ${m.name}  ${m.architecture}  ${m.tier.padEnd(5)}  ${m.address}  ${how}`;
  });
  const ended = s.processes.filter((p) => !p.running).map((p) => `  ${p.name} has ended`);
  return [
    `testbed: ${s.state === 'Up' ? 'up' : 'partly up; `npm run testbed -- up` goes on'}`,
    ...machines,
    ...ended,
    `export KUBECONFIG=${s.kubeconfig}`,
    `export PATH=${STATE_PLACES.bin}:$PATH    # kubectl, helm`,
  ].join('\n');
}
