/** Trials, state by state, and whole ones with calls from a seed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HISTOGRAM_BOUNDS_MS } from '@sinter/contract';
import { NOTHING_SEEN } from './evidence.ts';
import type { Evidence, RevisionTally } from './evidence.ts';
import { LATENCIES, TERMS, WEATHERS, rolledOut } from './testSimulation.ts';
import type { Service } from './testSimulation.ts';
import { PACE, startTrial, trialStep } from './trial.ts';
import type { Trial, TrialEnd, TrialSight, TrialTerms } from './trial.ts';

const PLAN = { hash: 'new', units: [{ functions: ['f'] }] };
const START_MS = 1_800_000_000_000;

/** Root calls that all took 10 ms or so. */
const tally = (calls: number, failures = 0, fellBack = 0, tookMs = 10): RevisionTally => {
  const answered = calls - failures;
  const counts = HISTOGRAM_BOUNDS_MS.map((bound, i) =>
    bound >= tookMs && (HISTOGRAM_BOUNDS_MS[i - 1] ?? 0) < tookMs ? answered : 0,
  );
  const sumLog = answered * Math.log(tookMs);
  return {
    roots: [{ entry: 'f', machineClass: 'amd64 Cloud', calls, failures, fellBack, counts, sumLog }],
    functions: [],
  };
};

/** A trial that is led step by step; every step also goes through JSON, as over a restart. */
class Led {
  trial: Trial;
  #end: TrialEnd | undefined;
  terms: TrialTerms;
  #nowMs = START_MS;
  #old = 0;
  #new = { calls: 0, failures: 0, fellBack: 0 };
  epoch = '1';
  /** What a call of the candidate takes. */
  ownMs = 10;

  constructor(of: Trial['of'], terms: Partial<TrialTerms> = {}) {
    this.terms = { ...TERMS, ...terms };
    this.trial = startTrial(of, PLAN, 'old', START_MS);
  }

