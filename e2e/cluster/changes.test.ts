/** Code, terms and groups change, units are killed, edges go: nobody who calls notices what they need not (D3, D11). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AppOptions } from '../application.ts';
import { edgeOf, moduleOf } from '../application.ts';
import { countBy } from '../load.ts';
import { killContainer } from '../testbed/cluster.ts';
import { WITHOUT_SINTER, WITHOUT_TESTBED, eventually } from './harness.ts';
import { withLab } from './lab.ts';

/** Roots take 600 ms and only then call on, to callees that nobody else keeps busy: they must still be served. */
const code = {
  root: async (input, ctx) => {
    await new Promise((resolve) => setTimeout(resolve, 600));
    return ctx.call('middle', input);
  },
  middle: async (input, ctx) => ctx.call('idle', input),
  idle: () => 'version 1',
} satisfies AppOptions['functions'];

/** Emulated machines take seconds for what others do in milliseconds: the load's bound is on what it measures. */
const AMD64 = { placement: { architectures: ['amd64'] } };
const functionsWith = (idle: AppOptions['functions'][string]): AppOptions['functions'] => ({
  root: { code: code.root, spec: { ...AMD64, concurrency: 128 } },
  middle: { code: code.middle, spec: { ...AMD64, concurrency: 64 } },
  idle: { code: idle as string, spec: AMD64 },
});
const edges = ['root>middle', 'middle>idle'];
const version1 = functionsWith(moduleOf(code.idle));
const version2 = functionsWith(moduleOf(() => 'version 2'));

describe('under 50 calls/s with roots of 600 ms', { skip: WITHOUT_SINTER }, () => {
  it('code, terms and groups change without a failed call, and what is in both plans is not restarted', () =>
    withLab('changes', async (lab) => {
      const first = await lab.deploy({ functions: version1, edges });
      const answers = await lab.underLoad(async () => {
        const before = (await lab.living()).map((p) => p.metadata.name);
        await lab.change({ functions: version2, edges });
        const kept = (await lab.living()).map((p) => p.metadata.name).filter((name) => before.includes(name));
        assert.equal(kept.length >= 2, true, 'root and middle go on');
        await lab.change({
          functions: version2,
          edges: [edgeOf('root>middle', { timeoutSeconds: 7 }), 'middle>idle'],
        });
        await lab.change({ functions: version2, edges, groups: ['root,middle,idle'] });
        const back = await lab.change({ functions: version1, edges });
        assert.equal(back, first, 'the same content is the same plan');
      });
      assert.deepEqual(Object.keys(countBy(answers, (a) => a.text)).sort(), ['version 1', 'version 2']);
      await eventually(
        'what was replaced has gone',
        async () => (await lab.pods()).length === 3,
        180_000,
        async () => (await lab.pods()).map((p) => p.metadata.name),
      );
    }));

  it('a unit is killed with -9: who may try again succeeds', { skip: WITHOUT_TESTBED }, () =>
    withLab('killed', async (lab) => {
      const retry = { attempts: 4, on: ['CalleeLost', 'ConnectionLost', 'Overloaded'], backoffSeconds: 0 };
      const functions = {
        root: { code: async (input, ctx) => ctx.call('callee', input), spec: { ...AMD64, concurrency: 128 } },
        callee: {
          code: async () => {
            await new Promise((resolve) => setTimeout(resolve, 200));
            return 'done';
          },
          spec: { ...AMD64, concurrency: 64, scaling: { minInstances: 2 } },
        },
      } satisfies AppOptions['functions'];
      await lab.deploy({ functions, edges: [edgeOf('root>callee', { retry, timeoutSeconds: 20 })] });
      await lab.underLoad(async (load) => {
        const unit = (await lab.living()).filter((p) => p.metadata.name.includes('callee'));
        const [victim] = unit;
        assert.ok(victim, 'the callee runs');
        await killContainer({ namespace: lab.namespace, pod: victim.metadata.name });
        const until = load.started + 200;
        await eventually('load goes on', () => load.started >= until);
        await eventually('it was started again', async () => {
          const pods = await lab.living();
          return pods.some((p) => (p.status.containerStatuses?.[0]?.restartCount ?? 0) > 0);
        });
      });
    }),
  );

  it('an edge that is removed cannot be called any more', () =>
    withLab('edge', async (lab) => {
      const functions = {
        root: {
          code: async (input, ctx) => {
            try {
              return await ctx.call('callee', input);
            } catch (cause) {
              return (cause as { readonly code: string }).code;
            }
          },
          spec: AMD64,
        },
        callee: { code: () => 'reached', spec: AMD64 },
      } satisfies AppOptions['functions'];
      await lab.deploy({ functions, edges: ['root>callee'] });
      assert.equal((await lab.call()).text, 'reached');
      await lab.change({ functions, edges: [] });
      assert.equal((await lab.call()).text, 'EdgeNotDeclared');
    }));
});
