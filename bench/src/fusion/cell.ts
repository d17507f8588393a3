/**
 * One plan, measured once: brought up, warmed, put under load, and left to work off what was sent.
 *
 * Owns: what a measurement is. Start-up and warm-up are not in its figures; work that nobody waits for is: the cell ends when it is
 * done, so that plans are compared at equal work.
 */
import { cpus } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { pricesOf } from '@sinter/operator/planner/cost';
import { play } from '../play.ts';
import type { PlayedCall } from '../play.ts';
import { quantile } from '../stats.ts';
import type { PlanToMeasure, Price } from './choices.ts';
import type { Hearing, UnitSums } from './hearing.ts';
import type { Stage } from './stage.ts';
import { forced } from './subject.ts';
import type { Subject } from './subject.ts';

export interface CellTerms {
  readonly perSecond: number;
  readonly warmSeconds: number;
  readonly seconds: number;
  readonly signal: AbortSignal;
}

export interface Latency {
  readonly entry: string;
  readonly calls: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly meanMs: number;
}

export interface Cell {
  readonly startMs: number;
  readonly calls: number;
  readonly failed: number;
  readonly all: Latency;
  /** By entry, where calls come in by several. */
  readonly entries: readonly Latency[];
  /** Per root call: byte seconds of units with a call under way, CPU milliseconds of processes and of their functions alone. */
  readonly busyByteSeconds: number;
  readonly cpuMs: number;
  readonly functionsCpuMs: number;
  /** Of all processes, at the end. */
  readonly memoryBytes: number;
  readonly executions: number;
  /** What was sent was worked off in time. */
  readonly isDone: boolean;
  /** The share of this machine's cores that was in use meanwhile, by whomever. */
  readonly machineShare: number;
  readonly units: ReadonlyMap<string, UnitSums>;
}

/** New processes become quick by calls, not by time: there are more of them than will be measured. */
const WARM_RATE = 2;
const SILENCE_MS = 2_200;
const DRAIN_LIMIT_MS = 30_000;
/** What a call may take at most: under a small share of CPU a full unit takes long, and that is a result. */
const CALL_LIMIT_MS = 60_000;

export async function cellOf(
  stage: Stage,
  subject: Subject,
  plan: Pick<PlanToMeasure, 'groups'>,
  terms: CellTerms,
): Promise<Cell> {
  const { perSecond, warmSeconds, seconds, signal } = terms;
  const price = { model: 'BusyTime' };
  const at = performance.now();
  await stage.declare(subject, forced(plan.groups, price), plan.groups);
  const startMs = performance.now() - at;
  const hearing = stage.hear(subject.namespace);
  try {
    const load = { gateway: stage.gateway, limitMs: CALL_LIMIT_MS, signal };
    await play({ ...load, timetable: subject.timetable(WARM_RATE * perSecond, warmSeconds) });
    await drained(hearing);
    hearing.take();
    const before = coreTimes();
    const played = await play({ ...load, timetable: subject.timetable(perSecond, seconds) });
    const machineShare = shareSince(before);
    const isDone = await drained(hearing);
    signal.throwIfAborted();
    return {
      startMs,
      isDone,
      machineShare,
      ...latencies(played, subject),
      ...usage(hearing.take(), played.length),
    };
  } finally {
    hearing.stop();
  }
}

interface CoreTimes {
  readonly used: number;
  readonly all: number;
}

function coreTimes(): CoreTimes {
  const times = cpus().map((core) => core.times);
  const all = times.reduce((sum, t) => sum + t.user + t.nice + t.sys + t.idle + t.irq, 0);
  return { all, used: all - times.reduce((sum, t) => sum + t.idle, 0) };
}

function shareSince(before: CoreTimes): number {
  const now = coreTimes();
  return (now.used - before.used) / Math.max(1, now.all - before.all);
}

async function drained(hearing: Hearing): Promise<boolean> {
  const at = performance.now();
  while (performance.now() - at < SILENCE_MS || hearing.silentMs() < SILENCE_MS) {
    if (performance.now() - at > DRAIN_LIMIT_MS) return false;
    await pause(100);
  }
  return true;
}

function latencies(played: readonly PlayedCall[], subject: Subject) {
  const answered = played.filter(({ status }) => status === 200);
  const byEntry = Map.groupBy(answered, ({ call }) => subject.entryOf(call));
  return {
    calls: played.length,
    failed: played.length - answered.length,
    all: latencyOf('', answered),
    entries: [...byEntry]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([entry, calls]) => latencyOf(entry, calls)),
  };
}

function latencyOf(entry: string, calls: readonly PlayedCall[]): Latency {
  const ms = calls.map((c) => c.ms);
  const meanMs = ms.reduce((a, b) => a + b, 0) / ms.length;
  return { entry, calls: ms.length, p50Ms: quantile(ms, 0.5), p99Ms: quantile(ms, 0.99), meanMs };
}

function usage(units: ReadonlyMap<string, UnitSums>, calls: number) {
  const sum = (of: (unit: UnitSums) => number): number =>
    [...units.values()].reduce((all, unit) => all + of(unit), 0);
  return {
    busyByteSeconds: sum((u) => (u.occupiedMs / 1000) * u.memoryBytes) / calls,
    cpuMs: sum((u) => u.cpuMs) / calls,
    functionsCpuMs: sum((u) => u.functionsCpuMs) / calls,
    memoryBytes: sum((u) => u.memoryBytes),
    executions: sum((u) => [...u.executions.values()].reduce((a, b) => a + b, 0)) / calls,
    units,
  };
}

/** Money per root call. What is provisioned is paid whatever a plan does with it: of that, the plan's own sizes are the measure. */
export function costOf(cell: Cell, plan: PlanToMeasure, price: Price): number {
  const { perByteSecond, perCoreSecond } = pricesOf(price);
  if (price.model === 'BusyTime')
    return cell.busyByteSeconds * perByteSecond + (cell.cpuMs / 1000) * perCoreSecond;
  return plan.said.get(price.name)?.prediction.cost ?? NaN;
}

/** The latency that the model speaks of: each entry's median, weighted by its calls. */
export const latencyMs = ({ entries }: Cell): number => {
  const calls = entries.reduce((all, e) => all + e.calls, 0);
  return entries.reduce((all, e) => all + e.p50Ms * e.calls, 0) / calls;
};
