/** What runs, from one look to the next: plans that win and lose, code that fails, people who choose. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NO_EVIDENCE } from './evidence.ts';
import type { Evidence } from './evidence.ts';
import { conduct } from './conduct.ts';
import type { Conducted, Order, Sight } from './conduct.ts';
import { NO_MEMORY } from './memory.ts';
import type { Memory } from './memory.ts';
import { LATENCIES, TERMS, WEATHERS, randomFrom, running } from './testSimulation.ts';
import { PACE } from './trial.ts';

const plan = (hash: string) => ({ hash, units: [{ functions: [`f-${hash}`] }] });
const [LATENCY] = Object.values(LATENCIES);
const [WEATHER] = Object.values(WEATHERS);
assert.ok(LATENCY && WEATHER);

/** A workflow whose orders are carried out a second later; memory goes through JSON at every look. */
class Looked {
  memory: Memory = NO_MEMORY;
  current = 'a';
  candidate = '';
  nowMs = 1_800_000_000_000;
  order: Order | undefined;
  #last: Conducted | undefined;
  readonly #runs: ReturnType<typeof running>;
  #weight = 0;

  constructor(factor: number, fails = 0.002) {
    const failures = { current: 0.002, candidate: fails };
    assert.ok(LATENCY && WEATHER);
    this.#runs = running({ latency: LATENCY, weather: WEATHER, rate: 20, factor, failures }, randomFrom(3));
  }

