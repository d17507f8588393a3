/** What a plan is made from, and what a roll-out is judged by, out of what instances say. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GATEWAY_CALLER } from '@sinter/contract';
import type { FunctionObservation, Observation } from '@sinter/contract';
import { observationsSchema } from '../snapshot/index.ts';
import { Fading, HALF_LIFE_MS } from './fading.ts';
import { WorkflowObservations } from './observations.ts';
import {
  APART,
  FLOW,
  TOGETHER,
  called,
  drawnFrom,
  entered,
  histogramOf,
  ran,
  routeOf,
  said,
  threadUnder,
} from './testHeard.ts';

const CLASS = 'amd64 Cloud';
const gateway = (...entries: readonly ReturnType<typeof entered>[]): Observation =>
  said(GATEWAY_CALLER, { entries });

/** Apart under r1, unless told otherwise; what is said comes a second after the other. */
function listening(route = routeOf({ r1: APART })) {
  const observations = new WorkflowObservations(FLOW, 'epoch');
  observations.follow(route);
  let nowMs = 1e12;
  return {
    observations,
    say: (...all: readonly Observation[]) => {
      for (const o of all) observations.heard(o, CLASS, nowMs);
      nowMs += 1000;
    },
    pass: (ms: number) => {
      nowMs += ms;
    },
    now: () => nowMs,
    figures: () => observations.figures('r1', nowMs),
  };
}

const isNear = (value: number | null | undefined, expected: number, share = 0.06): void => {
  assert.ok(
    Math.abs((value ?? NaN) - expected) <= share * expected,
    `${String(value)} for ${String(expected)}`,
  );
};

describe('sums that fade', () => {
  it('are the same in whatever steps they were looked at', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 3 * HALF_LIFE_MS }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(steps, (times) => {
        const [often, once] = [new Fading<'n'>(0), new Fading<'n'>(0)];
        const end = times.reduce((a, b) => a + b, 0);
        for (const fading of [often, once]) fading.add(0, { n: 8 }, [4]);
        let atMs = 0;
        for (const ms of times) often.at((atMs += ms));
        once.at(end);
        assert.ok(Math.abs(often.get('n') - once.get('n')) < 1e-9);
        assert.ok(Math.abs(once.get('n') - 8 * 2 ** (-end / HALF_LIFE_MS)) < 1e-9);
        assert.ok(Math.abs((once.counts[0] ?? 0) * 2 - once.get('n')) < 1e-9);
      }),
    );
  });

  it('do not grow when time goes back', () => {
    const fading = new Fading<'n'>(1000);
    fading.add(1000, { n: 1 });
    assert.equal(fading.at(0).get('n'), 1);
  });
});

