/** What was measured, as decisions name it: value, source, and how many samples stand behind it. */
import type { SnapshotFunction } from '../snapshot/snapshot.ts';
import { edgeLabel, input, mbText, msText, percentText } from './decide.ts';
import type { Facts } from './facts.ts';
import type { DecisionInput } from './plan.ts';

const OBSERVATION = 'observation';

/** Of the calls along one edge; nothing where nothing was. */
export function callInputs(from: string, to: string, facts: Facts): readonly DecisionInput[] {
  const seen = facts.snapshot.observations.edges.find((e) => e.from === from && e.to === to);
  if (!seen) return [];
  const { samples, callsPerExecution, parallel, overheadMs } = seen;
  const label = edgeLabel(from, to);
  const took = Object.entries(overheadMs).flatMap(([channel, ms]) =>
    ms === undefined ? [] : [`${channel} ${msText(ms)}`],
  );
  const calls = String(Number(callsPerExecution.toPrecision(3)));
  return [
    input(`${label}: calls per execution`, calls, OBSERVATION, samples),
    ...(parallel > 0 ? [input(`${label}: at once`, percentText(parallel), OBSERVATION, samples)] : []),
    ...(took.length > 0 ? [input(`${label}: overhead`, took.join(', '), OBSERVATION, samples)] : []),
  ];
}

/** Of the executions of a function, by artifact and architecture. */
export function executionInputs({ name }: SnapshotFunction, facts: Facts): readonly DecisionInput[] {
  return facts.snapshot.observations.functions
    .filter((row) => row.function === name)
    .slice(0, 4)
    .map(({ artifact, architecture, cpuMs, waitingMs, memoryBytes, samples }) => {
      const as = [artifact, architecture].filter((part) => part !== undefined).join(' on ');
      const memory = memoryBytes === null ? '' : `, memory ${mbText(memoryBytes)}`;
      const value = `cpu ${msText(cpuMs)}, waiting ${msText(waitingMs)}${memory}`;
      return input(as === '' ? 'an execution' : `an execution as ${as}`, value, OBSERVATION, samples);
    });
}