  last(): Conducted {
    assert.ok(this.#last);
    return this.#last;
  }

  look(more: Partial<Sight> = {}): Order {
    this.nowMs += 1_000;
    const { current, candidate } = this.#runs.pass(1, this.#weight);
    const revisions = this.candidate === '' ? { a: current } : { a: current, [this.candidate]: candidate };
    const evidence: Evidence = { epoch: '1', revisions };
    const known = this.memory.trial?.plan ?? this.memory.taken;
    const sight: Sight = {
      nowMs: this.nowMs,
      current: this.current,
      declared: plan('a'),
      ...(known ? { tried: known } : {}),
      mayTry: true,
      evidence,
      readiness: { serves: true },
      currentServes: true,
      terms: TERMS,
      cooldownMs: 120_000,
      ...more,
    };
    this.#last = conduct(JSON.parse(JSON.stringify(this.memory)) as Memory, sight);
    this.memory = this.#last.memory;
    this.order = this.#last.order;
    this.#weight = this.order.run === 'Beside' ? this.order.weightPercent : 0;
    if (this.memory.trial) this.candidate = this.memory.trial.plan.hash;
    return this.order;
  }

  /** Until something else than a trial is ordered. */
  until(more: Partial<Sight> = {}): Order {
    for (let looks = 0; looks < 4_000; looks++) {
      const order = this.look(more);
      if (order.run !== 'Beside') return order;
    }
    throw new Error('the trial does not end');
  }
}

const better = { better: plan('b') };
/** Long enough that losers may have had some calls. */
const known = (looked: Looked): Looked => {
  for (let i = 0; i < 200; i++) looked.look();
  return looked;
};

describe('a plan that promises more', () => {
  it('is tried, taken when it is better, and then nothing is left of it', () => {
    const looked = known(new Looked(0.7));
    assert.deepEqual(looked.look(better), { run: 'Beside', what: 'Tried', weightPercent: 0 });
    assert.equal(looked.last().started, 'b');
    assert.deepEqual(looked.until(), { run: 'Tried' });
    const { ended } = looked.last();
    assert.ok(ended);
    assert.equal(ended.end.verdict, 'Better');
    assert.ok(ended.gain !== undefined && Math.abs(ended.gain - 0.3) < 0.1, String(ended.gain));
    assert.ok(Number(ended.figures.candidate.p50Ms) < Number(ended.figures.current.p50Ms));
    assert.deepEqual(looked.look(), { run: 'Tried' }, 'until it is the current one');
    looked.current = 'b';
    assert.deepEqual(looked.look({ declared: plan('b') }), { run: 'Declared' });
    assert.equal(looked.memory.taken, undefined);
    assert.equal(looked.look({ declared: plan('b'), better: plan('c') }).run, 'Declared');
    assert.equal(looked.last().refusal?.reason, 'CoolingDown');
  });

  it('is withdrawn when it is worse, and not tried again', () => {
    const looked = known(new Looked(1.5));
    looked.look(better);
    assert.deepEqual(looked.until(), { run: 'Declared' });
    assert.equal(looked.memory.last?.end.verdict, 'Worse');
    looked.nowMs += 10 * 3_600_000;
    assert.deepEqual(looked.look(better), { run: 'Declared' });
    assert.equal(looked.last().refusal?.reason, 'LostBefore');
    assert.equal(looked.look({ better: plan('c') }).run, 'Beside');
  });

  it('is not tried where plans wait for a person, and no longer when they begin to', () => {
    const looked = known(new Looked(0.7));
    assert.deepEqual(looked.look({ ...better, mayTry: false }), { run: 'Declared' });
    looked.look(better);
    assert.equal(looked.look().run, 'Beside');
    assert.deepEqual(looked.look({ mayTry: false }), { run: 'Declared' });
    assert.equal(looked.memory.trial, undefined);
    assert.deepEqual(looked.memory.lost, [], 'nobody has judged it');
  });

  it('is let go when another plan runs, or what is declared does not give it any more', () => {
    const looked = known(new Looked(0.7));
    looked.look(better);
    assert.equal(looked.look({ tried: plan('b2') }).run, 'Declared');
    looked.look(better);
    looked.current = 'c';
    assert.equal(looked.look({ declared: plan('c') }).run, 'Declared');
  });

  it('that was taken is not taken any more when something else is declared', () => {
    const looked = known(new Looked(0.7));
    looked.look(better);
    looked.until();
    assert.deepEqual(looked.look({ declared: plan('new') }), {
      run: 'Beside',
      what: 'Declared',
      weightPercent: 0,
    });
  });
});

describe('what a person chose', () => {
  it('runs, and nothing is tried', () => {
    const looked = known(new Looked(0.7));
    looked.look(better);
    assert.deepEqual(looked.look({ ...better, chosen: plan('z') }), { run: 'Chosen' });
    assert.equal(looked.memory.trial, undefined);
  });
});

describe('code that was declared anew', () => {
  const code = { declared: plan('n') };

  it('runs at once where nothing runs yet', () => {
    assert.deepEqual(conductOnce({ current: '' }).order, { run: 'Declared' });
  });

  it('gets its calls bit by bit, and is taken', () => {
    const looked = known(new Looked(1.3));
    assert.deepEqual(looked.look(code), { run: 'Beside', what: 'Declared', weightPercent: 0 });
    const startedMs = looked.nowMs;
    assert.deepEqual(looked.until(code), { run: 'Declared' });
    assert.ok(looked.nowMs - startedMs <= 3 * PACE.codeStepMs + 2_000, 'slower is no reason to wait');
    assert.deepEqual(looked.look(code), { run: 'Declared' });
    looked.current = 'n';
    assert.deepEqual(looked.look(code), { run: 'Declared' });
    assert.equal(looked.memory.taken, undefined);
  });

  it('that fails is held without calls until other code comes', () => {
    const looked = known(new Looked(1, 0.6));
    for (let i = 0; i < 60; i++) looked.look(code);
    assert.deepEqual(looked.order, { run: 'Beside', what: 'Declared', weightPercent: 0 });
    assert.equal(looked.memory.trial?.phase, 'Held');
    looked.look({ declared: plan('m') });
    assert.equal(looked.memory.trial.plan.hash, 'm');
    assert.equal(looked.look().run, 'Declared', 'as it was');
  });

  it('that fails goes where the policy says so, and what ran stays until other code comes', () => {
    const revert: Partial<Sight> = { ...code, terms: { ...TERMS, onRegression: 'Revert' } };
    const looked = known(new Looked(1, 0.6));
    assert.deepEqual(looked.until(revert), { run: 'Current' });
    assert.deepEqual(looked.look(revert), { run: 'Current' });
    assert.equal(looked.memory.withdrawnCode?.hash, 'n');
    assert.deepEqual(looked.memory.lost, []);
    assert.equal(looked.look({ ...revert, declared: plan('m') }).run, 'Beside');
  });

  it('replaces at once what does not run', () => {
    const looked = known(new Looked(1));
    assert.deepEqual(looked.look({ ...code, currentServes: false }), { run: 'Declared' });
    assert.equal(looked.memory.trial, undefined);
  });

  it('is taken as it is where nobody is to look', () => {
    const looked = known(new Looked(1, 0.6));
    assert.deepEqual(looked.look({ ...code, terms: { ...TERMS, onRegression: 'Ignore' } }), {
      run: 'Declared',
    });
  });
});

function conductOnce(more: Partial<Sight>): Conducted {
  return conduct(NO_MEMORY, {
    nowMs: 0,
    current: 'a',
    declared: plan('a'),
    mayTry: true,
    evidence: NO_EVIDENCE,
    readiness: { serves: false },
    currentServes: true,
    terms: TERMS,
    cooldownMs: 0,
    ...more,
  });
}
