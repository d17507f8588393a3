import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PlayedCall } from '../play.ts';
import { shareLines, windowLines } from './finding.ts';

const call = (atS: number, ms: number, revision: string, status = 200): PlayedCall => ({
  ...{ call: 'a', visit: 0, body: '', text: '' },
  ...{ atMs: atS * 1000 + ms, ms, revision, status },
});
const calls = (fromS: number, n: number, ms: number, revision: string): readonly PlayedCall[] =>
  Array.from({ length: n }, (_, i) => call(fromS + i / 10, ms, revision));

describe('what finding a plan cost', () => {
  it('is told by windows of the calls begun in them, against the first', () => {
    const lines = windowLines([
      ...calls(0, 50, 20, 'one'),
      ...calls(31, 40, 30, 'one'),
      ...calls(36, 10, 10, 'two'),
    ]);
    assert.match(lines[1] ?? '', /^ +0 s +20\.0 ms {2}one 50$/);
    assert.match(lines[2] ?? '', /^ +30 s +30\.0 ms {2}one 40, two 10$/);
    assert.match(lines[3] ?? '', /worst window 1\.50 × the first, goal at most 1\.1: MISSED/);
  });

  it('counts the calls of plans that never were the current one', () => {
    const played = [
      ...calls(0, 90, 20, 'one'),
      ...calls(9, 6, 20, 'lost'),
      ...calls(10, 3, 10, 'two'),
      call(11, 5, '', 500),
    ];
    const [line] = shareLines(played, new Set(['one', 'two']));
    assert.match(line ?? '', /plans that lost 6\.0 %, goal at most 5 %: MISSED; failed 1 of 100/);
  });
});
