import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsArtifact, wasmArtifact } from '../model/testApplication.ts';
import type { Manifest } from '../model/testApplication.ts';
import type { CurrentPlan, Snapshot, Trials } from '../snapshot/snapshot.ts';
import { manual, snapshotOf } from '../snapshot/testSnapshot.ts';
import type { World } from '../snapshot/testSnapshot.ts';
import { randomFrom } from './assignment.ts';
import type { Decision, Plan } from './plan.ts';
import { plan } from './planner.ts';
import { randomSnapshot } from './testGraphs.ts';
import { assertSound } from './testSoundness.ts';

const groupsOf = (p: Plan): string => p.units.map((u) => u.functions.join()).join(' | ');
const decided = (p: Plan, kind: string, about: string): Decision => {
  const found = p.decisions.find((d) => d.kind === kind && d.about === about);
  assert.ok(found, `${kind} of ${about}`);
  return found;
};
const rollout = (p: Plan): Decision => decided(p, 'Rollout', 'flow');

/** Three in a row that are called often, with hops that matter. */
const figures = (more: Manifest = {}): Manifest => ({
  windowSeconds: 60,
  roots: [{ function: 'a', ratePerSecond: 5, samples: 300 }],
  functions: ['a', 'b', 'c'].map((fn) => ({ function: fn, cpuMs: 1, samples: 300, memoryBytes: 5e6 })),
  edges: ['a b', 'b c'].map((e) => ({
    from: e[0],
    to: e[2],
    samples: 300,
    overheadMs: { Node: 5, InProcess: 0.1 },
  })),
  ...more,
});
const CHAIN: World = { functions: ['a', 'b', 'c'], edges: ['a>b', 'b>c'], observations: figures() };

const asCurrent = (p: Plan, more: Partial<CurrentPlan> = {}): CurrentPlan => ({
  hash: '0123456789',
  units: p.units.map(({ functions, resources }) => ({ functions, resources })),
  ...more,
});
const units = (...groups: readonly string[]): CurrentPlan => ({
  hash: '0123456789',
  units: groups.map((group) => ({ functions: group.split(',') })),
});
const trials = (more: Partial<Trials>): Trials => ({
  coolingUntilMs: null,
  candidate: null,
  lost: [],
  ...more,
});

test('what calls each other often comes together, and the promise is said beforehand', () => {
  const p = plan(snapshotOf(CHAIN));
  assert.equal(groupsOf(p), 'a,b,c');
  assert.equal(p.outcome, 'BetterFound');
  assert.ok(p.prediction && Math.abs(p.prediction.latencyMs - 3.2) < 0.1, JSON.stringify(p.prediction));
  assert.deepEqual(
    p.prediction.entries.map((e) => e.function),
    ['a'],
  );
  const pair = decided(p, 'Fusion', 'a → b');
  assert.deepEqual([pair.choice, pair.reason], ['Together', 'FasterTogether']);
  assert.match(pair.message, /root calls take 3\.\d+ ms, .* the other way 8\.\d+ ms/);
  assert.ok(pair.inputs.some((i) => i.name === 'a → b: overhead' && i.samples === 300));
  assert.ok((pair.alternatives[0]?.predicted?.latencyMs ?? 0) > 8);
});

test('with what was found as what runs, it stays', () => {
  const first = plan(snapshotOf(CHAIN));
  const second = plan(snapshotOf({ ...CHAIN, current: asCurrent(first) }));
  assert.equal(second.outcome, 'NothingBetter');
  assert.deepEqual(second.units, first.units);
});

test('without measurements nothing changes, whatever runs', () => {
  const nothing: World = { functions: ['a', 'b', 'c'], edges: ['a>b', 'b>c'] };
  assert.equal(groupsOf(plan(snapshotOf(nothing))), 'a | b | c');
  const p = plan(snapshotOf({ ...nothing, current: units('a,b', 'c') }));
  assert.deepEqual([groupsOf(p), p.outcome], ['a,b | c', 'NoObservations']);
  assert.equal(decided(p, 'Fusion', 'a → b').reason, 'KeptAsItRuns');
  assert.equal(decided(p, 'Fusion', 'b → c').reason, 'NoObservations');
});

