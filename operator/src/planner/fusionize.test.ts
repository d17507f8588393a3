import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snapshotOf } from '../snapshot/testSnapshot.ts';
import type { World } from '../snapshot/testSnapshot.ts';
import { nextSetup, ruleKey } from './fusionize.ts';
import type { Calls, Setup, Tested } from './fusionize.ts';
import { plan } from './planner.ts';

/** `a>b` sync, `a~b` async. */
type Graph = readonly string[];

/** The applications of the papers. */
const TREE: Graph = ['a>b', 'a~c', 'b>d', 'd>e', 'c~f', 'c~g'];
const IOT: Graph = ['i>cw', 'i>se', 'i~ct', 'i~cs', 'i~ca', 'cs>csl', 'cs>csa', 'ca>dj', 'ca~as', 'ct~as'];

const endsOf = (edge: string): readonly [string, string, boolean] => {
  const [from = '', to = ''] = edge.split(/[>~]/);
  return [from, to, edge.includes('>')];
};
const tasksOf = (graph: Graph): readonly string[] =>
  [...new Set(graph.flatMap((e) => endsOf(e).slice(0, 2) as string[]))].sort();

/** What is seen when the entry is called: every root that runs, and what it calls in it and out of it. */
function seen(graph: Graph, { local }: Setup, entry: string): readonly Calls[] {
  const calls = new Map<string, { root: string; callee: string; sync: number; async: number }>();
  const roots = new Set([entry]);
  for (const root of roots) {
    const inside = new Set([root]);
    for (const task of inside) {
      for (const [from, to, isSync] of graph.map(endsOf)) {
        if (from !== task) continue;
        const key = ruleKey(root, to);
        const known = calls.get(key) ?? { root, callee: to, sync: 0, async: 0 };
        calls.set(key, { ...known, [isSync ? 'sync' : 'async']: known[isSync ? 'sync' : 'async'] + 1 });
        (local.has(key) ? inside : roots).add(to);
      }
    }
  }
  return [...calls.values()];
}

/** Steps until it stays; `durationOf` is what a function of a size takes. */
function walk(
  graph: Graph,
  first: Setup,
  sizes: readonly number[],
  durationOf: (fn: string, size: number) => number = () => 1,
): readonly Setup[] {
  const entry = endsOf(graph[0] ?? '')[0];
  const history: Tested[] = [];
  let setup: Setup | undefined = first;
  while (setup && history.length < 100) {
    const { sizes: now } = setup;
    const durationsMs = new Map([...now].map(([fn, size]) => [fn, durationOf(fn, size)]));
    history.push({ setup, calls: seen(graph, setup, entry), durationsMs });
    setup = nextSetup(history, sizes);
  }
  return history.map((tested) => tested.setup);
}

const remote = (graph: Graph, size = 128): Setup => ({
  local: new Set(),
  sizes: new Map(tasksOf(graph).map((task) => [task, size])),
});
const rules = (setup: Setup | undefined): readonly string[] => [...(setup?.local ?? [])].sort();

test('TREE: three sync calls become local, one a step, by name', () => {
  const setups = walk(TREE, remote(TREE), [128]);
  assert.deepEqual(
    setups.map((setup) => rules(setup)),
    [[], ['a b'], ['a b', 'a d'], ['a b', 'a d', 'a e']],
  );
});

test('the IoT application: the five sync calls of the paper, and its groups', () => {
  const setups = walk(IOT, remote(IOT), [128]);
  assert.equal(setups.length, 1 + 5);
  assert.deepEqual(rules(setups.at(-1)), ['ca dj', 'cs csa', 'cs csl', 'i cw', 'i se']);
});

test('an async call that is local becomes remote, before sync calls that come later by name', () => {
  const all = { ...remote(TREE), local: new Set(['b', 'c', 'd', 'e', 'f', 'g'].map((t) => ruleKey('a', t))) };
  const setups = walk(TREE, all, [128]);
  assert.deepEqual(rules(setups[1]), ['a b', 'a d', 'a e', 'a f', 'a g']);
  assert.deepEqual(
    rules(setups.at(-1)),
    ['a b', 'a d', 'a e', 'a f', 'a g'],
    'c calls f and g from its own function',
  );
});

