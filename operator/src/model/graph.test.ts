import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { callersFirst, syncCycle } from './graph.ts';
import type { GraphEdge } from './graph.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];
const sync = (...texts: readonly string[]): readonly GraphEdge[] =>
  texts.map((t) => ({ from: t[0] ?? '', to: t[1] ?? '', call: 'Sync' }));

const name = fc.constantFrom(...NAMES);
const edges = fc.array(
  fc.record({ from: name, to: name, call: fc.constantFrom('Sync' as const, 'Async' as const) }),
  { maxLength: 12 },
);

test('a cycle is named from its smallest function and back to it', () => {
  assert.deepEqual(syncCycle(sync('cb', 'ba', 'ac')), ['a', 'c', 'b', 'a']);
  assert.deepEqual(syncCycle(sync('aa')), ['a', 'a']);
});

test('async edges close no cycle', () => {
  assert.equal(syncCycle([...sync('ab'), { from: 'b', to: 'a', call: 'Async' }]), undefined);
});

/** By brute force: can a function reach itself? */
const reaches = (all: readonly GraphEdge[], from: string, to: string, seen = new Set<string>()): boolean =>
  all.some((e) => {
    if (e.call !== 'Sync' || e.from !== from || seen.has(e.to)) return false;
    seen.add(e.to);
    return e.to === to || reaches(all, e.to, to, seen);
  });

test('a cycle is found exactly where a function can reach itself, and it is one', () => {
  fc.assert(
    fc.property(edges, (all) => {
      const cycle = syncCycle(all);
      assert.equal(
        cycle !== undefined,
        NAMES.some((n) => reaches(all, n, n)),
      );
      for (const [i, from] of (cycle ?? []).slice(0, -1).entries()) {
        assert.ok(all.some((e) => e.call === 'Sync' && e.from === from && e.to === cycle?.[i + 1]));
      }
    }),
  );
});

test('callers come before callees, whatever the order of names and edges', () => {
  fc.assert(
    fc.property(edges, fc.shuffledSubarray(NAMES, { minLength: 5 }), (all, shuffled) => {
      const order = callersFirst(shuffled, all);
      assert.deepEqual(order, callersFirst(NAMES, [...all].reverse()));
      assert.deepEqual([...order].sort(), NAMES);
      if (syncCycle(all)) return;
      for (const { from, to } of all.filter((e) => e.call === 'Sync')) {
        assert.ok(order.indexOf(from) < order.indexOf(to));
      }
    }),
  );
});

test('a chain of 200 and a ring of 200 are no matter', () => {
  const names = Array.from({ length: 200 }, (_, i) => `f${String(i).padStart(3, '0')}`);
  const chain = names.slice(1).map((to, i) => ({ from: names[i] ?? '', to, call: 'Sync' as const }));
  assert.equal(syncCycle(chain), undefined);
  assert.deepEqual(callersFirst([...names].reverse(), chain), names);
  assert.equal(syncCycle([...chain, { from: 'f199', to: 'f000', call: 'Sync' }])?.length, 201);
});
