/** `explain`: every decision once, under its unit, function or edge, within 100 columns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { colorsFor } from '../terminal.ts';
import { explainLines } from './decisions.ts';
import type { ShownDecision, ShownPlan } from './decisions.ts';

const plainColors = colorsFor(false, {});
const TITLE = { namespace: 'road', workflow: 'traffic', hash: '5f3a9c21d4' };

const decision = (about: string, kind: string, more: Partial<ShownDecision> = {}): ShownDecision => ({
  about,
  kind,
  choice: 'Together',
  reason: 'SyncEdgeFaster',
  message: 'one process saves a hop',
  inputs: [],
  alternatives: [],
  ...more,
});

const plan = (decisions: readonly ShownDecision[]): ShownPlan => ({
  units: [{ name: 'traffic-ingest-7c1e02ab9f', functions: ['ingest', 'count'] }],
  decisions,
});

test('a plan in full', () => {
  const lines = explainLines(
    plan([
      decision('ingest → count', 'Fusion', {
        inputs: [
          { name: 'calls', value: 'Sync', source: 'Workflow' },
          { name: 'hop', value: '0.35 ms' },
        ],
        alternatives: [{ choice: 'Apart', reason: 'Slower', message: 'a hop more' }],
        margin: '31 %',
      }),
      decision('count on amd64', 'Runtime', {
        choice: 'js (JavaScript)',
        reason: 'OnlyArtifact',
        message: 'no other',
      }),
      decision('traffic', 'Policy', { choice: 'balanced', reason: 'PolicyRef', message: 'named' }),
      decision('unit ingest', 'Size', { choice: 'cpu 1', reason: 'SumOfLimits', message: 'added up' }),
      decision('something', 'Other', { choice: 'x', reason: 'Y', message: 'z' }),
    ]),
    TITLE,
    plainColors,
  );
  assert.deepEqual(lines, [
    'road/traffic  plan 5f3a9c21d4',
    '',
    'workflow traffic',
    '  Policy: balanced  PolicyRef',
    '    named',
    '',
    'unit traffic-ingest-7c1e02ab9f',
    '  Size: cpu 1  SumOfLimits',
    '    added up',
    '',
    'function count',
    '  Runtime on amd64: js (JavaScript)  OnlyArtifact',
    '    no other',
    '',
    'edge ingest → count',
    '  Fusion: Together  SyncEdgeFaster',
    '    one process saves a hop',
    '    margin: 31 %',
    '    from: calls = Sync (Workflow); hop = 0.35 ms',
    '    not: Apart (Slower): a hop more',
    '',
    'other',
    '  Other: x  Y',
    '    z',
  ]);
});

test('a function with the name of the workflow, and one whose name begins another', () => {
  const twins: ShownPlan = {
    units: [{ name: 'u', functions: ['traffic', 'traffic-on'] }],
    decisions: [decision('traffic', 'Isolation'), decision('traffic-on on arm64', 'Runtime')],
  };
  const headings = explainLines(twins, TITLE, plainColors).filter((line) => /^[a-z]+ traffic/.test(line));
  assert.deepEqual(headings, ['function traffic', 'function traffic-on']);
});

test('long names and texts stay within 100 columns, and cannot steer the terminal', () => {
  const long = 'x'.repeat(300);
  const nasty = '\u001b[2J\u0007';
  const lines = explainLines(
    plan([
      decision(`${long} → ${long}`, 'Fusion', {
        choice: long,
        message: `${nasty}${long}`,
        inputs: [{ name: long, value: long }],
        alternatives: [{ choice: long, reason: 'R', message: long }],
        margin: long,
      }),
    ]),
    { ...TITLE, namespace: long },
    plainColors,
  );
  assert.ok(lines.every((line) => line.length <= 100));
  assert.ok(!lines.join('').includes('\u001b'));
});

test('colour only on a terminal, and not where NO_COLOR is set', () => {
  const one = plan([decision('ingest', 'Isolation')]);
  const of = (isTty: boolean, env: Readonly<Record<string, string>>): boolean =>
    explainLines(one, TITLE, colorsFor(isTty, env)).join('').includes('\u001b[');
  assert.deepEqual(
    [of(true, {}), of(true, { NO_COLOR: '1' }), of(true, { TERM: 'dumb' }), of(false, {})],
    [true, false, false, false],
  );
});