const KEPT: Readonly<Record<string, readonly [Partial<World>, string, RegExp]>> = {
  'a small gain is no reason to change': [
    { policy: { rollout: { minimumGainPercent: 90 } } },
    'GainTooSmall',
    /\{a, b and c\} would be [\d.]+ % better, and a change must gain 90 %/,
  ],
  'after a change there is a pause': [
    { trials: trials({ coolingUntilMs: 100 }), nowMs: 99 },
    'CoolingDown',
    /plans change at most every 120 s/,
  ],
};

for (const [sentence, [more, outcome, says]] of Object.entries(KEPT)) {
  test(sentence, () => {
    const p = plan(snapshotOf({ ...CHAIN, current: units('a', 'b', 'c'), ...more }));
    assert.deepEqual([groupsOf(p), p.outcome], ['a | b | c', outcome]);
    assert.match(rollout(p).message, says);
    assert.ok(p.prediction && p.baseline);
    assert.deepEqual(p.prediction, p.baseline);
  });
}

test('when the pause is over, it changes', () => {
  const p = plan(snapshotOf({ ...CHAIN, trials: trials({ coolingUntilMs: 100 }), nowMs: 100 }));
  assert.equal(p.outcome, 'BetterFound');
});

test('a gain that a few samples promise may be noise', () => {
  const few = {
    ...CHAIN,
    policy: { objective: 'Latency', rollout: { minimumGainPercent: 0 } },
    observations: figures({
      functions: ['a', 'b', 'c'].map((fn) => ({ function: fn, cpuMs: 1, waitingMs: 50, samples: 4 })),
      edges: ['a b', 'b c'].map((e) => ({
        from: e[0],
        to: e[2],
        samples: 4,
        overheadMs: { Node: 0.11, InProcess: 0.1 },
      })),
    }),
  };
  const p = plan(snapshotOf(few));
  assert.equal(p.outcome, 'GainWithinNoise', rollout(p).message);
  assert.match(rollout(p).message, /may be noise: ± [\d.]+ % at so few samples/);
});

test('while a plan is tried, it is the plan', () => {
  const candidate = {
    hash: 'aaaaaaaaaa',
    units: [
      { functions: ['a', 'b'], resources: { cpuMillis: 700, memoryBytes: 2 ** 28 } },
      { functions: ['c'] },
    ],
  };
  const p = plan(snapshotOf({ ...CHAIN, current: units('a', 'b', 'c'), trials: trials({ candidate }) }));
  assert.deepEqual([groupsOf(p), p.outcome], ['a,b | c', 'UnderTrial']);
  assert.equal(p.units[0]?.resources.cpuMillis, 700, 'as it was made');
  assert.equal(decided(p, 'Fusion', 'a → b').reason, 'UnderTrial');
});

test('a plan that lost is not proposed before its time, and the next best is', () => {
  const lost = { ...units('a,b,c'), untilMs: 100, reason: 'Worse' };
  const world = { ...CHAIN, current: units('a', 'b', 'c'), trials: trials({ lost: [lost] }) };
  const p = plan(snapshotOf({ ...world, nowMs: 99 }));
  assert.equal(p.outcome, 'BetterFound');
  assert.ok(['a,b | c', 'a | b,c', 'a,c | b'].includes(groupsOf(p)), groupsOf(p));
  assert.equal(groupsOf(plan(snapshotOf({ ...world, nowMs: 100 }))), 'a,b,c');
});

test('what a trial measured of a plan outweighs its prediction for a day, beside the plan that still runs', () => {
  const current = { ...units('a', 'b', 'c'), hash: '00000000aa' };
  const measured = { beside: current.hash, atMs: 100, calls: 50, latencyRatio: 8 };
  const groups = (nowMs: number, more: Partial<typeof measured> = {}): string => {
    const lost = { ...units('a,b,c'), untilMs: 100, reason: 'Worse', measured: { ...measured, ...more } };
    return groupsOf(plan(snapshotOf({ ...CHAIN, current, trials: trials({ lost: [lost] }), nowMs })));
  };
  assert.notEqual(groups(200), 'a,b,c');
  assert.equal(groups(200 + 24 * 3_600_000), 'a,b,c', 'it is a day old');
  assert.equal(groups(200, { beside: '00000000bb' }), 'a,b,c', 'another plan runs now');
  assert.equal(groups(200, { calls: 5 }), 'a,b,c', 'so few calls say nothing');
  assert.equal(groups(200, { latencyRatio: 0.7 }), 'a,b,c', 'it was better');
});

