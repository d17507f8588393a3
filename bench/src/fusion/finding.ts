/**
 * What it costs to find a plan: the optimiser itself, on traffic, from all apart to where it ends.
 *
 * Owns: one load without a pause, and what is read from its calls alone: the plan that each ran under (the gateway says it) and how
 * long it took. A plan lost when it had calls and was not the current one at the end, nor ever before.
 */
import { play } from '../play.ts';
import type { PlayedCall } from '../play.ts';
import { quantile } from '../stats.ts';
import type { Objective } from '@sinter/operator/planner/cost';
import type { Stage } from './stage.ts';
import type { Groups, PolicySpec, Subject } from './subject.ts';

export interface FindingOptions {
  readonly perSecond: number;
  readonly seconds: number;
  readonly objective: Objective;
  readonly price: PolicySpec;
  readonly signal: AbortSignal;
}

export interface FindingReport {
  readonly lines: readonly string[];
  readonly groups: Groups;
}

const WINDOW_MS = 30_000;
const GOAL = { losing: 0.05, window: 1.1 };
const LOOK_MS = 1_000;

export async function findPlan(
  stage: Stage,
  subject: Subject,
  { perSecond, seconds, objective, price, signal }: FindingOptions,
): Promise<FindingReport> {
  const apart = subject.functions.map((name) => [name]);
  await stage.declare(subject, { fusion: { mode: 'Off' }, rollout: { onRegression: 'Ignore' } }, apart);
  const warm = { gateway: stage.gateway, signal };
  await play({ ...warm, timetable: subject.timetable(perSecond, 10) });
  await stage.change(subject, { objective, price, rollout: { cooldownSeconds: 20 } });
  const currents = new Set<string>();
  const look = setInterval(() => {
    void stage.running(subject).then(
      ({ hash }) => currents.add(hash),
      () => undefined, // asked again in a second
    );
  }, LOOK_MS);
  const timetable = subject.timetable(perSecond, seconds);
  const played = await play({ ...warm, timetable, limitMs: 60_000 }).finally(() => {
    clearInterval(look);
  });
  const { hash, groups } = await stage.running(subject);
  currents.add(hash);
  return { groups, lines: [...windowLines(played), ...shareLines(played, currents)] };
}

export function windowLines(played: readonly PlayedCall[]): readonly string[] {
  const answered = played.filter((c) => c.status === 200);
  const windows = Map.groupBy(answered, (c) => Math.floor((c.atMs - c.ms) / WINDOW_MS));
  const rows = [...windows]
    .sort(([a], [b]) => a - b)
    .map(([at, calls]) => ({
      at,
      p50: quantile(
        calls.map((c) => c.ms),
        0.5,
      ),
      plans: plansOf(calls),
    }));
  const start = rows[0]?.p50 ?? NaN;
  const most = Math.max(...rows.map((r) => r.p50)) / start;
  return [
    'root p50 over all traffic, by 30 s:',
    ...rows.map(
      ({ at, p50, plans }) => `${String(at * 30).padStart(6)} s ${p50.toFixed(1).padStart(8)} ms  ${plans}`,
    ),
    `  worst window ${most.toFixed(2)} × the first, goal at most ${String(GOAL.window)}: ${most <= GOAL.window ? 'met' : 'MISSED'}`,
  ];
}

const plansOf = (calls: readonly PlayedCall[]): string =>
  [...Map.groupBy(calls, (c) => c.revision)].map(([hash, of]) => `${hash} ${String(of.length)}`).join(', ');

export function shareLines(played: readonly PlayedCall[], currents: ReadonlySet<string>): readonly string[] {
  const losing = played.filter((c) => c.revision !== '' && !currents.has(c.revision)).length / played.length;
  const failed = played.filter((c) => c.status !== 200).length;
  return [
    `  calls on plans that lost ${(losing * 100).toFixed(1)} %, goal at most 5 %: ${losing <= GOAL.losing ? 'met' : 'MISSED'}; failed ${String(failed)} of ${String(played.length)}`,
  ];
}
