/**
 * Which functions share a process and what they get: what runs, what the policy asks for, or what the search found.
 *
 * Owns: the order of these, and when something better is good enough to replace what runs (hysteresis). Neighbours:
 * `grouping.ts` makes groups from wishes, `search.ts` finds them, `sizes.ts` gives their sizes, `study.ts` predicts.
 *
 *   policy off ─▶ as it runs            a trial runs ─▶ its candidate        nothing measured ─▶ as it runs
 *   groups by hand or none ─▶ those     cooling down ─▶ as it runs           else ─▶ the search (or Fusionize's next step),
 *                                                                              if it gains enough, and more than noise
 * Invariants:
 *  1. The same snapshot gives the same choice; with the choice as what runs, the choice is what runs.
 *  2. What runs is changed where a rule says no to it, whatever the gain.
 */
import type { LostPlan, Snapshot } from '../snapshot/snapshot.ts';
import { sameGrouping } from './assignment.ts';
import type { Assignment } from './assignment.ts';
import { listText, percentText } from './decide.ts';
import { keeping } from './facts.ts';
import type { Facts } from './facts.ts';
import { isObserved } from './figures.ts';
import { nextStep } from './fusionizeStep.ts';
import { groupFunctions, wishesOfPlan, wishesOfPolicy } from './grouping.ts';
import type { Wish } from './grouping.ts';
import { gainOf, noiseOf } from './noise.ts';
import type { Outcome } from './plan.ts';
import { artifactsText } from './runtimes.ts';
import { best } from './search.ts';
import { sized, sizedAsItRuns, withFewerCores } from './sizes.ts';
import type { Sized } from './sizes.ts';
import { Study } from './study.ts';
import type { Scored } from './study.ts';

/** A plan's units, with the wishes that they follow from; what is said of them where something is measured. */
export interface Option {
  readonly units: readonly Sized[];
  readonly wishes: readonly Wish[];
  /** With the artifacts that it keeps, and those as text. */
  readonly facts: Facts;
  readonly artifacts: string;
  readonly scored?: Scored | undefined;
}

export interface Choice extends Option {
  readonly outcome: Outcome;
  /** Why, as a sentence. */
  readonly message: string;
  readonly study: Study | undefined;
  /** What runs, as far as the rules still allow it; before the first plan every function alone. */
  readonly running: Option;
  /** What was found besides, whether it was chosen or not. */
  readonly found?: Found | undefined;
}

export interface Found extends Option {
  /** By which share it is better than what runs, and how sure that is. */
  readonly gain: number;
  readonly noise: number;
}

type Verdict = Pick<Choice, 'outcome' | 'message' | 'found'> & { readonly option: Option };

export function choose(facts: Facts): Choice {
  const { current } = facts.snapshot;
  const keepingFacts = keeping(facts, current);
  const study = isObserved(facts) ? new Study(facts) : undefined;
  const isKept = artifactsText(facts) === artifactsText(keepingFacts);
  const runningStudy = study && !isKept ? new Study(keepingFacts) : study;
  const running = optionOf(wishesOfPlan(current), keepingFacts, runningStudy, sizedAsItRuns);
  if (runningStudy && current) runningStudy.calibrate(running.units, facts.snapshot.observations.roots);
  if (study && runningStudy) study.calibrateAs(runningStudy);
  const scored = withScore(running, runningStudy);
  const { option, ...verdict } = judged(scored, facts, study);
  return {
    ...option,
    ...verdict,
    study: option.artifacts === running.artifacts ? runningStudy : study,
    running: scored,
  };
}

function optionOf(wishes: readonly Wish[], facts: Facts, study: Study | undefined, size = sized): Option {
  const grouping = groupFunctions(wishes, facts);
  return {
    wishes: grouping.wishes,
    units: grouping.groups.map((group) => size(group, facts, study)),
    facts,
    artifacts: artifactsText(facts),
  };
}

const withScore = (option: Option, study: Study | undefined): Option =>
  study ? { ...option, scored: study.predict(option.units) } : option;

function judged(running: Option, facts: Facts, study: Study | undefined): Verdict {
  const { policy, current } = facts.snapshot;
  if (policy.spec.mode === 'Off') {
    const message = current
      ? 'the policy is off: what runs is kept'
      : 'the policy is off: every function alone';
    return { option: running, outcome: 'PolicyOff', message };
  }
  const verdict =
    policy.spec.fusion.mode === 'Auto' ? byItself(running, facts, study) : asAsked(running, facts, study);
  if (policy.spec.mode !== 'Observe' || !current) return verdict;
  const found =
    verdict.found ??
    (isSamePlan(verdict.option, running) ? undefined : foundOf(verdict.option, running, facts, study));
  const message = `the policy only observes: what runs is kept; otherwise: ${verdict.message}`;
  return { option: running, outcome: 'PolicyObserves', message, found };
}