test('where only what lost would be better, it says so', () => {
  const pair: World = {
    functions: ['a', 'b'],
    edges: ['a>b'],
    observations: figures({
      functions: ['a', 'b'].map((fn) => ({ function: fn, cpuMs: 1 })),
      edges: [{ from: 'a', to: 'b', overheadMs: { Node: 5 } }],
    }),
  };
  const lost = { ...units('a,b'), untilMs: 100, reason: 'Undecided' };
  const p = plan(snapshotOf({ ...pair, current: units('a', 'b'), trials: trials({ lost: [lost] }) }));
  assert.deepEqual([groupsOf(p), p.outcome], ['a | b', 'LostBefore']);
  assert.match(
    rollout(p).message,
    /\{a and b\} would be [\d.]+ % better, but it was tried and did not win \(Undecided\)/,
  );
});

test('a policy that observes explains and changes nothing', () => {
  const p = plan(snapshotOf({ ...CHAIN, current: units('a', 'b', 'c'), policy: { mode: 'Observe' } }));
  assert.deepEqual([groupsOf(p), p.outcome], ['a | b | c', 'PolicyObserves']);
  const [found] = rollout(p).alternatives;
  assert.equal(found?.choice, '{a, b and c}');
  assert.ok((found.predicted?.latencyMs ?? 99) < 4);
  assert.match(found.margin ?? '', /^-\d/);
});

test('groups by hand are kept, and what the search would make of them is said', () => {
  const p = plan(snapshotOf({ ...CHAIN, policy: manual('a,b') }));
  assert.deepEqual([groupsOf(p), p.outcome], ['a,b | c', 'AsAsked']);
  const pair = decided(p, 'Fusion', 'b → c');
  assert.equal(pair.reason, 'NotGrouped');
  assert.ok(pair.alternatives[0]?.predicted);
});

test('a rule that has come since changes what runs, whatever that gains', () => {
  const functions = { a: {}, b: { trustDomain: 'x' }, c: {} };
  const p = plan(
    snapshotOf({ ...CHAIN, functions, current: units('a,b', 'c'), trials: trials({ coolingUntilMs: 9 }) }),
  );
  assert.equal(groupsOf(p), 'a | b | c');
  assert.equal(decided(p, 'Fusion', 'a → b').reason, 'TrustDomainsDiffer');
});

test('a function that is new runs alone until it is measured', () => {
  const world: World = { ...CHAIN, functions: ['a', 'b', 'c', 'd'], edges: ['a>b', 'b>c', 'c>d'] };
  const p = plan(snapshotOf({ ...world, current: units('a,b,c') }));
  assert.equal(groupsOf(p), 'a,b,c | d');
  const pair = decided(p, 'Fusion', 'c → d');
  assert.deepEqual([pair.reason, pair.alternatives[0]?.reason], ['NotObserved', 'NotObserved']);
});

test('work that nobody waits for stays away from what somebody waits for', () => {
  const slow = { resources: { requests: { cpu: '10m' }, limits: { cpu: '100m' } } };
  const world: World = {
    functions: { a: slow, b: slow },
    edges: ['a~b'],
    observations: {
      roots: [{ function: 'a', ratePerSecond: 1 }],
      functions: [
        { function: 'a', cpuMs: 1 },
        { function: 'b', cpuMs: 190 },
      ],
    },
  };
  const pair = decided(plan(snapshotOf(world)), 'Fusion', 'a → b');
  assert.deepEqual([pair.choice, pair.reason], ['Apart', 'AsyncWouldStarveSync']);
});

test('what was measured of the plan that runs corrects the model', () => {
  const measured = (p50Ms: number): Plan =>
    plan(
      snapshotOf({
        ...CHAIN,
        current: units('a', 'b', 'c'),
        observations: figures({ roots: [{ function: 'a', ratePerSecond: 5, p50Ms, samples: 300 }] }),
      }),
    );
  const plain = measured(13.05);
  assert.ok(Math.abs((plain.baseline?.latencyMs ?? 0) - 13.05) < 1e-9);
  const later = measured(14.05);
  assert.ok(Math.abs((later.baseline?.latencyMs ?? 0) - 14.05) < 1e-9);
  const latencyMs = (p: Plan): number => p.prediction?.latencyMs ?? 0;
  assert.ok(Math.abs(latencyMs(later) - latencyMs(plain) - 1) < 0.1, 'a little is the entry’s own');
  const slower = measured(28.05);
  assert.ok(Math.abs((slower.baseline?.latencyMs ?? 0) - 28.05) < 1e-9);
  assert.ok(Math.abs(latencyMs(slower) - 2 - 2 * latencyMs(plain)) < 0.1, 'more is for all that runs');
});