describe('figures', () => {
  it('are means over executions and calls', () => {
    const { say, figures } = listening();
    for (let i = 0; i < 60; i++)
      say(
        gateway(entered('a', [20, 30, 40])),
        said('u-a', {
          functions: [
            ran('a', 3, 30, {
              calleesMs: 15,
              cpuMs: 6,
              busyMs: 6,
              occupiedMs: 90,
              memoryBytes: 25 * 2 ** 20,
            }),
          ],
          edges: [
            called('a', 'b', 6, {
              parallel: 3,
              requestBytes: 600,
              responseBytes: 1200,
              answered: 6,
              overheadMs: 3,
            }),
            called('a', 'later', 3, { channel: 'Queue', roundTripMs: histogramOf(2, 2, 2) }),
          ],
          cpuMs: 100,
        }),
        said('u-b', { functions: [ran('b', 6, 2, { calleesMs: 0, cpuMs: 12, busyMs: 12, occupiedMs: 12 })] }),
      );
    const o = observationsSchema.parse(figures());
    assert.deepEqual(figures(), o, 'the form holds');
    const [root] = o.roots;
    assert.deepEqual([root?.function, root?.call, root?.failures], ['a', 'Sync', 0]);
    isNear(root?.ratePerSecond, 3);
    isNear(root?.meanMs, 30);
    isNear(root?.p50Ms, 30, 0.15);
    isNear(root?.samples, 168, 0.3);
    const [a, b] = o.functions;
    isNear(a?.cpuMs, 2);
    isNear(a?.waitingMs, 23);
    isNear(a?.memoryBytes, 20 * 2 ** 20);
    assert.deepEqual([a?.artifact, a?.architecture], ['js', 'amd64']);
    isNear(b?.cpuMs, 2);
    assert.equal(b?.waitingMs, 0);
    const [ab, later] = o.edges;
    isNear(ab?.callsPerExecution, 2);
    isNear(ab?.parallel, 0.5);
    isNear(ab?.requestBytes, 100);
    isNear(ab?.responseBytes, 200);
    isNear(ab?.overheadMs.Node, 0.5);
    isNear(later?.overheadMs.Queue, 2);
    const unit = o.units.find((u) => u.functions.includes('a'));
    isNear(unit?.memoryBytes, 50e6);
    isNear(unit?.cpuMillis, 100);
  });

  it('tell root calls per second of all revisions, and how long they took of the current one', () => {
    const { say, observations, now } = listening(routeOf({ r1: APART, r2: TOGETHER }, { candidate: 'r2' }));
    for (let i = 0; i < 60; i++)
      say(gateway(entered('a', [40, 40]), entered('a', [10, 10], { revision: 'r2' })));
    for (const [revision, ms] of [
      ['r1', 40],
      ['r2', 10],
    ] as const) {
      const [root] = observations.figures(revision, now()).roots;
      isNear(root?.ratePerSecond, 4);
      isNear(root?.meanMs, ms);
    }
  });

  it('take work that comes along an edge for no root call', () => {
    const { say, figures } = listening();
    for (let i = 0; i < 60; i++) {
      const entries = [entered('later', [5, 5, 5], { call: 'Async', outside: i % 2 })];
      say(said('u-later', { entries }));
    }
    const [root] = figures().roots;
    isNear(root?.ratePerSecond, 0.5);
    isNear(root?.meanMs, 5, 0.15);
    const { say: sayNone, figures: none } = listening();
    sayNone(said('u-later', { entries: [entered('later', [5], { call: 'Async' })] }));
    assert.deepEqual(none().roots, []);
  });

  it('count instances that were ended for lack of memory, under the revision that runs', () => {
    const { say, observations, figures, now } = listening();
    say(said('u-a'));
    observations.killed('u-a');
    observations.killed('u-a');
    const kills = (o = figures()): number | undefined =>
      o.units.find((u) => u.functions.includes('a'))?.outOfMemoryKills;
    assert.deepEqual([kills(), observations.kills], [2, 2]);
    observations.follow(routeOf({ r1: APART }, { generation: 2 }));
    assert.deepEqual([kills(), observations.kills], [2, 2]);
    observations.follow(routeOf({ r2: APART, r1: APART }, { generation: 3 }));
    assert.equal(kills(observations.figures('r2', now())), 0);
    assert.equal(observations.kills, 0);
  });

  it('keep what functions do when their revision goes, and drop how long its root calls took', () => {
    const { say, observations, figures, now } = listening();
    for (let i = 0; i < 30; i++)
      say(
        gateway(entered('a', [40])),
        said('u-b', { functions: [ran('b', 1, 5, { calleesMs: 0, cpuMs: 4, busyMs: 4, occupiedMs: 5 })] }),
      );
    isNear(figures().functions[0]?.cpuMs, 4);
    observations.follow(routeOf({ r2: TOGETHER }, { generation: 2 }));
    const after = observations.figures('r2', now());
    isNear(after.functions[0]?.cpuMs, 4);
    assert.deepEqual([after.roots[0]?.meanMs, after.roots[0]?.samples, after.units], [null, 0, []]);
  });

  it('forget functions that left the graph', () => {
    const { say, observations, now } = listening();
    say(said('u-b', { functions: [ran('b', 1, 5)] }));
    const without = { units: APART.units.filter((u) => u.name !== 'u-b'), edges: [] };
    observations.follow(routeOf({ r2: without }, { generation: 2 }));
    assert.deepEqual(observations.figures('r2', now()).functions, []);
  });

  it('of hosts that tell no more than how long it took: what calls did not take counts as waiting', () => {
    const { say, figures } = listening();
    for (let i = 0; i < 30; i++)
      say(
        said('u-a', {
          functions: [ran('a', 2, 30)],
          edges: [called('a', 'b', 2, { roundTripMs: histogramOf(10, 10) })],
        }),
      );
    const [a] = figures().functions;
    assert.equal(a?.cpuMs, 0);
    isNear(a.waitingMs, 20);
    const [edge] = figures().edges;
    isNear(edge?.callsPerExecution, 1);
    assert.deepEqual([edge?.overheadMs, edge?.requestBytes], [{}, 0]);
  });

  it('of old and new hosts together: CPU time is that of executions of which it was told', () => {
    const { say, figures } = listening();
    const told: Partial<FunctionObservation> = { calleesMs: 0, cpuMs: 10, busyMs: 10, occupiedMs: 20 };
    for (let i = 0; i < 30; i++) say(said('u-b', { functions: [ran('b', 2, 10, told), ran('b', 2, 10)] }));
    const [b] = figures().functions;
    isNear(b?.cpuMs, 5);
    isNear(b?.waitingMs, 5);
  });

  it('know nothing before anything was heard', () => {
    const { figures } = listening();
    const { roots, functions, edges, units } = figures();
    assert.deepEqual([roots, functions, edges, units], [[], [], [], []]);
  });

  it('do not grow old in a night without calls', () => {
    const { say, pass, figures } = listening();
    for (let i = 0; i < 120; i++)
      say(said('u-b', { functions: [ran('b', 5, 5)] }), gateway(entered('a', [9])));
    const evening = figures();
    pass(10 * 3_600_000);
    const morning = figures();
    assert.deepEqual(morning.functions, evening.functions);
    assert.ok((morning.roots[0]?.ratePerSecond ?? 1) < 1e-9, 'but nothing came in');
  });

  it('tell the deviation of CPU time from windows of many executions', () => {
    const { say, figures } = listening();
    const random = drawnFrom(7);
    for (let i = 0; i < 300; i++) {
      const n = 10;
      const cpuMs = Array.from({ length: n }, () => (random() < 0.5 ? 2 : 6)).reduce((a, b) => a + b, 0);
      say(
        said('u-b', { functions: [ran('b', n, 5, { calleesMs: 0, cpuMs, busyMs: cpuMs, occupiedMs: 60 })] }),
      );
    }
    isNear(figures().functions[0]?.cpuDeviationMs, 2, 0.2);
  });
});

