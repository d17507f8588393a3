/** Verdicts on calls that are drawn from a seed; `bench/src/rollout.ts` draws many more. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HISTOGRAM_BOUNDS_MS } from '@sinter/contract';
import type { RevisionTally, RootTally } from './evidence.ts';
import { NOTHING_SEEN, plus, queueEntry, since } from './evidence.ts';
import { NO_SCORES, judged, withBlock, withSlice } from './judge.ts';
import type { Judgement, Objective, Scores, Terms } from './judge.ts';
import { NO_SUMS, added, intervalOf } from './sequence.ts';
import { LATENCIES, WEATHERS, randomFrom, running } from './testSimulation.ts';
import type { Service } from './testSimulation.ts';

const latency = (name: string) => {
  const [, found] = Object.entries(LATENCIES).find(([key]) => key.startsWith(name)) ?? [];
  assert.ok(found, name);
  return found;
};
const weather = (name: string) => {
  const [, found] = Object.entries(WEATHERS).find(([key]) => key.startsWith(name)) ?? [];
  assert.ok(found, name);
  return found;
};

const service = (more: Partial<Service>): Service => ({
  latency: latency('log-normal'),
  weather: weather('calm'),
  rate: 5,
  factor: 1,
  failures: { current: 0.005, candidate: 0.005 },
  ...more,
});

const TERMS: Terms = { objective: 'Latency', minimumGain: 0.05 };

interface End extends Judgement {
  readonly calls: number;
}

/** Half of the calls are the candidate's; a look every ten seconds. */
const LOOK_SECONDS = 10;
function roll(of: Partial<Service>, seed: number, callsMax = 3_000, terms = TERMS): End {
  const runs = running(service(of), randomFrom(seed));
  let scores: Scores = NO_SCORES;
  let last = runs.pass(0, 50);
  for (let calls = 0; calls < callsMax; calls += runs.rate * LOOK_SECONDS) {
    const now = runs.pass(LOOK_SECONDS, 50);
    const arms = {
      current: since(last.current, now.current) ?? NOTHING_SEEN,
      candidate: since(last.candidate, now.candidate) ?? NOTHING_SEEN,
    };
    scores = withBlock(withSlice(scores, arms, terms) ?? scores, arms, terms) ?? scores;
    last = now;
    const verdict = judged(scores, terms);
    if (verdict.verdict !== 'Pending') return { ...verdict, calls };
  }
  return { ...judged(scores, terms), calls: callsMax };
}

const RUNS = 100;
const count = (of: Partial<Service>, is: (end: End) => boolean, objective: Objective = 'Latency'): number =>
  Array.from({ length: RUNS }, (_, i) => roll(of, i + 1, 3_000, { ...TERMS, objective })).filter(is).length;
const isWrong = ({ verdict }: End): boolean => verdict === 'Better' || verdict === 'Worse';

describe('where nothing differs', () => {
  const names = ['log-normal', 'heavy tail', 'a cold start'];
  for (const name of names)
    it(`a wrong verdict is rare: ${name}`, () => {
      const wrong = count({ latency: latency(name) }, isWrong);
      assert.ok(wrong <= 5, `${String(wrong)} of ${String(RUNS)}`);
    });

  for (const name of ['drift of both', 'a jump of both', 'slow moments'])
    it(`a wrong verdict is rare: ${name}`, () => {
      const wrong = count({ weather: weather(name) }, isWrong, 'Balanced');
      assert.ok(wrong <= 5, `${String(wrong)} of ${String(RUNS)}`);
    });
});

describe('a tenth less', () => {
  for (const name of ['log-normal', 'almost constant', 'heavy tail', 'a cold start'])
    it(`is found within 3,000 calls: ${name}`, () => {
      const found = count({ latency: latency(name), factor: 0.9 }, (end) => end.verdict === 'Better');
      assert.ok(found >= 90, `${String(found)} of ${String(RUNS)}`);
    });
  it('is found while load comes and goes', () => {
    const drifting = { weather: weather('drift of both'), factor: 0.9 };
    const found = count(drifting, (end) => end.verdict === 'Better', 'Balanced');
    assert.ok(found >= 90, `${String(found)} of ${String(RUNS)}`);
  });
});

describe('a loss', () => {
  it('of a half is found within 500 calls, and never taken for a gain', () => {
    const found = count({ factor: 1.5 }, (end) => end.verdict === 'Worse' && end.calls <= 500);
    assert.ok(found >= 98, `${String(found)} of ${String(RUNS)}`);
    assert.equal(
      count({ factor: 1.5 }, (end) => end.verdict === 'Better'),
      0,
    );
  });
  it('in one call of twenty that fails is found within 600 calls', () => {
    const failing = { failures: { current: 0, candidate: 0.05 } };
    const found = count(failing, (end) => end.reason === 'CallsFail' && end.calls <= 600);
    assert.ok(found >= 95, `${String(found)} of ${String(RUNS)}`);
  });
  it('is none where both fail alike', () => {
    const failing = { failures: { current: 0.2, candidate: 0.2 } };
    const found = count(failing, (end) => end.reason === 'CallsFail');
    assert.ok(found <= 2, `${String(found)} of ${String(RUNS)}`);
  });
});

