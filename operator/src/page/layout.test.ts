import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { NARROW, WIDE, layOut } from './layout.ts';
import type { Drawing, Rectangle, UnitGroup } from './layout.ts';
import type { Link } from './layered.ts';

const groups = (...texts: readonly string[]): readonly UnitGroup[] =>
  texts.map((text) => ({ id: `u-${text}`, functions: text.split('+') }));
const links = (...texts: readonly string[]): readonly Link[] =>
  texts.map((text) => {
    const [from = '', to = ''] = text.split(' ');
    return { from, to };
  });

const boxOf = (drawing: Drawing, fn: string): Rectangle => {
  const box = drawing.functions.get(fn);
  assert.ok(box, fn);
  return box;
};

const overlaps = (a: Rectangle, b: Rectangle): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

const contains = (outer: Rectangle, inner: Rectangle): boolean =>
  outer.x <= inner.x &&
  outer.y <= inner.y &&
  inner.x + inner.width <= outer.x + outer.width &&
  inner.y + inner.height <= outer.y + outer.height;

describe('the places of a graph', () => {
  it('callers stand above callees, and a unit around its functions', () => {
    const drawing = layOut(groups('a', 'b+c', 'd'), links('a b', 'b c', 'c d', 'a d'), WIDE);
    const ys = ['a', 'b', 'c', 'd'].map((fn) => boxOf(drawing, fn).y);
    assert.deepEqual(
      ys,
      [...ys].sort((a, b) => a - b),
    );
    const unit = drawing.units.get('u-b+c');
    assert.ok(unit && contains(unit, boxOf(drawing, 'b')) && contains(unit, boxOf(drawing, 'c')));
  });

  it('a layer that is too wide goes on below', () => {
    const many = Array.from({ length: 9 }, (_, i) => `f${String(i)}`);
    const edges = links(...many.map((fn) => `a ${fn}`));
    assert.ok(layOut(groups('a', ...many), edges, WIDE).width <= WIDE.width);
    const narrow = layOut(groups('a', ...many), [], NARROW);
    assert.ok(narrow.width <= NARROW.width, String(narrow.width));
    assert.ok(new Set([...narrow.functions.values()].map((box) => box.y)).size >= 5);
  });

  it('edges that go round, to themselves, both ways and to nobody have an end', () => {
    const drawing = layOut(groups('a', 'b', 'c'), links('a b', 'b c', 'c a', 'a a', 'b a', 'a gone'), WIDE);
    assert.deepEqual(
      drawing.edges.map(({ from, to }) => `${from} ${to}`),
      ['a b', 'b c', 'c a', 'a a', 'b a'],
    );
  });

  it('an edge over a layer keeps clear of the units in it', () => {
    const drawing = layOut(groups('a', 'b', 'c'), links('a b', 'b c', 'a c'), WIDE);
    const long = drawing.edges.find((edge) => edge.from === 'a' && edge.to === 'c');
    const box = drawing.units.get('u-b');
    assert.ok(long && box);
    const beside = long.points.filter(({ y }) => y >= box.y && y <= box.y + box.height);
    assert.ok(beside.length > 0);
    for (const { x } of beside) assert.ok(x < box.x || x > box.x + box.width);
  });

  it('whatever the graph: nothing overlaps, everything is on the sheet, and twice is the same', () => {
    const graph = fc.record({
      homes: fc.array(fc.nat(5), { minLength: 1, maxLength: 14 }),
      ends: fc.array(fc.tuple(fc.nat(13), fc.nat(13)), { maxLength: 30 }),
      sheet: fc.constantFrom(WIDE, NARROW),
    });
    const name = (i: number): string => `f${String(i)}`;
    fc.assert(
      fc.property(graph, ({ homes, ends, sheet }) => {
        const byHome = Map.groupBy(homes.keys(), (i) => homes[i] ?? 0);
        const units = [...byHome].map(([id, is]) => ({ id: `u${String(id)}`, functions: is.map(name) }));
        const edges = ends.map(([from, to]) => ({ from: name(from), to: name(to) }));
        const drawing = layOut(units, edges, sheet);
        const page = { x: 0, y: 0, width: drawing.width, height: drawing.height };
        const boxes = [...drawing.units];
        for (const [i, [id, box]] of boxes.entries()) {
          assert.ok(contains(page, box), `${id} is on the page`);
          for (const [other, second] of boxes.slice(i + 1))
            assert.ok(!overlaps(box, second), `${id} ${other}`);
        }
        for (const { id, functions } of units)
          for (const [i, fn] of functions.entries()) {
            const unit = drawing.units.get(id);
            assert.ok(unit && contains(unit, boxOf(drawing, fn)), `${fn} in ${id}`);
            for (const other of functions.slice(i + 1))
              assert.ok(!overlaps(boxOf(drawing, fn), boxOf(drawing, other)), `${fn} ${other}`);
          }
        for (const { points, label } of drawing.edges)
          for (const { x, y } of [...points, label]) assert.ok(Number.isFinite(x) && Number.isFinite(y));
        assert.deepEqual(layOut(units, edges, sheet), drawing);
      }),
      { numRuns: 500 },
    );
  });

  it('200 functions and 600 edges are placed in no time that anybody waits for', () => {
    const names = Array.from({ length: 200 }, (_, i) => `f${String(i)}`);
    const edges = names.flatMap((from, i) =>
      [1, 7, 31].flatMap((step) => (i + step < 200 ? [{ from, to: `f${String(i + step)}` }] : [])),
    );
    const startedAt = performance.now();
    layOut(groups(...names), edges, WIDE);
    assert.ok(performance.now() - startedAt < 10_000, String(performance.now() - startedAt));
  });
});
