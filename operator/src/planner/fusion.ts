/**
 * Why two connected functions share a process, or do not.
 *
 * Owns: one decision for each pair that an edge connects, whichever way the edge goes. Neighbours: `choice.ts` has decided,
 * `compare.ts` says what the other way would come to; this file finds the reason again from the same rules and the same model, so that it can
 * never be another one.
 */
import type { Choice } from './choice.ts';
import { comparison, homeOf, mixedUnits, predictedBy } from './compare.ts';
import type { OtherWay, OtherWays, Pair } from './compare.ts';
import { alternative, decision, input, listText, percentText, unitLabel } from './decide.ts';
import type { Facts } from './facts.ts';
import { wishFor } from './grouping.ts';
import type { Wish } from './grouping.ts';
import { callInputs } from './inputs.ts';
import type { Decision } from './plan.ts';
import { refusalOfGroup } from './rules.ts';
import type { Refusal } from './rules.ts';
import { membersOf } from './units.ts';

export function fusionDecision(pair: Pair, choice: Choice, others: OtherWays, facts: Facts): Decision {
  const isTogether = homeOf(pair.a, choice) === homeOf(pair.b, choice);
  const other = others.get(pair.a)?.get(pair.b);
  return decision({
    about: pair.about,
    kind: 'Fusion',
    choice: isTogether ? 'Together' : 'Apart',
    ...(isTogether ? togetherReason(pair, choice, other) : apartReason(pair, choice, other, facts)),
    inputs: [
      input('calls', pair.calls, 'Workflow'),
      input('fusion.mode', facts.snapshot.policy.spec.fusion.mode, 'policy'),
      ...callInputs(pair.a, pair.b, facts),
      ...callInputs(pair.b, pair.a, facts),
    ],
    alternatives: [
      isTogether ? apartAlternative(choice, other) : togetherAlternative(pair, choice, other, facts),
    ],
    margin: other ? percentText(other.margin) : '',
  });
}

/** One more decision for each unit of functions that no call connects: what they share a process for. */
export const mixedDecisions = (choice: Choice, facts: Facts): readonly Decision[] =>
  mixedUnits(choice, facts).map(({ unit, parts, other }) => {
    const [first = [], ...others] = parts;
    const saved = comparison('Together', other);
    const wish = wishFor(first[0] ?? '', others[0]?.[0] ?? '', choice.wishes);
    const isAsked = wish !== undefined && wish.name !== '';
    return decision({
      about: unitLabel(unit),
      kind: 'Fusion',
      choice: 'Together',
      reason: isAsked ? 'ManualGroup' : saved.reason,
      message: `no call connects ${listText(others.flat())} with the others; sharing a process, ${saved.message}`,
      alternatives: [
        alternative(
          `Apart: ${parts.map((part) => `{${listText(part)}}`).join(' ')}`.slice(0, 256),
          saved.reason,
          saved.message,
          predictedBy(other),
        ),
      ],
      margin: percentText(other.margin),
    });
  });

function togetherReason(pair: Pair, choice: Choice, other: OtherWay | undefined): Refusal {
  const wish = wishFor(pair.a, pair.b, choice.wishes);
  if (wish && wish.name !== '') {
    return { reason: 'ManualGroup', message: `the policy's group '${wish.name}' puts them together` };
  }
  if (choice.outcome === 'PolicyOff') {
    return { reason: 'KeptAsItRuns', message: 'the policy is off: what runs is kept' };
  }
  if (choice.outcome === 'UnderTrial') return { reason: choice.outcome, message: choice.message };
  if (choice.outcome === 'NextStep' || !other) return { reason: keptOr(choice), message: choice.message };
  return comparison('Together', other, observes(choice));
}

const keptOr = ({ outcome }: Choice): string => (outcome === 'NextStep' ? 'NextStep' : 'KeptAsItRuns');

function apartReason(pair: Pair, choice: Choice, other: OtherWay | undefined, facts: Facts): Refusal {
  const wish = wishFor(pair.a, pair.b, choice.wishes);
  if (wish) return splitReason(pair, wish, choice, facts);
  const { policy } = facts.snapshot;
  if (choice.outcome === 'PolicyOff') return { reason: choice.outcome, message: choice.message };
  if (policy.spec.fusion.mode === 'Off') {
    const message = 'the policy says that every function runs alone (fusion.mode: Off)';
    return { reason: 'FusionOff', message };
  }
  if (policy.spec.fusion.mode === 'Manual') {
    return { reason: 'NotGrouped', message: 'no group of the policy has both (fusion.mode: Manual)' };
  }
  return measuredReason(pair, choice, other, facts);
}

