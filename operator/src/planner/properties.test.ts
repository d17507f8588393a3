/**
 * What must hold of every plan beside the soundness that other tests ask for: limits, architectures, and a choice that stands
 * still while what is measured stays the same.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, cpuMillisOf } from '../model/quantity.ts';
import type { CurrentPlan, Snapshot, SnapshotArtifact } from '../snapshot/snapshot.ts';
import { snapshotOf } from '../snapshot/testSnapshot.ts';
import { randomFrom } from './assignment.ts';
import type { Plan, PlanUnit } from './plan.ts';
import { plan } from './planner.ts';
import { randomSnapshot } from './testGraphs.ts';
import { assertSound } from './testSoundness.ts';

const groupsOf = (p: Plan): string => p.units.map((u) => u.functions.join()).join(' | ');
const asCurrent = (p: Plan): CurrentPlan => ({
  hash: '0123456789',
  units: p.units.map(({ functions, resources, variants }) => ({ functions, resources, variants })),
});

/** The sum over a unit's functions. */
function sumOf(
  unit: PlanUnit,
  snapshot: Snapshot,
  of: (spec: Snapshot['functions'][number]['spec']) => number,
) {
  const members = snapshot.functions.filter((fn) => unit.functions.includes(fn.name));
  return members.reduce((all, fn) => all + of(fn.spec), 0);
}

/** Two doublings after a kill are the most that a size may be above the limits. */
const GROWTH_MAX = 4;

function assertWithinLimits(p: Plan, snapshot: Snapshot): void {
  const { machines, observations, policy } = snapshot;
  const most = (of: (m: (typeof machines)[number]) => number | undefined): number =>
    Math.max(...machines.map((m) => of(m) ?? Infinity));
  const wasKilled = observations.units.some((unit) => unit.outOfMemoryKills > 0);
  for (const unit of p.units) {
    const cpu = sumOf(unit, snapshot, (spec) => cpuMillisOf(spec.resources.limits.cpu));
    const memory = sumOf(unit, snapshot, (spec) => bytesOf(spec.resources.limits.memory));
    assert.ok(
      unit.resources.cpuMillis <= cpu,
      `${unit.functions.join()}: more cores than its functions may use`,
    );
    assert.ok(
      unit.resources.memoryBytes <= memory * (wasKilled ? GROWTH_MAX : 1),
      'more memory than they may use',
    );
    assert.ok(unit.functions.length <= policy.spec.fusion.maxFunctions, 'above maxFunctions');
    if (unit.functions.length < 2) continue;
    const asked = sumOf(unit, snapshot, (spec) => bytesOf(spec.resources.requests.memory));
    const cores = sumOf(unit, snapshot, (spec) => cpuMillisOf(spec.resources.requests.cpu));
    assert.ok(asked <= most((m) => m.memoryBytes), 'a group asks for more memory than any machine has');
    assert.ok(cores <= most((m) => m.cpuMillis) + 1e-6, 'a group asks for more cores than any machine has');
  }
}

test('no plan is above a limit, whatever is measured, priced and killed', () => {
  const draw = randomFrom(21);
  let grouped = 0;
  for (let i = 0; i < 60; i++) {
    const drawn = randomSnapshot(draw, { functions: 2 + Math.floor(draw() * 7) });
    const killed = drawn.functions.slice(0, 1).map((fn) => ({
      functions: [fn.name],
      samples: 10,
      memoryBytes: 300e6,
      cpuMillis: null,
      outOfMemoryKills: Math.floor(draw() * 3),
    }));
    const { fusion } = drawn.policy.spec;
    const snapshot: Snapshot = {
      ...drawn,
      machines: [
        {
          name: 'm1',
          architecture: 'amd64',
          tier: 'Cloud',
          memoryBytes: 2 ** 28 * (1 + draw() * 4),
          cpuMillis: 900,
        },
        { name: 'm2', architecture: 'arm64', tier: 'Edge', memoryBytes: 2 ** 28, cpuMillis: 4000 },
      ],
      policy: {
        ...drawn.policy,
        spec: { ...drawn.policy.spec, fusion: { ...fusion, maxFunctions: 1 + Math.floor(draw() * 5) } },
      },
      observations: { ...drawn.observations, units: killed },
    };
    const p = plan(snapshot);
    assertSound(p, snapshot);
    assertWithinLimits(p, snapshot);
    if (p.units.length < snapshot.functions.length) grouped++;
  }
  assert.ok(grouped > 20, `${grouped} plans had groups`);
});

