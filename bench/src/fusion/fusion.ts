/**
 * `npm run bench -- fusion [EXAMPLE …]`: are the plans that the planner likes best the ones that measure best?
 *
 * On a cluster (KUBECONFIG), or with `--laptop` on this machine. For each example and each CPU share: every function alone under
 * load, and a snapshot; from it, before anything else runs, the plans that are to be measured with what the planner says of each;
 * then all of them by turns, in as many repeats as asked. Start-up and warm-up are not in the figures of a plan, and are printed.
 * It makes a namespace of its own for each example, and removes it, also when it is interrupted.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Objective } from '@sinter/operator/planner/cost';
import { play } from '../play.ts';
import type { Snapshot } from '@sinter/operator/snapshot/index';
import { snapshotText } from '@sinter/operator/snapshot/index';
import { cellOf } from './cell.ts';
import type { Cell } from './cell.ts';
import { choicesOf, TOGETHER } from './choices.ts';
import type { PlanToMeasure, Price } from './choices.ts';
import { findPlan } from './finding.ts';
import { cellText, entryLines, groupsText, planLines, titleOf, verdictLines } from './report.ts';
import type { Measured } from './report.ts';
import type { Stage } from './stage.ts';
import { forced, subjectOf } from './subject.ts';
import type { Subject } from './subject.ts';

export interface FusionOptions {
  readonly examples: readonly string[];
  readonly cpuMillis: readonly number[];
  readonly perSecond: number;
  readonly objective: Objective;
  /** How many of the exact search's best, for each price model. */
  readonly partitions: number;
  readonly repeats: number;
  readonly observeSeconds: number;
  readonly warmSeconds: number;
  readonly seconds: number;
  /** Above this share of the machine's cores in use a measurement does not count: something else ran besides. */
  readonly calmShare: number;
  /** Milliseconds that every hop takes longer. */
  readonly hopDelayMs: number;
  /** For how long the optimiser is watched; 0: not at all. */
  readonly findSeconds: number;
  /** A folder for snapshots and cells, as JSON; absent: they are not kept. */
  readonly keep?: string | undefined;
  readonly signal: AbortSignal;
}

export const PRICES: readonly Price[] = [
  { name: 'BusyTime', model: 'BusyTime', gigabyteSecond: '0.0000166667', cpuSecond: '0' },
  { name: 'Provisioned', model: 'Provisioned', gigabyteSecond: '0.0000166667', cpuSecond: '0' },
];

const say = (line: string): void => void process.stdout.write(`${line}\n`);

export async function fusion(stage: Stage, options: FusionOptions): Promise<void> {
  const { hopDelayMs } = options;
  const delay = hopDelayMs > 0 ? await stage.delayHops(hopDelayMs) : undefined;
  try {
    await everyExample(stage, options);
  } finally {
    await delay?.stop();
  }
}

async function everyExample(stage: Stage, options: FusionOptions): Promise<void> {
  for (const example of options.examples)
    for (const cpuMillis of options.cpuMillis) {
      const subject = await subjectOf({ example, cpuMillis, machine: stage.machine });
      try {
        say(
          `\n# ${example}, ${String(cpuMillis)} millicores a function, ${String(options.perSecond)} visits/s`,
        );
        if (options.partitions > 0) await compared(stage, subject, options);
        if (options.findSeconds > 0) await found(stage, subject, options);
      } finally {
        await stage.remove(subject);
      }
    }
}

async function found(stage: Stage, subject: Subject, options: FusionOptions): Promise<void> {
  const [price] = PRICES;
  const { name: _, ...spec } = price ?? {};
  const seconds = options.findSeconds;
  const { lines, groups } = await findPlan(stage, subject, { ...options, seconds, price: spec });
  say(`the optimiser, for ${String(seconds)} s from all apart: ${groupsText({ groups })}`);
  for (const line of lines) say(line);
}

async function compared(stage: Stage, subject: Subject, options: FusionOptions): Promise<void> {
  const plans = await chosen(stage, subject, options);
  const all = plans.map((plan) => ({ plan, cells: [] as Cell[] }));
  try {
    await measureInTurn(stage, subject, all, options);
  } finally {
    // Also of what there is when it was interrupted.
    conclude(
      subject,
      all.filter(({ cells }) => cells.length > 0),
      options,
    );
  }
}

type Filling = Measured & { readonly cells: Cell[] };

async function measureInTurn(
  stage: Stage,
  subject: Subject,
  all: readonly Filling[],
  options: FusionOptions,
): Promise<void> {
  const { repeats, signal } = options;
  const at = performance.now();
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const { plan, cells } of inTurn(all, repeat)) {
      signal.throwIfAborted();
      const cell = await calmCell(stage, subject, plan, options);
      cells.push(cell);
      say(`  ${String(repeat + 1)}/${String(repeats)} ${cellText(cell)}: ${titleOf(plan)}`);
    }
  }
  say(`measured in ${((performance.now() - at) / 60_000).toFixed(1)} min\n`);
}

