/** Sinter is upgraded under load: operator, gateways and units are replaced by another image, and no call fails (D3). */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { AppOptions } from '../application.ts';
import { quantile } from '../load.ts';
import { MACHINES, loadImage } from '../testbed/cluster.ts';
import { sinterImages } from '../testbed/images/catalogue.ts';
import {
  CHART,
  RELEASE,
  SINTER_NAMESPACE,
  WITHOUT_SINTER,
  WITHOUT_TESTBED,
  eventually,
  helm,
  list,
} from './harness.ts';
import { withLab } from './lab.ts';
import type { PodObject } from './lab.ts';

const NEXT = 'sinter.local/sinter:next';
const HELM_LIMIT_MS = 330_000;
const ROLLED_MS = 300_000;
const AMD64 = { placement: { architectures: ['amd64'] }, concurrency: 64 };

interface Pod extends PodObject {
  readonly spec: PodObject['spec'] & { readonly containers: readonly { readonly image: string }[] };
}

const functions = {
  root: { code: async (input, ctx) => ctx.call('callee', input), spec: AMD64 },
  callee: {
    code: async (input) => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      return input;
    },
    spec: AMD64,
  },
} satisfies AppOptions['functions'];

const component = (name: string): Promise<readonly Pod[]> =>
  list<Pod>('pods', SINTER_NAMESPACE, `app.kubernetes.io/component=${name}`);

const imagesOf = (pods: readonly Pod[]): readonly string[] => [
  ...new Set(pods.flatMap((p) => p.spec.containers.map((c) => c.image))),
];

describe('an upgrade of Sinter', { skip: WITHOUT_SINTER || WITHOUT_TESTBED }, () => {
  let folder = '';
  /** The values of the release as they were. */
  let values = '';

  const upgrade = (...set: readonly string[]): Promise<string> =>
    helm(
      [
        ...['upgrade', RELEASE, CHART, '--namespace', SINTER_NAMESPACE, '--values', values],
        ...['--wait', '--timeout', '5m', ...set.flatMap((value) => ['--set', value])],
      ],
      HELM_LIMIT_MS,
    );

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sinter-upgrade-'));
    values = join(folder, 'values.yaml');
    const now = await helm(['get', 'values', RELEASE, '--namespace', SINTER_NAMESPACE, '--output', 'json']);
    await writeFile(values, now === 'null\n' ? '{}' : now);
    for (const image of (await sinterImages(['amd64', 'arm64'])).values())
      await loadImage({ ...image, name: NEXT }, MACHINES);
    await upgrade('gateway.replicas=2');
  });
  after(async () => {
    await upgrade();
    await rm(folder, { recursive: true, force: true });
  });

  it('to another image under 50 calls/s fails none, and everything runs it afterwards', (t) =>
    withLab('upgrade', async (lab) => {
      await lab.deploy({ functions, edges: ['root>callee'] });
      const plan = await lab.plan();
      const pods = new Set((await lab.living()).map((p) => p.metadata.uid));
      const startedAt = performance.now();
      const answers = await lab.underLoad(async () => {
        await upgrade('gateway.replicas=2', 'image.tag=next', 'gateway.podAnnotations.upgraded=yes');
        const seen = async (): Promise<readonly Pod[]> => (await lab.pods()) as readonly Pod[];
        await eventually(
          'every unit has been replaced, and what was before has gone',
          async () => {
            const now = await seen();
            return (
              now.length === 2 && now.every((p) => !pods.has(p.metadata.uid)) && (await lab.ready(ROLLED_MS))
            );
          },
          ROLLED_MS,
          async () => (await seen()).map((p) => [p.metadata.name, p.spec.containers[0]?.image]),
        );
        assert.deepEqual(imagesOf(await seen()), [NEXT]);
        assert.deepEqual(imagesOf(await component('operator')), [NEXT]);
        await eventually(
          'the gateways that were have gone',
          async () => imagesOf(await component('gateway')).join(' ') === NEXT,
          ROLLED_MS,
        );
      });
      assert.deepEqual(
        answers.filter((a, i) => a.text !== String(i)),
        [],
        'each got its own answer',
      );
      const ms = answers.map((a) => a.ms);
      t.diagnostic(
        `${String(answers.length)} calls in ${((performance.now() - startedAt) / 1000).toFixed(0)} s: ` +
          `median ${quantile(ms, 0.5).toFixed(0)} ms, 99 % ${quantile(ms, 0.99).toFixed(0)} ms, most ${Math.max(...ms).toFixed(0)} ms`,
      );
      assert.equal(await lab.plan(), plan, 'an upgrade is no other plan');
    }));
});