test('memory doubles after a kill, and comes down when less is seen to do', () => {
  const MIB = 2 ** 20;
  const seen = (memoryMib: number, kills: number, unitMib: number): Plan =>
    plan(
      snapshotOf({
        functions: { a: { resources: { limits: { memory: '64Mi' } } } },
        observations: {
          functions: [{ function: 'a', cpuMs: 1, samples: 100 }],
          units: [{ functions: ['a'], memoryBytes: memoryMib * MIB, samples: 50, outOfMemoryKills: kills }],
        },
        current: {
          hash: 'h',
          units: [{ functions: ['a'], resources: { cpuMillis: 1000, memoryBytes: unitMib * MIB } }],
        },
        policy: { rollout: { minimumGainPercent: 0 } },
      }),
    );
  const sizeOf = (p: Plan): readonly [number, string] => [
    (p.units[0]?.resources.memoryBytes ?? 0) / MIB,
    decided(p, 'Size', 'unit a').reason,
  ];
  assert.deepEqual(sizeOf(seen(100, 1, 64)), [128, 'OutOfMemory']);
  assert.deepEqual(sizeOf(seen(150, 1, 128)), [256, 'OutOfMemory']);
  assert.deepEqual(
    sizeOf(seen(300, 3, 256)),
    [256, 'OutOfMemory'],
    'four times what it may use, and no more',
  );
  assert.deepEqual(sizeOf(seen(120, 0, 128)), [128, 'KeptAfterOutOfMemory']);
  assert.deepEqual(sizeOf(seen(100, 0, 256)), [112, 'KeptAfterOutOfMemory']);
  assert.deepEqual(sizeOf(seen(60, 0, 128)), [64, 'SumOfLimits']);
});

test('where what is reserved is paid, it follows what is used', () => {
  const world: World = {
    ...CHAIN,
    policy: { objective: 'Cost', price: { model: 'Provisioned', cpuSecond: '0.00005' } },
  };
  const first = plan(snapshotOf(world));
  assert.equal(groupsOf(first), 'a,b,c');
  const size = first.units[0]?.resources;
  assert.ok(size && size.cpuMillis < 3000 && size.memoryBytes < 3 * 2 ** 28, JSON.stringify(size));
  const second = plan(snapshotOf({ ...world, current: asCurrent(first) }));
  assert.deepEqual([second.outcome, second.units], ['NothingBetter', first.units]);
});

test('functions that no call connects may share a process too, and it says what for', () => {
  const world: World = {
    functions: ['a', 'b'],
    policy: { objective: 'Cost', price: { model: 'Provisioned' } },
    observations: { functions: ['a', 'b'].map((fn) => ({ function: fn, cpuMs: 1, memoryBytes: 1e6 })) },
  };
  const p = plan(snapshotOf(world));
  assert.equal(groupsOf(p), 'a,b');
  const shared = decided(p, 'Fusion', 'unit a');
  assert.deepEqual([shared.choice, shared.reason], ['Together', 'CheaperTogether']);
  assert.match(shared.message, /no call connects b with the others/);
});

/** Samples of the same distribution, more and more of them, as figures: means that come closer and closer. */
function window(draw: () => number, samples: number): Manifest {
  const mean = (of: number): number => {
    let sum = 0;
    for (let i = 0; i < 30; i++) sum += -Math.log(1 - draw()) * of;
    return of + (sum / 30 - of) * Math.sqrt(30 / samples);
  };
  return figures({
    roots: [{ function: 'a', ratePerSecond: 5, samples }],
    functions: ['a', 'b', 'c'].map((fn) => ({
      function: fn,
      cpuMs: mean(2),
      waitingMs: mean(4),
      samples,
      memoryBytes: 5e6,
    })),
    edges: ['a b', 'b c'].map((e) => ({
      from: e[0],
      to: e[2],
      samples,
      overheadMs: { Node: mean(0.4), InProcess: mean(0.1) },
    })),
  });
}

