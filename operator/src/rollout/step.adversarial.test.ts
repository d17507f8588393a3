/** Roll-outs in whatever order things happen, and with the operator killed at every moment. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { step } from './step.ts';
import { Cluster, targetOf } from './testCluster.ts';

const TARGETS = [
  targetOf('h1', ['a', 'b']),
  targetOf('h2', ['a', 'c']),
  targetOf('h3', ['c', 'd', 'e']),
  targetOf('h4', ['a', 'b', 'c'], 2),
  targetOf('h5', ['x', 'b']),
] as const;

const targetAt = (i: number) => TARGETS[i % TARGETS.length] ?? TARGETS[0];

type Event = (cluster: Cluster, at: number) => void;

const pick = <T>(list: readonly T[], at: number): T | undefined => list[at % Math.max(1, list.length)];

/** Bits of `at` say who takes part. */
const some = <T>(list: readonly T[], at: number): readonly T[] => list.filter((_, i) => (at >> (i % 10)) & 1);

/** What can happen, with how often it does beside the others. */
const EVENTS: Readonly<Record<string, readonly [weight: number, event: Event]>> = {
  'the operator looks': [4, (c) => void c.reconcile()],
  'the operator is killed between actions': [1, (c, at) => void c.reconcile(at % 4)],
  'the operator is killed at rest': [
    1,
    (c) => {
      c.killOperator();
    },
  ],
  'another target': [
    1,
    (c, at) => {
      c.run(targetAt(at));
    },
  ],
  'a plan beside what runs': [
    2,
    (c, at) => {
      c.try(targetAt(at), [5, 20, 50, 0][at % 4] ?? 0, at % 3 > 0);
    },
  ],
  'nothing valid is declared': [
    1,
    (c, at) => {
      c.wanted = { is: 'Keep', suspended: at % 2 === 0, candidate: at % 3 === 0 ? 'Goes' : 'Stays' };
    },
  ],
  'up to a second passes, and some do what is theirs': [
    8,
    (c, at) => {
      for (let i = 0; i <= (at & 3); i++) {
        c.reconcile();
        for (const p of some(c.processes, at >> 2)) {
          c.start(p);
          c.deliver(p);
          c.report(p);
          c.end(p);
        }
        c.advance(250);
      }
    },
  ],
  'pods start': [
    2,
    (c, at) => {
      for (const p of some(c.processes, at)) c.start(p);
    },
  ],
  'the route is heard': [
    3,
    (c, at) => {
      for (const p of some(c.processes, at)) c.deliver(p);
    },
  ],
  'processes speak': [
    3,
    (c, at) => {
      for (const p of some(c.processes, at)) c.report(p);
    },
  ],
  'calls begin': [
    6,
    (c, at) => {
      for (const p of some(c.processes, at)) c.call(p, at % 100);
    },
  ],
  'calls end': [
    2,
    (c, at) => {
      for (const p of some(c.processes, at)) c.endCall(p);
    },
  ],
  'pods end': [
    2,
    (c) => {
      for (const p of [...c.processes]) c.end(p);
    },
  ],
  'a machine is cut off': [
    1,
    (c, at) => {
      c.cut(`m${String(at % 3)}`);
    },
  ],
  'a machine is back': [
    1,
    (c, at) => {
      c.heal(`m${String(at % 3)}`);
    },
  ],
  'a unit breaks or is mended': [
    1,
    (c, at) => {
      const unit = pick(['a', 'b', 'c', 'd', 'e', 'x'], at) ?? 'a';
      if (!c.broken.delete(unit)) c.broken.add(unit);
    },
  ],
  'some time passes': [
    3,
    (c, at) => {
      c.advance(at);
    },
  ],
  'much time passes': [
    1,
    (c) => {
      c.advance(20_000);
    },
  ],
};

const event = fc.record({
  what: fc.oneof(
    ...Object.entries(EVENTS).map(([name, [weight]]) => ({ weight, arbitrary: fc.constant(name) })),
  ),
  at: fc.nat(1023),
});

/** No candidate, and nothing that drains. */
const ALONE = { candidate: undefined, weightPercent: undefined, draining: [] };

function play(cluster: Cluster, story: readonly { readonly what: string; readonly at: number }[]): void {
  for (const { what, at } of story) EVENTS[what]?.[1](cluster, at);
}

