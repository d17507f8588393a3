/**
 * The provisioner of the testbed's StorageClass, as a process of its own: folders on the machines.
 *
 * It asks twice a second instead of watching: nothing can be missed, and an API server that is away is simply asked again.
 */
import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Api } from '../parts/api.ts';
import { MACHINES, machineNamed, placesOf } from '../places.ts';
import type { Machine } from '../places.ts';
import { decide } from './decide.ts';
import type { Claim, Decision, Volume } from './decide.ts';

const PERIOD_MS = 500;
const VOLUMES = '/api/v1/persistentvolumes';

const api = await Api.as('volumes');
let said = '';
for (;;) {
  const problem = await turn().then(
    () => '',
    (cause: unknown) => (cause instanceof Error ? cause.message : String(cause)),
  );
  if (problem !== '' && problem !== said) console.error(problem);
  said = problem;
  await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
}

async function turn(): Promise<void> {
  const claims = await list<Claim>('/api/v1/persistentvolumeclaims');
  const volumes = await list<Volume>(VOLUMES);
  await carryOut(decide(claims, volumes));
}

async function carryOut({ make, drop }: Decision): Promise<void> {
  for (const { machine, path, object } of make) {
    const folder = onThisMachine(machineNamed(machine), path);
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o777); // whoever the pod's user is
    const { status, body } = await api.ask(VOLUMES, { method: 'POST', body: object });
    if (status !== 201) console.error(`${path} on ${machine}: ${String(status)} ${body}`);
  }
  for (const { name, path } of drop) {
    await api.ask(`${VOLUMES}/${name}`, { method: 'DELETE' });
    for (const machine of MACHINES) await rm(onThisMachine(machine, path), { recursive: true, force: true });
  }
}

function onThisMachine(machine: Machine, path: string): string {
  return join(placesOf(machine).own['/var/lib'] ?? '', path.slice('/var/lib'.length));
}

async function list<T>(path: string): Promise<readonly T[]> {
  const { status, body } = await api.ask(path);
  if (status !== 200) throw new Error(`${path}: ${String(status)} ${body.slice(0, 200)}`);
  return (JSON.parse(body) as { readonly items: readonly T[] }).items;
}
