/**
 * Where pods of a unit may be scheduled, and what they bear of their machine.
 *
 * Owns: the tiers and architectures of a plan, said to the scheduler. Neighbour: `snapshot/machines.ts` reads them off
 * Nodes. Invariant: what `machineOf` gives the planner with an allowed tier and architecture is exactly where a pod may go.
 */
import type { Architecture, Tier } from '../model/nouns.ts';
import {
  ARCHITECTURE_LABEL,
  EDGE_ROLE,
  OS_LABEL,
  OTHER_OS,
  TIER_LABEL,
  TIERS,
} from '../snapshot/machines.ts';
import type { NodeAffinity, NodeSelectorRequirement, NodeSelectorTerm, Toleration } from './kubernetes.ts';

/** Neither list may be empty. */
export function nodeAffinity(tiers: readonly Tier[], architectures: readonly Architecture[]): NodeAffinity {
  const everywhere: readonly NodeSelectorRequirement[] = [
    { key: ARCHITECTURE_LABEL, operator: 'In', values: [...architectures].sort() },
    { key: OS_LABEL, operator: 'NotIn', values: [OTHER_OS] },
  ];
  const terms = tierTerms(tiers).map((tier): NodeSelectorTerm => ({
    matchExpressions: [...everywhere, ...tier],
  }));
  return { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } };
}

/** Lists of requirements, of which one has to hold as a whole. */
function tierTerms(tiers: readonly Tier[]): readonly (readonly NodeSelectorRequirement[])[] {
  const [tier, other] = tiers;
  if (tier === undefined || other !== undefined) return [[]];
  return [
    [{ key: TIER_LABEL, operator: 'In', values: [tier] }],
    [
      { key: TIER_LABEL, operator: 'NotIn', values: TIERS },
      { key: EDGE_ROLE, operator: tier === 'Edge' ? 'Exists' : 'DoesNotExist' },
    ],
  ];
}

/**
 * Where Edge is allowed, the taint that keeps others off machines of that role. Where nothing else is, an unreachable
 * machine without limit (D1): it runs on, and nobody could take its place better. A unit that may run in the cloud too is
 * replaced after Kubernetes' five minutes, or a dead machine would hold it for good; an instance on a machine that is only
 * cut off serves on there until the machine is back.
 */
export function tolerationsOf(tiers: readonly Tier[]): readonly Toleration[] {
  if (!tiers.includes('Edge')) return [];
  const role: Toleration = { key: EDGE_ROLE, operator: 'Exists' };
  return tiers.length > 1 ? [role] : [role, ...LOST.map(bornForever)];
}

const LOST = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
const bornForever = (key: string): Toleration => ({ key, operator: 'Exists', effect: 'NoExecute' });