describe('whatever happens', () => {
  it('no call loses a unit that it needs, and it comes to rest at what is wanted', () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 100, size: 'max' }),
        fc.nat(4),
        fc.nat(2),
        (story, last, gateways) => {
          const cluster = new Cluster(gateways);
          play(cluster, story);
          const target = targetAt(last);
          cluster.broken.clear();
          cluster.run(target);
          cluster.settle();
          assert.deepEqual(cluster.rest, {
            route: { ...ALONE, current: target.hash, revisions: [target.hash] },
            entry: target.entry,
            units: target.units.map((u) => `${u.name} ${String(u.instances)}`).sort(),
            pods: target.units.flatMap((u) => Array.from({ length: u.instances }, () => u.name)).sort(),
            streams: target.units.map((u) => `f-${u.name}`).sort(),
            released: false,
          });
          const before = cluster.done.length;
          assert.deepEqual(cluster.reconcile().actions, []);
          assert.equal(cluster.done.length, before);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('and what is tried comes to its weight beside what runs', () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 80, size: 'max' }),
        fc.nat(4),
        fc.boolean(),
        (story, i, withBase) => {
          const cluster = new Cluster(2);
          play(cluster, story);
          cluster.broken.clear();
          const [base, target] = [targetAt(i), targetAt(i + 1)];
          cluster.run(base);
          cluster.settle();
          cluster.try(target, 20, withBase);
          cluster.settle();
          const { current, candidate, weightPercent, draining } = cluster.route ?? {};
          assert.deepEqual([current, candidate, weightPercent, draining], [base.hash, target.hash, 20, []]);
          const before = cluster.done.length;
          assert.deepEqual(cluster.reconcile().actions, []);
          assert.equal(cluster.done.length, before);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('a workflow that is deleted leaves nothing', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60, size: 'max' }), (story) => {
        const cluster = new Cluster(1);
        play(cluster, story);
        cluster.wanted = { is: 'Remove' };
        cluster.settle();
        assert.deepEqual(cluster.rest, {
          route: { ...ALONE, current: '', revisions: [] },
          entry: undefined,
          units: [],
          pods: [],
          streams: [],
          released: true,
        });
      }),
      { numRuns: 1_000 },
    );
  });

  it('a plan that goes and comes back is not entered by the word of who has let it go meanwhile', () => {
    const cluster = new Cluster(1);
    const story: readonly (readonly [what: string, at: number])[] = [
      ['another target', 487],
      ['up to a second passes, and some do what is theirs', 0],
      ['a plan beside what runs', 106],
      ['up to a second passes, and some do what is theirs', 220],
      ['a plan beside what runs', 0],
      ['up to a second passes, and some do what is theirs', 914],
      ['another target', 106],
      ['some time passes', 251],
      ['up to a second passes, and some do what is theirs', 45],
      ['the operator looks', 0],
    ];
    play(
      cluster,
      story.map(([what, at]) => ({ what, at })),
    );
    assert.equal(cluster.route?.candidate, 'h2');
  });

  it('a restart of the operator at rest does nothing but look whether the bus is prepared', () => {
    const cluster = new Cluster(2);
    cluster.run(targetAt(0));
    cluster.settle();
    cluster.killOperator();
    assert.deepEqual(
      cluster.reconcile().actions.map((a) => a.do),
      ['Prepare'],
    );
    assert.deepEqual(cluster.reconcile().actions, []);
  });
});

/** Changes with everything in them: units that stay, come and go, plans that are tried, taken and withdrawn; then the end. */
const ROUNDS = 400;
const CHANGES: readonly ((cluster: Cluster) => void)[] = [
  (c) => {
    c.run(targetAt(0));
  },
  (c) => {
    c.try(targetAt(3), 5, true);
  },
  (c) => {
    c.try(targetAt(3), 50, true);
  },
  (c) => {
    c.run(targetAt(3));
  },
  (c) => {
    c.try(targetAt(2), 20, false);
  },
  (c) => {
    c.run(targetAt(3));
  },
  (c) => {
    c.run(targetAt(2));
  },
  (c) => {
    c.run(targetAt(0));
  },
  (c) => {
    c.try(targetAt(1), 20, true);
  },
  (c) => {
    c.wanted = { is: 'Remove' };
  },
];

function story(kill: (action: number) => boolean): readonly object[] {
  const cluster = new Cluster(1);
  const rests: object[] = [];
  let actions = 0;
  for (const change of CHANGES) {
    change(cluster);
    let quiet = 0;
    for (let round = 0; round < ROUNDS && quiet < 3 && !cluster.released; round++) {
      const { actions: planned, againAfterMs } = step(cluster.world);
      quiet = planned.length === 0 && againAfterMs === undefined ? quiet + 1 : 0;
      const at = planned.findIndex((_, i) => kill(actions + i));
      const survives = at < 0 ? Infinity : at;
      const before = cluster.done.length;
      cluster.reconcile(survives);
      actions += cluster.done.length - before + (at < 0 ? 0 : 1);
      for (const p of [...cluster.processes]) {
        cluster.start(p);
        cluster.deliver(p);
        cluster.report(p);
        cluster.call(p, round % 100);
        cluster.end(p);
      }
      cluster.advance(100);
    }
    rests.push(cluster.rest);
  }
  rests.push({ actions });
  return rests;
}

describe('the operator is killed before its n-th action', () => {
  const whole = story(() => false);
  const { actions } = whole[whole.length - 1] as { readonly actions: number };
  it(`for each of ${String(actions)} actions it comes to the same as without`, () => {
    assert.ok(actions > 50, `${String(actions)} actions are too few to say anything`);
    for (let n = 0; n < actions; n++)
      assert.deepEqual(
        story((action) => action === n).slice(0, -1),
        whole.slice(0, -1),
        `killed before ${n}`,
      );
  });
});
