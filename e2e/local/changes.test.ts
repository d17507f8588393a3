/** Code, terms and groups change, credentials are renewed: nobody who calls notices (D3, D11). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Load, app, countBy, edgeOf, eventually, failuresOf, moduleOf, withLab } from './harness.ts';
import type { AppOptions, Lab } from './harness.ts';

/** Roots take 600 ms and only then call on, to callees that nobody else keeps busy (D3: they must still be served). */
const code = {
  root: async (input, ctx) => {
    await new Promise((resolve) => setTimeout(resolve, 600));
    return ctx.call('middle', input);
  },
  middle: async (input, ctx) => ctx.call('idle', input),
  idle: () => 'version 1',
} satisfies AppOptions['functions'];
const functionsWith = (idle: AppOptions['functions'][string]): AppOptions['functions'] => ({
  root: { code: code.root, spec: { concurrency: 128 } },
  middle: { code: code.middle, spec: { concurrency: 32 } },
  idle: typeof idle === 'object' ? idle : { code: idle },
});
const edges = ['root>middle', 'middle>idle'];
const version2 = moduleOf(() => 'version 2');

const underLoad = async (lab: Lab, change: (load: Load) => Promise<void>): Promise<readonly string[]> => {
  const load = new Load({ perSecond: 50, most: 2_500, one: () => lab.call('/') });
  const settled = async (): Promise<void> => {
    const until = load.started + 40;
    await eventually('load goes on', () => load.started >= until);
  };
  await settled();
  await change(load);
  await settled();
  const answers = await load.stop();
  assert.ok(answers.length < 2_500, 'the load lasted as long as the changes');
  assert.deepEqual(failuresOf(answers), []);
  return Object.keys(countBy(answers, (a) => a.text)).sort();
};

describe('under 50 calls/s with roots of 600 ms', () => {
  for (const machines of [0, 2])
    it(`code, terms and groups change without a failed call, ${machines === 0 ? 'one machine' : 'two machines'}`, () =>
      withLab({ machines }, async (lab) => {
        const functions = functionsWith(code.idle);
        const first = await lab.apply(app({ functions, edges }));
        const versions = await underLoad(lab, async () => {
          const changed = functionsWith(version2);
          const coded = await lab.apply(app({ functions: changed, edges }));
          assert.deepEqual([coded.started.length, coded.kept.length], [1, 2]);
          const terms = [edgeOf('root>middle', { timeoutSeconds: 7 }), 'middle>idle'];
          const termed = await lab.apply(app({ functions: changed, edges: terms }));
          assert.deepEqual([termed.started.length, termed.kept.length], [0, 3], 'terms restart nothing');
          for (const groups of [['root,middle,idle'], [], ['middle,idle'], ['root,middle,idle'], []])
            await lab.apply(app({ functions: changed, edges, groups }));
          const back = await lab.apply(app({ functions, edges }));
          assert.equal(back.hash, first.hash);
        });
        assert.deepEqual(versions, ['version 1', 'version 2']);
        await eventually('what was replaced has gone', () => lab.hostPids().length === 3);
      }));

  it('credentials are renewed, and expire, without a failed call', () =>
    withLab({ machines: 1, credentialLifetimeMs: 4_000 }, async (lab) => {
      const startedAt = performance.now();
      await lab.apply(app({ functions: functionsWith(code.idle), edges, groups: ['middle,idle'] }));
      const pids = lab.hostPids();
      await underLoad(lab, async () => {
        for (let i = 0; i < 3; i++) await lab.run.parts.renewCredentials();
        await eventually('the first credentials have expired', () => performance.now() - startedAt > 7_000);
      });
      const moved = lab.logs.filter((l) => l.message === 'moved to a renewed credential');
      assert.ok(moved.length >= 2 * 5, `${String(moved.length)} moves`);
      assert.deepEqual(lab.hostPids(), pids, 'no process was started again');
    }));
});
