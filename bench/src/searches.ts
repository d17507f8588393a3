/**
 * `npm run bench -- searches`: how long the planner searches, and how good the local search is beside the exact one.
 *
 * Measures CPU time of this process, so that a machine that is busy otherwise changes little. Prints: the exact search by number
 * of functions, the local one for 200 and 1,000, whole plans with every decision, and over 10,000 random graphs of two to eight
 * functions by how much the local search misses the exact optimum. Graphs are drawn from a fixed seed.
 * Leaves out: whether the model is right (`fusion` measures that).
 */
import { randomFrom } from '@sinter/operator/planner/assignment';
import { exactly } from '@sinter/operator/planner/exact';
import { locally } from '@sinter/operator/planner/local';
import { plan } from '@sinter/operator/planner/planner';
import { best } from '@sinter/operator/planner/search';
import { randomSnapshot } from '@sinter/operator/planner/testGraphs';
import { questionOf } from '@sinter/operator/planner/testQuestions';
import { quantile } from './stats.ts';

const SEED = 7;
const GRAPHS = 10_000;
const GOALS = { exactMs: 100, localMs: 2000, within: 0.01, share: 0.95 };

export function searches(): Promise<void> {
  for (const functions of [4, 6, 8, 10])
    timed(`exact, ${functions} functions`, functions, 200, GOALS.exactMs);
  for (const functions of [200, 1000]) timed(`local, ${functions} functions`, functions, 5, GOALS.localMs);
  for (const functions of [10, 200]) wholePlans(functions, 5);
  quality();
  return Promise.resolve();
}

function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function timed(what: string, functions: number, rounds: number, goalMs: number): void {
  const draw = randomFrom(SEED);
  const times = Array.from({ length: rounds }, () => {
    const question = questionOf(randomSnapshot(draw, { functions }));
    return cpuMs(() => void best(question));
  });
  say(what, times, `goal ${goalMs} ms`);
}

function wholePlans(functions: number, rounds: number): void {
  const draw = randomFrom(SEED);
  const times = Array.from({ length: rounds }, () => {
    const snapshot = randomSnapshot(draw, { functions });
    return cpuMs(() => void plan(snapshot));
  });
  say(`whole plan, ${functions} functions`, times, 'every decision with alternatives');
}

function quality(): void {
  const draw = randomFrom(SEED);
  const gaps = Array.from({ length: GRAPHS }, () => {
    const question = questionOf(randomSnapshot(draw, { functions: 2 + Math.floor(draw() * 7) }));
    const [optimum, found] = [exactly(question, 1)[0], locally(question)];
    return (found?.score ?? NaN) / (optimum?.score ?? NaN) - 1;
  });
  const share = gaps.filter((gap) => gap <= GOALS.within).length / GRAPHS;
  const equal = gaps.filter((gap) => gap <= 1e-9).length / GRAPHS;
  print(
    `local beside exact, ${GRAPHS} graphs of 2 to 8 functions: within 1 % on ${percent(share)} (goal ${percent(GOALS.share)}), ` +
      `the optimum itself on ${percent(equal)}, worst ${percent(Math.max(...gaps))} above it`,
  );
}

function say(what: string, times: readonly number[], note: string): void {
  const ms = (q: number): string => quantile(times, q).toFixed(1);
  print(`${what}: p50 ${ms(0.5)} ms, p95 ${ms(0.95)} ms, longest ${ms(1)} ms of CPU (${note})`);
}

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
const print = (line: string): void => void process.stdout.write(`${line}\n`);
