/**
 * What one instance of a unit may use: cores and memory.
 *
 * Owns: the sizes and their reasons. What the functions may use at most, added up, is where a unit starts, and where it stays as
 * long as what is reserved costs nothing (price model BusyTime). Where that costs (Provisioned), memory follows what was seen in
 * use, with room above it, and cores are fewer where the objective is better for it. After an instance was ended for lack of
 * memory its size doubles (as METASPACE's executor does), and comes down again when what was seen shows that less would do.
 */
import type { ObservedUnit } from '../snapshot/observations.ts';
import { cpuText, memoryText } from '../model/quantity.ts';
import type { Choice } from './choice.ts';
import { alternative, input, listText, mbText, percentText, predictedOf } from './decide.ts';
import type { Facts } from './facts.ts';
import { PROCESS_BYTES } from './priors.ts';
import type { DecisionAlternative, DecisionInput, PlanResources } from './plan.ts';
import type { SizedGroup, Study } from './study.ts';
import { limitsOf } from './units.ts';

const MIB = 2 ** 20;
/** Room above what was seen near its peak. */
const HEADROOM = 1.5;
/** Sizes are multiples of an eighth of the power of two below them, so that a little more or less changes nothing. */
const STEPS = 8;
/** How far sizes may grow beyond what functions may use at most: two doublings. */
const GROWTH_MAX = 4;
/** Cores are tried in halves down to an eighth of the limits. */
const CORE_SHARES = [1 / 2, 1 / 4, 1 / 8];
/** Fewer cores must leave the unit less busy than this, and be worth it by at least so much. */
const RHO_MAX = 0.6;
const LEAST_GAIN = 1e-3;

export interface Size {
  readonly resources: PlanResources;
  readonly reason: string;
  readonly message: string;
  readonly inputs: readonly DecisionInput[];
}

export type Sized = SizedGroup & { readonly size: Size };

/** Memory for functions that were seen to use so much, at most what they may use. */
export const fittedBytes = (usedBytes: number, limitBytes: number): number =>
  Math.min(limitBytes, stepped(usedBytes * HEADROOM));

/** The next step up. */
export function stepped(bytes: number): number {
  const step = Math.max(MIB, 2 ** Math.floor(Math.log2(Math.max(1, bytes))) / STEPS);
  return Math.ceil(bytes / step) * step;
}

/** The size of a group as far as it does not depend on the rest of the plan. */
export function sizeOf(group: readonly string[], facts: Facts, study: Study | undefined): Size {
  const limits = limitsOf(group, facts);
  const seen = seenOf(group, facts);
  const start =
    study && isPaid(facts) ? fitted(group, limits, study) : sumOfLimits(group, limits, study !== undefined);
  return seen ? afterKills(start, limits, seen, runningOf(group, facts), facts) : start;
}

export const sized = (functions: readonly string[], facts: Facts, study: Study | undefined): Sized => {
  const size = sizeOf(functions, facts, study);
  return { functions, size, resources: size.resources };
};

/** The size in which a group runs, where it still may; else its own. */
export function sizedAsItRuns(functions: readonly string[], facts: Facts, study: Study | undefined): Sized {
  const fresh = sized(functions, facts, study);
  const running = runningOf(functions, facts);
  if (!running || !isPaid(facts) || fresh.size.reason === 'OutOfMemory') return fresh;
  const limits = limitsOf(functions, facts);
  const resources = {
    cpuMillis: Math.min(running.cpuMillis, limits.cpuMillis),
    memoryBytes: Math.min(running.memoryBytes, Math.max(limits.memoryBytes, fresh.resources.memoryBytes)),
  };
  return withSize(fresh, { ...fresh.size, resources, reason: 'KeptAsItRuns', message: 'as it runs' });
}

const withSize = (group: SizedGroup, size: Size): Sized => ({ ...group, size, resources: size.resources });

const isPaid = ({ snapshot: { policy } }: Facts): boolean => policy.spec.price.model === 'Provisioned';

const sumOfLimits = (group: readonly string[], limits: PlanResources, isMeasured: boolean): Size => ({
  resources: limits,
  reason: 'SumOfLimits',
  message: isMeasured
    ? `what ${listText(group)} may use at most, added up; what is reserved costs nothing by the policy's price model`
    : `what ${listText(group)} may use at most, added up; nothing is measured yet`,
  inputs: [],
});

function fitted(group: readonly string[], limits: PlanResources, study: Study): Size {
  const { figures } = study;
  const members = study.indicesOf(group);
  const used = members.reduce((all, f) => all + (figures.memoryBytes[f] ?? 0), 0);
  if (members.some((f) => figures.isMemoryKnown[f] === 0)) return sumOfLimits(group, limits, false);
  const memoryBytes = fittedBytes(used, limits.memoryBytes);
  return {
    resources: { ...limits, memoryBytes },
    reason: 'FittedToUse',
    message: `${listText(group)} were seen to use ${mbText(used)}; half as much again is reserved, because that is paid`,
    inputs: members.map((f) =>
      input(
        `${figures.names[f] ?? ''}: memory in use`,
        mbText(figures.memoryBytes[f] ?? 0),
        'observation',
        figures.samples[f],
      ),
    ),
  };
}

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && [...a].sort().join() === [...b].sort().join();

