/** Units as pods: what their authors wrote reaches the functions, and pods of a unit follow each other without losing a call. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AppOptions } from '../application.ts';
import { countBy } from '../load.ts';
import { PATIENCE_MS, WITHOUT_SINTER, apply, eventually, get, kubectl, list, rolledOut } from './harness.ts';
import type { ClusterObject } from './harness.ts';
import { UNIT_LABEL, withLab } from './lab.ts';

const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' };

/** Answers with what it finds around it. */
const LOOK = `import { readFileSync, writeFileSync } from 'node:fs';
export default async (input, ctx) => {
  writeFileSync('/scratch/found', 'written');
  return { env: ctx.env, model: readFileSync('/model/weights', 'utf8'), scratch: readFileSync('/scratch/found', 'utf8') };
};`;

const ENVIRONMENT = {
  env: [
    { name: 'LITERAL', value: '$(SINTER_JWT) costs 5$ or $$' },
    { name: 'LEVEL', valueFrom: { configMapKeyRef: { name: 'settings', key: 'level' } } },
    { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'tokens', key: 'mine' } } },
    { name: 'BOTH', valueFrom: { secretKeyRef: { name: 'tokens', key: 'gone', optional: true } } },
  ],
  envFrom: [
    { configMapRef: { name: 'settings' }, prefix: 'S_' },
    { configMapRef: { name: 'first' } },
    { secretRef: { name: 'second' } },
  ],
};

interface DeploymentObject extends ClusterObject {
  readonly spec: { readonly template: { readonly metadata: ClusterObject['metadata'] } };
}

describe('a unit', { skip: WITHOUT_SINTER }, () => {
  it('in a namespace that enforces restricted pods has all that its author wrote', () =>
    withLab(
      'template',
      async (lab) => {
        const of = (kind: string, name: string, data: object) => ({
          apiVersion: 'v1',
          kind,
          metadata: { name },
          ...(kind === 'Secret' ? { stringData: data } : { data }),
        });
        const others = [
          of('ConfigMap', 'settings', { level: 'info', 'with.dot': 'yes' }),
          of('ConfigMap', 'first', { BOTH: 'of the ConfigMap', WON: 'of the ConfigMap' }),
          of('ConfigMap', 'model', { weights: '1, 2, 3' }),
          of('Secret', 'tokens', { mine: 'secret' }),
          of('Secret', 'second', { WON: 'of the Secret, which is later' }),
          { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'runner' } },
        ];
        await apply(others, lab.namespace);
        const volumes = [
          { name: 'model', configMap: { name: 'model' } },
          { name: 'scratch', emptyDir: {} },
        ];
        const spec = {
          ...ENVIRONMENT,
          placement: { architectures: ['amd64'] },
          volumeMounts: [
            { name: 'model', mountPath: '/model', readOnly: true },
            { name: 'scratch', mountPath: '/scratch' },
          ],
          template: {
            metadata: { labels: { team: 'shop' }, annotations: { 'example.com/note': 'for people' } },
            spec: { serviceAccountName: 'runner', volumes },
          },
        };
        await lab.deploy({ functions: { look: { code: LOOK, spec } } });
        assert.deepEqual(JSON.parse((await lab.call()).text), {
          env: {
            LITERAL: '$(SINTER_JWT) costs 5$ or $$',
            LEVEL: 'info',
            TOKEN: 'secret',
            S_level: 'info',
            'S_with.dot': 'yes',
            BOTH: 'of the ConfigMap',
            WON: 'of the Secret, which is later',
          },
          model: '1, 2, 3',
          scratch: 'written',
        });
        const [pod] = await lab.living();
        assert.equal(pod?.metadata.labels?.['team'], 'shop');
        assert.equal(pod.metadata.annotations?.['example.com/note'], 'for people');
        assert.equal(pod.spec.serviceAccountName, 'runner');
      },
      RESTRICTED,
    ));

  it('runs where it is allowed, and is shut to whoever would connect to it', () =>
    withLab('placed', async (lab) => {
      const placement = { tiers: ['Edge'], architectures: ['amd64'] };
      await lab.deploy({ functions: { a: { code: () => 'here', spec: { placement } } } });
      const { machine, text } = await lab.call();
      assert.equal(text, 'here');
      const node = await get<ClusterObject>('node', machine);
      assert.equal(node?.metadata.labels?.['sinter.dev/tier'], 'Edge');
      assert.equal(node.metadata.labels['kubernetes.io/arch'], 'amd64');
      assert.equal((await list('networkpolicies', lab.namespace)).length, 1);
    }));

  it('whose pods are replaced under load loses no call, and keeps what somebody else noted on it', () =>
    withLab('rolled', async (lab) => {
      const code = async () => {
        await new Promise((resolve) => setTimeout(resolve, 300));
        return 'done';
      };
      const spec = { placement: { architectures: ['amd64'] }, concurrency: 64 };
      await lab.deploy({ functions: { a: { code, spec } } });
      const [deployment] = await list<DeploymentObject>('deployments', lab.namespace, UNIT_LABEL);
      assert.ok(deployment);
      const name = `deployment/${deployment.metadata.name}`;
      const before = (await lab.living()).map((p) => p.metadata.name);
      const answers = await lab.underLoad(async () => {
        for (let i = 0; i < 2; i++) {
          await kubectl(['rollout', 'restart', name, '--namespace', lab.namespace]);
          await rolledOut(name, lab.namespace);
        }
      });
      assert.deepEqual(Object.keys(countBy(answers, (a) => a.text)), ['done']);
      const after = (await lab.living()).map((p) => p.metadata.name);
      assert.deepEqual(
        after.filter((pod) => before.includes(pod)),
        [],
      );
      const [rolled] = await list<DeploymentObject>('deployments', lab.namespace, UNIT_LABEL);
      assert.ok(rolled?.spec.template.metadata.annotations?.['kubectl.kubernetes.io/restartedAt']);
    }));

  it('answers a call that is under way when its pod is told to end', () =>
    withLab('ended', async (lab) => {
      const functions = {
        a: {
          code: async (ms) => {
            console.log(`begun ${String(ms)}`);
            await new Promise((resolve) => setTimeout(resolve, Number(ms)));
            return 'finished';
          },
          spec: { placement: { architectures: ['amd64'] } },
        },
      } satisfies AppOptions['functions'];
      await lab.deploy({ functions });
      const long = lab.call(6_000);
      const [pod] = await lab.living();
      assert.ok(pod);
      await eventually('it runs', async () =>
        (await kubectl(['logs', pod.metadata.name, '--namespace', lab.namespace])).includes('begun 6000'),
      );
      const gone = kubectl(['delete', 'pod', pod.metadata.name, '--namespace', lab.namespace], {
        limitMs: PATIENCE_MS,
      });
      assert.equal((await long).text, 'finished');
      await gone;
      assert.equal((await lab.call(0)).text, 'finished');
    }));
});
