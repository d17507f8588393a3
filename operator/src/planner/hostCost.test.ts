import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Manifest } from '../model/testApplication.ts';
import { snapshotOf } from '../snapshot/testSnapshot.ts';
import { factsOf } from './facts.ts';
import { figuresOf } from './figures.ts';
import { Groups } from './groups.ts';
import { PRIOR_HOST, PROCESS_BYTES, WORKER_BYTES } from './priors.ts';

const RATE = 10;

/** a calls b, and sends to c, ten times a second. */
function asked(units: readonly Manifest[], cpuMs = 2) {
  const ran = (fn: string): Manifest => ({ function: fn, cpuMs, memoryBytes: 1e6 });
  const facts = factsOf(
    snapshotOf({
      functions: ['a', 'b', 'c'],
      edges: ['a>b', { from: 'a', to: 'c', call: 'Async' }],
      observations: {
        roots: [{ function: 'a', ratePerSecond: RATE }],
        functions: ['a', 'b', 'c'].map(ran),
        units,
      },
    }),
  );
  const figures = figuresOf(facts);
  const groups = new Groups(facts, figures);
  const load = (...members: readonly string[]): number => {
    const indices = members.map((name) => figures.index.get(name) ?? -1);
    return groups.unit(indices, indices.length).load;
  };
  return { figures, load };
}

const { servedMs, askedMs, insideMs, processCores } = PRIOR_HOST;
const near = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} ≠ ${expected}`);

test('a host is busy with calls that come, that go, and that stay', () => {
  const { load } = asked([]);
  const perSecond = (ms: number): number => (RATE * ms) / 1000;
  near(load('a'), perSecond(2 + servedMs + 2 * askedMs) + processCores);
  near(load('b'), perSecond(2 + servedMs) + processCores);
  near(load('a', 'b'), perSecond(4 + servedMs + askedMs + insideMs) + processCores);
  near(load('a', 'c'), load('a') + load('c') - processCores); // what is sent goes by the bus all the same
});

test('what was measured of processes is laid to them in proportion', () => {
  const idle = asked([{ functions: ['a'], cpuMillis: 20, samples: 60 }]);
  near(idle.load('b'), (RATE * 2) / 1000); // functions alone use 20 thousandths of a core: nothing is left for the host
  const { load } = asked([
    { functions: ['b'], cpuMillis: 20 + 2 * (RATE * servedMs + 1000 * processCores), samples: 60 },
  ]);
  near(load('b'), 0.02 + 2 * ((RATE * servedMs) / 1000 + processCores));
  const wild = asked([{ functions: ['b'], cpuMillis: 100_000, samples: 60 }]);
  assert.ok(wild.load('b') < 0.2, 'what is beyond belief moves nothing further');
});

test('and so is memory', () => {
  const unit = { functions: ['b'], samples: 60 };
  assert.equal(asked([unit]).figures.host.processBytes, PROCESS_BYTES);
  const measured = asked([{ ...unit, memoryBytes: 80e6 + WORKER_BYTES + 1e6 }]);
  near(measured.figures.host.processBytes, 80e6);
});
