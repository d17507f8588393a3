/**
 * Why it is this plan: what runs and what was found beside each other, with what the model says of both.
 *
 * Owns: the one decision on the plan as a whole. Only where something is measured: before that there is nothing to compare.
 */
import { groupsText } from './choice.ts';
import type { Choice, Found, Option } from './choice.ts';
import {
  alternative,
  costText,
  decision,
  input,
  mbText,
  msText,
  percentText,
  predictedOf,
} from './decide.ts';
import type { Facts } from './facts.ts';
import type { Decision, DecisionAlternative, DecisionInput } from './plan.ts';

export function rolloutDecisions(choice: Choice, facts: Facts): readonly Decision[] {
  const { study, running, found, outcome, message } = choice;
  if (!study) return [];
  const isChange = choice.units !== running.units;
  const { minimumGainPercent } = facts.snapshot.policy.spec.rollout;
  return [
    decision({
      about: facts.snapshot.workflow.name,
      kind: 'Rollout',
      choice: groupsText(choice).slice(0, 256),
      reason: outcome,
      message,
      inputs: [
        ...rootInputs(choice, facts),
        ...predictionInputs('predicted', choice),
        input('rollout.minimumGainPercent', `${minimumGainPercent} %`, 'policy'),
        ...(found
          ? [input('gain', `${percentText(found.gain)} ± ${percentText(found.noise)}`, 'model')]
          : []),
      ],
      alternatives: isChange ? [asItRuns(running, found)] : found ? [asFound(found, outcome, message)] : [],
      margin: isChange && found ? percentText(found.gain) : '',
    }),
  ];
}

function rootInputs({ study }: Choice, { snapshot: { observations } }: Facts): readonly DecisionInput[] {
  if (!study || study.figures.rootsAssumed) {
    return [input('root calls', 'one per second and entry', 'assumed: none were counted')];
  }
  return observations.roots.slice(0, 8).map(({ function: name, call, ratePerSecond, p50Ms, samples }) => {
    const took = p50Ms === null ? '' : `, p50 ${msText(p50Ms)}`;
    const rate = Number(ratePerSecond.toPrecision(3));
    return input(`${name}: ${call} root calls`, `${rate} per second${took}`, 'observation', samples);
  });
}

function predictionInputs(label: string, { scored }: Option): readonly DecisionInput[] {
  if (!scored) return [];
  const { latencyMs, memoryBytes, cost, entries } = scored.prediction;
  return [
    input(`${label} latency`, msText(latencyMs), 'model'),
    input(`${label} memory`, mbText(memoryBytes), 'model'),
    input(`${label} cost of a root call`, costText(cost), 'model'),
    ...(entries.length > 1 ? entries : [])
      .slice(0, 12)
      .map((e) => input(`${label} latency of ${e.function}`, msText(e.latencyMs), 'model')),
  ];
}

const asItRuns = (running: Option, found: Found | undefined): DecisionAlternative =>
  alternative(`as it runs: ${groupsText(running)}`.slice(0, 256), 'LessGood', 'what runs', {
    ...promiseOf(running),
    ...(found ? { margin: percentText(1 / Math.max(1e-9, 1 - found.gain) - 1) } : {}),
  });

const asFound = (found: Found, reason: string, message: string): DecisionAlternative =>
  alternative(groupsText(found).slice(0, 256), reason, message, {
    ...promiseOf(found),
    margin: percentText(-found.gain),
  });

const promiseOf = ({ scored }: Option) => (scored ? { predicted: predictedOf(scored.prediction) } : {});
