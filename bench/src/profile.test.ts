/** Load profiles: what the file may say, and when which call is due with which body. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readProfile, timetableOf } from './profile.ts';
import type { Profile } from './profile.ts';

const SOUND = `
calls:
  look: { path: /shop, body: { user: $user, list: [1, { product: $product }] } }
  pay: { path: /pay, body: $product }
values: { user: [ada, grace], product: [1, 2, 3] }
loads:
  one: { visit: [look, pay], phases: [{ perSecond: 2, seconds: 1 }, { perSecond: 4, seconds: 0.5 }] }
`;

function profileOf(text: string, files: Readonly<Record<string, string>> = {}): Profile {
  const folder = mkdtempSync(join(tmpdir(), 'sinter-profile-'));
  try {
    for (const [name, content] of Object.entries({ 'load.yaml': text, ...files }))
      writeFileSync(join(folder, name), content);
    return readProfile(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the timetable', () => {
  it('keeps the rate of every phase and loses no visit between two', () => {
    assert.deepEqual(timetableOf(profileOf(SOUND), 'one').dueMs, [0, 500, 1_000, 1_250]);
  });

  it('begins a visit when the rates have added up to it, across phases', () => {
    const text = SOUND.replace(
      /phases: .*/,
      'phases: [{ perSecond: 1, seconds: 1.5 }, { perSecond: 10, seconds: 0.1 }] }',
    );
    assert.deepEqual(timetableOf(profileOf(text), 'one').dueMs, [0, 1_000, 1_550]);
  });

  it('in less time has every phase at its own rate', () => {
    const { dueMs } = timetableOf(profileOf(SOUND), 'one', 0.75);
    assert.deepEqual(dueMs, [0, 500]);
    assert.deepEqual(timetableOf(profileOf(SOUND), 'one', 3).dueMs.slice(4), [2_000, 2_250, 2_500, 2_750]);
  });

  it('ends after an hour, however long it is asked to last', () => {
    const { dueMs } = timetableOf(profileOf(SOUND), 'one', 1e9);
    assert.ok((dueMs.at(-1) ?? 0) < 3_600_000);
  });
});

describe('the calls of a visit', () => {
  it('take the values of its number, round and round, wherever they are in the body', () => {
    const { visit } = timetableOf(profileOf(SOUND), 'one');
    assert.deepEqual(visit(4), [
      { call: 'look', path: '/shop', body: '{"user":"ada","list":[1,{"product":2}]}' },
      { call: 'pay', path: '/pay', body: '2' },
    ]);
  });

  it('can come from a file, a value a line', () => {
    const text = SOUND.replace('product: [1, 2, 3]', 'product: { lines: products.jsonl }');
    const { visit } = timetableOf(profileOf(text, { 'products.jsonl': '{"id":7}\n8\n' }), 'one');
    assert.deepEqual(
      [0, 1, 2].map((n) => visit(n)[1]?.body),
      ['{"id":7}', '8', '{"id":7}'],
    );
  });
});

const REFUSED: Readonly<Record<string, readonly [string, string, RegExp]>> = {
  'a name that is no list': [
    '$product }]',
    '$produkt }]',
    /\$produkt: no such list in values; there are user, product/,
  ],
  'a visit with a call that is none': [
    '[look, pay]',
    '[look, buy]',
    /loads\.one\.visit: given buy; give .*look, pay/,
  ],
  'a rate of nothing': ['perSecond: 2', 'perSecond: 0', /perSecond/],
  'no number': ['seconds: 1 ', 'seconds: .nan ', /seconds/],
  'more visits than anybody waits for': [
    'perSecond: 4, seconds: 0.5',
    'perSecond: 1000, seconds: 101',
    /at most 100000/,
  ],
  'a field that is none': ['path: /pay,', 'path: /pay, method: GET,', /method/],
  'a path to elsewhere': ['path: /pay', 'path: http://x/', /must begin with \//],
};

describe('a profile is refused for', () => {
  for (const [what, [from, to, message]] of Object.entries(REFUSED))
    it(what, () => {
      assert.ok(SOUND.includes(from));
      assert.throws(() => profileOf(SOUND.replace(from, to)), message);
    });

  it('a load that it has not', () => {
    assert.throws(() => timetableOf(profileOf(SOUND), 'two'), /load two: there is none; there are one/);
  });
});

describe('the examples', () => {
  for (const name of ['traffic', 'tree', 'web-shop'])
    it(`${name} has a steady and a bursty load`, () => {
      const profile = readProfile(fileURLToPath(new URL(`../../examples/${name}/`, import.meta.url)));
      const visits = ['steady', 'bursty'].map((load) => timetableOf(profile, load).dueMs.length);
      assert.deepEqual(visits, name === 'web-shop' ? [333, 72] : [1_000, 360]);
    });
});
