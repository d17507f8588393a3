/** What is concluded from what was measured: verdicts that must be able to come out either way. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Cell } from './cell.ts';
import { APART, TOGETHER, wishOf } from './choices.ts';
import type { PlanToMeasure, Price } from './choices.ts';
import { planLines, verdictLines } from './report.ts';
import type { Measured } from './report.ts';

const BUSY: Price = { name: 'BusyTime', model: 'BusyTime', gigabyteSecond: '1', cpuSecond: '0' };

const cell = (p50Ms: number, busyByteSeconds: number): Cell => {
  const latency = { entry: 'a', calls: 10, p50Ms, p99Ms: p50Ms * 2, meanMs: p50Ms };
  const usage = { busyByteSeconds, cpuMs: 3, functionsCpuMs: 1, memoryBytes: 1e8, executions: 2 };
  return {
    startMs: 2000,
    calls: 10,
    failed: 0,
    all: latency,
    entries: [latency],
    ...usage,
    isDone: true,
    machineShare: 0.5,
    units: new Map(),
  };
};

/** What was said was half as much again as the first cell's. */
const measured = (name: string, cells: readonly Cell[]): Measured => {
  const latencyMs = (cells[0]?.all.p50Ms ?? 0) * 1.5;
  const prediction = { latencyMs, memoryBytes: 1e8, cost: 1, entries: [] };
  const said = new Map([['BusyTime', { score: 1, prediction, reservedBytes: 0 }]]);
  const plan: PlanToMeasure = { key: name, groups: [['a', 'b']], names: [name], said };
  return { plan, cells };
};

const GB = 2 ** 30;
const lines = (wished: readonly Cell[], isDelayed = false): string =>
  verdictLines(
    [
      measured(APART, [cell(100, GB), cell(104, GB), cell(102, GB)]),
      measured(TOGETHER, [cell(60, GB), cell(60, GB), cell(60, GB)]),
      measured(wishOf(BUSY), wished),
    ],
    BUSY,
    'Latency',
    isDelayed,
  ).join('\n');

describe('the verdict on plans', () => {
  it('is that the wished one is among the best', () => {
    assert.match(
      lines([cell(62, GB), cell(61, GB), cell(63, GB)]),
      /against the best measured: \+3\.3 %.*: met/,
    );
  });

  it('is that it is not', () => {
    const said = lines([cell(110, GB), cell(111, GB), cell(112, GB)]);
    assert.match(said, /against the best measured: \+85\.0 %.*: MISSED/);
    assert.match(said, /against all apart: \+8\.8 %, noise ± 2\.9 %: MISSED/);
  });

  it('takes a difference within the noise for none', () => {
    const said = lines([cell(98, GB), cell(103, GB), cell(120, GB)]);
    assert.match(said, /against all apart: \+1\.0 %, noise ± 12\.6 %: met/);
  });

  it('says how far off what was said before was', () => {
    const said = lines([cell(62, GB), cell(62, GB), cell(62, GB)]);
    assert.match(said, /median error of what was said before: latency 50\.0 %, goal at most 20 %: MISSED/);
  });

  it("asks for the papers' claim in both, latency and cost", () => {
    const cheap = [cell(60, GB / 2), cell(60, GB / 2), cell(60, GB / 2)];
    assert.match(lines(cheap, true), /latency -41\.2 %, cost -50\.0 %: met/);
    assert.match(lines([cell(60, GB), cell(60, GB), cell(60, GB)], true), /cost 0\.0 %: MISSED/);
    assert.doesNotMatch(lines(cheap), /claim/);
  });
});

describe('the line of a plan', () => {
  it('says what was not worked off', () => {
    const undone = { ...cell(60, GB), isDone: false };
    assert.match(planLines([measured(APART, [cell(60, GB), undone])], BUSY)[1] ?? '', /NOT ALL WORK DONE/);
  });
});