describe('waiting of its own', () => {
  const waitingOf = ({ observed, windowMs }: ReturnType<typeof threadUnder>): number => {
    const { say, figures } = listening();
    for (let i = 0; i < 5; i++) say(said('u-a', { functions: [observed], windowMs }));
    return figures().functions[0]?.waitingMs ?? NaN;
  };
  for (const [sentence, waitMs, everyMs] of [
    ['one call after the other', 20, undefined],
    ['many at once that mostly wait', 100, 7],
    ['a thread that is half busy', 20, 12],
    ['a thread that is four fifths busy', 20, 7.5],
  ] as const)
    it(`is found under ${sentence}`, () => {
      const load = { executions: 4000, computeMs: 3, waitMs, ...(everyMs === undefined ? {} : { everyMs }) };
      isNear(waitingOf(threadUnder(load, drawnFrom(1))), waitMs, 0.25);
    });
  it('is none where executions only queue for their thread', () => {
    const load = { executions: 4000, computeMs: 3, waitMs: 0, everyMs: 7.5 };
    assert.ok(waitingOf(threadUnder(load, drawnFrom(1))) < 0.5);
  });
  it('is what a function says that blocks its thread to sleep', () => {
    const observed = ran('a', 10, 50, {
      calleesMs: 0,
      cpuMs: 20,
      busyMs: 900,
      occupiedMs: 500,
      sleptMs: 300,
    });
    isNear(waitingOf({ observed, windowMs: 1000 }), 30);
  });
});

describe('more samples of the same distribution', () => {
  it('seldom change what was told, and a change of the distribution does', () => {
    const { say, observations, now } = listening();
    const random = drawnFrom(3);
    const window = (cpu: number): void => {
      const n = 5 + Math.floor(random() * 10);
      const ms = Array.from({ length: n }, () => -Math.log(1 - random()) * 20 + 1);
      const cpuMs = ms.reduce((sum) => sum + cpu * (0.5 + random()), 0);
      const use = { calleesMs: 0, cpuMs, busyMs: cpuMs, occupiedMs: 900 };
      say(
        gateway(entered('a', ms)),
        said('u-a', { functions: [ran('a', n, 21, use)], edges: [called('a', 'b', n, { parallel: 0 })] }),
      );
    };
    const told = (): string => JSON.stringify(observations.figures('r1', now()));
    for (let i = 0; i < 1200; i++) window(4);
    let changes = 0;
    for (let i = 0, before = told(); i < 1200; i++, before = told()) {
      window(4);
      if (told() !== before) changes += 1;
    }
    assert.ok(changes <= 3, `${String(changes)} changes`);
    const before = observations.figures('r1', now()).functions[0]?.cpuMs ?? 0;
    for (let i = 0; i < 1200; i++) window(6);
    isNear(observations.figures('r1', now()).functions[0]?.cpuMs, before * 1.5, 0.15);
  });

  it('asked twice it says the same', () => {
    const { say, figures } = listening();
    say(said('u-b', { functions: [ran('b', 3, 7.777)] }));
    assert.equal(JSON.stringify(figures()), JSON.stringify(figures()));
  });
});

