/** What executions cost under the plans that run, by the policy: for comparing two of them. */
import type { PolicySpec } from '../model/nouns.ts';
import type { Pricing } from '../observations/index.ts';
import { pricesOf } from '../planner/cost.ts';
import type { PlanUnit } from '../planner/plan.ts';
import type { Applicable } from './history.ts';

export function pricingOf({ price }: PolicySpec, plans: readonly Applicable[]): Pricing {
  const units = new Map(plans.map(({ plan, named }) => [named.hash, plan.units] as const));
  return {
    ...pricesOf(price),
    reserved: (revision, fn) => shareOf(units.get(revision)?.find((u) => u.functions.includes(fn))),
  };
}

/** Each function's part of what all instances of its unit reserve. */
function shareOf(unit: PlanUnit | undefined): { readonly bytes: number; readonly cores: number } | undefined {
  if (!unit) return undefined;
  const share = unit.instances / unit.functions.length;
  const { cpuMillis, memoryBytes } = unit.resources;
  return { bytes: memoryBytes * share, cores: (cpuMillis / 1000) * share };
}
