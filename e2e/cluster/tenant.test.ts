/** What is the tenant's: quotas, Secrets, pull secrets, machines. It holds, and where it stands in the way, that is said. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  PASSWORD,
  USER,
  dockerConfig,
  image,
  layer,
  referenceTo,
  startRegistry,
} from '../../runtimes/host/test/registry.ts';
import type { TestRegistry } from '../../runtimes/host/test/registry.ts';
import { WORKFLOW, edgeOf } from '../application.ts';
import { REGISTRY, REGISTRY_URL, auditEntries, stopRegistry } from '../testbed/cluster.ts';
import {
  RELEASE,
  SINTER_NAMESPACE,
  WITHOUT_SINTER,
  WITHOUT_TESTBED,
  apply,
  condition,
  eventually,
  list,
} from './harness.ts';
import type { ClusterObject, Manifest } from './harness.ts';
import { UNIT_LABEL, withLab } from './lab.ts';
import type { Lab } from './lab.ts';

const OPERATOR_USER = `system:serviceaccount:${SINTER_NAMESPACE}:${RELEASE}-operator`;
const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' };
const AMD64 = { placement: { architectures: ['amd64'] } };
/** A ReplicaSet that was refused its pods waits longer each time. */
const PATIENCE_MS = 300_000;

interface Plan extends ClusterObject {
  readonly spec: {
    readonly units: readonly { readonly functions: readonly string[] }[];
    readonly decisions: readonly { readonly reason: string; readonly alternatives?: readonly unknown[] }[];
  };
}

const quota = (hard: Readonly<Record<string, string>>): Manifest => ({
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name: 'small' },
  spec: { hard },
});

const secret = (name: string, stringData: Readonly<Record<string, string>>, type = 'Opaque'): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  type,
  stringData,
});

/** Waits for a workflow that is not Ready for this reason. */
const notReady = (lab: Lab, reason: string): Promise<string> =>
  eventually(
    `not Ready: ${reason}`,
    async () => {
      const { reason: is, message = '' } = await condition(
        'workflow',
        WORKFLOW,
        lab.namespace,
        'Ready',
        'False',
      );
      return is === reason && message;
    },
    PATIENCE_MS,
    () => list('workflows', lab.namespace),
  );

describe('in the namespace of a tenant', { skip: WITHOUT_SINTER }, () => {
  it('a quota that is too small is told; raised, all runs, with the Secrets that nobody else read', () =>
    withLab(
      'quota',
      async (lab) => {
        const since = new Date();
        const runner = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'runner' } };
        await apply(
          [quota({ pods: '0' }), runner, secret('tokens', { mine: 'known to few' })],
          lab.namespace,
        );
        const spec = {
          ...AMD64,
          env: [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'tokens', key: 'mine' } } }],
          template: { spec: { serviceAccountName: 'runner' } },
        };
        const functions = {
          look: { code: (_, ctx) => ctx.env['TOKEN'] ?? 'none', spec },
        } satisfies Parameters<Lab['deploy']>[0]['functions'];
        await apply(lab.manifests({ functions }), lab.namespace);
        assert.match(await notReady(lab, 'QuotaExceeded'), /small|exceeded quota/);
        assert.deepEqual(await lab.pods(), []);

        await apply([quota({ pods: '5' })], lab.namespace);
        await lab.ready(PATIENCE_MS);
        assert.equal((await lab.call()).text, 'known to few');
        assert.deepEqual(
          (await lab.living()).map((p) => p.spec.serviceAccountName),
          ['runner'],
        );
        if (WITHOUT_TESTBED) return;
        const asked = (await auditEntries({ since, user: OPERATOR_USER })).filter(
          ({ objectRef }) => objectRef?.resource === 'secrets' && objectRef.namespace !== SINTER_NAMESPACE,
        );
        assert.notDeepEqual(asked, [], 'it makes the Secrets of units');
        assert.deepEqual(
          asked.filter(({ verb }) => ['get', 'list', 'watch'].includes(verb)).map((e) => e.requestURI),
          [],
        );
      },
      RESTRICTED,
    ));

  it('functions without a common architecture share no unit, and one that fits no machine starts no pod', () =>
    withLab('fits', async (lab) => {
      const code = (): string => 'here';
      const of = (placement: object) => ({ code, spec: { placement } });
      const functions = {
        here: of({ architectures: ['amd64'] }),
        there: of({ architectures: ['arm64'], tiers: ['Edge'] }),
      };
      const edges = [edgeOf('here>there')];
      const nowhere = { ...functions, there: of({ architectures: ['arm64'], tiers: ['Cloud'] }) };
      await apply(lab.manifests({ functions: nowhere, edges, groups: ['here,there'] }), lab.namespace);
      const said = await notReady(lab, 'NoMachine');
      assert.match(said, /Function .*there.*spec\.placement.*Cloud.*arm64/);
      assert.deepEqual(await list('pods', lab.namespace), []);

      await apply(lab.manifests({ functions, edges, groups: ['here,there'] }), lab.namespace);
      const plan = await eventually(
        'there is a plan',
        async () => (await list<Plan>('workflowplans', lab.namespace))[0],
      );
      assert.deepEqual(
        plan.spec.units.map((u) => u.functions),
        [['here'], ['there']],
      );
      assert.match(JSON.stringify(plan.spec.decisions), /NoCommonArchitecture/);
    }));
});

/** At the address that the units of the testbed take for a registry without TLS. */
describe("a module in the tenant's registry", { skip: WITHOUT_SINTER || WITHOUT_TESTBED }, () => {
  let registry: TestRegistry;

  before(async () => {
    await stopRegistry();
    registry = await startRegistry({ auth: true, at: new URL(REGISTRY_URL).host });
  });
  after(async () => {
    await registry.stop();
  });

  it("is fetched by its digest with the tenant's pull secret, and without it that is told", () =>
    withLab(
      'registry',
      async (lab) => {
        const source = `export default (input) => 'from the registry: ' + input;`;
        const pushed = await image(registry, [await layer(registry, { 'app/main.mjs': source })]);
        const module = { image: { reference: referenceTo(REGISTRY, pushed), path: '/app/main.mjs' } };
        const spec = {
          ...AMD64,
          artifacts: [{ name: 'js', type: 'JavaScript', module }],
          template: { spec: { imagePullSecrets: [{ name: 'pull' }] } },
        };
        const functions = { f: { code: '', spec } };
        await apply(lab.manifests({ functions }), lab.namespace);
        const said = await eventually(
          'what is refused is told',
          async () => {
            const { message = '' } = await condition('workflow', WORKFLOW, lab.namespace, 'Ready', 'False');
            return /401|credential|[Uu]nauthor|refus/.test(message) && message;
          },
          PATIENCE_MS,
          () => list('workflows', lab.namespace),
        );
        assert.match(said, /registry\.testbed/);

        const config = dockerConfig({ [REGISTRY]: [USER, PASSWORD] });
        const pull = secret('pull', { '.dockerconfigjson': config }, 'kubernetes.io/dockerconfigjson');
        await apply([pull], lab.namespace);
        // A pod has its environment from its start.
        const pods = await list('pods', lab.namespace, UNIT_LABEL);
        assert.notDeepEqual(pods, []);
        await eventually(
          'a pod that has it serves',
          async () => (await lab.call(7)).text === 'from the registry: 7',
          PATIENCE_MS,
        );
      },
      RESTRICTED,
    ));
});