describe('names that are made up', () => {
  const said1000 = (make: (i: number) => Partial<Observation>): Observation[] =>
    Array.from({ length: 1000 }, (_, i) => said('u-a', make(i)));
  const FORGED: Readonly<Record<string, (i: number) => Partial<Observation>>> = {
    functions: (i) => ({ functions: [ran(`f${String(i)}`, 1, 1)] }),
    'functions of other units': () => ({ functions: [ran('b', 1, 1)] }),
    revisions: (i) => ({ functions: [ran('a', 1, 1, { revision: `r${String(i + 2)}` })] }),
    artifacts: (i) => ({ functions: [ran('a', 1, 1, { artifact: `x${String(i)}` })] }),
    architectures: (i) => ({ architecture: `x${String(i)}`, functions: [ran('a', 1, 1)] }),
    edges: (i) => ({ edges: [called('a', `f${String(i)}`, 1)] }),
    "other units' edges": () => ({ edges: [called('b', 'a', 1)] }),
    'the other kind of edge': () => ({ edges: [called('a', 'b', 1, { channel: 'Queue' })] }),
    entries: (i) => ({ entries: [entered(`f${String(i)}`, [1], { call: 'Async' })] }),
    'entries of a gateway': () => ({ entries: [entered('a', [1])] }),
    units: (i) => ({ unit: `u${String(i)}`, functions: [ran('a', 1, 1)] }),
  };
  for (const [what, make] of Object.entries(FORGED))
    it(`${what}: nothing is taken in`, () => {
      const { say, observations, now } = listening();
      say(...said1000(make));
      const { functions, edges, entries, rates, units } = observations.toRecord();
      assert.deepEqual([functions, edges, entries, rates], [[], [], [], []]);
      assert.ok(units.length <= 1);
      const pricing = {
        model: 'BusyTime',
        perByteSecond: 1,
        perCoreSecond: 1,
        reserved: () => undefined,
      } as const;
      assert.deepEqual(observations.evidence(pricing, now()).revisions, {});
    });

  it('nothing is taken in before a route is known', () => {
    const observations = new WorkflowObservations(FLOW, 'e');
    observations.heard(said('u-a', { functions: [ran('a', 1, 1)] }), CLASS, 0);
    assert.deepEqual(observations.toRecord().functions, []);
  });
});

describe('what is kept', () => {
  const busy = () => {
    const heard = listening();
    for (let i = 0; i < 100; i++)
      heard.say(
        gateway(entered('a', [12.3, 45.6])),
        said('u-a', {
          functions: [
            ran('a', 2, 30, { calleesMs: 10, cpuMs: 7, busyMs: 8, occupiedMs: 50, starts: 1, startMs: 90 }),
          ],
          edges: [called('a', 'b', 2, { parallel: 1, answered: 2, overheadMs: 1 })],
        }),
      );
    return heard;
  };

  it('gives the same figures after a restart, however long that took', () => {
    const before = busy();
    const figures = before.figures();
    const record: unknown = JSON.parse(JSON.stringify(before.observations.toRecord()));
    const after = new WorkflowObservations(FLOW, 'other');
    assert.ok(after.restore(record));
    after.follow(routeOf({ r1: APART }));
    assert.deepEqual(after.figures('r1', before.now() + 86_400_000), figures);
    after.heard(gateway(entered('a', [12])), CLASS, before.now() + 86_401_000);
    isNear(after.figures('r1', before.now() + 86_402_000).roots[0]?.ratePerSecond, 2);
  });

  it('is small', () => {
    assert.ok(JSON.stringify(busy().observations.toRecord()).length < 4_000);
  });

  it('of another workflow, another version or another form is left alone', () => {
    const { observations } = busy();
    const record = observations.toRecord();
    for (const bad of [
      undefined,
      'x',
      [],
      { ...record, workflow: 'other' },
      { ...record, version: 2 },
      { ...record, knownMs: -1 },
      { ...record, functions: [{ key: { function: 1 } }] },
      { ...record, edges: [{ ...record.edges[0], fading: { atMs: null } }] },
    ])
      assert.ok(!new WorkflowObservations(FLOW, 'e').restore(bad));
  });

  it('that names what is not in the route is dropped with the first route', () => {
    const { observations, now } = busy();
    const again = new WorkflowObservations(FLOW, 'e');
    const { functions, ...rest } = observations.toRecord();
    const forged = functions.map((f) => ({ ...f, key: { ...f.key, function: 'gone' } }));
    assert.ok(again.restore({ ...rest, functions: [...functions, ...forged, { ...functions[0], key: {} }] }));
    again.follow(routeOf({ r1: APART }));
    assert.deepEqual(
      again.figures('r1', now()).functions.map((f) => f.function),
      ['a'],
    );
  });
});

