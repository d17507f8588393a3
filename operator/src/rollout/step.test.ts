/** What a step does in each state, one at a time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Announcement, EntryTrigger, Observation, RouteRecord } from '@sinter/contract';
import { DRAIN_SLACK_MS, NO_MARKS, OVERLAP_MS, heardKey, step, targetsOf, unitsIn } from './index.ts';
import type { PodState, Target, Try, UnitState, World } from './index.ts';
import { TIMEOUT_SECONDS, W, targetOf } from './testCluster.ts';

const OLD = targetOf('old', ['a', 'b']);
const NEW = targetOf('new', ['a', 'c']);

const pod = (unit: string, more: Partial<PodState> = {}): PodState => ({
  instance: `${unit}-1`,
  machine: 'm0',
  reachable: true,
  running: true,
  ending: false,
  ready: true,
  ...more,
});
const unit = (name: string, more: Partial<UnitState> = {}): UnitState => ({
  name,
  exists: true,
  desired: 1,
  pods: [pod(name)],
  ...more,
});

const who = (name: string) => ({
  ...W,
  unit: name,
  instance: `${name}-1`,
  version: 1,
  machine: 'm0',
  architecture: 'amd64',
});
const says = (name: string, revisions: readonly string[], more: Partial<Announcement> = {}) =>
  [heardKey(name, `${name}-1`), { ...who(name), state: 'Serving', revisions, ...more }] as const;
const sees = (name: string, routeGeneration: number, roots: Readonly<Record<string, number>> = {}) =>
  [
    heardKey(name, `${name}-1`),
    {
      ...who(name),
      windowMs: 1,
      routeGeneration,
      roots,
      functions: [],
      edges: [],
      memoryBytes: 1,
    } as Observation,
  ] as const;

const routeOf = (more: Partial<RouteRecord> & Pick<RouteRecord, 'current'>): RouteRecord => ({
  ...W,
  version: 1,
  generation: 5,
  draining: [],
  revisions: { old: OLD.revision },
  ...more,
});

const world = (more: Partial<World> = {}): World => ({
  workflow: W,
  nowMs: 1_000_000,
  wanted: { is: 'Run', target: NEW },
  route: routeOf({ current: 'old' }),
  entry: OLD.entry,
  units: [unit('a'), unit('b')],
  stale: [],
  gateways: [],
  announcements: new Map(),
  observations: new Map(),
  marks: NO_MARKS,
  prepared: '',
  ...more,
});

const done = (w: World): readonly string[] =>
  step(w).actions.map((action) => ('unit' in action ? `${action.do} ${action.unit}` : action.do));

const TRIED = routeOf({
  current: 'old',
  candidate: 'new',
  revisions: { old: OLD.revision, new: NEW.revision },
});
const SERVING = new Map([says('a', ['old', 'new']), says('c', ['new'])]);
const trying = (more: Partial<World> = {}): World =>
  world({ route: TRIED, units: [unit('a'), unit('b'), unit('c')], announcements: SERVING, ...more });

describe('a first revision', () => {
  it('is entered at once: ways in, route, units', () => {
    const first = world({ route: undefined, entry: undefined, units: [], stale: ['a', 'c'] });
    assert.deepEqual(done(first), ['Prepare', 'WriteEntry', 'WriteRoute', 'ApplyUnit a', 'ApplyUnit c']);
    assert.equal(step(first).status.current, 'new');
  });
});

describe('an operator that has just started', () => {
  it('makes sure of what stands on the bus, and says that nothing changes', () => {
    const route = routeOf({ current: 'old', revisions: { old: OLD.revision } });
    const announcements = new Map([says('a', ['old']), says('b', ['old'])]);
    const rest = world({ wanted: { is: 'Run', target: OLD }, route, announcements });
    assert.deepEqual(done(rest), ['Prepare']);
    assert.equal(step(rest).status.settled, true);
  });
});

describe('a candidate', () => {
  it('is named by the route before its units are made, and nobody enters it', () => {
    const outcome = step(world({ stale: ['c'] }));
    const write = outcome.actions.find((a) => a.do === 'WriteRoute');
    assert.deepEqual(
      { current: write?.route.current, candidate: write?.route.candidate },
      { current: 'old', candidate: 'new' },
    );
    assert.deepEqual(
      outcome.actions.map((a) => a.do).filter((a) => a !== 'Prepare' && a !== 'WriteEntry'),
      ['WriteRoute', 'ApplyUnit'],
    );
  });

  it('is entered when all serve it and the overlap has passed, not before', () => {
    const since = (ms: number) => ({ ...NO_MARKS, servingSince: { hash: 'new', atMs: 1_000_000 - ms } });
    const now = (marks: World['marks']): string => step(trying({ marks })).status.current;
    assert.equal(now(NO_MARKS), 'old');
    assert.equal(step(trying()).againAfterMs, OVERLAP_MS);
    assert.equal(now(since(OVERLAP_MS - 1)), 'old');
    assert.equal(now(since(OVERLAP_MS)), 'new');
    assert.equal(now({ ...NO_MARKS, servingSince: { hash: 'other', atMs: 0 } }), 'old');
  });

  const NOT_YET: Readonly<Record<string, Partial<World>>> = {
    'a unit has no instance': { units: [unit('a'), unit('b'), unit('c', { pods: [] })] },
    'an instance serves only the old revision': {
      announcements: new Map([says('a', ['old']), says('c', ['new'])]),
    },
    'one of two instances is not there': {
      units: [unit('a'), unit('b'), unit('c', { pods: [pod('c'), pod('c', { instance: 'c-2' })] })],
    },
    'its process has ended since it spoke': {
      units: [unit('a'), unit('b'), unit('c', { pods: [pod('c', { running: false })] })],
    },
    'a unit is not as it should be': { stale: ['c'] },
    'the only instance is on a machine that is cut off': {
      units: [unit('a'), unit('b'), unit('c', { pods: [pod('c', { reachable: false })] })],
    },
  };
  for (const [why, more] of Object.entries(NOT_YET))
    it(`waits while ${why}`, () => {
      const marks = { ...NO_MARKS, servingSince: { hash: 'new', atMs: 0 } };
      assert.equal(step(trying({ marks, ...more })).status.current, 'old');
    });

  it('does not wait for an instance on a machine that is cut off beside one that serves', () => {
    const pods = [pod('c'), pod('c', { instance: 'c-2', reachable: false, running: true })];
    const marks = { ...NO_MARKS, servingSince: { hash: 'new', atMs: 0 } };
    const units = [unit('a'), unit('b'), unit('c', { desired: 2, pods })];
    const target: Target = {
      ...NEW,
      units: [
        { name: 'a', instances: 1 },
        { name: 'c', instances: 2 },
      ],
    };
    assert.equal(step(trying({ marks, units, wanted: { is: 'Run', target } })).status.current, 'new');
  });

  it('that fails says why, and stays', () => {
    const announcements = new Map([
      says('a', ['old', 'new']),
      says('c', [], { state: 'Failed', problem: 'no such module' }),
    ]);
    const units = [unit('a'), unit('b'), unit('c', { pods: [pod('c', { running: false, ready: false })] })];
    const { status, actions } = step(trying({ announcements, units }));
    assert.deepEqual(status.waiting, [
      { unit: 'c', serving: 0, desired: 1, problem: { reason: 'UnitFailed', message: 'no such module' } },
    ]);
    assert.ok(actions.every((a) => a.do !== 'EndUnit' && a.do !== 'DeleteUnit'));
  });

  it('is withdrawn when the target is the current one again', () => {
    const outcome = step(trying({ wanted: { is: 'Run', target: OLD } }));
    assert.deepEqual(outcome.changes, [{ kind: 'Withdrawn', hash: 'new' }]);
    assert.equal(outcome.status.candidate, undefined);
    assert.ok(outcome.actions.some((a) => a.do === 'EndUnit' && a.unit === 'c'));
  });

  it('stays as far as it has come while nothing valid is declared, and goes when a plan is pinned', () => {
    const keep = (candidate: 'Stays' | 'Goes') =>
      step(trying({ wanted: { is: 'Keep', suspended: false, candidate } })).status.candidate;
    assert.equal(keep('Stays'), 'new');
    assert.equal(keep('Goes'), undefined);
  });
});

describe('a plan beside the one that runs', () => {
  const beside = (weightPercent: number, more: Partial<Try> = {}): Try => ({
    is: 'Try',
    target: NEW,
    base: OLD,
    weightPercent,
    ...more,
  });
  const written = (w: World) => step(w).actions.find((a) => a.do === 'WriteRoute')?.route;
  const SERVED = { ...NO_MARKS, servingSince: { hash: 'new', atMs: 0 } };
  const entered = (weightPercent: number): World['route'] => ({ ...TRIED, weightPercent });

  it('is entered under its weight when all serve it and the overlap has passed', () => {
    assert.equal(written(trying({ wanted: beside(5) })), undefined);
    assert.equal(step(trying({ wanted: beside(5) })).againAfterMs, OVERLAP_MS);
    const now = step(trying({ wanted: beside(5), marks: SERVED }));
    assert.deepEqual(now.changes, [{ kind: 'Entered', hash: 'new' }]);
    const { current, candidate, weightPercent } = now.status;
    assert.deepEqual([current, candidate, weightPercent], ['old', 'new', 5]);
  });

  it('has no weight in the route before', () => {
    assert.equal(written(trying({ wanted: beside(0), marks: SERVED })), undefined);
    const failed = new Map([says('a', ['old', 'new']), says('c', [], { state: 'Failed' })]);
    const waits = trying({ wanted: beside(5), marks: SERVED, announcements: failed });
    assert.equal(step(waits).status.weightPercent, undefined);
    assert.deepEqual(
      step(waits).status.waiting.map((w) => w.unit),
      ['c'],
    );
  });

  it('keeps its weight while something of each unit is up, also when nobody has spoken yet', () => {
    const started = { announcements: new Map<string, Announcement>() };
    assert.equal(written(trying({ route: entered(5), wanted: beside(20), ...started }))?.weightPercent, 20);
    const gone = [unit('a'), unit('b'), unit('c', { pods: [pod('c', { running: false, ready: false })] })];
    const down = trying({ route: entered(20), wanted: beside(20), units: gone });
    assert.equal(written(down)?.weightPercent, 0);
  });

  it('is taken without a call to it being lost: the one before drains', () => {
    const taken = step(trying({ route: entered(50), wanted: { is: 'Run', target: NEW }, marks: SERVED }));
    const { current, candidate, weightPercent, draining } = taken.status;
    assert.deepEqual([current, candidate, weightPercent, draining], ['new', undefined, undefined, ['old']]);
  });

  it('is withdrawn and drains, once it was entered', () => {
    const away = (weightPercent: number | undefined): readonly string[] => {
      const route = weightPercent === undefined ? TRIED : entered(weightPercent);
      const { status, changes } = step(trying({ route, wanted: { is: 'Run', target: OLD } }));
      assert.deepEqual(changes, [{ kind: 'Withdrawn', hash: 'new' }]);
      assert.equal(status.weightPercent, undefined);
      return status.draining;
    };
    assert.deepEqual(away(20), ['new']);
    assert.deepEqual(away(0), ['new']);
    assert.deepEqual(away(undefined), []);
  });

  it('drains with the rest where the workflow goes', () => {
    const { status } = step(trying({ route: entered(20), wanted: { is: 'Remove' } }));
    assert.deepEqual(status.draining, ['new', 'old']);
  });

  it('gives way to another one', () => {
    const other = targetOf('other', ['a', 'd']);
    const { status } = step(trying({ route: entered(20), wanted: beside(5, { target: other }) }));
    assert.deepEqual(
      [status.candidate, status.weightPercent, status.draining],
      ['other', undefined, ['new']],
    );
  });

  it('shares a unit with the current one: it has as many instances as either wants', () => {
    const [two, three] = [
      { ...OLD, units: [{ name: 'a', instances: 3 }] },
      { ...NEW, units: [{ name: 'a', instances: 2 }] },
    ];
    assert.deepEqual(unitsIn(targetsOf(beside(5, { base: two, target: three }))), [
      { name: 'a', instances: 3 },
    ]);
  });
});

describe('ways in while a candidate is tried', () => {
  const trigger = (name: string, to: string): EntryTrigger => ({
    ...{ name, to, type: 'Http', hosts: [], path: `/${name}`, methods: ['POST'] },
    auth: { type: 'None' },
  });

  it('follow the target as far as the current revision can serve them', () => {
    const entry = { ...NEW.entry, suspended: true, triggers: [trigger('one', 'f-a'), trigger('two', 'f-c')] };
    const target = { ...NEW, entry };
    const write = step(trying({ wanted: { is: 'Run', target } })).actions.find((a) => a.do === 'WriteEntry');
    assert.ok(write);
    assert.deepEqual(
      write.entry.triggers.map((t) => t.name),
      ['one'],
    );
    assert.deepEqual(write.entry.functions, ['f-a']);
    assert.equal(write.entry.suspended, true);
  });

  it('who is told to suspend is suspended, also where nothing else can be followed', () => {
    const wanted = { is: 'Keep', suspended: true, candidate: 'Stays' } as const;
    const write = step(world({ wanted })).actions.find((a) => a.do === 'WriteEntry');
    assert.deepEqual(write?.entry, { ...OLD.entry, suspended: true });
  });
});

describe('a revision that drains', () => {
  const DRAINING = routeOf({
    current: 'new',
    draining: ['old'],
    revisions: { old: OLD.revision, new: NEW.revision },
  });
  const quiet = new Map([sees('a', 5), sees('b', 5), sees('c', 5)]);
  const draining = (more: Partial<World> = {}): World =>
    trying({ route: DRAINING, entry: NEW.entry, observations: quiet, ...more });

  it('is let go when all have seen the route and nobody runs a root under it', () => {
    assert.deepEqual(step(draining()).changes, [{ kind: 'Drained', hash: 'old' }]);
    assert.ok(done(draining()).includes('EndUnit b'));
    assert.ok(!done(draining()).includes('EndUnit a'));
  });

  const HELD: Readonly<Record<string, Partial<World>>> = {
    'a root runs under it': { observations: new Map([...quiet, sees('a', 5, { old: 1 })]) },
    'an instance has not heard yet': { observations: new Map([...quiet, sees('b', 4)]) },
    'an instance has not spoken yet': { observations: new Map([sees('a', 5), sees('b', 5)]) },
    'a gateway has not spoken yet': { gateways: ['g'] },
  };
  for (const [why, more] of Object.entries(HELD))
    it(`is kept while ${why}`, () => {
      assert.deepEqual(step(draining(more)).status.draining, ['old']);
    });

  it('is let go after the longest timeout and some slack, whoever is silent', () => {
    const limitMs = TIMEOUT_SECONDS * 1000 + DRAIN_SLACK_MS;
    const at = (ms: number) =>
      step(draining({ observations: new Map(), marks: { drainingSince: { old: 1_000_000 - ms } } })).changes;
    assert.deepEqual(at(limitMs - 1), []);
    assert.deepEqual(at(limitMs), [{ kind: 'DrainedLate', hash: 'old' }]);
  });

  it('waits for nobody on a machine that is cut off', () => {
    const units = [unit('a'), unit('b', { pods: [pod('b', { reachable: false })] }), unit('c')];
    const observations = new Map([sees('a', 5), sees('c', 5)]);
    assert.deepEqual(step(draining({ units, observations })).changes, [{ kind: 'Drained', hash: 'old' }]);
  });

  it('and is wanted again needs nothing but to be current', () => {
    const marks = { ...NO_MARKS, servingSince: { hash: 'old', atMs: 0 } };
    const back = step(
      draining({
        wanted: { is: 'Run', target: OLD },
        route: { ...DRAINING, candidate: 'old' },
        announcements: new Map([says('a', ['old', 'new']), says('b', ['old'])]),
        marks,
        observations: new Map([sees('a', 5, { old: 1 }), sees('b', 5), sees('c', 5)]),
      }),
    );
    assert.deepEqual(
      { current: back.status.current, draining: back.status.draining },
      { current: 'old', draining: ['new'] },
    );
  });
});

describe('units that end', () => {
  const RETIRED = routeOf({
    current: 'new',
    revisions: { new: NEW.revision, gone: targetOf('gone', ['x', 'y']).revision },
  });
  const ending = (...units: readonly UnitState[]): readonly string[] =>
    done(world({ route: RETIRED, entry: NEW.entry, units: [unit('a'), unit('c'), ...units] })).filter((a) =>
      /Unit/.test(a),
    );

  it('callers before callees', () => {
    assert.deepEqual(ending(unit('x'), unit('y')), ['EndUnit x']);
    assert.deepEqual(ending(unit('x', { desired: 0 }), unit('y')), []);
    assert.deepEqual(ending(unit('x', { desired: 0, pods: [] }), unit('y')), ['DeleteUnit x', 'EndUnit y']);
  });

  it('are removed when no instance is within reach', () => {
    const cut = pod('y', { reachable: false });
    assert.deepEqual(ending(unit('y', { desired: 0, pods: [cut] })), ['DeleteUnit y']);
  });

  it('are left alone where nothing is known of what should run', () => {
    const wanted = { is: 'Keep', suspended: false, candidate: 'Stays' } as const;
    assert.deepEqual(done(world({ route: undefined, entry: undefined, wanted })), []);
  });
});

describe('a workflow that is deleted', () => {
  const remove = (more: Partial<World> = {}): readonly string[] =>
    done(world({ wanted: { is: 'Remove' }, ...more }));

  it('is first left by everybody, then its units end, then what is stored goes', () => {
    assert.deepEqual(remove(), ['WriteRoute']);
    const left = routeOf({ current: '', draining: ['old'] });
    assert.deepEqual(remove({ route: left }), []);
    const observations = new Map([sees('a', 5), sees('b', 5)]);
    assert.deepEqual(remove({ route: left, observations }), ['WriteRoute', 'EndUnit a']);
    assert.deepEqual(remove({ route: routeOf({ current: '' }), units: [] }), ['RemoveFromBus', 'Release']);
  });

  it('does not wait for what is on a machine that is cut off', () => {
    const units = [
      unit('b', { exists: false, desired: 0, pods: [pod('b', { reachable: false, ending: true })] }),
    ];
    assert.deepEqual(remove({ route: routeOf({ current: '' }), units }), ['RemoveFromBus', 'Release']);
  });
});
