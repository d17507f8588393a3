/**
 * What would come of it if two connected functions were the other way round: together instead of apart, or apart instead of
 * together.
 *
 * Owns: the pairs, the best plan of the other way for each, and the words for the difference. Neighbours: `fusion.ts` and
 * `channels.ts` say it to users.
 */
import type { Choice } from './choice.ts';
import { costText, edgeLabel, mbText, msText, percentText, predictedOf } from './decide.ts';
import type { Facts } from './facts.ts';
import type { DecisionAlternative, PlanPrediction } from './plan.ts';
import type { Refusal } from './rules.ts';
import { sized } from './sizes.ts';
import type { Sized } from './sizes.ts';
import type { Study } from './study.ts';

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

/** By the two functions of a pair, in its order. */
export type OtherWays = ReadonlyMap<string, ReadonlyMap<string, OtherWay>>;

/** Empty where nothing is measured. */
export function otherWays(choice: Choice, facts: Facts): OtherWays {
  const out = new Map<string, Map<string, OtherWay>>();
  for (const pair of choice.study ? connectedPairs(facts) : []) {
    const other = choice.study && otherWay(pair, choice, choice.study, facts);
    if (!other) continue;
    const of = out.get(pair.a) ?? new Map<string, OtherWay>();
    out.set(pair.a, of.set(pair.b, other));
  }
  return out;
}

/** A unit of functions that no call connects all: its parts, and what it would come to if each were alone. */
export interface Mixed {
  readonly unit: Sized;
  readonly parts: Groups;
  readonly other: OtherWay;
}

export function mixedUnits({ study, scored, units }: Choice, facts: Facts): readonly Mixed[] {
  if (!study || !scored) return [];
  return units.flatMap((unit) => {
    const parts = connectedParts(unit.functions, facts);
    if (parts.length < 2) return [];
    const rest = units.filter((u) => u !== unit);
    const apart = study.predict([...rest, ...parts.map((part) => sized(part, facts, study))]);
    const other = {
      prediction: apart.prediction,
      margin: apart.score / scored.score - 1,
      chosen: scored.prediction,
    };
    return [{ unit, parts, other }];
  });
}

/** The functions that calls connect, directly or through each other; the order of the group within each. */
function connectedParts(group: readonly string[], facts: Facts): Groups {
  const left = new Set(group);
  const parts: string[][] = [];
  for (const start of group) {
    if (!left.delete(start)) continue;
    const part = new Set([start]);
    for (const fn of part) {
      for (const near of facts.neighbours.get(fn) ?? []) if (left.delete(near)) part.add(near);
    }
    parts.push(group.filter((fn) => part.has(fn)));
  }
  return parts;
}

/** The functions of the unit that one is in. */
export const homeOf = (name: string, { units }: Choice): readonly string[] =>
  units.find((unit) => unit.functions.includes(name))?.functions ?? [name];

/** The best plan in which the two are the other way round, and by how much it is worse. */
export interface OtherWay {
  readonly prediction: PlanPrediction;
  readonly margin: number;
  readonly chosen: PlanPrediction;
}

function otherWay(pair: Pair, choice: Choice, study: Study, facts: Facts): OtherWay | undefined {
  const { scored } = choice;
  if (!scored) return undefined;
  const isTogether = homeOf(pair.a, choice) === homeOf(pair.b, choice);
  const ways = isTogether ? waysApart(pair, choice) : waysTogether(pair, choice, study);
  const tried = ways.map((groups) => {
    const rest = choice.units.filter((u) => !groups.flat().some((fn) => u.functions.includes(fn)));
    return study.predict([...rest, ...groups.map((group) => sized(group, facts, study))]);
  });
  const [best] = tried.sort((x, y) => x.score - y.score);
  return (
    best && { prediction: best.prediction, margin: best.score / scored.score - 1, chosen: scored.prediction }
  );
}

type Groups = readonly (readonly string[])[];

/** One of the two leaves for a unit of its own. */
function waysApart({ a, b }: Pair, choice: Choice): readonly Groups[] {
  const home = homeOf(a, choice);
  return [a, b].map((leaving) => [home.filter((fn) => fn !== leaving), [leaving]]);
}

/** One moves to the other, or all of both units come together; as far as the rules allow it. */
function waysTogether({ a, b }: Pair, choice: Choice, study: Study): readonly Groups[] {
  const [homeOfA, homeOfB] = [homeOf(a, choice), homeOf(b, choice)];
  const ways: readonly Groups[] = [
    [[...homeOfA, b], homeOfB.filter((fn) => fn !== b)],
    [[...homeOfB, a], homeOfA.filter((fn) => fn !== a)],
    [[...homeOfA, ...homeOfB]],
  ];
  return ways
    .map((groups) => groups.filter((group) => group.length > 0))
    .filter((groups) => groups.every((group) => study.allows(group)));
}

/** What the other way would cost, or save, whichever figure says most. `observes`: what runs is kept, whatever the gain. */
export function comparison(
  way: 'Together' | 'Apart',
  { prediction, chosen, margin }: OtherWay,
  observes = false,
): Refusal {
  const [time, money] = [prediction.latencyMs / chosen.latencyMs - 1, prediction.cost / chosen.cost - 1];
  const figures =
    `root calls take ${msText(chosen.latencyMs)}, ${costText(chosen.cost)} each and ${mbText(chosen.memoryBytes)}; ` +
    `the other way ${msText(prediction.latencyMs)}, ${costText(prediction.cost)} and ${mbText(prediction.memoryBytes)}`;
  if (margin < 0 && observes)
    return { reason: 'PolicyObserves', message: `${figures}: better, and the policy only observes` };
  if (margin < 0) return { reason: 'GainTooSmall', message: `${figures}: too little to change what runs` };
  if (time >= money && time > 0) return { reason: `Faster${way}`, message: figures };
  if (money > 0) return { reason: `Cheaper${way}`, message: figures };
  return { reason: 'NoDifference', message: figures };
}

export const predictedBy = ({
  prediction,
  margin,
}: OtherWay): Pick<DecisionAlternative, 'predicted' | 'margin'> => ({
  predicted: predictedOf(prediction),
  margin: percentText(margin),
});
