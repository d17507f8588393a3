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

/** What was promised, where the plan says it. */
function promiseOf({ plan }: Applicable): string {
  const found = plan.decisions.find((d) => d.about === plan.workflow && d.margin !== '');
  return found ? `: ${found.message} (${found.margin})` : '';
}

export const triedText = (plan: Applicable, beside: Applicable): string =>
  `trying ${planText(plan)} beside ${planText(beside)}${promiseOf(plan)}`;

export const offerText = (plan: Applicable): string =>
  `${planText(plan)} promises more than what runs${promiseOf(plan)}; sinter approve ${plan.plan.workflow} takes it`;

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
    a === undefined || b === undefined ? [] : [`${what} ${ms(a)} → ${ms(b)}`];
  return [
    ...pair('root call p50', before.p50Ms, after.p50Ms),
    ...pair('p99', before.p99Ms, after.p99Ms),
    ...costText(before.costPerCall, after.costPerCall),
    `failures ${String(before.failures)} → ${String(after.failures)}`,
    `of ${String(before.calls)} and ${String(after.calls)} calls`,
  ];
}

function costText(before: number | undefined, after: number | undefined): readonly string[] {
  if (before === undefined || after === undefined || before === 0) return [];
  const percent = Math.round((after / before - 1) * 100);
  return [`cost of a call ${percent > 0 ? '+' : percent < 0 ? '−' : '±'}${String(Math.abs(percent))} %`];
}

const ms = (value: number): string => `${value < 10 ? value.toFixed(2) : value.toFixed(1)} ms`;
