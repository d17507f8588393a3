/** A workflow without any grouping gets better while it is called, and only where its policy lets it (D3, D10, D14). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AppOptions } from '../application.ts';
import { Load, failuresOf } from '../load.ts';
import {
  WITHOUT_SINTER,
  WITHOUT_TESTBED,
  apply,
  call,
  condition,
  eventually,
  gatewayUrl,
  get,
  withNamespace,
} from './harness.ts';
import type { ClusterObject } from './harness.ts';
import { withLab } from './lab.ts';
import { atRest, hashOf, plansOf, say, table, told, ungrouped, writesSince } from './plans.ts';

/** Emulated machines take seconds for what others do in milliseconds. */
const AMD64 = { placement: { architectures: ['amd64'] } };
/** Nothing but hops: what can be saved is all of it. */
const chain: AppOptions = {
  functions: {
    first: { code: async (input, ctx) => ctx.call('second', input), spec: AMD64 },
    second: { code: async (input, ctx) => ctx.call('third', input), spec: AMD64 },
    third: { code: async (input, ctx) => ctx.call('last', input), spec: AMD64 },
    last: { code: (input) => input, spec: AMD64 },
  },
  edges: ['first>second', 'second>third', 'third>last'],
};
const pair: AppOptions = {
  functions: {
    front: { code: async (input, ctx) => ctx.call('back', input), spec: AMD64 },
    back: { code: (input) => input, spec: AMD64 },
  },
  edges: ['front>back'],
};

const PER_SECOND = 25;
/** Half a minute of calls decide, and on a busy machine several times that. */
const TRIAL_MS = 300_000;
const REST_MS = 10_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Pinned extends ClusterObject {
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: { readonly plan?: { readonly current?: string; readonly candidate?: string } };
}

const POLICIES = {
  off: { mode: 'Off' },
  observe: { mode: 'Observe' },
  manual: { rollout: { mode: 'Manual' } },
  idle: {},
} as const;
const NAMES = Object.keys(POLICIES) as readonly (keyof typeof POLICIES)[];

/** Beside each other: each has a namespace of its own, and most of their time is waiting. */
const OPTIONS = { skip: WITHOUT_SINTER || WITHOUT_TESTBED, concurrency: true };

describe('a workflow that nobody has grouped', OPTIONS, () => {
  it('goes from all apart to a plan that measured better; no call fails, and then nothing is written', (t) =>
    withLab('optimise', async (lab) => {
      const place = { namespace: lab.namespace, path: lab.path };
      await apply(ungrouped({ ...chain, ...place }), lab.namespace);
      const first = await lab.ready();
      assert.equal((await lab.living()).length, 4, 'without figures every function is alone');
      const shares = new Set<number>();
      const answers = await lab.underLoad(
        async () => {
          await eventually(
            'a better plan runs',
            async () => {
              const { current, candidate, weightPercent = 0 } = await lab.live();
              if (candidate !== undefined) shares.add(weightPercent);
              return current !== first;
            },
            TRIAL_MS,
            () => table(lab.namespace),
          );
          await eventually('what was replaced has gone', async () => (await lab.pods()).length < 4, TRIAL_MS);
          await atRest(lab.namespace);
        },
        { perSecond: PER_SECOND, most: 20_000 },
      );
      t.diagnostic(`${String(answers.length)} calls, shares of ${[...shares].join(', ')} %`);
      assert.ok(shares.has(5), [...shares].join());
      assert.ok(Math.max(...shares) > 5, [...shares].join());
      const current = await lab.plan();
      const plans = await plansOf(lab.namespace);
      t.diagnostic(await table(lab.namespace));
      assert.deepEqual(
        plans
          .filter((p) => ['Current', 'Retired'].includes(p.status?.state ?? ''))
          .map(hashOf)
          .slice(0, 1),
        [first],
      );
      const best = plans.find((p) => hashOf(p) === current)?.status;
      assert.equal(best?.state, 'Current');
      assert.match(best.gain ?? '', /^\d+(\.\d+)? %$/);
      assert.equal(best.comparison?.verdict, 'Better');
      assert.ok(best.comparison.candidate.calls > 0);
      const news = await told(lab.namespace);
      for (const reason of ['Planned', 'Tried', 'Entered', 'Promoted', 'Switched', 'Drained'])
        assert.ok(news.has(reason), `${reason} among ${[...news.keys()].join()}`);
      assert.match(news.get('Promoted')?.at(-1) ?? '', /replaces .*: it is better: .*p50 .* → /);
      const { out } = await say(['explain', 'flow'], lab.namespace);
      assert.match(out, /gain \d/);
      assert.match(out, /BetterFound/);
      assert.match(out, /Fusion: Together/);
      const since = new Date();
      await pause(REST_MS);
      assert.deepEqual(await writesSince(since, lab.namespace), [], 'without load nothing is written either');
    }));

  it('stays as it is under Off, Observe and Manual, and without load; a person may choose', () =>
    withNamespace('policies', async (namespace) => {
      const flow = (name: string): Promise<Pinned | undefined> =>
        get<Pinned>('workflow.sinter.dev', name, namespace);
      const current = async (name: string): Promise<string> =>
        (await flow(name))?.status?.plan?.current ?? '';
      for (const name of NAMES)
        await apply(
          ungrouped({ ...pair, namespace, name, path: `/${namespace}/${name}` }, POLICIES[name]),
          namespace,
        );
      for (const name of NAMES) await condition('workflow.sinter.dev', name, namespace, 'Ready');
      const before = Object.fromEntries(
        await Promise.all(NAMES.map(async (n) => [n, await current(n)] as const)),
      );
      const gateway = await gatewayUrl();
      const loads = NAMES.filter((name) => name !== 'idle').map(
        (name) =>
          new Load({ perSecond: 8, most: 4_000, one: (i) => call(`${gateway}/${namespace}/${name}`, i) }),
      );
      const waits = (): Promise<string> =>
        eventually(
          'a plan waits to be chosen',
          async () =>
            (await plansOf(namespace, 'manual')).filter((p) => p.status?.state === 'Proposed').map(hashOf)[0],
        );
      const offered = await waits();
      await pause(REST_MS); // another look at what could be better
      for (const name of NAMES) {
        assert.equal(await current(name), before[name], name);
        assert.equal((await flow(name))?.status?.plan?.candidate, undefined, name);
        assert.equal((await told(namespace, name)).has('Tried'), false, name);
        const known = (await plansOf(namespace, name)).map(hashOf);
        assert.deepEqual(known, name === 'manual' ? [before[name], offered] : [before[name]], name);
      }
      const { planRef: _, ...spec } = (await flow('manual'))?.spec ?? {};
      const chosen = async (words: readonly string[], hash: string): Promise<void> => {
        const said = await say(words, namespace);
        assert.equal(said.code, 0, said.err);
        await eventually(`plan ${hash} runs`, async () => (await current('manual')) === hash);
        const { planRef, ...others } = (await flow('manual'))?.spec ?? {};
        assert.deepEqual([planRef, others], [{ hash }, spec], 'nothing else of the object has changed');
      };
      await chosen(['approve', 'manual'], offered);
      await chosen(['revert', 'manual'], before['manual'] ?? '');
      assert.equal((await told(namespace, 'manual')).has('Tried'), false);
      for (const load of loads) assert.deepEqual(failuresOf(await load.stop()), []);
    }));
});