test('more samples of the same do not make it flap', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const draw = randomFrom(seed);
    const limits = { resources: { limits: { cpu: ['250m', '1'][seed % 2] ?? '1' } } };
    const policy = { objective: ['Latency', 'Cost', 'Balanced'][seed % 3] ?? 'Latency' };
    let current = units('a', 'b', 'c');
    const runs: string[] = [];
    for (let i = 1; i <= 12; i++) {
      const observations = window(draw, 30 * i);
      const functions = { a: limits, b: limits, c: limits };
      const p = plan(snapshotOf({ ...CHAIN, functions, policy, observations, current }));
      current = asCurrent(p);
      runs.push(groupsOf(p));
    }
    const changes = runs.filter((groups, i) => i > 0 && groups !== runs[i - 1]).length;
    assert.ok(changes <= 1, `seed ${seed}: ${runs.join(' → ')}`);
    assert.equal(new Set(runs).size, 1 + changes, `seed ${seed} went back: ${runs.join(' → ')}`);
  }
});

const KINDS: readonly Manifest[] = [
  {},
  { trustDomain: 'x' },
  { placement: { architectures: ['arm64'] } },
  { resources: { requests: { memory: '700Mi' }, limits: { memory: '1Gi' } } },
];
const machines = [
  { name: 'm1', architecture: 'amd64', tier: 'Cloud', memoryBytes: 2 ** 30, cpuMillis: 4000 },
  { name: 'm2', architecture: 'arm64', tier: 'Edge', memoryBytes: 2 ** 30, cpuMillis: 4000 },
] as const;

/** A plan as what runs, with nothing else changed. */
const running = (snapshot: Snapshot, p: Plan): Snapshot => ({ ...snapshot, current: asCurrent(p) });

function assertGood(snapshot: Snapshot, what: string): void {
  const p = plan(snapshot);
  assertSound(p, snapshot);
  const most = snapshot.policy.spec.fusion.maxFunctions;
  assert.ok(
    p.units.every((u) => u.functions.length <= most),
    `${what}: above maxFunctions`,
  );
  assert.ok(p.decisions.every((d) => d.alternatives.length <= 8));
  const again = plan(running(snapshot, p));
  assert.deepEqual(again.units, p.units, `${what}: planned twice, it changes`);
}

test('every graph of up to four functions with figures: no rule broken, a decision for everything, planned twice the same', () => {
  const names = ['a', 'b', 'c', 'd'];
  const draw = randomFrom(4);
  let graphs = 0;
  for (let count = 1; count <= 4; count++) {
    const pairs = names
      .slice(0, count)
      .flatMap((to, j) => names.slice(0, j).map((from) => [from, to] as const));
    for (let code = 0; code < 3 ** pairs.length; code++) {
      const edges = pairs.flatMap(([from, to], i) => {
        const call = Math.floor(code / 3 ** i) % 3;
        return call === 0 ? [] : [`${from}${call === 1 ? '>' : '~'}${to}`];
      });
      const functions = Object.fromEntries(
        names.slice(0, count).map((n) => [n, KINDS[Math.floor(draw() * 7)] ?? {}]),
      );
      const observations = {
        roots: [{ function: 'a', ratePerSecond: 0.5 + 20 * draw(), samples: 500 }],
        functions: Object.keys(functions).map((fn) => ({
          function: fn,
          cpuMs: 20 * draw(),
          waitingMs: 5 * draw(),
          samples: 500,
        })),
        edges: edges.map((e) => ({ from: e[0], to: e[2], samples: 500, callsPerExecution: 1 + draw() })),
      };
      const objective = ['Latency', 'Cost', 'Balanced'][Math.floor(draw() * 3)] ?? 'Latency';
      const policy = { objective, fusion: { maxFunctions: 2 + Math.floor(draw() * 3) } };
      assertGood(
        snapshotOf({ functions, edges, observations, policy, machines }),
        `${edges.join(' ')}, graph ${graphs}`,
      );
      graphs++;
    }
  }
  assert.equal(graphs, 1 + 3 + 27 + 729);
});

