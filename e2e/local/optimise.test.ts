/** A workflow without any grouping gets better while it runs: observed, planned, tried, judged, taken (D3, D10, D14). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Load, app, eventually, failuresOf, withLab } from './harness.ts';
import type { AppOptions } from './harness.ts';
import type { PlanNews, RawObject } from '../../operator/src/local/run.ts';

/** A chain that is nothing but hops: what can be saved is all of it. */
const functions: AppOptions['functions'] = {
  first: async (input, ctx) => ctx.call('second', input),
  second: async (input, ctx) => ctx.call('third', input),
  third: async (input, ctx) => ctx.call('last', input),
  last: (input) => input,
};
const edges = ['first>second', 'second>third', 'third>last'];

/** Under a policy that says nothing of groups. */
const manifests = (policy: RawObject): readonly RawObject[] =>
  app({ functions, edges }).map((object) =>
    object['kind'] === 'OptimizationPolicy' ? { ...object, spec: policy } : object,
  );
const automatic = { objective: 'Latency', rollout: { cooldownSeconds: 0 } };

const LIMIT_MS = 120_000;

describe('a run under load', () => {
  it('goes from all apart to a plan that measured better, and no call fails', async () => {
    const news: PlanNews[] = [];
    await withLab({ machines: 0, onNews: (one) => news.push(one) }, async (lab) => {
      const first = await lab.apply(manifests(automatic));
      assert.equal(first.started.length, 4, 'without figures every function is alone');
      const load = new Load({ perSecond: 50, most: 6_000, one: () => lab.call('/') });
      const promoted = await eventually(
        'a plan is promoted',
        () => news.find((one) => one.kind === 'Promoted'),
        LIMIT_MS,
        () => news,
      );
      const answers = await load.stop();
      assert.deepEqual(failuresOf(answers), []);
      assert.equal(lab.deployment().current?.hash, promoted.hash);
      assert.ok((lab.deployment().current?.units.length ?? 4) < 4);
      assert.match(
        promoted.message,
        /^plan [0-9a-f]{10} runs now, in place of [0-9a-f]{10}: .*root call p50 /,
      );
      await eventually('what was replaced has gone', () => lab.deployment().fleets.length < 4);
    });
  });

  it('offers the plan and waits where the roll-out is manual', async () => {
    const news: PlanNews[] = [];
    await withLab({ machines: 0, onNews: (one) => news.push(one) }, async (lab) => {
      const first = await lab.apply(manifests({ objective: 'Latency', rollout: { mode: 'Manual' } }));
      const load = new Load({ perSecond: 50, most: 6_000, one: () => lab.call('/') });
      const offered = await eventually('a plan is offered', () => news.at(0), LIMIT_MS);
      assert.deepEqual([offered.kind, lab.deployment().current?.hash], ['Offered', first.hash]);
      assert.deepEqual(failuresOf(await load.stop()), []);
    });
  });
});
