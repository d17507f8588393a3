/**
 * What executions cost under plans that run, by the policy: for comparing two of them.
 *
 * Owns: what a plan reserves for each of its functions. `observations/` counts what was used.
 */
import type { PolicySpec } from '../model/nouns.ts';
import { pricesOf } from '../planner/cost.ts';
import type { Plan, PlanUnit } from '../planner/plan.ts';

export interface Reserved {
  readonly bytes: number;
  readonly cores: number;
}

export interface PlanPricing extends ReturnType<typeof pricesOf> {
  /** On all instances together; undefined: not known. */
  readonly reserved: (revision: string, fn: string) => Reserved | undefined;
}

export function pricingOf(
  { price }: PolicySpec,
  plans: readonly { readonly plan: Plan; readonly named: { readonly hash: string } }[],
): PlanPricing {
  const units = new Map(plans.map(({ plan, named }) => [named.hash, plan.units] as const));
  return {
    ...pricesOf(price),
    reserved: (revision, fn) => shareOf(units.get(revision)?.find((u) => u.functions.includes(fn))),
  };
}

/** Each function's part of what all instances of its unit reserve. */
function shareOf(unit: PlanUnit | undefined): Reserved | undefined {
  if (!unit) return undefined;
  const share = unit.instances / unit.functions.length;
  const { cpuMillis, memoryBytes } = unit.resources;
  return { bytes: memoryBytes * share, cores: (cpuMillis / 1000) * share };
}