/** Calls of one entry that all take about so long. */
const root = (entry: string, latencyMs: number, calls: number, more: Partial<RootTally> = {}): RootTally => {
  const bucket = HISTOGRAM_BOUNDS_MS.findIndex((bound) => latencyMs <= bound);
  const counts = HISTOGRAM_BOUNDS_MS.map((_, i) => (i === bucket ? calls : 0));
  const sumLog = calls * Math.log(latencyMs);
  return { entry, machineClass: 'amd64 Cloud', calls, failures: 0, fellBack: 0, counts, sumLog, ...more };
};
const tally = (...roots: readonly RootTally[]): RevisionTally => ({ roots, functions: [] });

/** `n` blocks, in which latencies vary a little from one to the next. */
function blocks(
  n: number,
  arms: (wobble: number) => { current: RevisionTally; candidate: RevisionTally },
): Scores {
  let scores = NO_SCORES;
  for (let i = 0; i < n; i++) {
    const next = withBlock(scores, arms(1 + ((i * 7) % 10) / 500), TERMS);
    assert.ok(next, 'the block is large enough');
    scores = next;
  }
  return scores;
}

describe('slow calls', () => {
  const slices = (n: number, arms: { current: RevisionTally; candidate: RevisionTally }, terms = TERMS) => {
    let scores = NO_SCORES;
    for (let i = 0; i < n; i++) scores = withSlice(scores, arms, terms) ?? scores;
    return judged(scores, terms);
  };
  const eightTimes = { current: tally(root('f', 10, 19)), candidate: tally(root('f', 80, 1)) };

  it('that are all the candidate’s are enough after a few slices, and not after one', () => {
    assert.equal(slices(2, eightTimes).verdict, 'Pending');
    const { verdict, reason, entry } = slices(4, eightTimes);
    assert.deepEqual([verdict, reason, entry], ['Worse', 'MuchSlower', 'f']);
    const standstill = { current: tally(root('f', 10, 500)), candidate: tally(root('f', 80, 500)) };
    assert.equal(
      slices(1, standstill).verdict,
      'Pending',
      'one moment is one event, however many calls it had',
    );
  });

  it('show at one entry of several', () => {
    const { entry } = slices(6, {
      current: tally(root('browse', 10, 190), root('pay', 10, 19)),
      candidate: tally(root('browse', 10, 10), root('pay', 80, 1)),
    });
    assert.equal(entry, 'pay');
  });

  it('say nothing where a little is slow, where both have them, or where cost alone counts', () => {
    const little = { current: tally(root('f', 10, 19)), candidate: tally(root('f', 16, 1)) };
    assert.equal(slices(50, little).verdict, 'Pending');
    const alike = {
      current: tally(plus(tally(root('f', 10, 160)), tally(root('f', 80, 30))).roots[0] ?? root('f', 1, 0)),
      candidate: tally(plus(tally(root('f', 10, 8)), tally(root('f', 80, 2))).roots[0] ?? root('f', 1, 0)),
    };
    assert.equal(slices(50, alike).verdict, 'Pending');
    assert.equal(slices(50, eightTimes, { ...TERMS, objective: 'Cost' }).verdict, 'Pending');
  });
});

describe('several entries', () => {
  it('a gain of most does not make up for one that becomes much slower', () => {
    const scores = blocks(30, (wobble) => ({
      current: tally(root('browse', 100, 100), root('pay', 100, 20)),
      candidate: tally(root('browse', 60 * wobble, 100), root('pay', 150 * wobble, 20)),
    }));
    const { verdict, reason, entry, interval } = judged(scores, TERMS);
    assert.ok(interval.high < 0, 'all in all it gains');
    assert.deepEqual([verdict, reason, entry], ['Worse', 'EntrySlower', 'pay']);
  });

  it('each is compared with itself, whatever the mix', () => {
    const scores = blocks(30, (wobble) => ({
      current: tally(root('quick', 10, 100), root('slow', 1000, 20)),
      candidate: tally(root('quick', 9 * wobble, 20), root('slow', 900 * wobble, 100)),
    }));
    assert.equal(judged(scores, TERMS).verdict, 'Better');
  });
});

describe('work from a queue', () => {
  const both = (callMs: number, workMs: number): Scores =>
    blocks(30, (wobble) => ({
      current: tally(root('f', 100, 100), root(queueEntry('g'), 100, 500)),
      candidate: tally(root('f', callMs * wobble, 100), root(queueEntry('g'), workMs * wobble, 500)),
    }));

  it('counts for nothing beside calls that somebody waits for, unless it becomes much slower', () => {
    assert.equal(judged(both(80, 125), TERMS).verdict, 'Better');
    assert.equal(judged(both(125, 80), TERMS).verdict, 'Worse');
    const { verdict, entry } = judged(both(80, 200), TERMS);
    assert.deepEqual([verdict, entry], ['Worse', 'g (queue)']);
  });

  it('is what is compared where there is nothing else', () => {
    const scores = blocks(30, (wobble) => ({
      current: tally(root(queueEntry('g'), 100, 100)),
      candidate: tally(root(queueEntry('g'), 80 * wobble, 100)),
    }));
    assert.equal(judged(scores, TERMS).verdict, 'Better');
  });
});

