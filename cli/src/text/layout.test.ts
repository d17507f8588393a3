/** Widths: nothing is longer than asked, and nothing gets lost on the way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { duration, hanging, middle, table, widthOf, wrap } from './layout.ts';

test('cut in the middle: both ends stay', () => {
  assert.equal(middle('traffic-check-sound-7c1e02ab9f', 15), 'traffic…e02ab9f');
  assert.equal(middle('short', 5), 'short');
  assert.equal(middle('short', 1), '…');
  assert.equal(middle('short', 0), '');
  assert.equal(middle('ääääää', 3), 'ä…ä');
});

test('wrapped lines are never too long, and keep every letter in order', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), fc.integer({ min: 1, max: 40 }), (text, width) => {
      const lines = wrap(text, width);
      assert.ok(lines.length > 0);
      for (const line of lines) assert.ok(widthOf(line) <= width);
      assert.equal(lines.join('').replaceAll(/\s/g, ''), text.replaceAll(/\s/g, ''));
    }),
  );
});

test('a hanging text', () => {
  assert.deepEqual(hanging('why: ', 'one two three', 12), ['why: one two', '     three']);
});

test('a table, with a cell that wraps and one to the right', () => {
  const columns = [
    { title: 'NAME' },
    { title: 'CALLS', align: 'Right' as const },
    { title: 'WHY', long: 'Wrap' as const },
  ];
  const rows = [
    ['ingest', '200', 'nothing else of it can run'],
    ['a-very-long-name-indeed', '7', 'short'],
  ];
  assert.deepEqual(table(columns, rows, { width: 40 }), [
    'NAME             CALLS  WHY',
    'ingest             200  nothing else of',
    '                        it can run',
    'a-very-…-indeed      7  short',
  ]);
});

test('a table is never wider than asked, down to a letter a column', () => {
  const cell = fc.string({ maxLength: 60 }).map((text) => text.replaceAll(/\s/g, 'x'));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(cell, cell, cell), { maxLength: 5 }),
      fc.integer({ min: 7, max: 80 }),
      (rows, width) => {
        const columns = [{ title: 'ONE' }, { title: 'TWO', long: 'Wrap' as const }, { title: '' }];
        for (const line of table(columns, rows, { width })) assert.ok(widthOf(line) <= width, line);
      },
    ),
  );
});

test('colour is put on after the widths are settled', () => {
  const columns = [{ title: 'A', style: (text: string) => `<${text}>` }, { title: 'B' }];
  assert.deepEqual(table(columns, [['x', 'y']]), ['A  B', '<x>  y']);
});

test('durations with three figures', () => {
  const texts = [0, 0.414, 1.2, 12.34, 123.4, 1234, 61_000].map(duration);
  assert.deepEqual(texts, ['0.00 ms', '0.41 ms', '1.20 ms', '12.3 ms', '123 ms', '1.23 s', '61.0 s']);
});
