/**
 * How well roll-outs judge, in simulation: whole trials with calls from a seed, at one call a second and more.
 *
 * Prints for each kind of service the share of wrong verdicts where nothing differs, and how many calls it takes to find what does.
 * A workflow had 36,000 calls before (ten hours at one a second), so that a trial may go beyond the first weight before it
 * looks better. What it leaves out: how a judgement does on real machines, where two plans also stand in each other's way.
 */
import { LATENCIES, TERMS, WEATHERS, rolledOut } from '../../operator/src/rollout/testSimulation.ts';
import type { RolledOut, Service } from '../../operator/src/rollout/testSimulation.ts';
import type { Objective } from '../../operator/src/rollout/index.ts';
import { quantile } from './stats.ts';

interface Case {
  readonly name: string;
  readonly objective: Objective;
  readonly service: Service;
}

const CALLS_BEFORE = 36_000;
const FAILURES = { current: 0.002, candidate: 0.002 };

/** `rounds`: hundreds of trials of each kind where nothing differs; a fifth as many where something does. */
export function rollout({ rounds }: { readonly rounds: number }): Promise<void> {
  const runs = rounds * 100;
  say(
    `| what is called | objective | calls/s | nothing differs: better, worse (of ${String(runs)}) | −10 %: found, within 3,000 calls | its calls p50, p90 | −35 %: found, calls p50 | +10 %: better, own calls of all | +50 %: worse, own calls of all | 8 times: worse, its calls p50, p90 | ends after at most |`,
  );
  say('|---|---|---|---|---|---|---|---|---|---|---|');
  for (const one of cases()) say(row(one, runs));
  const failing = { ...SERVICE, failures: { current: 0, candidate: 0.05 } };
  const ends = trials({ name: '', objective: 'Latency', service: failing }, 1, runs / 5);
  say(
    `\nA candidate that fails 5 % of its calls: ${share(ends, ({ reason }) => reason === 'CallsFail')} withdrawn for it, after ${spreadOf(ends.map((e) => e.trial.candidateCalls))} of its own calls (p50, p90).`,
  );
  return Promise.resolve();
}

const [LOG_NORMAL] = Object.values(LATENCIES);
const [CALM] = Object.values(WEATHERS);
if (!LOG_NORMAL || !CALM) throw new Error('no service to simulate');
const SERVICE: Service = { latency: LOG_NORMAL, weather: CALM, rate: 1, factor: 1, failures: FAILURES };
const MOMENTS = 'slow moments of each alone, 5 % over ten seconds';

function cases(): readonly Case[] {
  const latencies = Object.entries(LATENCIES).map(([name, latency]): Case => ({
    name,
    objective: 'Latency',
    service: { ...SERVICE, latency },
  }));
  const weathers = Object.entries(WEATHERS).flatMap(([name, weather]): readonly Case[] =>
    weather === CALM
      ? []
      : [{ name: `log-normal; ${name}`, objective: 'Latency', service: { ...SERVICE, weather } }],
  );
  const objectives = (['Cost', 'Balanced'] as const).flatMap((objective) =>
    latencies.slice(0, 4).map((one): Case => ({ ...one, objective })),
  );
  const rates = [10, 50].map((rate): Case => ({
    name: `log-normal; ${MOMENTS}`,
    objective: 'Latency',
    service: { ...SERVICE, rate, weather: WEATHERS[MOMENTS] ?? SERVICE.weather },
  }));
  return [...latencies, ...weathers, ...objectives, ...rates];
}

function trials({ objective, service }: Case, factor: number, runs: number): readonly RolledOut[] {
  const terms = { ...TERMS, objective };
  return Array.from({ length: runs }, (_, i) =>
    rolledOut({ ...service, factor }, i + 1, CALLS_BEFORE, terms),
  );
}

function row(one: Case, runs: number): string {
  const few = Math.ceil(runs / 5);
  const [same, tenth, third, loss, half, times] = [
    trials(one, 1, runs),
    trials(one, 0.9, few),
    trials(one, 0.65, few),
    trials(one, 1.1, few),
    trials(one, 1.5, few),
    trials(one, 8, few),
  ] as const;
  const isBetter = ({ verdict }: RolledOut): boolean => verdict === 'Better';
  const isWorse = ({ verdict }: RolledOut): boolean => verdict === 'Worse';
  const calls = (ends: readonly RolledOut[]): readonly number[] =>
    ends.filter(isBetter).map((e) => e.trial.calls);
  const longest = Math.max(...[same, tenth, third, loss, half].flat().map((e) => e.trial.elapsedMs));
  return `| ${[
    one.name,
    one.objective,
    String(one.service.rate),
    `${share(same, isBetter)}, ${share(same, isWorse)}`,
    `${share(tenth, isBetter)}, ${share(tenth, (e) => isBetter(e) && e.trial.calls <= 3000)}`,
    spreadOf(calls(tenth)),
    `${share(third, isBetter)}, ${String(quantile(calls(third), 0.5))}`,
    `${share(loss, isBetter)}, ${ownShare(loss)}`,
    `${share(half, isWorse)}, ${ownShare(half)}`,
    `${share(times, isWorse)}, ${spreadOf(times.map((e) => e.trial.candidateCalls))}`,
    `${String(Math.round(longest / 1000))} s`,
  ].join(' | ')} |`;
}

const share = (ends: readonly RolledOut[], is: (end: RolledOut) => boolean): string =>
  `${((100 * ends.filter(is).length) / ends.length).toFixed(1)} %`;

const spreadOf = (numbers: readonly number[]): string =>
  `${String(quantile(numbers, 0.5))}, ${String(quantile(numbers, 0.9))}`;

function ownShare(ends: readonly RolledOut[]): string {
  const sum = (of: (end: RolledOut) => number): number => ends.reduce((n, end) => n + of(end), 0);
  return `${((100 * sum((e) => e.trial.candidateCalls)) / sum((e) => e.trial.calls)).toFixed(1)} %`;
}

const say = (line: string): boolean => process.stdout.write(`${line}\n`);
