/** One workflow that is looked at again and again: planner and judgement are the real ones, figures and time are told. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NAMESPACE, functionManifest, policyManifest, workflowManifest } from '../model/testApplication.ts';
import type { Manifest } from '../model/testApplication.ts';
import type { Evidence, RootTally } from '../rollout/evidence.ts';
import { observationsSchema } from '../snapshot/index.ts';
import { localMachines } from './machines.ts';
import { Optimiser } from './optimiser.ts';
import type { Declared, Taken } from './optimiser.ts';
import type { PlanNews } from './run.ts';
import { targetOf } from './targets.ts';
import { World } from './testWorld.ts';
import { worldOf } from './world.ts';

const FUNCTIONS = ['a', 'b', 'c'];
const MACHINES = localMachines(0).map((m) => ({ ...m, machine: m.name, servers: [] }));

const declaredWith = (policy: Manifest, workflow: Manifest = {}): Declared => {
  const world = worldOf([
    ...FUNCTIONS.map((name) => functionManifest(name)),
    workflowManifest(FUNCTIONS, ['a>b', 'b>c'], workflow),
    policyManifest({ objective: 'Latency', ...policy }),
  ]);
  const object = world.application.workflows[0]?.object;
  assert.ok(object);
  return { world, object };
};

/** Hops cost a hundred times what they would inside a process. */
const FIGURES = observationsSchema.parse({
  windowSeconds: 300,
  roots: [{ function: 'a', ratePerSecond: 20, samples: 6_000, meanMs: 12, p50Ms: 12, p99Ms: 20 }],
  functions: FUNCTIONS.map((fn) => ({ function: fn, samples: 6_000, cpuMs: 0.2, memoryBytes: 1_000_000 })),
  edges: [
    { from: 'a', to: 'b' },
    { from: 'b', to: 'c' },
  ].map((edge) => ({ ...edge, samples: 6_000, overheadMs: { InProcess: 0.05, Node: 5, Remote: 5 } })),
});

/** Calls of one revision: at a rate, all of about the same length. */
interface Flow {
  readonly perSecond: number;
  readonly bucket: number;
  readonly failing?: number;
}

class Bench {
  readonly world = new World();
  readonly news: PlanNews[] = [];
  nowMs = 1_700_000_000_000;
  /** By hash; what is not named flows as the first. */
  flows: Readonly<Record<string, Flow>> = {};
  readonly #tallies = new Map<string, RootTally>();
  readonly optimiser = new Optimiser({
    workflow: { namespace: NAMESPACE, workflow: 'flow' },
    deployment: this.world.deployment,
    machines: MACHINES,
    targetOf: ({ plan, snapshot }, { object, world }) => targetOf(plan, snapshot, object, world, MACHINES),
    sight: { of: () => ({ figures: () => FIGURES, evidence: () => this.#evidence() }) },
    now: () => this.nowMs,
    onNews: (one) => this.news.push(one),
  });

  async take(declared: Declared): Promise<Taken> {
    const found = this.optimiser.propose(declared);
    assert.ok(found?.named);
    return await this.optimiser.take(declared, { ...found, named: found.named });
  }

  /** A second of calls, then a look. */
  async second(): Promise<boolean> {
    this.nowMs += 1_000;
    const { route } = this.world;
    for (const hash of [route?.current, route?.candidate])
      if (hash !== undefined && (hash === route?.current || (route?.weightPercent ?? 0) > 0))
        this.#flow(hash);
    return await this.optimiser.look();
  }

  async until(kind: PlanNews['kind'], limitSeconds = 300): Promise<PlanNews> {
    for (let i = 0; i < limitSeconds; i++) {
      await this.second();
      const found = this.news.find((one) => one.kind === kind);
      if (found) return found;
    }
    throw new Error(`no ${kind} within ${String(limitSeconds)} s: ${JSON.stringify(this.news)}`);
  }

  get units(): number {
    return this.world.deployment.current?.units.length ?? 0;
  }

  #flow(hash: string): void {
    const flow = this.flows[hash] ?? this.flows[''] ?? { perSecond: 40, bucket: 24 };
    const before = this.#tallies.get(hash);
    const counts = Array.from({ length: 63 }, (_, i) => before?.counts[i] ?? 0);
    const { perSecond, bucket, failing = 0 } = flow;
    const answered = perSecond - failing;
    // Not all of the same length: a spread of two buckets, which turns with the time.
    for (let i = 0; i < answered; i++) {
      const at = bucket + ((i + this.nowMs / 1_000) % 3) - 1;
      counts[at] = (counts[at] ?? 0) + 1;
    }
    this.#tallies.set(hash, {
      entry: 'a',
      machineClass: 'x',
      calls: (before?.calls ?? 0) + perSecond,
      failures: (before?.failures ?? 0) + failing,
      fellBack: 0,
      counts,
      sumLog: counts.reduce((sum, n, i) => sum + n * Math.log(0.05 * 1.25 ** (i - 0.5)), 0),
    });
  }

  #evidence(): Evidence {
    const revisions = [...this.#tallies].map(
      ([hash, root]) => [hash, { roots: [root], functions: [] }] as const,
    );
    return { epoch: 'e', revisions: Object.fromEntries(revisions) };
  }
}

/** All apart, because the policy says so first. */
async function apart(policy: Manifest): Promise<Bench> {
  const bench = new Bench();
  const taken = await bench.take(declaredWith({ fusion: { mode: 'Off' } }));
  assert.deepEqual([taken.kind, bench.units], ['Runs', 3]);
  await bench.take(declaredWith(policy));
  assert.equal(bench.units, 3, 'what is declared changes no groups by itself');
  return bench;
}

