/** The difference of two plans, and how it reads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeOf } from './change.ts';
import { colorsFor } from './terminal.ts';
import { changeLines } from './text/change.ts';

type Spec = Parameters<typeof changeOf>[1];
type Channel = Spec['channels'][number];

const unit = (name: string): Spec['units'][number] => ({
  name,
  functions: ['a'],
  resources: { cpu: '1', memory: '1Mi' },
  variants: [],
});
const channel = (from: string, to: string, via: Channel['channel'], timeoutSeconds = 30): Channel => ({
  from,
  to,
  channel: via,
  terms: { call: 'Sync', timeoutSeconds, attempts: 1 },
});
const RUNNING: Spec = {
  units: ['u-a', 'u-b'].map(unit),
  channels: [channel('a', 'b', 'Node'), channel('a', 'c', 'Node'), channel('b', 'c', 'Node')],
};
const PLANNED: Spec = {
  units: ['u-c', 'u-b'].map(unit),
  channels: [channel('a', 'b', 'InProcess'), channel('a', 'c', 'Node', 5), channel('c', 'd', 'Remote')],
};
const lines = (running: string, planned: string, pinned = '') => {
  const change = changeOf(running === '' ? undefined : RUNNING, PLANNED);
  return changeLines({ running, planned, pinned, change }, colorsFor(false, {}));
};

test('units by name, and edges that travel otherwise, under other terms, are new or gone', () => {
  const { units, channels } = changeOf(RUNNING, PLANNED);
  assert.deepEqual(units, { fresh: ['u-c'], kept: ['u-b'], gone: ['u-a'] });
  assert.deepEqual(
    channels.map((c) => [c.from, c.to, c.was, c.is, c.terms]),
    [
      ['a', 'b', 'Node', 'InProcess', []],
      ['a', 'c', 'Node', 'Node', ['timeoutSeconds']],
      ['b', 'c', 'Node', null, []],
      ['c', 'd', null, 'Remote', []],
    ],
  );
});

test('the same plan is no change, in whatever order it is written', () => {
  const shuffled: Spec = {
    units: [...RUNNING.units].reverse(),
    channels: [...RUNNING.channels].reverse().map((c) => ({ ...c })),
  };
  const { units, channels } = changeOf(RUNNING, shuffled);
  assert.deepEqual([units.fresh, units.gone, channels], [[], [], []]);
});

test('a change reads unit by unit and edge by edge', () => {
  assert.deepEqual(lines('1111111111', '2222222222'), [
    'change: plan 1111111111 → 2222222222',
    '  new   u-c',
    '  kept  u-b',
    '  gone  u-a',
    '  edge  a → b: node → in-process',
    '  edge  a → c: node (other terms: timeoutSeconds)',
    '  edge  b → c: node → none',
    '  edge  c → d: none → remote',
  ]);
});

test('the first plan, no change, and a plan that is pinned to another', () => {
  assert.deepEqual(lines('', '2222222222'), ['change: plan 2222222222 is the first', '  new   u-b, u-c']);
  assert.deepEqual(lines('1111111111', '1111111111'), ['no change: plan 1111111111 runs']);
  assert.match(lines('1111111111', '2222222222', '1111111111')[1] ?? '', /planRef\.hash names 1111111111/);
  assert.equal(lines('1111111111', '1111111111', '1111111111').length, 1);
});
