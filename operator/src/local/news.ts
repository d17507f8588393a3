/**
 * What becomes of plans, in words: a sentence for each event.
 *
 * Owns: the wording. Whether a plan is better is `rollout/`'s to say; figures are of root calls as entries saw them.
 */
import { figuresOf } from '../rollout/totals.ts';
import type { Figures } from '../rollout/totals.ts';
import type { Trial, TrialEnd } from '../rollout/trial.ts';
import type { Applicable } from './history.ts';
import type { Tried } from './optimiser.ts';

/** `plan 1fa… (3 units for 10 functions)`. */
const planText = ({ plan, named }: Applicable): string => {
  const functions = plan.units.reduce((n, unit) => n + unit.functions.length, 0);
  return `plan ${named.hash} (${counted(plan.units.length, 'unit')} for ${counted(functions, 'function')})`;
};

const counted = (n: number, what: string): string => `${String(n)} ${what}${n === 1 ? '' : 's'}`;

/** What it promises, where anything is known of both. */
function promiseOf({ plan: { prediction, baseline } }: Applicable): string {
  if (!prediction || !baseline) return '';
  const latency = `root calls of ${change(baseline.latencyMs, prediction.latencyMs)}`;
  return `, promises ${latency}, cost ${percent(baseline.cost, prediction.cost)}`;
}

export const triedText = (plan: Applicable, beside: Applicable): string =>
  `trying ${planText(plan)} beside ${planText(beside)}${promiseOf(plan)}`;

export const offerText = (plan: Applicable): string =>
  `${planText(plan)} waits for approval${promiseOf(plan)}; sinter approve ${plan.plan.workflow} takes it`;

export const chosenText = (hash: string): string =>
  hash === ''
    ? 'no plan is chosen by hand any more: the policy decides'
    : `plan ${hash} runs now: it was chosen by hand`;

export function endText({ plan, beside }: Tried, trial: Trial, { outcome, message }: TrialEnd): string {
  const { current, candidate } = trial.totals;
  const [before, after] = [figuresOf(current, candidate), figuresOf(candidate, current)];
  const head =
    outcome === 'Promote'
      ? `plan ${plan.named.hash} runs now, in place of ${beside.named.hash}`
      : `plan ${plan.named.hash} was withdrawn, ${beside.named.hash} stays`;
  return [`${head}: ${message}`, ...figuresText(before, after)].join('; ');
}

/** Before and after, as far as both were measured. */
function figuresText(before: Figures, after: Figures): readonly string[] {
  if (before.calls === 0 || after.calls === 0) return [];
  const pair = (what: string, a: number | undefined, b: number | undefined): readonly string[] =>
    a === undefined || b === undefined ? [] : [`${what} ${change(a, b)}`];
  const cost = [before.costPerCall, after.costPerCall];
  return [
    ...pair('root call p50', before.p50Ms, after.p50Ms),
    ...pair('p99', before.p99Ms, after.p99Ms),
    ...(cost.every((c) => c !== undefined) ? [`cost ${percent(...(cost as [number, number]))}`] : []),
    `${String(before.failures)} of ${String(before.calls)} calls failed before, ` +
      `${String(after.failures)} of ${String(after.calls)} under it`,
  ];
}

const change = (beforeMs: number, afterMs: number): string =>
  `${ms(beforeMs)} → ${ms(afterMs)} (${percent(beforeMs, afterMs)})`;

function percent(before: number, after: number): string {
  const value = before === 0 ? 0 : Math.round((after / before - 1) * 100);
  return `${value > 0 ? '+' : value < 0 ? '−' : '±'}${String(Math.abs(value))} %`;
}

const ms = (value: number): string => `${value < 100 ? value.toPrecision(3) : String(Math.round(value))} ms`;
