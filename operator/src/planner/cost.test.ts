import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Manifest } from '../model/testApplication.ts';
import { snapshotOf } from '../snapshot/testSnapshot.ts';
import type { World } from '../snapshot/testSnapshot.ts';
import { Model, pricesOf, stretch } from './cost.ts';
import { factsOf } from './facts.ts';
import { figuresOf } from './figures.ts';
import type { Figures } from './figures.ts';
import { HOST_RESERVED_BYTES, PRIOR_OVERHEAD_MS, PROCESS_BYTES, WORKER_BYTES } from './priors.ts';
import { Groups } from './groups.ts';

const near = (actual: number, expected: number, what = ''): void =>
  assert.ok(
    Math.abs(actual - expected) <= 1e-6 * Math.max(1, Math.abs(expected)),
    `${what} ${actual} ≠ ${expected}`,
  );

/** Hosts have a test of their own. */
const withoutHosts = (figures: Figures): Figures => ({
  ...figures,
  host: {
    apartCores: new Float64Array(figures.names.length),
    savedCores: new Float64Array(figures.to.length),
    processCores: 0,
    processBytes: PROCESS_BYTES,
  },
});

/** What a grouping (`a,b` is a unit) of a world comes to. */
function predicted(world: World, ...units: readonly string[]) {
  const snapshot = snapshotOf(world);
  const facts = factsOf(snapshot);
  const figures = withoutHosts(figuresOf(facts));
  const prices = pricesOf(snapshot.policy.spec.price);
  const groups = new Groups(facts, figures);
  const model = new Model(figures, prices);
  for (const unit of units) {
    const members = unit.split(',').map((name) => figures.index.get(name) ?? -1);
    for (const f of members) model.unitOf[f] = members[0] ?? 0;
    model.units.set(members[0] ?? 0, groups.unit(members, members.length), prices);
  }
  model.score('Balanced');
  const { latencyMs, memoryBytes, cost } = model;
  return { latencyMs, memoryBytes, cost };
}

const limits = (cpu: string): Manifest => ({ resources: { requests: { cpu: '1m' }, limits: { cpu } } });
const HOP = { InProcess: 0.1, Node: 1, Queue: 2 };
const ran = (fn: string, cpuMs: number, waitingMs = 0): Manifest => ({
  function: fn,
  cpuMs,
  waitingMs,
  memoryBytes: 0,
});
const hop = (from: string, to: string, more: Manifest = {}): Manifest => ({
  from,
  to,
  overheadMs: HOP,
  ...more,
});
/** So seldom that nothing is ever busy. */
const root = (fn: string, ratePerSecond = 1e-9): Manifest => ({ function: fn, ratePerSecond });

test('a share of a core makes a piece longer, and a busy unit makes it longer again', () => {
  near(10 * stretch(1, 0), 10);
  near(10 * stretch(0.072, 0), 10 / 0.072);
  near(10 * stretch(0.072, 0.036), 10 / 0.072 / 0.5, 'half busy');
  near(10 * stretch(4, 0), 10, 'four cores make one thread no faster');
  assert.ok(stretch(4, 2) < stretch(1, 0.5), 'and are queued for less');
  assert.ok(
    stretch(1, 2) > stretch(1, 1.5) && Number.isFinite(stretch(0.001, 100)),
    'overload has an order too',
  );
});

const CHAIN: World = {
  functions: ['a', 'b'],
  edges: ['a>b'],
  observations: { roots: [root('a')], functions: [ran('a', 2), ran('b', 3, 10)], edges: [hop('a', 'b')] },
};

test('a call takes its own time, the hop and its callee', () => {
  near(predicted(CHAIN, 'a', 'b').latencyMs, 2 + 1 + 13);
  near(predicted(CHAIN, 'a,b').latencyMs, 2 + 0.1 + 13);
});

test('a process costs memory, and so does a thread', () => {
  near(predicted(CHAIN, 'a', 'b').memoryBytes, 2 * PROCESS_BYTES + 2 * WORKER_BYTES);
  near(predicted(CHAIN, 'a,b').memoryBytes, PROCESS_BYTES + 2 * WORKER_BYTES);
});

/** Two callees, and what their edges say. */
const fork = (cpu: string, more: Manifest): World => ({
  functions: { a: limits(cpu), b: limits(cpu), c: limits(cpu) },
  edges: ['a>b', 'a>c'],
  observations: {
    roots: [root('a')],
    functions: [ran('a', 0), ran('b', 10), ran('c', 20)],
    edges: [hop('a', 'b', more), hop('a', 'c', more)],
  },
});