  get evidence(): Evidence {
    const { calls, failures, fellBack } = this.#new;
    return {
      epoch: this.epoch,
      revisions: { old: tally(this.#old), new: tally(calls, failures, fellBack, this.ownMs) },
    };
  }

  step(ms: number, sight: Partial<TrialSight> = {}): this {
    this.#nowMs += ms;
    const kept = JSON.parse(JSON.stringify(this.trial)) as Trial;
    assert.deepEqual(kept, this.trial);
    const seen = {
      nowMs: this.#nowMs,
      evidence: this.evidence,
      readiness: { serves: true },
      budgetCalls: 1e9,
    };
    const { trial, end } = trialStep(kept, { ...seen, ...sight }, this.terms);
    this.trial = trial;
    this.#end = end;
    return this;
  }

  /** Calls of both, while so much time passes. */
  calls(old: number, own: number, more: { failures?: number; fellBack?: number } = {}): this {
    this.#old += old;
    this.#new.calls += own;
    this.#new.failures += more.failures ?? 0;
    this.#new.fellBack += more.fellBack ?? 0;
    return this;
  }

  end(): TrialEnd | undefined {
    return this.#end;
  }

  get at(): string {
    return `${this.trial.phase} ${String(this.trial.weightPercent)}`;
  }
}

const down = (reason?: string): Partial<TrialSight> => ({
  readiness: { serves: false, ...(reason ? { problem: { reason, message: `${reason}, they say` } } : {}) },
});

describe('a plan that starts', () => {
  it('gets no calls until all serve, and few at first', () => {
    const led = new Led('Plan').step(0, down());
    assert.equal(led.at, 'Starting 0');
    assert.equal(led.step(1_000).at, 'WarmingUp 5');
  });

  it('is given up after its limit', () => {
    const led = new Led('Plan').step(PACE.startLimitMs - 1, down());
    assert.equal(led.end(), undefined);
    assert.deepEqual([led.step(1, down()).end()?.outcome, led.end()?.reason], ['Withdraw', 'NeverReady']);
  });

  it('is given up at once where waiting does not help, and after a while where no machine has room', () => {
    assert.equal(new Led('Plan').step(0, down('CrashLoopBackOff')).end()?.reason, 'CrashLoopBackOff');
    const led = new Led('Plan').step(PACE.roomLimitMs - 1, down('Unschedulable'));
    assert.equal(led.end(), undefined);
    const end = led.step(1, down('Unschedulable')).end();
    assert.deepEqual([end?.verdict, end?.reason], ['Undecided', 'NoRoomForCandidate']);
  });

  it('is not compared before it is warm', () => {
    const led = new Led('Plan').step(0).calls(100, 9).step(PACE.warmUpMs);
    assert.equal(led.at, 'WarmingUp 5');
    assert.equal(led.calls(0, 1).step(1_000).at, 'Comparing 5');
    assert.equal(led.trial.totals.candidate.calls, 0);
    assert.equal(led.calls(20, 1).step(1_000).trial.totals.candidate.calls, 1);
  });

  it('is compared after a while where hardly any calls come', () => {
    assert.equal(new Led('Plan').step(0).step(PACE.warmUpLimitMs).at, 'Comparing 5');
  });
});

/** Compared, and nothing tells against it. */
const comparing = (terms: Partial<TrialTerms> = {}): Led =>
  new Led('Plan', terms).step(0).calls(200, 10).step(PACE.warmUpMs);

describe('a plan that is compared', () => {
  it('gets more calls block by block, as long as it looks no worse', () => {
    const led = comparing();
    assert.equal(led.at, 'Comparing 5');
    led.calls(190, 10).step(PACE.blockMs - 1);
    assert.equal(led.at, 'Comparing 5', 'the block is too short');
    assert.equal(led.step(1).at, 'Comparing 20');
    assert.equal(led.calls(40, 10).step(PACE.blockMs).at, 'Comparing 50');
  });

  it('keeps to the first weight while it looks worse, and takes one step at a time after', () => {
    const led = new Led('Plan').step(0);
    led.ownMs = 10.9;
    led.calls(200, 10).step(PACE.warmUpMs);
    assert.equal(led.calls(190, 10).step(PACE.blockMs).at, 'Comparing 5');
    assert.equal(led.calls(190, 10).step(PACE.blockMs).at, 'Comparing 5');
    led.ownMs = 10;
    led.step(0); // what was counted before is another sum now
    led.calls(1_900, 190).step(PACE.blockMs - 1);
    assert.equal(led.at, 'Comparing 5');
    assert.deepEqual([led.step(1).at, led.step(0).at], ['Comparing 20', 'Comparing 20']);
  });

  it('keeps to the first weight where losers have had their share of calls', () => {
    const led = comparing().calls(190, 10).step(PACE.blockMs, { budgetCalls: 20 });
    assert.equal(led.at, 'Comparing 5');
  });

  it('that fails calls is gone within a second', () => {
    const led = comparing();
    led.calls(20, 1, { failures: 1 }).step(1_000);
    assert.equal(led.end(), undefined, 'one may be chance');
    led.calls(60, 3, { failures: 3 }).step(1_000);
    assert.deepEqual(
      [led.end()?.outcome, led.end()?.verdict, led.end()?.reason],
      ['Withdraw', 'Worse', 'CallsFail'],
    );
  });

  it('that is not there when it is called is gone as well', () => {
    const led = comparing().calls(100, 0, { fellBack: 5 }).step(1_000);
    assert.equal(led.end()?.reason, 'CallsFail');
  });

  it('whose units go is given up after a while, and not for a moment', () => {
    const led = comparing().step(PACE.downLimitMs - 1, down());
    assert.equal(led.end(), undefined);
    led.step(1_000).step(PACE.downLimitMs - 1, down());
    assert.equal(led.end(), undefined);
    assert.equal(led.step(1_000, down()).end()?.reason, 'NotServing');
  });

  it('is given up when its time is up', () => {
    const led = comparing({ maximumMs: 60_000 }).step(60_000);
    assert.deepEqual(
      [led.end()?.outcome, led.end()?.verdict, led.end()?.reason],
      ['Withdraw', 'Undecided', 'TimeIsUp'],
    );
  });
});

describe('whoever steps', () => {
  it('may look twice at the same', () => {
    const led = comparing().calls(190, 10).step(PACE.blockMs);
    const { trial } = led;
    assert.deepEqual(led.step(0).trial, trial);
  });

  it('may have a clock that goes back: that time does not count twice', () => {
    const led = comparing({ maximumMs: 60_000 });
    const { elapsedMs } = led.trial;
    led.step(-50_000).step(49_000 - elapsedMs);
    assert.equal(led.trial.elapsedMs, 49_000);
    assert.equal(led.end(), undefined);
  });

  it('may have started anew, and counts from there', () => {
    const led = comparing().calls(190, 10);
    led.epoch = '2';
    led.step(1_000);
    assert.equal(led.trial.totals.candidate.calls, 0, 'what was under way is lost');
    assert.equal(led.calls(19, 1).step(1_000).trial.totals.candidate.calls, 1);
  });

  it('may see nothing of a revision any more', () => {
    const led = comparing().step(1_000, { evidence: { epoch: '1', revisions: { old: NOTHING_SEEN } } });
    assert.equal(led.end(), undefined);
  });
});

describe('new code', () => {
  /** At the first weight. */
  const code = (onRegression: TrialTerms['onRegression']): Led =>
    new Led('Code', { onRegression }).step(0, down()).step(0);

  it('is taken after a while at each weight, with or without calls', () => {
    const led = code('Hold');
    assert.equal(led.at, 'Comparing 5');
    assert.equal(led.step(PACE.codeStepMs).at, 'Comparing 20');
    assert.equal(led.step(PACE.codeStepMs - 1).at, 'Comparing 20');
    assert.equal(led.step(1).at, 'Comparing 50');
    assert.equal(led.step(PACE.codeStepMs).end()?.outcome, 'Promote');
  });

  it('may be slower', () => {
    const led = code('Hold').calls(1_000, 1_000).step(PACE.codeStepMs).step(PACE.codeStepMs);
    assert.equal(led.step(PACE.codeStepMs).end()?.outcome, 'Promote');
  });

  it('that fails stays without calls, or goes, or is taken all the same', () => {
    const failing = (onRegression: TrialTerms['onRegression']): Led =>
      code(onRegression).calls(95, 5, { failures: 5 }).step(1_000);
    const held = failing('Hold');
    assert.equal(held.end(), undefined);
    assert.equal(held.at, 'Held 0');
    assert.equal(held.step(3_600_000).at, 'Held 0');
    assert.equal(held.trial.problem?.reason, 'CallsFail');
    assert.deepEqual(
      [failing('Revert').end()?.outcome, failing('Revert').end()?.verdict],
      ['Withdraw', 'Worse'],
    );
    assert.equal(failing('Ignore').end()?.outcome, 'Promote');
  });

  it('that was held is taken when nobody is to look any more', () => {
    const led = code('Hold').calls(95, 5, { failures: 5 }).step(1_000);
    led.terms = { ...led.terms, onRegression: 'Ignore' };
    assert.equal(led.step(1_000).end()?.outcome, 'Promote');
  });

  it('that does not start stays to be looked at, unless it is to go', () => {
    const broken = (onRegression: TrialTerms['onRegression']): TrialEnd | undefined =>
      new Led('Code', { onRegression }).step(0, down('UnitFailed')).end();
    assert.equal(broken('Hold'), undefined);
    assert.equal(broken('Ignore'), undefined);
    assert.equal(broken('Revert')?.outcome, 'Withdraw');
  });
});

const [LOG_NORMAL] = Object.values(LATENCIES);
const [CALM] = Object.values(WEATHERS);
assert.ok(LOG_NORMAL && CALM);
const SERVICE: Service = {
  latency: LOG_NORMAL,
  weather: CALM,
  rate: 1,
  factor: 1,
  failures: { current: 0.002, candidate: 0.002 },
};
const BEFORE = 36_000;
const RUNS = 10;
const all = (more: Partial<Service>): readonly (TrialEnd & { readonly trial: Trial })[] =>
  Array.from({ length: RUNS }, (_, i) => rolledOut({ ...SERVICE, ...more }, i + 1, BEFORE));

describe('a whole trial at one call a second', () => {
  it('finds a third less within a quarter of an hour', () => {
    for (const { verdict, trial } of all({ factor: 0.65 })) {
      assert.equal(verdict, 'Better');
      assert.ok(trial.elapsedMs <= 1_000_000, String(trial.elapsedMs));
    }
  });

  it('ends within an hour where nothing differs, undecided', () => {
    const wrong = all({}).filter(({ verdict }) => verdict !== 'Undecided');
    assert.ok(wrong.length <= 2, String(wrong.length));
    for (const { trial } of all({})) assert.ok(trial.elapsedMs <= 3_600_000);
  });

  it('gives a plan that is much slower a twentieth of the calls', () => {
    for (const { verdict, trial } of all({ factor: 1.6 })) {
      assert.equal(verdict, 'Worse');
      assert.ok(trial.candidateCalls <= 0.075 * trial.calls, `${trial.candidateCalls} of ${trial.calls}`);
    }
  });

  it('lets go of one that is many times slower after a handful of its calls, at the first weight', () => {
    for (const latency of Object.values(LATENCIES))
      for (const { reason, trial } of all({ latency, factor: 8 })) {
        assert.equal(reason, 'MuchSlower');
        assert.equal(trial.weightPercent, 5);
        const own = trial.candidateCalls - PACE.warmUpCalls;
        assert.ok(own <= 15, `${String(own)} after it was warm`);
      }
  });

  it('ends one that fails a twentieth of its calls, having failed a few', () => {
    for (const { reason, trial } of all({ failures: { current: 0, candidate: 0.05 } })) {
      assert.equal(reason, 'CallsFail');
      assert.ok(trial.candidateCalls <= 250, String(trial.candidateCalls));
    }
  });
});
