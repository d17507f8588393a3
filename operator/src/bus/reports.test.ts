/** What is kept of the words of instances, which tenants' processes write: bounded. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Announcement, Observation } from '@sinter/contract';
import { Reports } from './reports.ts';

const said = (instance: string, unit = 'u') => ({
  namespace: 'n',
  workflow: 'w',
  unit,
  instance,
  version: 1,
  machine: 'm',
  architecture: 'amd64',
});
const announced = (instance: string, unit = 'u'): Announcement => ({
  ...said(instance, unit),
  state: 'Serving',
  revisions: [],
});
const histogram = { counts: [1], sumMs: 1 };
const observed = (fn: string): Observation => ({
  ...said('i'),
  windowMs: 1000,
  routeGeneration: 7,
  roots: { r: 1 },
  functions: [
    { function: fn, revision: 'r', artifact: 'a', executions: 1, failures: 0, runMs: histogram, repeated: 0 },
  ],
  edges: [],
  memoryBytes: 1,
});

describe('words of instances', () => {
  it('of one unit the newest thousand instances are remembered, however many names it makes up', () => {
    const reports = new Reports();
    reports.announced(announced('other', 'v'));
    for (let i = 0; i < 5000; i++) reports.announced(announced(`i${String(i)}`));
    assert.equal(reports.announcements(said('')).length, 1000);
    assert.ok(reports.announcement(said('i4999')));
    assert.ok(reports.announcement(said('other', 'v')), 'it costs no other unit anything');
  });

  it('who was forgotten is counted anew', () => {
    const reports = new Reports();
    for (let i = 0; i < 1000; i++) reports.announced(announced(`i${String(i)}`));
    reports.forget(() => false);
    for (let i = 0; i < 1000; i++) reports.announced(announced(`j${String(i)}`));
    assert.equal(reports.announcements(said('')).length, 1000);
  });

  it('without figures nothing is summed, and counts are told but not kept', () => {
    const reports = new Reports({ figures: false });
    const told: number[] = [];
    const stop = reports.onObservation(({ functions }) => told.push(functions.length));
    for (let i = 0; i < 10; i++) reports.observed(observed(`f${String(i)}`));
    assert.deepEqual(
      told,
      Array.from({ length: 10 }, () => 1),
    );
    stop();
    reports.observed(observed('f'));
    assert.equal(told.length, 10);
    assert.deepEqual(reports.figures('n', 'w').functions, []);
    const kept = reports.observation(said('i'));
    assert.deepEqual([kept?.functions, kept?.routeGeneration, kept?.roots], [[], 7, { r: 1 }]);
  });
});