test('random graphs with figures: planned twice the same, with every objective and price', () => {
  fc.assert(
    fc.property(fc.nat(1e6), fc.integer({ min: 2, max: 14 }), (seed, functions) => {
      assertGood(randomSnapshot(randomFrom(seed + 1), { functions }), `seed ${seed}`);
    }),
    { numRuns: 60, seed: 2 },
  );
});

test('nothing measured is a strange number: zeros and huge figures are planned like others', () => {
  for (const cpuMs of [0, 1e-9, 86_400_000]) {
    for (const ratePerSecond of [0, 1e-12, 1e9]) {
      const observations = figures({
        roots: [{ function: 'a', ratePerSecond }],
        functions: ['a', 'b', 'c'].map((fn) => ({ function: fn, cpuMs })),
      });
      for (const objective of ['Latency', 'Cost', 'Balanced']) {
        const p = plan(snapshotOf({ ...CHAIN, observations, policy: { objective } }));
        assert.ok(
          p.prediction &&
            Object.values(p.prediction)
              .flat()
              .every((v) => typeof v !== 'number' || Number.isFinite(v)),
        );
      }
    }
  }
});

const two = { artifacts: [wasmArtifact(), jsArtifact()] };
const timed = (js: number, wasm: number): Manifest => ({
  roots: [{ function: 'a', ratePerSecond: 1 }],
  functions: [
    { function: 'a', artifact: 'js', cpuMs: js, samples: 1000 },
    { function: 'a', artifact: 'wasm', cpuMs: wasm, samples: 1000 },
  ],
});
const runsAs = (p: Plan): string => p.units[0]?.variants[0]?.artifacts[0]?.artifact ?? '';
const withVariants = (p: Plan): CurrentPlan => ({ hash: '0123456789', units: p.units });

test('the artifact that was measured to be quicker is taken, once, as a change like any other', () => {
  const world: World = { functions: { a: two }, observations: timed(20, 5) };
  const before = withVariants(plan(snapshotOf({ ...world, observations: {} })));
  const changed = plan(snapshotOf({ ...world, current: before }));
  assert.deepEqual([runsAs(changed), changed.outcome], ['wasm', 'BetterFound']);
  assert.equal(decided(changed, 'Runtime', 'a on amd64').reason, 'MeasuredFaster');
  assert.match(rollout(changed).message, /as other artifacts would be [\d.]+ % better/);
  const again = plan(snapshotOf({ ...world, current: withVariants(changed) }));
  assert.deepEqual([runsAs(again), again.outcome], ['wasm', 'NothingBetter']);
});

test('artifacts stay while plans cool down, while one is tried, and while the gain is small', () => {
  const world: World = { functions: { a: two }, observations: timed(20, 5) };
  const js = withVariants(plan(snapshotOf({ ...world, observations: {} })));
  const wasm = withVariants(plan(snapshotOf({ ...world, policy: { runtime: { prefer: 'Wasm' } } })));
  const as = (more: Partial<World>): readonly [string, string] => {
    const p = plan(snapshotOf({ ...world, current: js, ...more }));
    return [runsAs(p), p.outcome];
  };
  assert.deepEqual(as({ trials: trials({ coolingUntilMs: 9 }) }), ['js', 'CoolingDown']);
  assert.deepEqual(as({ trials: trials({ candidate: js }) }), ['js', 'UnderTrial']);
  assert.deepEqual(as({ trials: trials({ candidate: wasm }), observations: timed(5, 20) }), [
    'wasm',
    'UnderTrial',
  ]);
  assert.deepEqual(as({ policy: { rollout: { minimumGainPercent: 80 } } }), ['js', 'NothingBetter']);
  assert.deepEqual(as({ trials: trials({ lost: [{ ...wasm, untilMs: 9, reason: 'Worse' }] }) }), [
    'js',
    'LostBefore',
  ]);
  assert.deepEqual(as({ observations: {}, current: wasm }), ['wasm', 'NoObservations']);
});

test('what the policy prefers comes at once', () => {
  const world: World = {
    functions: { a: two },
    observations: timed(5, 5),
    policy: { runtime: { prefer: 'Wasm' } },
  };
  const js = withVariants(plan(snapshotOf({ ...world, policy: {}, observations: {} })));
  assert.equal(
    runsAs(plan(snapshotOf({ ...world, current: js, trials: trials({ coolingUntilMs: 9 }) }))),
    'wasm',
  );
});