/** The policy says the groups: nothing else is tried, neither sizes nor artifacts. */
function asAsked(running: Option, facts: Facts, study: Study | undefined): Verdict {
  const asked = withScore(optionOf(wishesOfPolicy(facts), facts, study), study);
  const message = `the policy says the groups (fusion.mode: ${facts.snapshot.policy.spec.fusion.mode})`;
  const option = isSameGrouping(asked, running) ? { ...running, wishes: asked.wishes } : asked;
  return { option, outcome: 'AsAsked', message };
}

function byItself(running: Option, facts: Facts, study: Study | undefined): Verdict {
  const candidate = candidateOf(facts);
  if (candidate) return underTrial(candidate, study);
  if (!study) {
    const message = 'nothing is measured yet, and without measurements nothing is grouped anew';
    return { option: running, outcome: 'NoObservations', message };
  }
  if (facts.snapshot.current && study.figures.rootsAssumed) {
    const message = 'no root calls were counted, and without load nothing can be found better';
    return { option: running, outcome: 'NoLoad', message };
  }
  if (isCooling(facts)) {
    const message = `plans change at most every ${facts.snapshot.policy.spec.rollout.cooldownSeconds} s (rollout.cooldownSeconds)`;
    return { option: running, outcome: 'CoolingDown', message };
  }
  return facts.snapshot.policy.spec.fusion.strategy === 'Fusionize'
    ? stepped(running, facts, study)
    : searched(running, facts, study);
}

const isCooling = ({ snapshot: { trials, nowMs } }: Facts): boolean =>
  trials.coolingUntilMs !== null && nowMs < trials.coolingUntilMs;

/** The candidate under trial, as it was made; a rule that has come since may split it. */
function candidateOf(facts: Facts): Option | undefined {
  const { candidate } = facts.snapshot.trials;
  if (!candidate) return undefined;
  const option = optionOf(wishesOfPlan(candidate), keeping(facts, candidate), undefined);
  const units = option.units.map((unit) => {
    const made = candidate.units.find((u) => sameNames(u.functions, unit.functions))?.resources;
    return made
      ? { ...unit, resources: made, size: { ...unit.size, ...UNDER_TRIAL, resources: made } }
      : unit;
  });
  return { ...option, units };
}

const UNDER_TRIAL = { reason: 'UnderTrial', message: 'as the plan under trial was made' };

const underTrial = (candidate: Option, study: Study | undefined): Verdict => ({
  option: withScore(candidate, study),
  outcome: 'UnderTrial',
  message: 'a plan is tried beside the one that runs, and it is kept until that is decided',
});

function searched(running: Option, facts: Facts, study: Study): Verdict {
  const now = study.assignmentOf(running.units.map((u) => u.functions));
  const lost = lostGroupings(facts, study).filter((other) => !sameGrouping(other, now));
  const found = optionAt(best(study.question(lost, [now]))?.unitOf ?? now, facts, study);
  const verdict = gained({ ...found, units: withFewerCores(found.units, study) }, running, facts, study);
  return verdict.outcome === 'BetterFound' || lost.length === 0
    ? verdict
    : lostBefore(verdict, running, facts, study);
}

/** Nothing else is better: is something better that was tried and did not win? */
function lostBefore(verdict: Verdict, running: Option, facts: Facts, study: Study): Verdict {
  const now = study.assignmentOf(running.units.map((u) => u.functions));
  const free = optionAt(best(study.question([], [now]))?.unitOf ?? now, facts, study);
  const freely = gained(free, running, facts, study);
  return freely.outcome === 'LostBefore' ? freely : verdict;
}

/** Plans that were tried, did not win, and are not to be tried again yet. */
const lostGroupings = (facts: Facts, study: Study): readonly Assignment[] =>
  notYet(facts).map((plan) => study.assignmentOf(plan.units.map((u) => u.functions)));

const notYet = ({ snapshot }: Facts) =>
  snapshot.trials.lost.filter((plan) => snapshot.nowMs < plan.untilMs || isKnownLoser(plan, snapshot));

/** For so long what a trial showed counts more than what is predicted: the load of a day comes again. */
const MEASURED_FOR_MS = 24 * 3_600_000;
const MEASURED_CALLS_MIN = 20;

/** It was measured beside the plan that runs, and gained too little. */
function isKnownLoser({ measured }: LostPlan, { current, policy, nowMs }: Snapshot): boolean {
  if (!measured || measured.beside !== current?.hash || measured.calls < MEASURED_CALLS_MIN) return false;
  const { objective, rollout } = policy.spec;
  const { latencyRatio = 1, costRatio = 1 } = measured;
  const balanced = Math.sqrt(latencyRatio * costRatio);
  const ratio = { Latency: latencyRatio, Cost: costRatio, Balanced: balanced }[objective];
  return nowMs < measured.atMs + MEASURED_FOR_MS && 1 - ratio < rollout.minimumGainPercent / 100;
}

