/** Two machines: calls stay where they are made while there is room, and go on where there is (D2, D17). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Load, app, countBy, eventually, failuresOf, httpTrigger, withLab } from './harness.ts';
import type { Lab } from './harness.ts';

const FIRST = 'machine-1';
const SECOND = 'machine-2';

/** `front` on machine 1 calls `back`, which is on both. `ms` is how long `back` works. */
const objects = app({
  functions: {
    front: { code: (input, ctx) => ctx.call('back', input), spec: { concurrency: 64 } },
    back: {
      code: async (input) => {
        const { ms } = input as { readonly ms: number };
        await new Promise((resolve) => setTimeout(resolve, ms));
        return ms;
      },
      spec: { concurrency: 2, scaling: { minInstances: 2 } },
    },
  },
  edges: ['front>back'],
  workflow: {
    triggers: [httpTrigger('front', '/'), { ...httpTrigger('back', '/back'), name: 'direct' }],
  },
});

/** Executions of `back` by machine, once as many as these have been reported. */
async function backByMachine(lab: Lab, total: number): Promise<Readonly<Record<string, number>>> {
  const seen = (): Readonly<Record<string, number>> =>
    Object.fromEntries(
      lab.run
        .figures('lab', 'flow')
        .machines.filter((m) => m.function === 'back')
        .map((m) => [m.machine, m.executions]),
    );
  await eventually(
    `${String(total)} executions of back are reported`,
    () => Object.values(seen()).reduce((a, b) => a + b, 0) >= total,
    10_000,
    seen,
  );
  return seen();
}

describe('two machines', () => {
  it('calls stay local while there is room; full or gone, the other machine serves, without an error', () =>
    withLab({ machines: 2 }, async (lab) => {
      await lab.apply(objects);
      lab.run.resetFigures();

      const calm = [];
      for (let i = 0; i < 100; i++)
        calm.push(await lab.call('/', { ms: 1 }), await lab.call('/back', { ms: 1 }));
      assert.deepEqual(failuresOf(calm), []);
      assert.deepEqual(
        countBy(calm, (a) => a.machine),
        { [FIRST]: 200 },
      );
      assert.deepEqual(await backByMachine(lab, 200), { [FIRST]: 200 });

      lab.run.resetFigures();
      const callers = Array.from({ length: 8 }, async (_, i) => {
        const answers = [];
        for (let n = 0; n < 4; n++) answers.push(await lab.call(i % 2 === 0 ? '/' : '/back', { ms: 200 }));
        return answers;
      });
      assert.deepEqual(failuresOf((await Promise.all(callers)).flat()), []);
      const shared = await backByMachine(lab, 32);
      // Neither can do it alone without a queue: two at once each, eight callers.
      assert.ok((shared[FIRST] ?? 0) >= 4 && (shared[SECOND] ?? 0) >= 4, JSON.stringify(shared));

      lab.run.resetFigures();
      const load = new Load({ perSecond: 100, most: 300, one: () => lab.call('/back', { ms: 1 }) });
      await eventually('load runs', () => load.started >= 50);
      const [local] = lab.fleetOf('back').pids;
      assert.ok(local);
      process.kill(local, 'SIGKILL');
      await eventually('load has gone on', () => load.started >= 300);
      const answers = await load.stop();
      assert.deepEqual(failuresOf(answers), []);
      const { [FIRST]: here = 0, [SECOND]: there = 0 } = countBy(answers, (a) => a.machine);
      assert.ok(
        here > 0 && there > 0 && here + there === answers.length,
        `${String(here)}, ${String(there)}`,
      );
      await eventually(
        'calls are local again',
        async () => (await lab.call('/back', { ms: 1 })).machine === FIRST,
      );
    }));
});
