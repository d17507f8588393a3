import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { drawRevision, percentOf } from './draw.ts';
import { newId } from './frames.ts';
import type { RouteRecord } from './routes.ts';

const NOTHING = { units: [], edges: [] };
const route = (over: Partial<RouteRecord> = {}): RouteRecord => ({
  namespace: 'n',
  workflow: 'w',
  version: 1,
  generation: 1,
  current: 'old',
  candidate: 'new',
  weightPercent: 20,
  draining: [],
  revisions: { old: NOTHING, new: NOTHING },
  ...over,
});

const shareOf = (ids: readonly string[], weightPercent: number): number =>
  ids.filter((id) => drawRevision(route({ weightPercent }), id) === 'new').length / ids.length;

/** Five standard deviations of a share of `n` draws. */
const noise = (share: number, n: number): number => 5 * Math.sqrt((share * (1 - share)) / n);

describe('the draw of a revision', () => {
  const random = Array.from({ length: 100_000 }, () => newId());
  const counted = random.map((_, i) => `call-${String(i)}`);
  for (const [kind, ids] of [
    ['random', random],
    ['counted', counted],
  ] as const)
    for (const percent of [1, 5, 20, 50, 99])
      it(`gives the candidate ${String(percent)} % of ${kind} ids`, () => {
        const off = Math.abs(shareOf(ids, percent) - percent / 100);
        assert.ok(off < noise(percent / 100, ids.length), `off by ${String(off)}`);
      });

  it('gives it none at 0 %, and all at 100 %', () => {
    assert.equal(shareOf(random, 0), 0);
    assert.equal(shareOf(random, 100), 1);
  });

  it('keeps a call with the candidate while the weight grows', () => {
    for (const id of random.slice(0, 10_000)) {
      const drawn = [5, 20, 50, 100].map((weightPercent) => drawRevision(route({ weightPercent }), id));
      assert.deepEqual(drawn, [...drawn].sort().reverse(), id);
    }
  });

  it('is the same in every process: these were computed elsewhere', () => {
    const known = { '': '66.89', a: '10.35', 'call-1': '52.78', aaaaaaaaaaaaaaaaaaaa: '34.17' };
    for (const [id, percent] of Object.entries(known)) assert.equal(percentOf(id).toFixed(2), percent);
  });

  it('is the current revision where there is no candidate to draw', () => {
    const without: readonly Partial<RouteRecord>[] = [
      { weightPercent: NaN },
      { weightPercent: -1 },
      { revisions: { old: NOTHING } },
    ];
    const { candidate: _, ...bare } = route({ weightPercent: 100 });
    const { weightPercent: __, ...unweighted } = route();
    for (const one of [...without.map(route), bare, unweighted]) assert.equal(drawRevision(one, 'id'), 'old');
  });
});
