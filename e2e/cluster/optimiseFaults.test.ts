/**
 * Trials that go wrong, and trials that are disturbed: a plan that looks better and is not is withdrawn by itself and costs nothing
 * but calls of its own share; an operator that is killed goes on where it was; plans change back and forth (D3).
 *
 * SINTER_CHANGES_RATE: calls a second while plans change, 200 where it is not given.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { percentOf } from '../../runtimes/contract/src/index.ts';
import type { AppOptions } from '../application.ts';
import { Load, countBy, failuresOf, quantile } from '../load.ts';
import type { Answer } from '../load.ts';
import { killContainer } from '../testbed/cluster.ts';
import {
  SINTER_NAMESPACE,
  WITHOUT_SINTER,
  WITHOUT_TESTBED,
  apply,
  eventually,
  kubectl,
  list,
} from './harness.ts';
import type { Manifest } from './harness.ts';
import { withLab } from './lab.ts';
import type { Lab, PodObject } from './lab.ts';
import { hashOf, plansOf, table, told, ungrouped } from './plans.ts';
import type { PlanObject } from './plans.ts';

const skip = WITHOUT_SINTER || WITHOUT_TESTBED;
/** Emulated machines take seconds for what others do in milliseconds. */
const AMD64 = { placement: { architectures: ['amd64'] } };
const TRIAL_MS = 400_000;
const PER_SECOND = 40;
const COOLDOWN_S = 5;
/** Whatever promises anything is tried: these scenarios are about what comes of it. */
const automatic: Manifest = { rollout: { cooldownSeconds: COOLDOWN_S, minimumGainPercent: 1 } };

/** Two functions: together is the only other plan there is. */
function pair(back: AppOptions['functions'][string]): AppOptions {
  return {
    functions: {
      entry: { code: async (input, ctx) => ctx.call('helper', input), spec: AMD64 },
      helper: back,
    },
    edges: ['entry>helper'],
  };
}
const PAIR = pair({ code: (input) => input, spec: AMD64 });

/** A callee that knows when it is not alone, by the name of its pod, and then does this before it answers. */
const spoilt = (together: string, spec: Manifest = {}): AppOptions =>
  pair({
    code: `import { hostname } from 'node:os';
const alone = hostname().includes('-helper-');
let calls = 0;
export default async (input) => {
  calls += 1;
  if (!alone) {
    ${together}
  }
  return input;
};
`,
    spec: { ...AMD64, ...spec },
  });

const deploy = async (lab: Lab, options: AppOptions, policy: Manifest): Promise<string> => {
  await apply(ungrouped({ ...options, namespace: lab.namespace, path: lab.path }, policy), lab.namespace);
  return await lab.ready();
};

/** Calls until something has happened, and gives all answers, whatever they are. */
async function calling(
  lab: Lab,
  perSecond: number,
  happens: (load: Load) => Promise<void>,
): Promise<readonly Answer[]> {
  const load = new Load({ perSecond, most: 100_000, one: (i) => lab.call(i) });
  try {
    await happens(load);
  } finally {
    await load.stop();
  }
  return await load.stop();
}

/** The number that its call was drawn with, in percent: 0 to 100. */
function drawnAt({ text }: Answer): number {
  const { callId = '' } = JSON.parse(text) as { readonly callId?: string };
  return percentOf(callId);
}

interface Withdrawn {
  readonly answers: readonly Answer[];
  readonly plan: PlanObject;
  /** Largest that the candidate had, in percent. */
  readonly share: number;
  readonly seconds: number;
}

/** The only other plan is tried and given up; then calls go on for some looks more, and nothing is tried again. */
async function withdrawn(lab: Lab, t: TestContext): Promise<Withdrawn> {
  const first = await lab.plan();
  let share = 0;
  let seconds = 0;
  const answers = await calling(lab, PER_SECOND, async () => {
    const hash = await eventually('a plan is tried', async () => (await lab.live()).candidate, TRIAL_MS);
    const enteredAt = performance.now();
    await eventually(
      'it is withdrawn',
      async () => {
        const { current, candidate, weightPercent = 0 } = await lab.live();
        assert.equal(current, first, 'what ran goes on');
        if (candidate !== undefined) share = Math.max(share, weightPercent);
        return candidate === undefined;
      },
      TRIAL_MS,
      () => table(lab.namespace),
    );
    seconds = (performance.now() - enteredAt) / 1000;
    const again = performance.now() + 1000 * (COOLDOWN_S + 30);
    await eventually('it is not tried again', async () => {
      const { current, candidate } = await lab.live();
      assert.deepEqual([current, candidate], [first, undefined], hash);
      return performance.now() > again;
    });
    await eventually('its units have gone', async () => (await lab.living()).length === 2);
  });
  const plan = (await plansOf(lab.namespace)).find((p) => hashOf(p) !== first);
  assert.ok(plan);
  const failed = answers.filter((a) => a.status !== 200);
  t.diagnostic(
    `${plan.status?.comparison?.message ?? ''}; withdrawn after ${seconds.toFixed(0)} s with at most ${String(share)} % of ` +
      `the calls; ${String(failed.length)} of ${String(answers.length)} calls failed`,
  );
  t.diagnostic(JSON.stringify(plan.status?.comparison));
  assert.equal(plan.status?.comparison?.verdict, 'Worse');
  assert.equal(plan.status.state, 'Retired');
  assert.equal((await told(lab.namespace)).get('Tried')?.length, 1);
  for (const answer of failed) assert.ok(drawnAt(answer) <= share, `not of its share: ${answer.text}`);
  return { answers, plan, share, seconds };
}

