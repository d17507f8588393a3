/** A plan is tried beside the one that runs, under weight: nobody who calls loses a call, and no call changes its plan (D3). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { propose } from '../../operator/src/resources/index.ts';
import { targetOf } from '../../operator/src/local/targets.ts';
import type { Target } from '../../operator/src/local/deployment.ts';
import { worldOf } from '../../operator/src/local/world.ts';
import {
  Load,
  NAMESPACE,
  WORKFLOW,
  app,
  countBy,
  eventually,
  failuresOf,
  isAlive,
  withLab,
} from './harness.ts';
import type { Answer, AppOptions, Lab } from './harness.ts';

/** Roots take a while and only then call on; `solo` is in a unit of its own under every plan here. */
const code = {
  root: async (input, ctx) => {
    await new Promise((resolve) => setTimeout(resolve, 200));
    return [await ctx.call('middle', input), await ctx.call('solo', input), process.pid];
  },
  middle: async (input, ctx) => [await ctx.call('idle', input), process.pid],
  idle: () => process.pid,
  solo: () => process.pid,
} satisfies AppOptions['functions'];
const functions: AppOptions['functions'] = {
  root: { code: code.root, spec: { concurrency: 64 } },
  middle: { code: code.middle, spec: { concurrency: 32 } },
  idle: code.idle,
  solo: code.solo,
};
const edges = ['root>middle', 'middle>idle', 'root>solo'];
const manifests = (groups: readonly string[]): ReturnType<typeof app> => app({ functions, edges, groups });

/** What a run would make of other groups. */
function targetWith(lab: Lab, groups: readonly string[]): Target {
  const world = worldOf(manifests(groups));
  const { machines } = lab.run.parts;
  const { application } = world;
  const name = { namespace: NAMESPACE, workflow: WORKFLOW };
  const proposal = propose({ application, workflow: name, machines, current: null, nowMs: 0 });
  const workflow = application.workflows[0]?.object;
  assert.ok(proposal?.named && workflow);
  return targetOf(proposal.plan, proposal.snapshot, workflow, world, machines);
}

/** Processes that a call ran in: as many as its plan has units. */
const unitsOf = ({ text }: Answer): number => new Set((JSON.parse(text) as unknown[]).flat(3)).size;

describe('a plan under weight, with real units', () => {
  it('is tried, promoted, and another one withdrawn under 50 calls/s without a failed call', () =>
    withLab({ machines: 2 }, async (lab) => {
      await lab.apply(manifests([]));
      const deployment = lab.deployment();
      const load = new Load({ perSecond: 50, most: 5_000, one: () => lab.call('/') });
      const some = async (n: number): Promise<void> => {
        const until = load.started + n;
        await eventually('load goes on', () => load.started >= until, 60_000);
      };
      const fused = targetWith(lab, ['root,middle,idle']);
      const tried = await deployment.tryOut(fused);
      assert.deepEqual([tried.ok, tried.started.length, tried.kept.length], [true, 1, 1]);
      const solo = lab.fleetOf('solo').pids;
      for (const percent of [0, 5, 20, 50, 0, 50]) {
        await deployment.setWeight(percent);
        await some(50);
      }
      await deployment.promote();
      await some(50);
      assert.deepEqual(lab.fleetOf('solo').pids, solo, 'a unit of both plans is not started again');
      assert.equal(deployment.current?.hash, fused.hash);
      await deployment.tryOut(targetWith(lab, ['middle,idle']));
      await deployment.setWeight(50);
      await some(50);
      await deployment.withdraw();
      await some(50);
      const answers = await load.stop();
      assert.deepEqual(failuresOf(answers), []);
      const plans = countBy(answers, (a) => String(unitsOf(a)));
      assert.deepEqual(
        Object.keys(plans).sort(),
        ['2', '3', '4'],
        'each call ran wholly in one of three plans',
      );
      await eventually('what was tried or replaced has gone', () => lab.hostPids().length === 2);
    }));

  it('whose processes are killed costs no call that had not begun there', () =>
    withLab({ machines: 0 }, async (lab) => {
      await lab.apply(manifests([]));
      const deployment = lab.deployment();
      const fused = targetWith(lab, ['root,middle,idle']);
      await deployment.tryOut(fused);
      await deployment.setWeight(50);
      const own = deployment.fleets.find((f) => f.scope.functions.length === 3);
      const [pid = 0] = own?.pids ?? [];
      const load = new Load({ perSecond: 50, most: 2_000, one: () => lab.call('/') });
      await eventually('load goes on', () => load.started > 60);
      process.kill(pid, 'SIGKILL');
      await eventually('it is dead', () => !isAlive(pid));
      await deployment.withdraw();
      const until = load.started + 50;
      await eventually('load goes on', () => load.started >= until);
      const failed = (await load.stop()).filter((a) => a.status !== 200);
      assert.ok(failed.length <= 20, `${String(failed.length)} calls of about 5 under way there failed`);
      assert.deepEqual(
        Object.keys(countBy(failed, (a) => a.code)).filter((c) => c !== 'CalleeLost'),
        [],
      );
    }));
});
