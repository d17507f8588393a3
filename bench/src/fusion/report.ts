/** What was measured beside what was said, as text: a line a plan, then the verdicts for each price model. */
import type { Objective } from '@sinter/operator/planner/cost';
import { quantile } from '../stats.ts';
import { costOf, latencyMs } from './cell.ts';
import type { Cell } from './cell.ts';
import { APART, FUSIONIZE, TOGETHER, wishOf } from './choices.ts';
import type { PlanToMeasure, Price } from './choices.ts';

/** A plan with all that was measured of it, a cell a repeat. */
export interface Measured {
  readonly plan: PlanToMeasure;
  readonly cells: readonly Cell[];
}

/** A plan's figures over its repeats: medians. */
interface Row {
  readonly measured: Measured;
  readonly latencyMs: number;
  readonly cost: number;
  readonly score: number;
  /** Half of the range of the score over the repeats, as a share of it. */
  readonly noise: number;
}

const GOAL = { ofBest: 0.05, error: 0.2, claim: 0.35 };
const median = (list: readonly number[]): number => quantile(list, 0.5);
const percent = (share: number): string => `${share > 0 ? '+' : ''}${(share * 100).toFixed(1)} %`;
const met = (holds: boolean): string => (holds ? 'met' : 'MISSED');
const mb = (bytes: number): string => (bytes / 1e6).toFixed(0);
const money = (perCall: number): string => (perCall * 1e6).toFixed(3);

const scoreOf = (objective: Objective, ms: number, cost: number): number =>
  objective === 'Latency' ? ms : objective === 'Cost' ? cost : Math.sqrt(ms * cost);

function rowOf(measured: Measured, price: Price, objective: Objective): Row {
  const { plan, cells } = measured;
  const costs = cells.map((cell) => costOf(cell, plan, price));
  const scores = cells.map((cell, i) => scoreOf(objective, latencyMs(cell), costs[i] ?? NaN));
  const score = median(scores);
  const noise = (Math.max(...scores) - Math.min(...scores)) / 2 / score;
  return { measured, latencyMs: median(cells.map(latencyMs)), cost: median(costs), score, noise };
}

/** The name under which a plan is spoken of, with its groups as far as there are any. */
export const titleOf = ({ names }: PlanToMeasure): string => names.join(', ');

export function groupsText({ groups }: Pick<PlanToMeasure, 'groups'>): string {
  const shared = groups.filter((g) => g.length > 1).map((g) => `{${g.join(' ')}}`);
  const alone = groups.length - shared.length;
  return [...shared, ...(alone > 0 ? [`${String(alone)} alone`] : [])].join(' ');
}

/** One measurement, as it is told when it is done. */
export const cellText = (cell: Cell): string =>
  [
    `p50 ${cell.all.p50Ms.toFixed(1)} ms`,
    `p99 ${cell.all.p99Ms.toFixed(0)}`,
    `CPU ${cell.cpuMs.toFixed(1)} ms a call (functions ${cell.functionsCpuMs.toFixed(1)})`,
    `start ${(cell.startMs / 1000).toFixed(1)} s`,
    `machine ${(cell.machineShare * 100).toFixed(0)} % busy`,
    `failed ${String(cell.failed)}${cell.isDone ? '' : ', NOT ALL WORK DONE'}`,
  ].join(', ');

const HEAD = [
  'p50 ms',
  'p99',
  'mean',
  'said',
  'error',
  'MB',
  'said',
  'CPU ms',
  'of host',
  'start s',
  'failed',
];
const cells = (list: readonly string[], width = 9): string => list.map((c) => c.padStart(width)).join('');

/** One line a plan; all that does not depend on prices. */
export function planLines(all: readonly Measured[], price: Price): readonly string[] {
  return [
    `${cells(HEAD)}  plan`,
    ...all.map(({ plan, cells: of }) => {
      const said = plan.said.get(price.name)?.prediction;
      const p50 = median(of.map(latencyMs));
      const cpu = median(of.map((c) => c.cpuMs));
      const undone = of.some((c) => !c.isDone) ? '  NOT ALL WORK DONE' : '';
      return `${cells([
        p50.toFixed(1),
        median(of.map((c) => c.all.p99Ms)).toFixed(0),
        median(of.map((c) => c.all.meanMs)).toFixed(1),
        said?.latencyMs.toFixed(1) ?? '-',
        said ? percent(said.latencyMs / p50 - 1) : '-',
        mb(median(of.map((c) => c.memoryBytes))),
        said ? mb(said.memoryBytes) : '-',
        cpu.toFixed(1),
        (cpu - median(of.map((c) => c.functionsCpuMs))).toFixed(1),
        (median(of.map((c) => c.startMs)) / 1000).toFixed(1),
        String(of.reduce((n, c) => n + c.failed, 0)),
      ])}  ${titleOf(plan)}: ${groupsText(plan)}${undone}`;
    }),
  ];
}