describe('a plan that looks better', { skip }, () => {
  it('and is slower is withdrawn, without a failed call', (t) =>
    withLab('slower', async (lab) => {
      await deploy(lab, spoilt('await new Promise((resolve) => setTimeout(resolve, 100));'), automatic);
      const { answers } = await withdrawn(lab, t);
      assert.deepEqual(failuresOf(answers), []);
    }));

  it('and fails one call in twenty is withdrawn, and only its own calls fail', (t) =>
    withLab('fails', async (lab) => {
      await deploy(lab, spoilt("if (calls % 20 === 0) throw new Error('made to fail');"), automatic);
      const { answers, plan } = await withdrawn(lab, t);
      for (const { status, text } of answers)
        assert.ok(status === 200 || text.includes('made to fail'), text);
      assert.match(plan.status?.comparison?.message ?? '', /fail/);
    }));

  it('and eats memory until it is killed is withdrawn, and only its own calls fail', (t) =>
    withLab('memory', async (lab) => {
      const resources = { requests: { memory: '32Mi' }, limits: { memory: '64Mi' } };
      const eat = 'if (calls === 20) globalThis.eaten = Buffer.alloc(2 ** 30, 1);';
      await deploy(lab, spoilt(eat, { resources }), automatic);
      await withdrawn(lab, t);
    }));
});

const operatorPod = async (): Promise<string> => {
  const all = await list<PodObject>('pods', SINTER_NAMESPACE, 'app.kubernetes.io/component=operator');
  const [one] = all.filter((p) => p.metadata.deletionTimestamp === undefined);
  assert.ok(one, 'an operator runs');
  return one.metadata.name;
};

describe('an operator that is killed while a plan is tried', { skip }, () => {
  it('goes on where it was, and no call fails', (t) =>
    withLab('killed', async (lab) => {
      const first = await deploy(lab, PAIR, automatic);
      const answers = await calling(lab, PER_SECOND, async () => {
        const at = async (share: number): Promise<string> =>
          eventually(
            `the candidate has ${String(share)} % of the calls or more`,
            async () => {
              const { candidate, weightPercent = 0 } = await lab.live();
              return candidate !== undefined && weightPercent >= share && candidate;
            },
            TRIAL_MS,
            () => table(lab.namespace),
          );
        const tried = await at(5);
        await killContainer({ namespace: SINTER_NAMESPACE, pod: await operatorPod() });
        t.diagnostic('killed with 5 % of the calls in the candidate');
        await at(20);
        await killContainer({ namespace: SINTER_NAMESPACE, pod: await operatorPod() });
        t.diagnostic('killed with 20 % of the calls in the candidate');
        await eventually(
          'it is taken',
          async () => {
            const { current, candidate } = await lab.live();
            assert.ok([first, tried].includes(current ?? ''), current);
            assert.ok([tried, undefined].includes(candidate), candidate);
            return current === tried;
          },
          TRIAL_MS,
          () => table(lab.namespace),
        );
      });
      assert.deepEqual(failuresOf(answers), []);
      const news = await told(lab.namespace);
      assert.deepEqual([news.get('Tried')?.length, news.get('Promoted')?.length], [1, 1]);
    }));
});

const CHANGES = 20;
const RATE = Number(process.env['SINTER_CHANGES_RATE'] ?? '200');

describe(`${String(CHANGES)} changes of plan at ${String(RATE)} calls/s`, { skip }, () => {
  it('fail no call', (t) =>
    withLab('backAndForth', async (lab) => {
      const first = await deploy(lab, PAIR, { rollout: { mode: 'Manual', minimumGainPercent: 1 } });
      const pin = (hash: string): Promise<string> =>
        kubectl([
          ...['patch', 'workflow.sinter.dev', 'flow', '--namespace', lab.namespace, '--type=merge'],
          ...['--patch', JSON.stringify({ spec: { planRef: { hash } } })],
        ]);
      let offered = '';
      const startedAt = performance.now();
      const answers = await calling(lab, RATE, async () => {
        offered = await eventually(
          'another plan waits to be chosen',
          async () =>
            (await plansOf(lab.namespace)).filter((p) => p.status?.state === 'Proposed').map(hashOf)[0],
        );
        for (let i = 0; i < CHANGES; i++) {
          const hash = i % 2 === 0 ? offered : first;
          await pin(hash);
          await eventually(`change ${String(i + 1)}: ${hash} runs`, async () => {
            const { current, candidate } = await lab.live();
            return current === hash && candidate === undefined;
          });
        }
      });
      const tookMs = performance.now() - startedAt;
      const ms = answers.map((a) => a.ms);
      t.diagnostic(
        `${String(answers.length)} calls, ${((answers.length / tookMs) * 1000).toFixed(0)} a second, ` +
          `p50 ${quantile(ms, 0.5).toFixed(1)} ms, p99 ${quantile(ms, 0.99).toFixed(0)} ms: ` +
          JSON.stringify(countBy(answers, (a) => String(a.status))),
      );
      assert.deepEqual(failuresOf(answers), []);
    }));
});