const seenOf = (group: readonly string[], { snapshot }: Facts): ObservedUnit | undefined =>
  snapshot.observations.units.find((unit) => isSame(unit.functions, group));

const runningOf = (group: readonly string[], { snapshot }: Facts): PlanResources | undefined =>
  snapshot.current?.units.find((unit) => isSame(unit.functions, group))?.resources;

/** Doubled where an instance was ended for lack of memory; not below what was seen in use while it is larger than at the start. */
function afterKills(
  start: Size,
  limits: PlanResources,
  seen: ObservedUnit,
  running: PlanResources | undefined,
  facts: Facts,
): Size {
  const before = running?.memoryBytes ?? start.resources.memoryBytes;
  const cap = Math.min(GROWTH_MAX * limits.memoryBytes, largestMachine(facts));
  const grown = (memoryBytes: number, reason: string, message: string): Size => ({
    resources: { ...start.resources, memoryBytes: Math.min(cap, memoryBytes) },
    reason,
    message,
    inputs: [
      input('ended for lack of memory', String(seen.outOfMemoryKills), 'observation', seen.samples),
      ...(seen.memoryBytes === null
        ? []
        : [input('memory in use', mbText(seen.memoryBytes), 'observation', seen.samples)]),
    ],
  });
  if (seen.outOfMemoryKills > 0) {
    const message = `an instance was ended for lack of memory: twice the ${memoryText(before)} that it had`;
    return grown(2 * before, 'OutOfMemory', message);
  }
  const needed = stepped(Math.max(0, (seen.memoryBytes ?? Infinity) - PROCESS_BYTES) * HEADROOM);
  if (before <= start.resources.memoryBytes || needed <= start.resources.memoryBytes) return start;
  // Half or nothing: a size that followed every figure would be another unit each time.
  const kept = needed <= before / 2 ? needed : before;
  return grown(kept, 'KeptAfterOutOfMemory', 'it was seen to need more than its functions may use');
}

const largestMachine = ({ snapshot: { machines } }: Facts): number =>
  machines.reduce((most, m) => Math.max(most, m.memoryBytes ?? Infinity), 0) || Infinity;

/** What half and twice the cores would come to. Nothing where nothing is measured. */
export function otherSizes(at: number, { study, scored, units }: Choice): readonly DecisionAlternative[] {
  const unit = units[at];
  if (!study || !scored || !unit) return [];
  return [1 / 2, 2].map((share) => {
    const cpuMillis = Math.ceil(unit.resources.cpuMillis * share);
    const { score, prediction } = study.predict(
      units.with(at, { ...unit, resources: { ...unit.resources, cpuMillis } }),
    );
    const margin = score / scored.score - 1;
    const [reason, message]: readonly [string, string] =
      share > 1
        ? ['AboveLimits', 'more than the functions may use together']
        : margin < 0
          ? ['GainTooSmall', 'too little to change what runs']
          : ['LessGood', 'what it saves is not worth what it costs'];
    return alternative(`cpu ${cpuText(cpuMillis)}`, reason, message, {
      predicted: predictedOf(prediction),
      margin: percentText(margin),
    });
  });
}

/** The plan with fewer cores where the objective is better for it: unit by unit, as long as one is. */
export function withFewerCores(units: readonly Sized[], study: Study): readonly Sized[] {
  if (study.prices.model !== 'Provisioned' || study.prices.perCoreSecond === 0) return units;
  let best = { units, score: study.predict(units).score };
  for (const [i, unit] of units.entries()) {
    for (const share of CORE_SHARES) {
      const smaller = fewerCores(unit, share, study);
      if (!smaller) break;
      const tried = best.units.with(i, smaller);
      const { score } = study.predict(tried);
      if (score < best.score * (1 - LEAST_GAIN)) best = { units: tried, score };
    }
  }
  return best.units;
}

/** Undefined: that would be too few. */
function fewerCores(unit: Sized, share: number, study: Study): Sized | undefined {
  const cpuMillis = Math.ceil(unit.resources.cpuMillis * share);
  const { figures } = study;
  const members = study.indicesOf(unit.functions);
  const load = study.groups.unit(members, members.length).load;
  const asked = members.reduce((most, f) => Math.max(most, (figures.requestCores[f] ?? 0) * 1000), 1);
  if (cpuMillis < asked || load > RHO_MAX * (cpuMillis / 1000)) return undefined;
  return withSize(unit, {
    ...unit.size,
    resources: { ...unit.resources, cpuMillis },
    reason: 'FewerCores',
    message: `what is reserved is paid, and ${cpuText(cpuMillis)} of the cores that ${listText(unit.functions)} may use are enough`,
  });
}