test('calls in turn add up, of calls at once the longest counts', () => {
  near(predicted(fork('1', {}), 'a', 'b', 'c').latencyMs, 11 + 21);
  near(predicted(fork('1', { parallel: 1 }), 'a', 'b', 'c').latencyMs, 21);
  near(predicted(fork('1', { parallel: 0.5 }), 'a', 'b', 'c').latencyMs, (11 + 21) / 2 + 21 / 2);
  near(predicted(fork('1', { callsPerExecution: 2 }), 'a', 'b', 'c').latencyMs, 2 * (11 + 21));
});

test('calls at once into one unit share its cores', () => {
  const slow = fork('100m', { parallel: 1 });
  near(predicted(slow, 'a', 'b', 'c').latencyMs, 1 + 200, 'each on a tenth of a core');
  near(predicted(slow, 'a', 'b,c').latencyMs, 30 / 0.2, 'both on a fifth');
  near(predicted(slow, 'a,b,c').latencyMs, 30 / 0.3, 'on three tenths');
});

test('several calls at once of one function run on its one thread', () => {
  const many = fork('8', { parallel: 1, callsPerExecution: 3 });
  near(predicted(many, 'a', 'b', 'c').latencyMs, 21 + 2 * 20);
});

const BACKGROUND: World = {
  functions: { a: limits('1'), b: limits('1') },
  edges: ['a~b'],
  observations: { roots: [root('a', 4)], functions: [ran('a', 10), ran('b', 200)], edges: [hop('a', 'b')] },
};

test('asynchronous work makes the unit busy that it runs in', () => {
  const apart = predicted(BACKGROUND, 'a', 'b').latencyMs;
  const together = predicted(BACKGROUND, 'a,b').latencyMs;
  near(apart, (10 / (1 - 0.04)) * 1 + 2);
  assert.ok(together > apart, `${together} > ${apart}`);
});

test('work that a run sent into its own unit takes half of the rest of it at most', () => {
  const small: World = {
    ...BACKGROUND,
    functions: { a: limits('250m'), b: limits('250m') },
    observations: { roots: [root('a')], functions: [ran('a', 10), ran('b', 200)], edges: [hop('a', 'b')] },
  };
  near(predicted(small, 'a', 'b').latencyMs, 40 + 2);
  near(predicted(small, 'a,b').latencyMs, 20 + 2 + 5 / 0.5, 'half a core for both');
});

test('each unit on the way may be asleep', () => {
  const seldom = (scalesToZero: boolean): World => ({
    scalesToZero,
    functions: ['a', 'b'],
    edges: ['a>b'],
    observations: {
      roots: [root('a', 0.001)],
      functions: ['a', 'b'].map((fn) => ({ ...ran(fn, 1), coldStartMs: 500 })),
      edges: [hop('a', 'b')],
    },
  });
  const asleep = 500 * Math.exp(-0.06); // one call in 1,000 s, idle after 60 s
  const [apart, together] = [predicted(seldom(true), 'a', 'b'), predicted(seldom(true), 'a,b')];
  assert.ok(Math.abs(apart.latencyMs - (1 + 1 + 1 + 2 * asleep)) < 0.1, String(apart.latencyMs));
  assert.ok(Math.abs(together.latencyMs - (1 + 0.1 + 1 + asleep)) < 0.1, String(together.latencyMs));
  assert.ok(predicted(seldom(false), 'a', 'b').latencyMs < 4, 'nothing sleeps');
});

const priced = (price: Manifest, ratePerSecond: number): World => ({
  ...CHAIN,
  policy: { price },
  observations: {
    roots: [root('a', ratePerSecond)],
    functions: [ran('a', 2), ran('b', 3, 10)],
    edges: [hop('a', 'b')],
  },
});

test('what is reserved costs the same busy or idle', () => {
  const price = { model: 'Provisioned', gigabyteSecond: '1', cpuSecond: '2' };
  const once = predicted(priced(price, 1), 'a', 'b').cost;
  near(predicted(priced(price, 2), 'a', 'b').cost, once / 2, 'twice the calls, half the cost of each');
  const gigabytes = (2 * HOST_RESERVED_BYTES + 2 * 2 ** 20 * 15) / 2 ** 30;
  near(once, gigabytes + 2 * 2, 'two cores, and memory as far as it is used');
});

