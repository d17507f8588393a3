/**
 * What a host itself costs, beside the functions in it: CPU time for calls that come and go, and memory of the process.
 *
 * Owns: how much that is, by what was measured of the units that run. What a process used that its functions did not is the
 * host's; it is laid to the calls that came in by the bus, those that were asked for, those that stayed inside, and to the
 * process itself, in the proportions of the priors. Neighbours: `figures.ts` has the rates, `groups.ts` adds it up for a group.
 */
import type { ObservedUnit } from '../snapshot/observations.ts';
import { PRIOR_HOST, PROCESS_BYTES } from './priors.ts';

/** Beyond this something else was measured. */
const SCALE_MAX = 5;
const BYTES_MAX = 4 * PROCESS_BYTES;

export interface HostCost {
  /** By function: cores per instance that hosts use for it where everything is apart, without the process itself. */
  readonly apartCores: Float64Array;
  /** By edge: cores of that which are saved where caller and callee share a process. 0 for async edges: those go by the bus. */
  readonly savedCores: Float64Array;
  /** Of a process that has nothing to do. */
  readonly processCores: number;
  readonly processBytes: number;
}

/** What is needed of the figures. */
export interface HostLoad {
  readonly index: ReadonlyMap<string, number>;
  readonly count: number;
  readonly cpuMs: Float64Array;
  readonly memoryBytes: Float64Array;
  readonly isMemoryKnown: Uint8Array;
  readonly instances: Float64Array;
  /** Executions per second. */
  readonly rate: Float64Array;
  readonly firstEdge: Int32Array;
  readonly to: Int32Array;
  readonly isSync: Uint8Array;
  readonly calls: Float64Array;
}

export function hostCostOf(load: HostLoad, units: readonly ObservedUnit[]): HostCost {
  const prior = priorOf(load);
  const scale = scaleOf(prior, load, units);
  return {
    apartCores: prior.apartCores.map((cores) => cores * scale),
    savedCores: prior.savedCores.map((cores) => cores * scale),
    processCores: prior.processCores * scale,
    processBytes: processBytesOf(load, units),
  };
}

function priorOf(load: HostLoad): HostCost {
  const { servedMs, askedMs, insideMs, processCores } = PRIOR_HOST;
  const { count, rate, instances, firstEdge, to, calls, isSync } = load;
  const apartCores = rate.map((r, f) => (f < count ? (r * servedMs) / 1000 / (instances[f] ?? 1) : 0));
  const savedCores = new Float64Array(to.length);
  for (let f = 0; f < count; f++) {
    for (let e = firstEdge[f] ?? 0; e < (firstEdge[f + 1] ?? 0); e++) {
      const perSecond = ((rate[f] ?? 0) * (calls[e] ?? 0)) / (instances[f] ?? 1);
      apartCores[f] = (apartCores[f] ?? 0) + (perSecond * askedMs) / 1000;
      if (isSync[e] === 1) savedCores[e] = (perSecond * (servedMs + askedMs - insideMs)) / 1000;
    }
  }
  return { apartCores, savedCores, processCores, processBytes: PROCESS_BYTES };
}

/** What was measured of the hosts, by what the priors say of them. */
function scaleOf(prior: HostCost, load: HostLoad, units: readonly ObservedUnit[]): number {
  let [measured, said] = [0, 0];
  for (const { functions, cpuMillis } of units) {
    const members = functions.flatMap((name) => load.index.get(name) ?? []);
    if (cpuMillis === null || members.length < functions.length) continue;
    measured += Math.max(0, cpuMillis / 1000 - functionCores(load, members));
    said += hostCores(prior, load, members, members.length, (f) => members.includes(f));
  }
  return said > 0 ? Math.min(SCALE_MAX, measured / said) : 1;
}

const functionCores = ({ rate, cpuMs, instances }: HostLoad, members: readonly number[]): number =>
  members.reduce((sum, f) => sum + ((rate[f] ?? 0) * (cpuMs[f] ?? 0)) / 1000 / (instances[f] ?? 1), 0);

/** Cores per instance that the host of a group uses: the first `count` of `members`, which are those that `isMember` says. */
export function hostCores(
  { apartCores, savedCores, processCores }: HostCost,
  { firstEdge, to }: Pick<HostLoad, 'firstEdge' | 'to'>,
  members: ArrayLike<number>,
  count: number,
  isMember: (f: number) => boolean,
): number {
  let cores = processCores;
  for (let i = 0; i < count; i++) {
    const f = members[i] ?? 0;
    cores += apartCores[f] ?? 0;
    for (let e = firstEdge[f] ?? 0; e < (firstEdge[f + 1] ?? 0); e++)
      if (isMember(to[e] ?? 0)) cores -= savedCores[e] ?? 0;
  }
  return cores;
}

/** What processes used beside their functions, on average; the prior where none was measured. */
function processBytesOf(
  { index, memoryBytes, isMemoryKnown }: HostLoad,
  units: readonly ObservedUnit[],
): number {
  const measured = units.flatMap((unit) => {
    const members = unit.functions.flatMap((name) => index.get(name) ?? []);
    const isKnown = members.length === unit.functions.length && members.every((f) => isMemoryKnown[f] === 1);
    if (unit.memoryBytes === null || !isKnown) return [];
    return [unit.memoryBytes - members.reduce((sum, f) => sum + (memoryBytes[f] ?? 0), 0)];
  });
  if (measured.length === 0) return PROCESS_BYTES;
  const mean = measured.reduce((sum, bytes) => sum + bytes, 0) / measured.length;
  return Math.min(BYTES_MAX, Math.max(PROCESS_BYTES / 2, mean));
}
