/**
 * How a tried plan does beside the one that runs, as the status of its WorkflowPlan says it.
 *
 * Owns: the words of figures. Pure. Neighbour: `crds/src/schema/plan.ts` has the form, `rollout/` the figures.
 */
import { reportOf } from '../rollout/index.ts';
import type { Figures, Memory, Report, Trial, TrialTerms, Verdict } from '../rollout/index.ts';

export interface FigureTexts {
  readonly rootP50?: string;
  readonly rootP99?: string;
  readonly costPerCall?: string;
  readonly errors: string;
  readonly calls: number;
}

/** `gain` and `comparison` of a WorkflowPlan's status. */
export interface PlanComparison {
  readonly gain?: string;
  readonly comparison: {
    readonly baseline: string;
    readonly objective: 'Latency' | 'Cost' | 'Balanced';
    readonly verdict: Verdict;
    readonly message: string;
    readonly current: FigureTexts;
    readonly candidate: FigureTexts;
  };
}

/** Of the trial that goes on, and of the last one that ended, by plan. `terms`: of the policy as it is now; undefined: not known. */
export function comparisonsOf(
  { trial, last }: Memory,
  terms: TrialTerms | undefined,
): Readonly<Record<string, PlanComparison>> {
  return {
    ...(last?.of === 'Plan' ? { [last.hash]: comparisonOf(last, last.end.verdict ?? 'Undecided') } : {}),
    ...(trial?.of === 'Plan' && terms
      ? { [trial.plan.hash]: comparisonOf(reportOf(trial, underWay(trial), terms), 'Pending') }
      : {}),
  };
}

const underWay = (trial: Trial): Report['end'] => ({
  outcome: 'Withdraw',
  reason: 'Pending',
  message: underWayText(trial),
});

export function underWayText({ phase, weightPercent, current }: Trial): string {
  const share = `${String(weightPercent)} % of the calls`;
  switch (phase) {
    case 'Starting':
      return `it starts beside ${current}`;
    case 'WarmingUp':
      return `it warms up beside ${current} with ${share}`;
    case 'Comparing':
      return `it is compared with ${current} and has ${share}`;
    case 'Held':
      return `no call enters it beside ${current}`;
  }
}

function comparisonOf({ current, objective, end, gain, figures }: Report, verdict: Verdict): PlanComparison {
  return {
    ...(gain === undefined || verdict === 'Pending' ? {} : { gain: percentText(gain) }),
    comparison: {
      baseline: current,
      objective,
      verdict,
      message: end.message.slice(0, 1024),
      current: textsOf(figures.current),
      candidate: textsOf(figures.candidate),
    },
  };
}

const textsOf = ({ calls, failures, p50Ms, p99Ms, costPerCall }: Figures): FigureTexts => ({
  ...(p50Ms === undefined ? {} : { rootP50: msText(p50Ms) }),
  ...(p99Ms === undefined ? {} : { rootP99: msText(p99Ms) }),
  ...(costPerCall === undefined ? {} : { costPerCall: costPerCall.toPrecision(3) }),
  errors: calls === 0 ? '0 %' : percentText(failures / calls),
  calls,
});

export const msText = (value: number): string =>
  `${value < 100 ? value.toPrecision(3) : String(Math.round(value))} ms`;

/** A share as a person reads it: 0.1 is `10 %`. */
export const percentText = (share: number): string => {
  const percent = 100 * share;
  return `${percent < 0 ? '−' : ''}${Number(Math.abs(percent).toPrecision(2)).toString()} %`;
};
