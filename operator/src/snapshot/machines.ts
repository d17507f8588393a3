/**
 * Machines out of what an API server says of its Nodes.
 *
 * Owns: which Node is a machine, its architecture and its tier. A machine that is cordoned, not ready or cut off stays
 * one: plans must not change with the weather (D1).
 */
import type { Machine, Quantity } from '../model/nouns.ts';
import { bytesOf, cpuMillisOf } from '../model/quantity.ts';

/** As much of a Kubernetes Node as matters here. */
export interface NodeLike {
  readonly metadata?: {
    readonly name?: string | undefined;
    readonly labels?: Readonly<Record<string, string>> | undefined;
    readonly deletionTimestamp?: unknown;
  };
  readonly spec?: {
    readonly taints?: readonly { readonly key: string; readonly effect: string }[] | undefined;
  };
  readonly status?: {
    readonly allocatable?: Readonly<Record<string, Quantity>> | undefined;
  };
}

export const TIER_LABEL = 'sinter.dev/tier';
export const TIERS: readonly Machine['tier'][] = ['Cloud', 'Edge'];
export const EDGE_ROLE = 'node-role.kubernetes.io/edge';
export const ARCHITECTURE_LABEL = 'kubernetes.io/arch';
export const OS_LABEL = 'kubernetes.io/os';
/** The one system of a Node besides Linux; not every Node says which it has. */
export const OTHER_OS = 'windows';
/** Nodes that are kept for the control plane. */
const RESERVED: ReadonlySet<string> = new Set([
  'node-role.kubernetes.io/control-plane',
  'node-role.kubernetes.io/master',
]);

/** The machines among these Nodes, by name. */
export const machinesOf = (nodes: readonly NodeLike[]): readonly Machine[] =>
  nodes
    .flatMap((node) => machineOf(node) ?? [])
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));

/**
 * Undefined: it runs no units, because it is kept for the control plane, is going away, has another system than Linux or no
 * architecture yet.
 */
export function machineOf({ metadata = {}, spec = {}, status = {} }: NodeLike): Machine | undefined {
  const { name, labels = {}, deletionTimestamp } = metadata;
  const architecture = labels[ARCHITECTURE_LABEL];
  const reserved = spec.taints?.some(
    (taint) => RESERVED.has(taint.key) && taint.effect !== 'PreferNoSchedule',
  );
  if (name === undefined || architecture === undefined || reserved === true) return undefined;
  if (labels[OS_LABEL] === OTHER_OS) return undefined;
  if (deletionTimestamp !== undefined && deletionTimestamp !== null) return undefined;
  return { name, architecture, tier: tierOf(labels), ...capacityOf(status.allocatable) };
}

/** What pods may have of it: `allocatable` is without what the system keeps for itself. */
function capacityOf({ cpu, memory }: Readonly<Record<string, Quantity>> = {}): Partial<Machine> {
  return {
    ...(cpu === undefined ? {} : { cpuMillis: cpuMillisOf(cpu) }),
    ...(memory === undefined ? {} : { memoryBytes: bytesOf(memory) }),
  };
}

/** The label says it; where it does not, an edge role does; else Cloud. */
function tierOf(labels: Readonly<Record<string, string>>): Machine['tier'] {
  const said = TIERS.find((tier) => tier === labels[TIER_LABEL]);
  return said ?? (EDGE_ROLE in labels ? 'Edge' : 'Cloud');
}
