/**
 * Which plans are measured, and what the planner says of each before it runs.
 *
 * Owns: nothing of the model: it asks the planner about one snapshot, taken while every function was alone under load. The plans
 * are the best that the exact search finds for each price model, and beside them: all apart, all together, where Fusionize's path
 * phase ends, and the plan that the planner would try.
 */
import { exactly, EXACT_MAX } from '@sinter/operator/planner/exact';
import { factsOf } from '@sinter/operator/planner/facts';
import type { Facts } from '@sinter/operator/planner/facts';
import { nextStep } from '@sinter/operator/planner/fusionizeStep';
import { plan } from '@sinter/operator/planner/planner';
import { PROCESS_BYTES } from '@sinter/operator/planner/priors';
import { sized, sizedAsItRuns } from '@sinter/operator/planner/sizes';
import { Study } from '@sinter/operator/planner/study';
import type { Scored } from '@sinter/operator/planner/study';
import type { Objective } from '@sinter/operator/planner/cost';
import type { Snapshot } from '@sinter/operator/snapshot/index';
import type { Groups } from './subject.ts';

/** A price model: what of a plan is paid. */
export interface Price {
  readonly name: 'BusyTime' | 'Provisioned';
  readonly model: 'BusyTime' | 'Provisioned';
  readonly gigabyteSecond: string;
  readonly cpuSecond: string;
}

export interface Said extends Scored {
  /** What all instances reserve, in bytes. */
  readonly reservedBytes: number;
}

export interface PlanToMeasure {
  readonly key: string;
  readonly groups: Groups;
  /** Why it is measured: 'all apart', 'BusyTime 3rd', … */
  readonly names: readonly string[];
  /** By the name of the price model. */
  readonly said: ReadonlyMap<string, Said>;
}

export interface ChoicesOptions {
  readonly snapshot: Snapshot;
  readonly prices: readonly Price[];
  readonly objective: Objective;
  /** How many of the best. */
  readonly most: number;
}

export const keyOf = (groups: Groups): string =>
  groups
    .map((group) => [...group].sort().join('+'))
    .sort()
    .join(' ');

export const APART = 'all apart';
export const TOGETHER = 'all together';
export const FUSIONIZE = 'Fusionize';
export const wishOf = (price: Price): string => `${price.name}: wished`;

export function choicesOf(options: ChoicesOptions): readonly PlanToMeasure[] {
  const questions = options.prices.map((price) => ({ price, ...questionOf(options, price) }));
  const functions = options.snapshot.functions.map((f) => f.name);
  const apart = functions.map((name) => [name]);
  const found = new Map<string, { groups: Groups; names: string[] }>();
  const add = (name: string, groups: Groups): void => {
    const key = keyOf(groups);
    const known = found.get(key);
    if (known) known.names.push(name);
    else found.set(key, { groups, names: [name] });
  };
  add(APART, apart);
  add(TOGETHER, [functions]);
  const [first] = questions;
  if (first) add(FUSIONIZE, fusionized(apart, first.facts));
  for (const { price, snapshot, study } of questions) {
    add(
      wishOf(price),
      plan(snapshot).units.map((u) => u.functions),
    );
    for (const [i, groups] of bestOf(study, options.most).entries())
      add(`${price.name} #${String(i + 1)}`, groups);
  }
  return [...found].map(([key, { groups, names }]) => ({
    key,
    groups,
    names,
    said: new Map(questions.map(({ price, study, facts }) => [price.name, saidOf(groups, study, facts)])),
  }));
}

/** The snapshot as if this policy had been there, and the model asked about it: calibrated by what was measured of what runs. */
function questionOf({ snapshot: taken, objective }: ChoicesOptions, { name: _, ...price }: Price) {
  const spec = { ...taken.policy.spec, price, objective };
  const fusion = { ...spec.fusion, mode: 'Auto' as const, groups: [] };
  const snapshot: Snapshot = { ...taken, policy: { ...taken.policy, spec: { ...spec, fusion } } };
  const facts = factsOf(snapshot);
  const study = new Study(facts);
  const running = (snapshot.current?.units ?? []).map((u) => sizedAsItRuns(u.functions, facts, study));
  study.calibrate(running, snapshot.observations.roots);
  return { snapshot, facts, study };
}

function bestOf(study: Study, most: number): readonly Groups[] {
  const { names, count } = study.figures;
  if (count > EXACT_MAX) return [];
  return exactly(study.question([], []), most).map(({ unitOf }) => {
    const groups = Map.groupBy(names.slice(0, count), (_, f) => unitOf[f] ?? f);
    return [...groups.values()];
  });
}

/** Fusionize changes one thing a step; at most each edge once in and once out. */
function fusionized(start: Groups, facts: Facts): Groups {
  let groups = start;
  for (let i = 0; i <= 2 * facts.edges.length; i++) {
    const step = nextStep(groups, facts);
    if (!step) break;
    groups = step.groups;
  }
  return groups;
}

function saidOf(groups: Groups, study: Study, facts: Facts): Said {
  const units = groups.map((functions) => sized(functions, facts, study));
  const reservedBytes = units.reduce((sum, u) => sum + PROCESS_BYTES + u.resources.memoryBytes, 0);
  return { ...study.predict(units), reservedBytes };
}