function conclude(subject: Subject, all: readonly Measured[], options: FusionOptions): void {
  keep(options, `${subject.workflow}-cells.json`, all);
  const [price] = PRICES;
  if (price && all.length > 0) for (const line of planLines(all, price)) say(line);
  for (const line of entryLines(all)) say(line);
  for (const one of PRICES)
    for (const line of verdictLines(all, one, options.objective, options.hopDelayMs > 0)) say(line);
}

const TRIES = 3;

/** Measured again where the machine was busy; the calmest of the tries counts. */
async function calmCell(
  stage: Stage,
  subject: Subject,
  plan: PlanToMeasure,
  terms: FusionOptions,
): Promise<Cell> {
  const tried: Cell[] = [];
  for (let i = 0; i < TRIES; i++) {
    const cell = await cellOf(stage, subject, plan, terms);
    tried.push(cell);
    if (cell.machineShare <= terms.calmShare) break;
    say(
      `  the machine was ${(cell.machineShare * 100).toFixed(0)} % busy: p50 ${cell.all.p50Ms.toFixed(1)} ms does not count`,
    );
  }
  const [calmest] = tried.sort((a, b) => a.machineShare - b.machineShare);
  if (!calmest) throw new Error('nothing was measured');
  return { ...calmest, startMs: Math.max(...tried.map((c) => c.startMs)) };
}

/** In another order each time, so that no plan is always measured after the same one. */
const inTurn = <T>(plans: readonly T[], repeat: number): readonly T[] => {
  const ordered = repeat % 2 === 0 ? plans : [...plans].reverse();
  const from = Math.floor((repeat * plans.length) / 3);
  return [...ordered.slice(from), ...ordered.slice(0, from)];
};

/** Once more where next to nothing was observed: an operator that has just been replaced begins anew. */
async function observed(stage: Stage, subject: Subject, options: FusionOptions): Promise<Snapshot> {
  const { perSecond, observeSeconds, signal } = options;
  for (let i = 0; i < TRIES; i++) {
    await play({ gateway: stage.gateway, timetable: subject.timetable(perSecond, observeSeconds), signal });
    signal.throwIfAborted();
    await pause(1_500); // the last second's figures come in
    const snapshot = await stage.snapshot(subject);
    const samples = snapshot.observations.roots.reduce((all, root) => all + root.samples, 0);
    if (samples >= (perSecond * observeSeconds) / 2) return snapshot;
    say(
      `  the operator has seen ${String(samples)} root calls of ${String(perSecond * observeSeconds)}: observed once more`,
    );
  }
  throw new Error(`${subject.namespace}: the operator says next to nothing of it; is it well?`);
}

/** All apart under load, a snapshot, and what follows from it. */
async function chosen(
  stage: Stage,
  subject: Subject,
  options: FusionOptions,
): Promise<readonly PlanToMeasure[]> {
  const { objective, observeSeconds } = options;
  const apart = subject.functions.map((name) => [name]);
  await stage.declare(subject, forced([], { model: 'BusyTime' }), apart);
  const snapshot = await observed(stage, subject, options);
  keepText(options, `${subject.workflow}-snapshot.json`, snapshotText(snapshot));
  const plans = choicesOf({ snapshot, prices: PRICES, objective, most: options.partitions });
  say(`observed for ${String(observeSeconds)} s; ${String(plans.length)} plans, said before they run:`);
  for (const plan of plans) {
    const said = PRICES.map(({ name }) => plan.said.get(name)?.prediction);
    say(
      `  ${said[0]?.latencyMs.toFixed(1) ?? '-'} ms, ${((said[0]?.memoryBytes ?? 0) / 1e6).toFixed(0)} MB, ${said.map((s) => ((s?.cost ?? 0) * 1e6).toFixed(2)).join(' / ')}: ${titleOf(plan)}: ${plan.names.includes(TOGETHER) ? '' : groupsText(plan)}`,
    );
  }
  return plans;
}

function keep({ keep: folder }: FusionOptions, file: string, what: unknown): void {
  if (folder === undefined) return;
  const plain = (_: string, value: unknown): unknown =>
    value instanceof Map ? Object.fromEntries(value) : value;
  keepText({ keep: folder }, file, JSON.stringify(what, plain, 1));
}

function keepText({ keep: folder }: Pick<FusionOptions, 'keep'>, file: string, text: string): void {
  if (folder !== undefined) writeFileSync(join(folder, file), text);
}