export function entryLines(all: readonly Measured[]): readonly string[] {
  const entries = all[0]?.cells[0]?.entries.map((e) => e.entry) ?? [];
  if (entries.length < 2) return [];
  return entries.flatMap((entry) => [
    `by ${entry}:`,
    ...all.map(({ plan, cells: of }) => {
      const rows = of.flatMap((c) => c.entries.filter((e) => e.entry === entry));
      const [p50, p99] = [median(rows.map((e) => e.p50Ms)), median(rows.map((e) => e.p99Ms))];
      return `${cells([p50.toFixed(1), p99.toFixed(0)])}  ${titleOf(plan)}`;
    }),
  ]);
}

/** What the price model and the objective make of the figures, and whether the goals are met. */
export function verdictLines(
  all: readonly Measured[],
  price: Price,
  objective: Objective,
  isDelayed: boolean,
): readonly string[] {
  const rows = all.map((m) => rowOf(m, price, objective)).sort((a, b) => a.score - b.score);
  const named = (name: string): Row | undefined => rows.find((r) => r.measured.plan.names.includes(name));
  const [best, apart, kept] = [rows[0], named(APART), named(wishOf(price))];
  if (!best || !apart || !kept) return [];
  const against = (row: Row): string => percent(row.score / best.score - 1);
  return [
    `${price.name}, by ${objective} (score; cost per million root calls; said before)`,
    ...rows.map((row) => {
      const said = row.measured.plan.said.get(price.name);
      const shown = [row.score.toPrecision(4), against(row), `± ${(row.noise * 100).toFixed(1)} %`];
      const costs = [money(row.cost), said ? money(said.prediction.cost) : '-'];
      return `${cells([...shown, ...costs], 11)}  ${titleOf(row.measured.plan)}`;
    }),
    `  wished plan against the best measured: ${against(kept)}, goal at most +5 %: ${met(kept.score <= best.score * (1 + GOAL.ofBest))}`,
    `  wished plan against all apart: ${percent(kept.score / apart.score - 1)}, noise ± ${((kept.noise + apart.noise) * 100).toFixed(1)} %: ${met(kept.score <= apart.score * (1 + kept.noise + apart.noise))}`,
    ...[FUSIONIZE, TOGETHER].flatMap((name) => {
      const row = named(name);
      return row ? [`  ${name} against the best measured: ${against(row)}`] : [];
    }),
    ...errorLines(rows, price),
    ...(isDelayed ? claimLines(apart, kept) : []),
  ];
}

function errorLines(rows: readonly Row[], price: Price): readonly string[] {
  const errors = (of: (row: Row) => readonly [number | undefined, number]): number =>
    median(rows.map((row) => of(row)).map(([said = NaN, was]) => Math.abs(said / was - 1)));
  const saidOf = (row: Row) => row.measured.plan.said.get(price.name)?.prediction;
  const latency = errors((row) => [saidOf(row)?.latencyMs, row.latencyMs]);
  const cost = errors((row) => [saidOf(row)?.cost, row.cost]);
  return [
    `  median error of what was said before: latency ${(latency * 100).toFixed(1)} %, goal at most 20 %: ${met(latency <= GOAL.error)}; cost ${(cost * 100).toFixed(1)} %${price.model === 'BusyTime' ? `: ${met(cost <= GOAL.error)}` : ' (a plan has what it says)'}`,
  ];
}

/** The papers': at least 35 % less latency and cost than all apart. */
function claimLines(apart: Row, kept: Row): readonly string[] {
  const [ms, cost] = [kept.latencyMs / apart.latencyMs - 1, kept.cost / apart.cost - 1];
  const isMet = ms <= -GOAL.claim && cost <= -GOAL.claim;
  return [
    `  the papers' claim (at least 35 % less of both than all apart): latency ${percent(ms)}, cost ${percent(cost)}: ${met(isMet)}`,
  ];
}