describe('evidence', () => {
  const route = routeOf({ r1: APART, r2: TOGETHER }, { candidate: 'r2' });
  const pricing = {
    model: 'BusyTime',
    perByteSecond: 1e-9,
    perCoreSecond: 1,
    reserved: () => undefined,
  } as const;

  it('sums root calls by entry, revision and class of machine, and never fades', () => {
    const { observations, now, pass } = listening(route);
    const say = (machineClass: string, ...entries: readonly ReturnType<typeof entered>[]): void => {
      observations.heard(gateway(...entries), machineClass, now());
      pass(3_600_000);
    };
    say(
      CLASS,
      entered('a', [10, 20], { calls: 3, failures: 1 }),
      entered('a', [5], { revision: 'r2', fellBack: 2 }),
    );
    say('arm64 Edge', entered('a', [30]));
    say(CLASS, entered('a', [10]));
    observations.heard(
      said('u-later', { entries: [entered('later', [7], { call: 'Async' })] }),
      CLASS,
      now(),
    );
    const { epoch, revisions } = observations.evidence(pricing, now());
    assert.equal(epoch, 'epoch');
    assert.deepEqual(
      (revisions['r1']?.roots ?? []).map((r) => [r.entry, r.machineClass, r.calls, r.failures, r.fellBack]),
      [
        ['a', CLASS, 4, 1, 0],
        ['a', 'arm64 Edge', 1, 0, 0],
        ['later (queue)', CLASS, 1, 0, 0],
      ],
    );
    const [first] = revisions['r1']?.roots ?? [];
    assert.equal(
      first?.counts.reduce((n, m) => n + m),
      3,
    );
    isNear(first.sumLog, Math.log(10) * 2 + Math.log(20), 1e-9);
    assert.deepEqual([revisions['r2']?.roots[0]?.calls, revisions['r2']?.roots[0]?.fellBack], [1, 2]);
  });

  it('prices busy time: memory while anything runs, and CPU time, by who ran how long', () => {
    const { observations, now } = listening(route);
    const functions = [
      ran('a', 1, 30, { revision: 'r2', cpuMs: 500 }),
      ran('b', 3, 10, { revision: 'r2', cpuMs: 0 }),
    ];
    observations.heard(said('u-a-b', { functions, occupiedMs: 40, memoryBytes: 1e9 }), CLASS, now());
    const costs = observations.evidence(pricing, now()).revisions['r2']?.functions;
    assert.deepEqual(
      costs?.map((f) => [f.function, f.executions, Number(f.cost.toFixed(9))]),
      [
        ['a', 1, 0.52],
        ['b', 3, 0.02],
      ],
    );
  });

  it('prices what hosts of earlier versions ran by how long that took', () => {
    const { observations, now } = listening(route);
    observations.heard(said('u-b', { functions: [ran('b', 4, 10)], memoryBytes: 1e9 }), CLASS, now());
    isNear(observations.evidence(pricing, now()).revisions['r1']?.functions[0]?.cost, 0.04, 1e-9);
  });

  it('prices what is reserved by the share of calls that a revision had', () => {
    const { observations, now, pass } = listening(route);
    const reserved = (revision: string) => ({ bytes: revision === 'r1' ? 2e9 : 1e9, cores: 0 });
    const provisioned = { ...pricing, model: 'Provisioned', reserved } as const;
    observations.evidence(provisioned, now());
    observations.heard(said('u-b', { functions: [ran('b', 19, 1)] }), CLASS, now());
    observations.heard(said('u-a-b', { functions: [ran('b', 1, 1, { revision: 'r2' })] }), CLASS, now());
    pass(100_000);
    const { revisions } = observations.evidence(provisioned, now());
    const each = (r: string): number => {
      const [b] = revisions[r]?.functions ?? [];
      return (b?.cost ?? NaN) / (b?.executions ?? NaN);
    };
    isNear(each('r1'), 10, 1e-9);
    isNear(each('r2'), 5, 1e-9);
  });

  it('forgets a revision that is gone', () => {
    const { observations, now, say } = listening(route);
    say(gateway(entered('a', [1]), entered('a', [1], { revision: 'r2' })));
    observations.follow(routeOf({ r2: TOGETHER }, { generation: 2 }));
    assert.deepEqual(Object.keys(observations.evidence(pricing, now()).revisions), ['r2']);
  });
});