test('what is used costs while calls run: who waits for another unit pays for both', () => {
  const price = { gigabyteSecond: '1' };
  const [apart, together] = [
    predicted(priced(price, 0.001), 'a', 'b'),
    predicted(priced(price, 0.001), 'a,b'),
  ];
  const gb = (bytes: number): number => bytes / 2 ** 30;
  const alone = PROCESS_BYTES + WORKER_BYTES;
  assert.ok(Math.abs(apart.cost / (gb(alone) * (0.016 + 0.013)) - 1) < 1e-3, String(apart.cost));
  assert.ok(Math.abs(together.cost / (gb(alone + WORKER_BYTES) * 0.0151) - 1) < 1e-3, String(together.cost));
});

test('units that share a machine share its cores', () => {
  const world = (ratePerSecond: number): World => ({
    functions: ['a', 'b', 'c'],
    edges: ['a>b'],
    enforcesLimits: false,
    machines: [{ name: 'm', architecture: 'amd64', tier: 'Cloud', cpuMillis: 2000 }],
    observations: {
      roots: [root('a', 1), { ...root('c', ratePerSecond), call: 'Async' }],
      functions: [ran('a', 2), ran('b', 3), ran('c', 10)],
      edges: [hop('a', 'b')],
    },
  });
  const at = (ratePerSecond: number) => predicted(world(ratePerSecond), 'a', 'b', 'c').latencyMs;
  assert.ok(at(150) > 1.5 * at(1), 'what keeps the machine busy is in everybody’s way');
});

test('where everything is free, memory is what is saved', () => {
  const free = priced({ gigabyteSecond: '0', cpuSecond: '0' }, 1);
  assert.ok(predicted(free, 'a,b').cost < predicted(free, 'a', 'b').cost);
});

test('without figures each entry has a call a second, and hops take their prior', () => {
  const world: World = {
    functions: ['a', 'b'],
    edges: ['a>b'],
    observations: { functions: [ran('a', 1), ran('b', 1)] },
  };
  near(predicted(world, 'a', 'b').latencyMs, 2 / (1 - 0.001) + 0.35);
});

test('what a channel takes on other edges is what it takes on one that was not measured', () => {
  const world: World = {
    functions: ['a', 'b', 'c'],
    edges: ['a>b', 'b>c'],
    observations: {
      roots: [root('a')],
      functions: [ran('a', 1), ran('b', 1), ran('c', 1)],
      edges: [{ from: 'a', to: 'b', overheadMs: { Node: 20 } }],
    },
  };
  near(predicted(world, 'a', 'b', 'c').latencyMs, 3 + 40);
});

test('what a hop takes on one machine is the least that it takes to another', () => {
  const machines = ['m1', 'm2'].map((name) => ({ name, architecture: 'amd64', tier: 'Cloud' }) as const);
  const took = (overheadMs: Manifest) =>
    predicted(
      {
        functions: ['a', 'b'],
        edges: ['a>b'],
        machines,
        observations: {
          roots: [root('a')],
          functions: [ran('a', 1), ran('b', 1)],
          edges: [{ from: 'a', to: 'b', overheadMs }],
        },
      },
      'a',
      'b',
    ).latencyMs;
  near(took({}), 2 + PRIOR_OVERHEAD_MS.Remote);
  near(took({ Node: 9 }), 2 + 9);
  near(took({ Node: 9, Remote: 12 }), 2 + 12);
});

test('what one run sends into one unit runs there at once: the longest of it is what is busy', () => {
  const world = (edges: readonly string[]): World => ({
    functions: ['a', 'b', 'c'],
    edges,
    policy: { price: { gigabyteSecond: '1' } },
    observations: {
      roots: [root('a', 0.001)],
      functions: [ran('a', 0, 1), ran('b', 0, 100), ran('c', 0, 60)],
      edges: ['b', 'c'].map((to) => ({ from: 'a', to, overheadMs: { Queue: 0 } })),
    },
  });
  const gb = (bytes: number): number => bytes / 2 ** 30;
  const alone = PROCESS_BYTES + WORKER_BYTES;
  const sent = predicted(world(['a~b', 'a~c']), 'a', 'b,c').cost;
  const both = gb(alone) * 0.001 + gb(alone + WORKER_BYTES) * 0.1;
  assert.ok(Math.abs(sent / both - 1) < 1e-3, `${sent} ≠ ${both}`);
});