describe('classes of machines', () => {
  const on = (machineClass: string): Partial<RootTally> => ({ machineClass });

  it('are compared each with itself', () => {
    const scores = blocks(30, (wobble) => ({
      current: tally(root('f', 50, 100, on('amd64 Cloud')), root('f', 200, 20, on('arm64 Edge'))),
      candidate: tally(
        root('f', 40 * wobble, 20, on('amd64 Cloud')),
        root('f', 160 * wobble, 100, on('arm64 Edge')),
      ),
    }));
    assert.equal(judged(scores, TERMS).verdict, 'Better');
  });

  it('are compared as one where the plans run on different ones', () => {
    const scores = blocks(30, (wobble) => ({
      current: tally(root('f', 200, 100, on('arm64 Edge'))),
      candidate: tally(root('f', 50 * wobble, 100, on('amd64 Cloud'))),
    }));
    assert.equal(judged(scores, TERMS).verdict, 'Better');
  });
});

describe('a block', () => {
  it('is not taken before both have answered enough', () => {
    const arms = { current: tally(root('f', 10, 1000)), candidate: tally(root('f', 10, 7)) };
    assert.equal(withBlock(NO_SCORES, arms, TERMS), undefined);
    assert.equal(withBlock(NO_SCORES, { ...arms, candidate: NOTHING_SEEN }, TERMS), undefined);
  });

  it('of one call in many that takes a minute says little', () => {
    const odd = plus(tally(root('f', 10, 99)), tally(root('f', 25_000, 1)));
    const [scale] =
      withBlock(NO_SCORES, { current: tally(root('f', 10, 100)), candidate: odd }, TERMS)?.objective.scales ??
      [];
    assert.ok(scale && scale.sum / scale.weight < 0.01, JSON.stringify(scale));
  });

  it('weighs cost function by function, by how often both executed it', () => {
    const of = (count: readonly number[], cost: readonly number[]) =>
      ['f', 'g'].map((name, i) => ({
        function: name,
        executions: count[i] ?? 0,
        cost: (count[i] ?? 0) * (cost[i] ?? 0),
      }));
    const arms = {
      current: { roots: [root('f', 10, 100)], functions: of([100, 10], [1, 50]) },
      candidate: { roots: [root('f', 10, 100)], functions: of([100, 90], [1, 40]) },
    };
    const scores = withBlock(NO_SCORES, arms, { ...TERMS, objective: 'Cost' });
    const [scale] = scores?.objective.scales ?? [];
    assert.ok(scale);
    // 100 executions of g, 10 cheaper each, of 100 + 100 · 1 + 10 · 50 + 90 · 40 = 4,300 in all.
    assert.ok(Math.abs(scale.sum / scale.weight - -1000 / 4300) < 1e-9, String(scale.sum / scale.weight));
  });
});

describe('the difference of two looks', () => {
  it('is what came between', () => {
    const before = tally(root('f', 10, 5));
    const now = plus(before, tally(root('f', 10, 3), root('g', 20, 2)));
    assert.deepEqual(
      since(before, now)?.roots.map((r) => [r.entry, r.calls]),
      [
        ['f', 3],
        ['g', 2],
      ],
    );
  });
  it('is unknown where a counter went back', () => {
    assert.equal(since(tally(root('f', 10, 5)), tally(root('f', 10, 4))), undefined);
    assert.equal(since(tally(root('f', 10, 5)), NOTHING_SEEN), undefined);
  });
});

describe('an interval', () => {
  it('holds the truth at every look but for its share of runs', () => {
    const random = randomFrom(7);
    const gauss = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    let missed = 0;
    for (let run = 0; run < 300; run++) {
      let sums = NO_SUMS;
      let isMissed = false;
      for (let i = 0; i < 150; i++) {
        const weight = 4 + 8 * random();
        sums = added(sums, { weight, mean: 0.3 + gauss() / Math.sqrt(weight) });
        const { low, high } = intervalOf(sums, 0.05);
        isMissed ||= low > 0.3 || high < 0.3;
      }
      missed += Number(isMissed);
    }
    assert.ok(missed <= 15, `${String(missed)} of 300`);
    assert.ok(missed > 0, 'or it would be too wide to be of use');
  });

  it('survives JSON', () => {
    let sums = NO_SUMS;
    for (let i = 0; i < 9; i++) sums = added(sums, { weight: 8 + i, mean: i / 100 });
    assert.deepEqual(JSON.parse(JSON.stringify(sums)), sums);
  });
});