function measuredReason(pair: Pair, choice: Choice, other: OtherWay | undefined, facts: Facts): Refusal {
  if (choice.outcome === 'NoObservations') {
    const message = 'nothing is measured yet, and without measurements every function runs alone';
    return { reason: 'NoObservations', message };
  }
  const refusal = refusalOfPair(pair, choice, facts);
  if (refusal) return refusal;
  if (choice.outcome === 'UnderTrial' || choice.outcome === 'CoolingDown' || !other) {
    return { reason: choice.outcome, message: choice.message };
  }
  return comparison('Apart', other, observes(choice));
}

const observes = ({ outcome }: Choice): boolean => outcome === 'PolicyObserves';

/** In one wished group, but in different parts of it: what the two say against each other, or their parts. */
function splitReason(pair: Pair, wish: Wish, choice: Choice, facts: Facts): Refusal {
  const label = wish.name === '' ? 'the running unit' : `group '${wish.name}'`;
  const parts = [...homeOf(pair.a, choice), ...homeOf(pair.b, choice)];
  const refusal =
    refusalOfGroup(membersOf([pair.a, pair.b], facts), facts) ??
    refusalOfGroup(membersOf(parts, facts), facts);
  if (refusal) return { reason: refusal.reason, message: `${label} is split: ${refusal.message}` };
  return {
    reason: 'SplitElsewhere',
    message: `${label} is split between other functions, and fewest parts need this`,
  };
}

/** What every way to put the two together breaks; undefined: one is allowed. */
function refusalOfPair(pair: Pair, choice: Choice, facts: Facts): Refusal | undefined {
  const [homeOfA, homeOfB] = [homeOf(pair.a, choice), homeOf(pair.b, choice)];
  const ways = [
    [pair.a, pair.b],
    [...homeOfA, pair.b],
    [...homeOfB, pair.a],
    [...homeOfA, ...homeOfB],
  ];
  const refusals = ways.map(
    (group) => refusalOfGroup(membersOf(group, facts), facts) ?? softly(group, choice),
  );
  const [ofPair] = refusals;
  if (ofPair) return ofPair;
  return refusals.slice(1).every((r) => r !== undefined) ? refusals[1] : undefined;
}

/** The rules that only a search has. */
function softly(group: readonly string[], { study }: Choice): Refusal | undefined {
  if (!study || study.allows(group)) return undefined;
  const unseen = group.filter((fn) => !study.isKnown(fn));
  if (unseen.length > 0) {
    return {
      reason: 'NotObserved',
      message: `nothing was measured of ${listText(unseen)}: it stays where it is`,
    };
  }
  return {
    reason: 'AsyncWouldStarveSync',
    message: `in one process the asynchronous work of ${listText(group)} would keep the cores from calls that somebody waits for`,
  };
}

function apartAlternative(choice: Choice, other: OtherWay | undefined) {
  if (!other)
    return alternative(
      'Apart',
      'Asked',
      choice.outcome === 'PolicyOff' ? 'it runs so' : 'the group is asked for',
    );
  const { reason, message } = comparison('Together', other, observes(choice));
  return alternative('Apart', reason, message, predictedBy(other));
}

function togetherAlternative(pair: Pair, choice: Choice, other: OtherWay | undefined, facts: Facts) {
  const refusal = refusalOfPair(pair, choice, facts);
  if (refusal) return alternative('Together', refusal.reason, refusal.message);
  if (other) {
    const { reason, message } = comparison('Apart', other, observes(choice));
    return alternative('Together', reason, message, predictedBy(other));
  }
  if (wishFor(pair.a, pair.b, choice.wishes)) {
    const message = 'no rule is against the two alone, but against their group';
    return alternative('Together', 'SplitElsewhere', message);
  }
  const message = 'no rule is against it: a Manual group in the policy would put them together';
  return alternative('Together', 'NotAsked', message);
}