function optionAt(unitOf: Assignment, facts: Facts, study: Study): Option {
  const groups = Map.groupBy([...unitOf.keys()], (f) => unitOf[f] ?? f);
  const wishes = [...groups.values()].map((members) => ({
    name: '',
    functions: members.map((f) => study.figures.names[f] ?? ''),
  }));
  return { ...optionOf(wishes, facts, study, sized), wishes: [] };
}

/** Fusionize++ changes one thing and looks again, whatever that brings. */
function stepped(running: Option, facts: Facts, study: Study): Verdict {
  const step = nextStep(
    running.units.map((u) => u.functions),
    facts,
  );
  if (!step) {
    const message =
      'Fusionize has nothing left to change: sync calls are local where the rules allow it, async calls remote';
    return { option: running, outcome: 'LastStep', message };
  }
  const option = withScore(
    optionOf(
      step.groups.map((functions) => ({ name: '', functions })),
      facts,
      study,
    ),
    study,
  );
  const found = foundOf(option, running, facts, study);
  const lost = lostAs(option, running, facts);
  if (lost) {
    const message = `Fusionize would ${step.what}, ${lostText(lost)}`;
    return { option: running, outcome: 'LostBefore', message, found };
  }
  return { option, outcome: 'NextStep', message: `Fusionize's next step: ${step.what}`, found };
}

/** Whether what was found gains enough, and more than noise, to replace what runs. */
function gained(option: Option, running: Option, facts: Facts, study: Study): Verdict {
  if (isSamePlan(option, running)) {
    return {
      option: running,
      outcome: 'NothingBetter',
      message: 'the search found nothing better than what runs',
    };
  }
  const found = foundOf(option, running, facts, study);
  const { gain, noise } = found;
  const { minimumGainPercent } = facts.snapshot.policy.spec.rollout;
  const others = option.artifacts === running.artifacts ? '' : ' as other artifacts';
  const promise = `${groupsText(option)}${others} would be ${percentText(gain)} better`;
  const keep = (outcome: Outcome, why: string): Verdict => ({
    option: running,
    outcome,
    message: `${promise}, ${why}`,
    found,
  });
  if (gain * 100 < minimumGainPercent || gain <= 0) {
    return keep(
      'GainTooSmall',
      `and a change must gain ${minimumGainPercent} % (rollout.minimumGainPercent)`,
    );
  }
  if (gain - noise <= 0)
    return keep('GainWithinNoise', `which may be noise: ± ${percentText(noise)} at so few samples`);
  const lost = lostAs(option, running, facts);
  if (lost) return keep('LostBefore', lostText(lost));
  return { option: found, outcome: 'BetterFound', message: promise, found };
}

function foundOf(option: Option, running: Option, facts: Facts, study: Study | undefined): Found {
  if (!study) return { ...option, gain: 0, noise: 0 };
  const scored = study.predict(option.units);
  const before = running.scored?.score ?? study.predict(running.units).score;
  const noise = noiseOf(running.units, option.units, study, facts);
  return { ...option, scored, gain: gainOf(before, scored.score), noise };
}

/** The same groups as a plan that did not win; where those are the groups that run, in the same sizes. */
function lostAs(option: Option, running: Option, facts: Facts): LostPlan | undefined {
  const isResizing = isSameGrouping(option, running);
  return notYet(facts).find(
    (plan) =>
      plan.units.length === option.units.length &&
      plan.units.every((unit) => {
        const own = option.units.find((u) => sameNames(u.functions, unit.functions));
        if (!own) return false;
        if (!isResizing) return true;
        if (unit.resources && !sameResources(own.resources, unit.resources)) return false;
        return artifactsText(keeping(facts, plan)) === option.artifacts;
      }),
  );
}

const lostText = ({ reason }: LostPlan): string =>
  `but it was tried and did not win (${reason}), and is not tried again before its time`;

const sameResources = (a: Sized['resources'], b: Sized['resources']): boolean =>
  a.cpuMillis === b.cpuMillis && a.memoryBytes === b.memoryBytes;

const sameNames = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && [...a].sort().join() === [...b].sort().join();

/** Groups are listed in an order of their own, so equal ones are equal in turn. */
const isSameGrouping = (a: Option, b: Option): boolean =>
  a.units.length === b.units.length &&
  a.units.every((unit, i) => sameNames(unit.functions, b.units[i]?.functions ?? []));

const isSamePlan = (a: Option, b: Option): boolean =>
  a.artifacts === b.artifacts &&
  isSameGrouping(a, b) &&
  a.units.every((unit, i) => {
    const other = b.units[i];
    return other !== undefined && sameResources(unit.resources, other.resources);
  });

/** `{a, b} {c, d} and 5 alone`. */
export function groupsText({ units }: Option): string {
  const groups = units.filter((u) => u.functions.length > 1).map((u) => `{${listText(u.functions)}}`);
  const alone = units.length - groups.length;
  if (groups.length === 0) return 'every function alone';
  const shown = groups.length > 6 ? [...groups.slice(0, 5), `and ${groups.length - 5} groups more`] : groups;
  return `${shown.join(' ')}${alone > 0 ? ` and ${alone} alone` : ''}`;
}
