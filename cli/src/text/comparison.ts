/**
 * Plans and their measurements side by side, and what may be said about the difference.
 *
 * Owns: the wording. A difference is called one only where the intervals of the two medians do not overlap; p99 of a few
 * hundred calls is two or three calls, and that is said.
 */
import type { WorkflowFigures } from '@sinter/operator/local/run';
import { quantile } from '../load.ts';
import type { LoadResult } from '../load.ts';
import { thisArchitecture } from '@sinter/operator/local/machines';
import type { Colors } from '../terminal.ts';
import { duration, hanging, table } from './layout.ts';
import { channelTally, edgeText, reasonOf, runtimeTally } from './plan.ts';
import type { NamedPlan } from './plan.ts';

/** One plan, as it was measured. */
export interface Measured {
  /** `before`, `after`. */
  readonly title: string;
  readonly hash: string;
  readonly named: NamedPlan;
  readonly result: LoadResult;
  readonly figures: WorkflowFigures;
  /** All work that the calls asked for was seen to be done. */
  readonly drained: boolean;
  /** Calls that were to be sent. */
  readonly wanted: number;
}

export function comparisonLines(measured: readonly Measured[], colors: Colors): readonly string[] {
  const rows = [
    ...summaryRows(measured),
    ['', ...measured.map(() => '')],
    ...functionRows(measured),
    ['', ...measured.map(() => '')],
    ...channelRows(measured),
  ];
  const columns = [
    { title: 'SIDE BY SIDE' },
    ...measured.map(({ title }) => ({ title: title.toUpperCase(), long: 'Wrap' as const })),
  ];
  return [
    ...table(columns, rows, { title: colors.bold }),
    '',
    ...verdictLines(measured),
    ...hanging(
      '',
      `${caveat(measured)} Calls before the measured ones warmed processes and code up and are not counted.`,
    ).map(colors.dim),
  ];
}

function summaryRows(measured: readonly Measured[]): readonly (readonly string[])[] {
  const row = (title: string, cell: (m: Measured) => string): readonly string[] => [
    title,
    ...measured.map(cell),
  ];
  return [
    row('plan', (m) => m.hash),
    row('processes', ({ named }) => String(named.plan.units.length)),
    row('functions run as', ({ named }) => runtimeTally(named.plan, thisArchitecture())),
    row('channels', ({ named }) => channelTally(named.plan)),
    row('calls answered', ({ result }) => `${String(result.ok)} of ${String(result.sent)}`),
    row('root call p50', ({ result }) => duration(quantile(result.tookMs, 0.5))),
    row('root call, middle half', ({ result }) => range(result)),
    row('root call p99', ({ result }) => duration(quantile(result.tookMs, 0.99))),
  ];
}

const range = ({ tookMs }: LoadResult): string =>
  `${duration(quantile(tookMs, 0.25))} to ${duration(quantile(tookMs, 0.75))}`;

function functionRows(measured: readonly Measured[]): readonly (readonly string[])[] {
  const names = [...new Set(measured.flatMap(({ figures }) => figures.functions.map((f) => f.function)))];
  const rows = names.map((name) => [
    name,
    ...measured.map(({ figures }) => {
      const found = figures.functions.filter((f) => f.function === name);
      return found.map((f) => `${duration(f.p50Ms)} / ${duration(f.p99Ms)}  (${String(f.count)})`).join(', ');
    }),
  ]);
  return [
    ['function: p50 / p99 (runs)', ...measured.map(() => '')],
    ...rows.map(([a = '', ...b]) => [`  ${a}`, ...b]),
  ];
}

function channelRows(measured: readonly Measured[]): readonly (readonly string[])[] {
  const edges = measured[0]?.named.plan.channels ?? [];
  const rows = edges.map(({ from, to }) => [
    `  ${edgeText(from, to)}`,
    ...measured.map(({ named }) => channelCell(named, from, to)),
  ]);
  return [['channel of each edge', ...measured.map(() => '')], ...rows];
}

function channelCell({ plan }: NamedPlan, from: string, to: string): string {
  const channel = plan.channels.find((c) => c.from === from && c.to === to)?.channel;
  return channel === undefined ? '' : `${channel} (${reasonOf(plan, 'Channel', edgeText(from, to))})`;
}

/** How the second differs from the first. */
function verdictLines([first, second]: readonly Measured[]): readonly string[] {
  if (!first || !second)
    return hanging('', 'No plan was found that measured better under these calls: this one stays.');
  const [a, b] = [first.result.tookMs, second.result.tookMs];
  if (a.length === 0 || b.length === 0)
    return hanging('', 'No call was answered under one of the two, so they cannot be compared.');
  const processes = `${String(first.named.plan.units.length)} → ${String(second.named.plan.units.length)} processes`;
  const p50 = `${duration(quantile(a, 0.5))} → ${duration(quantile(b, 0.5))} (${change(quantile(a, 0.5), quantile(b, 0.5))})`;
  const p99 = `${duration(quantile(a, 0.99))} → ${duration(quantile(b, 0.99))} (${change(quantile(a, 0.99), quantile(b, 0.99))})`;
  return hanging(
    '',
    `${first.title} → ${second.title}: ${processes}; root call p50 ${p50}, p99 ${p99}. ${judgement(a, b)}`,
  );
}

const change = (from: number, to: number): string => {
  const percent = Math.round(((to - from) / from) * 100);
  return `${percent > 0 ? '+' : percent < 0 ? '−' : '±'}${String(Math.abs(percent))} %`;
};

/**
 * Whether the medians differ by more than chance: their 95 % intervals, by ranks (n/2 ± 0.98 √n), do not overlap. It
 * speaks of these calls only: what else the machine did meanwhile is in the figures too.
 */
export function judgement(a: readonly number[], b: readonly number[]): string {
  const [first, second] = [medianInterval(a), medianInterval(b)];
  const text = `(95 % intervals ${intervalText(first)} and ${intervalText(second)})`;
  if (second.high < first.low)
    return `The second's median is lower by more than chance among these calls ${text}.`;
  if (second.low > first.high)
    return `The second's median is higher by more than chance among these calls ${text}.`;
  return `The medians differ by no more than chance ${text}: neither can be called faster.`;
}

interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Of an ascending list. */
export function medianInterval(ascending: readonly number[]): Interval {
  const n = ascending.length;
  const half = 0.98 * Math.sqrt(n);
  const at = (rank: number): number => ascending[Math.min(n - 1, Math.max(0, rank))] ?? 0;
  return { low: at(Math.floor(n / 2 - half) - 1), high: at(Math.ceil(n / 2 + half)) };
}

const intervalText = ({ low, high }: Interval): string => `${duration(low)} to ${duration(high)}`;

function caveat(measured: readonly Measured[]): string {
  const calls = Math.min(...measured.map(({ result }) => result.tookMs.length));
  const beyond = Math.max(1, calls - Math.ceil(0.99 * calls) + 1);
  return (
    `One run of ${String(calls)} calls each on a machine that does other things too; p99 is the ` +
    `${beyond === 1 ? 'slowest call' : `slowest but ${String(beyond - 1)}`} of them and moves by chance. ` +
    `Functions are timed inside their process, root calls at the client.`
  );
}
