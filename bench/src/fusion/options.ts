/** What `bench -- fusion` can be told, with what holds where it is not; every number has its bounds. */
import { parseArgs } from 'node:util';
import type { Objective } from '@sinter/operator/planner/cost';
import type { FusionOptions } from './fusion.ts';

export const USAGE = `usage: npm run bench -- fusion [EXAMPLE …] [OPTION …]     (traffic and tree; needs KUBECONFIG)
  --cpu 72,250         thousandths of a core that each function may use; a run for each
  --rate 5             visits a second
  --objective NAME     Latency, Cost or Balanced
  --partitions 4       how many of the exact search's best are measured, for each price model; 0: none
  --repeats 3          how often each plan is measured
  --observe 60         seconds of all apart under load, from which everything is said
  --warm 10            seconds of twice the load before each measurement
  --seconds 15         seconds of each measurement
  --calm 100           a measurement during which more of this machine's cores was in use (%) is taken again, twice at most
  --hop-delay 0        milliseconds that every hop takes longer (testbed only)
  --find 0             seconds for which the optimiser itself is watched on traffic
  --keep FOLDER        snapshots and all that was measured, as JSON`;

const OBJECTIVES: readonly Objective[] = ['Latency', 'Cost', 'Balanced'];

type Told = Omit<FusionOptions, 'signal'>;

/** Throws with what is wrong with which option. */
export function optionsOf(args: readonly string[]): Told {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      cpu: { ...text, default: '250' },
      rate: { ...text, default: '5' },
      objective: { ...text, default: 'Balanced' },
      partitions: { ...text, default: '4' },
      repeats: { ...text, default: '3' },
      observe: { ...text, default: '60' },
      warm: { ...text, default: '10' },
      seconds: { ...text, default: '15' },
      calm: { ...text, default: '100' },
      'hop-delay': { ...text, default: '0' },
      find: { ...text, default: '0' },
      keep: text,
    },
  });
  const number = (option: Exclude<keyof typeof values, 'keep'>, least: number, most: number): number =>
    within(option, values[option], least, most);
  return {
    examples: positionals.length > 0 ? positionals : ['traffic', 'tree'],
    cpuMillis: values.cpu.split(',').map((cpu) => within('cpu', cpu, 10, 8000)),
    perSecond: number('rate', 0.1, 100),
    objective: objectiveOf(values.objective),
    partitions: number('partitions', 0, 100),
    repeats: number('repeats', 1, 20),
    observeSeconds: number('observe', 5, 600),
    warmSeconds: number('warm', 1, 120),
    seconds: number('seconds', 1, 600),
    calmShare: number('calm', 1, 100) / 100,
    hopDelayMs: number('hop-delay', 0, 1000),
    findSeconds: number('find', 0, 3600),
    keep: values.keep,
  };
}

function within(option: string, given: string, least: number, most: number): number {
  const value = Number(given);
  if (value >= least && value <= most) return value;
  throw new Error(`--${option}: given ${given}; give a number from ${String(least)} to ${String(most)}`);
}

function objectiveOf(given: string): Objective {
  const found = OBJECTIVES.find((name) => name === given);
  if (found) return found;
  throw new Error(`--objective: given ${given}; give one of ${OBJECTIVES.join(', ')}`);
}