describe('a workflow that is looked at', () => {
  const policy = { rollout: { cooldownSeconds: 600 } };

  it('is fused where that measured better, told in words, and stays so', async () => {
    const bench = await apart(policy);
    const first = bench.world.deployment.current?.hash ?? '';
    bench.flows = { [first]: { perSecond: 40, bucket: 26 }, '': { perSecond: 40, bucket: 22 } };
    const tried = await bench.until('Tried');
    assert.match(
      tried.message,
      /^trying plan [0-9a-f]{10} \(1 unit for 3 functions\) beside plan [0-9a-f]{10} \(3 units/,
    );
    const promoted = await bench.until('Promoted');
    assert.deepEqual([promoted.hash, bench.units], [tried.hash, 1]);
    assert.match(promoted.message, /root call p50 .* → .*0 of \d+ calls failed before, 0 of \d+ under it$/);
    assert.deepEqual(
      bench.optimiser.plans.map(({ hash, state, verdict }) => [hash, state, verdict]),
      [
        [first, 'Retired', undefined],
        [promoted.hash, 'Current', 'Better'],
      ],
    );
    bench.flows = {};
    for (let i = 0; i < 60; i++) assert.equal(await bench.second(), false);
    assert.equal(bench.news.length, 2, 'nothing is tried while it cools down');
  });

  it('stays as it is where the plan fails calls, and does not try that plan again', async () => {
    const bench = await apart({ rollout: { cooldownSeconds: 0 } });
    const first = bench.world.deployment.current?.hash ?? '';
    bench.flows = { [first]: { perSecond: 40, bucket: 26 }, '': { perSecond: 20, bucket: 20, failing: 10 } };
    const withdrawn = await bench.until('Withdrawn');
    assert.match(withdrawn.message, /was withdrawn, [0-9a-f]{10} stays: more of its calls fail/);
    assert.deepEqual(
      [bench.world.deployment.current?.hash, bench.world.deployment.candidate],
      [first, undefined],
    );
    for (let i = 0; i < 60; i++) await bench.second();
    const again = bench.news.filter((one) => one.kind === 'Tried' && one.hash === withdrawn.hash);
    assert.equal(again.length, 1);
  });

  it('withdraws a plan whose units cannot start', async () => {
    const bench = await apart(policy);
    bench.world.broken.add('*');
    const withdrawn = await bench.until('Withdrawn');
    assert.match(withdrawn.message, /stays: it did not come up: unit flow-a-/);
    assert.equal(bench.units, 3);
  });

  it('only offers a plan under a manual roll-out; somebody may choose it, and go back', async () => {
    const bench = await apart({ rollout: { mode: 'Manual' } });
    const first = bench.world.deployment.current?.hash ?? '';
    const offered = await bench.until('Offered');
    assert.match(
      offered.message,
      /waits for approval, promises root calls of .*; sinter approve flow takes it$/,
    );
    for (let i = 0; i < 30; i++) await bench.second();
    assert.equal(bench.news.length, 1, 'it is offered once');
    await bench.optimiser.choose(offered.hash);
    assert.deepEqual([bench.units, bench.optimiser.planRef], [1, offered.hash]);
    await bench.optimiser.choose(first);
    assert.deepEqual([bench.units, bench.optimiser.planRef], [3, first]);
    for (let i = 0; i < 30; i++) await bench.second();
    assert.equal(bench.units, 3, 'what was chosen stays');
    await assert.rejects(bench.optimiser.choose('0000000000'), /has no plan 0000000000/);
  });

  it('ends a trial when something else is declared, and when another plan is chosen', async () => {
    for (const end of ['Declared', 'Chosen'] as const) {
      const bench = await apart(policy);
      const first = bench.world.deployment.current?.hash ?? '';
      const tried = await bench.until('Tried');
      assert.equal(bench.world.deployment.candidate?.hash, tried.hash);
      if (end === 'Declared') await bench.take(declaredWith({ ...policy, fusion: { mode: 'Off' } }));
      else await bench.optimiser.choose(first);
      assert.deepEqual([bench.world.deployment.candidate, bench.units], [undefined, 3], end);
      for (let i = 0; i < 5; i++) await bench.second();
      assert.equal(bench.news.filter((one) => one.kind === 'Promoted').length, 0);
    }
  });

  it('promotes what is tried when somebody chooses it', async () => {
    const bench = await apart(policy);
    const tried = await bench.until('Tried');
    await bench.optimiser.choose(tried.hash);
    assert.deepEqual([bench.units, bench.world.deployment.candidate], [1, undefined]);
  });

  it('leaves alone what the manifests choose, and what must not be optimised', async () => {
    for (const declared of [declaredWith({ mode: 'Off' }), declaredWith({ fusion: { mode: 'Off' } })]) {
      const bench = new Bench();
      await bench.take(declared);
      for (let i = 0; i < 30; i++) assert.equal(await bench.second(), false);
      assert.deepEqual(bench.news, []);
    }
    const bench = await apart({ mode: 'Off' });
    const hash = bench.world.deployment.current?.hash ?? '';
    await bench.take(declaredWith(policy, { planRef: { hash } }));
    for (let i = 0; i < 30; i++) assert.equal(await bench.second(), false);
    await assert.rejects(bench.optimiser.choose(hash), /write spec\.planRef\.hash/);
  });
});
