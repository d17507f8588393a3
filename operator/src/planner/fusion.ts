/**
 * Why two connected functions share a process, or do not.
 *
 * Owns: one decision for each pair that an edge connects, whichever way the edge goes. Neighbour: `grouping.ts` has
 * decided; this file finds the reason again from the same rules, so that it can never be another one.
 */
import { alternative, decision, edgeLabel, input } from './decide.ts';
import type { Facts } from './facts.ts';
import { wishFor } from './grouping.ts';
import type { Grouping, Wish } from './grouping.ts';
import type { Decision } from './plan.ts';
import { refusalOfGroup } from './rules.ts';
import type { Refusal } from './rules.ts';
import { membersOf } from './units.ts';

export interface Pair {
  readonly a: string;
  readonly b: string;
  /** How decisions name it: `a → b`, or `a ↔ b` where both call each other. */
  readonly about: string;
  readonly calls: string;
}

/** Every pair of functions that an edge connects, by name. */
export function connectedPairs(facts: Facts): readonly Pair[] {
  const pairs = new Map<string, Pair>();
  for (const { from, to, call } of facts.edges) {
    if (from === to || !facts.functions.has(from) || !facts.functions.has(to)) continue;
    const back = pairs.get(`${to} ${from}`);
    if (back) {
      pairs.set(`${to} ${from}`, { ...back, about: `${to} ↔ ${from}`, calls: `${back.calls}, ${call} back` });
    } else pairs.set(`${from} ${to}`, { a: from, b: to, about: edgeLabel(from, to), calls: call });
  }
  return [...pairs.values()];
}

export function fusionDecision(pair: Pair, grouping: Grouping, facts: Facts): Decision {
  const wish = wishFor(pair.a, pair.b, grouping.wishes);
  const home = groupOf(pair.a, grouping);
  const together = home === groupOf(pair.b, grouping);
  return decision({
    about: pair.about,
    kind: 'Fusion',
    choice: together ? 'Together' : 'Apart',
    ...(together ? togetherReason(wish) : apartReason(pair, wish, grouping, facts)),
    inputs: [
      input('calls', pair.calls, 'Workflow'),
      input('fusion.mode', facts.snapshot.policy.spec.fusion.mode, 'policy'),
    ],
    alternatives: [
      together ? alternative('Apart', 'Asked', 'the group is asked for') : whyNot(pair, wish, facts),
    ],
  });
}

const groupOf = (name: string, grouping: Grouping): readonly string[] =>
  grouping.groups.find((group) => group.includes(name)) ?? [name];

const togetherReason = (wish: Wish | undefined): Refusal =>
  !wish || wish.name === ''
    ? { reason: 'KeptAsItRuns', message: 'the policy is off: what runs is kept' }
    : { reason: 'ManualGroup', message: `the policy's group '${wish.name}' puts them together` };

/** In one wished group, but in different parts of it: what the two say against each other, or their parts. */
function apartReason(pair: Pair, wish: Wish | undefined, grouping: Grouping, facts: Facts): Refusal {
  if (!wish) return notWished(facts);
  const label = wish.name === '' ? 'the running unit' : `group '${wish.name}'`;
  const parts = [...groupOf(pair.a, grouping), ...groupOf(pair.b, grouping)];
  const refusal =
    refusalOfGroup(membersOf([pair.a, pair.b], facts), facts) ??
    refusalOfGroup(membersOf(parts, facts), facts);
  if (refusal) return { reason: refusal.reason, message: `${label} is split: ${refusal.message}` };
  return {
    reason: 'SplitElsewhere',
    message: `${label} is split between other functions, and fewest parts need this`,
  };
}

function notWished({ snapshot: { policy, current } }: Facts): Refusal {
  if (policy.spec.mode === 'Off') {
    const message = current
      ? 'the policy is off: what runs is kept'
      : 'the policy is off: every function alone';
    return { reason: 'PolicyOff', message };
  }
  switch (policy.spec.fusion.mode) {
    case 'Off':
      return {
        reason: 'FusionOff',
        message: 'the policy says that every function runs alone (fusion.mode: Off)',
      };
    case 'Manual':
      return { reason: 'NotGrouped', message: 'no group of the policy has both (fusion.mode: Manual)' };
    case 'Auto':
      return {
        reason: 'NoObservations',
        message: 'nothing is measured yet, and without measurements every function runs alone',
      };
  }
}

function whyNot(pair: Pair, wish: Wish | undefined, facts: Facts) {
  const refusal = refusalOfGroup(membersOf([pair.a, pair.b], facts), facts);
  if (refusal) return alternative('Together', refusal.reason, refusal.message);
  if (wish)
    return alternative(
      'Together',
      'SplitElsewhere',
      'no rule is against the two alone, but against their group',
    );
  return alternative(
    'Together',
    'NotAsked',
    'no rule is against it: a Manual group in the policy would put them together',
  );
}