const artifact = (name: string, ...architectures: SnapshotArtifact['architectures']): SnapshotArtifact => ({
  name,
  type: 'JavaScript',
  source: 'Inline',
  sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  component: false,
  architectures,
});
/** What a function may be made of: for everywhere, for one architecture, for each another, for none that is there. */
const MADE_OF: readonly (readonly SnapshotArtifact[])[] = [
  [artifact('any')],
  [artifact('arm', 'arm64')],
  [artifact('amd', 'amd64')],
  [artifact('amd', 'amd64'), artifact('arm', 'arm64')],
  [artifact('s390', 's390x')],
];

test('every mix of three functions and architectures: no artifact where it cannot run, and an Error where none can', () => {
  const base = snapshotOf({
    functions: ['a', 'b', 'c'],
    edges: ['a>b', 'b>c'],
    observations: {
      roots: [{ function: 'a', ratePerSecond: 5, samples: 500 }],
      functions: ['a', 'b', 'c'].map((fn) => ({ function: fn, cpuMs: 1, samples: 500 })),
    },
    machines: [
      { name: 'm1', architecture: 'amd64', tier: 'Cloud' },
      { name: 'm2', architecture: 'arm64', tier: 'Cloud' },
    ],
  });
  for (let code = 0; code < MADE_OF.length ** 3; code++) {
    const kinds = base.functions.map((_, i) => Math.floor(code / MADE_OF.length ** i) % MADE_OF.length);
    const functions = base.functions.map((fn, i) => ({ ...fn, artifacts: MADE_OF[kinds[i] ?? 0] ?? [] }));
    const snapshot = { ...base, functions };
    const p = plan(snapshot);
    assertSound(p, snapshot);
    const nowhere = kinds.includes(4);
    assert.equal(p.findings.length > 0, nowhere, `kinds ${kinds.join()}: ${JSON.stringify(p.findings)}`);
    const [one, other] = kinds;
    const isApart = (one === 1 && other === 2) || (one === 2 && other === 1);
    if (isApart) assert.ok(!p.units.some((u) => u.functions.includes('a') && u.functions.includes('b')));
  }
});

/** Of the same distribution (exponential, so that it is as wide as its mean): means of more and more samples. */
function windows(base: Snapshot, draw: () => number, count: number): readonly Snapshot['observations'][] {
  const sums = new Map<string, { sum: number; n: number }>();
  const mean = (key: string, of: number): number => {
    const seen = sums.get(key) ?? { sum: 0, n: 0 };
    for (let i = 0; i < 40; i++) seen.sum -= Math.log(1 - draw()) * of;
    seen.n += 40;
    sums.set(key, seen);
    return seen.sum / seen.n;
  };
  const { functions, edges, roots } = base.observations;
  return Array.from({ length: count }, (_, w) => ({
    ...base.observations,
    roots: roots.map((r) => ({ ...r, samples: 40 * (w + 1) })),
    functions: functions.map((f) => ({
      ...f,
      samples: 40 * (w + 1),
      cpuMs: mean(`${f.function} cpu`, f.cpuMs),
      cpuDeviationMs: f.cpuMs,
      waitingMs: mean(`${f.function} waiting`, f.waitingMs),
      waitingDeviationMs: f.waitingMs,
    })),
    edges: edges.map((e) => ({ ...e, samples: 40 * (w + 1) })),
  }));
}

test('on random graphs more samples of the same do not bring back a plan that was left', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const draw = randomFrom(seed);
    const base = randomSnapshot(draw, { functions: 3 + (seed % 4) });
    let current: CurrentPlan | null = null;
    const runs: string[] = [];
    for (const observations of windows(base, draw, 8)) {
      const p = plan({ ...base, observations, current });
      current = asCurrent(p);
      if (runs.at(-1) !== groupsOf(p)) runs.push(groupsOf(p));
    }
    assert.equal(new Set(runs).size, runs.length, `seed ${seed} went back: ${runs.join(' → ')}`);
    assert.ok(runs.length <= 4, `seed ${seed} changed ${runs.length - 1} times: ${runs.join(' → ')}`);
  }
});

test('where something is measured, every pair says what the other way would come to', () => {
  const draw = randomFrom(8);
  for (let i = 0; i < 20; i++) {
    const snapshot = randomSnapshot(draw, { functions: 4 });
    const p = plan(snapshot);
    for (const d of p.decisions.filter((one) => one.kind === 'Fusion' && one.about.includes(' → '))) {
      const [other] = d.alternatives;
      assert.ok(other, d.about);
      const isRefused = other.predicted === undefined;
      // Without a prediction a rule is what says no, and it has a name.
      if (isRefused) assert.match(other.reason, /Starve|Exceed|Differ|Architecture|maxFunctions|TooMany/);
      else assert.ok(other.margin !== undefined && d.margin !== '' && d.inputs.length >= 3, d.about);
    }
  }
});