test('a callee that a root calls both ways counts as sync, and a task that calls itself is passed over', () => {
  const both: Graph = ['a>b', 'b~c', 'a>c', 'a>a'];
  assert.deepEqual(rules(walk(both, remote(both), [128]).at(-1)), ['a b', 'a c']);
});

test('then all functions go through the sizes at once, and each takes its cheapest, whatever that does to latency', () => {
  const sizes = [128, 1024, 512];
  // b has only to wait: more memory makes it dearer. d burns CPU: with more memory it is quicker by more than it costs.
  const duration = (fn: string, size: number): number => (fn === 'd' ? 1e6 / size ** 1.2 : 500 - size / 100);
  const setups = walk(TREE, remote(TREE), sizes, duration);
  assert.equal(setups.length, 1 + 3 + (sizes.length - 1) + 1, 'sync edges, sizes less one, and the choice');
  const sizesOf = (i: number): readonly (number | undefined)[] =>
    ['b', 'd'].map((fn) => setups.at(i)?.sizes.get(fn));
  assert.deepEqual(
    [sizesOf(3), sizesOf(4), sizesOf(5), sizesOf(6)],
    [
      [128, 128],
      [512, 512],
      [1024, 1024],
      [128, 1024],
    ],
  );
});

test('nothing was tested yet: nothing to change', () => {
  assert.equal(nextSetup([], [128]), undefined);
});

const fusionize = (graph: Graph, more: Partial<World> = {}): World => ({
  functions: tasksOf(graph),
  edges: graph,
  policy: { fusion: { strategy: 'Fusionize' } },
  observations: {
    roots: [{ function: endsOf(graph[0] ?? '')[0], ratePerSecond: 1 }],
    functions: tasksOf(graph).map((fn) => ({ function: fn, cpuMs: 1 })),
  },
  ...more,
});

/** The groups of each plan, as long as there is another one. */
function plans(world: World): readonly string[] {
  const out: string[] = [];
  let current: World['current'];
  for (let i = 0; i < 40; i++) {
    const p = plan(snapshotOf({ ...world, ...(current ? { current } : {}) }));
    if (p.outcome === 'LastStep') return out;
    assert.equal(p.outcome, 'NextStep');
    out.push(p.units.map((u) => [...u.functions].sort().join()).join(' | '));
    current = { hash: '0123456789', units: p.units.map(({ functions }) => ({ functions })) };
  }
  throw new Error('it does not end');
}

test('as a strategy it takes one step a plan, and ends at the groups of the papers', () => {
  assert.deepEqual(plans(fusionize(TREE)), [
    'a,b | c | d | e | f | g',
    'a,b,d | c | e | f | g',
    'a,b,d,e | c | f | g',
  ]);
  assert.equal(plans(fusionize(IOT)).at(-1), 'as | ca,dj | cs,csa,csl | ct | cw,i,se');
});

test('a function that two roots call stays with the first, and what a rule forbids is passed over', () => {
  const shared: Graph = ['a>x', 'b>x', 'a>b'];
  assert.equal(plans(fusionize(shared)).at(-1), 'a,b,x');
  const apart: Graph = ['a>x', 'b>x'];
  assert.equal(plans(fusionize(apart)).at(-1), 'a,x | b');
  const functions = { a: {}, b: {}, x: { trustDomain: 'y' } };
  assert.deepEqual(plans(fusionize(apart, { functions })), []);
});

test('it goes on where a plan lost no more than it is told', () => {
  const lost = {
    hash: '0123456789',
    units: [{ functions: ['a', 'b'] }, ...['c', 'd', 'e', 'f', 'g'].map((f) => ({ functions: [f] }))],
    untilMs: 9,
    reason: 'Worse',
  };
  const p = plan(
    snapshotOf({ ...fusionize(TREE), trials: { coolingUntilMs: null, candidate: null, lost: [lost] } }),
  );
  assert.equal(p.outcome, 'LostBefore');
  assert.match(
    p.decisions.find((d) => d.kind === 'Rollout')?.message ?? '',
    /Fusionize would take b into the unit of a, but it was tried/,
  );
});
