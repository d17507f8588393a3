import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAllDocuments, stringify } from 'yaml';
import {
  configMapManifest,
  imageArtifact,
  secretManifest,
  wasmArtifact,
  jsArtifact,
} from '../model/testApplication.ts';
import type { PlanUnit } from '../planner/plan.ts';
import { manual, MACHINE } from '../snapshot/testSnapshot.ts';
import type { World } from '../snapshot/testSnapshot.ts';
import type { Deployment } from './kubernetes.ts';
import {
  credentialNote,
  seedSecret,
  tokenSecret,
  unitObjects,
  workflowNetworkPolicy,
} from './unitObjects.ts';
import type { UnitObjects } from './unitObjects.ts';
import { CREDENTIAL, planned } from './testUnits.ts';

const ARM = { name: 'm2', architecture: 'arm64', tier: 'Edge' } as const;

const RICH: World = {
  functions: {
    front: {
      timeoutSeconds: 60,
      resources: { requests: { cpu: '250m', memory: '64Mi' }, limits: { cpu: '1500m', memory: '128Mi' } },
      scaling: { minInstances: 3 },
      placement: { tiers: ['Edge'], architectures: ['arm64', 'amd64'] },
      trustDomain: 'shop',
      env: [
        { name: 'PRICE', value: '5$ or $(PATH) or $$' },
        { name: 'LEVEL', valueFrom: { configMapKeyRef: { name: 'settings', key: 'level' } } },
        { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'tokens', key: 'front' } } },
        { name: 'MAYBE', valueFrom: { secretKeyRef: { name: 'tokens', key: 'gone', optional: true } } },
      ],
      envFrom: [
        { configMapRef: { name: 'settings' }, prefix: 'S_' },
        { secretRef: { name: 'all' } },
        { secretRef: { name: 'others', optional: true }, prefix: 'O_' },
      ],
      volumeMounts: [
        { name: 'model', mountPath: '/model', readOnly: true },
        { name: 'scratch', mountPath: '/scratch', subPath: 'front' },
      ],
      template: {
        metadata: { labels: { team: 'shop' }, annotations: { 'example.com/note': 'for people' } },
        spec: {
          serviceAccountName: 'shop',
          imagePullSecrets: [{ name: 'pull' }],
          nodeSelector: { disk: 'fast' },
          tolerations: [
            { key: 'dedicated', value: 'shop', effect: 'NoSchedule' },
            { operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 },
          ],
          priorityClassName: 'high',
          volumes: [
            { name: 'model', configMap: { name: 'model' } },
            { name: 'scratch', emptyDir: {} },
          ],
        },
      },
    },
  },
  others: [
    configMapManifest('settings', { level: 'info', 'with.dot': 'x' }),
    configMapManifest('model', { a: 'b' }),
    secretManifest('tokens', { front: 'secret' }),
    secretManifest('all', { ALL: 'secret' }),
  ],
  machines: [MACHINE, ARM],
};

/** A unit whose functions run as something else on each architecture. */
const differing = (unit: PlanUnit): PlanUnit => ({
  ...unit,
  instances: 5,
  variants: unit.variants.map((v) => ({
    ...v,
    artifacts: v.artifacts.map((a) => ({ ...a, artifact: v.architecture === 'arm64' ? 'wasm' : 'js' })),
  })),
});

const TWO_FORMS: World = {
  functions: { a: { artifacts: [jsArtifact(), wasmArtifact()] } },
  machines: [MACHINE, { ...ARM, tier: 'Cloud' }],
};

const only = <T>(list: readonly T[]): T => {
  const [first, ...others] = list;
  if (first === undefined || others.length > 0) assert.fail(`one expected, there are ${String(list.length)}`);
  return first;
};

const objectsIn = ({ deployments, disruptionBudget }: UnitObjects): readonly object[] => [
  ...deployments,
  ...(disruptionBudget ? [disruptionBudget] : []),
];

const GOLDEN: Readonly<Record<string, () => readonly object[]>> = {
  'one function': () => {
    const { objects, world } = planned({ functions: { a: {} }, workflow: TRIGGERED });
    const made = objects('a');
    const secrets = [
      seedSecret(made.name, 'the seed', world.owner),
      tokenSecret(made.name, 'the jwt', 'the ca', world.owner),
    ];
    return [...objectsIn(made), ...secrets, workflowNetworkPolicy(world.owner)];
  },
  'two functions in one process': () =>
    objectsIn(
      planned({ functions: ['a', 'b'], edges: ['a>b'], policy: manual('a,b') }, { leaf: null }).objects('b'),
    ),
  'everything that a template can say': () => objectsIn(planned(RICH).objects('front')),
  'another artifact on each architecture': () => {
    const { plan, objectsOf } = planned(TWO_FORMS);
    return objectsIn(objectsOf(differing(only(plan.units))));
  },
};

const TRIGGERED = {
  triggers: [{ name: 'web', to: 'a', type: 'Http', http: { path: '/a', auth: { type: 'None' } } }],
};

/** `SINTER_UPDATE_GOLDEN=1 node --test` writes them anew. */
for (const [name, make] of Object.entries(GOLDEN)) {
  test(`the objects of ${name} are as written down`, () => {
    const file = new URL(`golden/${name.replaceAll(' ', '-')}.yaml`, import.meta.url);
    const text = make()
      .map((object) => `---\n${stringify(object, { lineWidth: 110, aliasDuplicateObjects: false })}`)
      .join('');
    if (process.env['SINTER_UPDATE_GOLDEN'] === '1') writeFileSync(file, text);
    assert.equal(text, readFileSync(file, 'utf8'));
    for (const document of parseAllDocuments(text)) assert.deepEqual(document.errors, []);
  });
}

const replicas = (objects: UnitObjects): readonly number[] => objects.deployments.map((d) => d.spec.replicas);

test('equal variants are one Deployment with the name of the unit', () => {
  const { objects } = planned({ functions: ['a'], machines: [MACHINE, ARM] });
  const { name, deployments } = objects('a');
  assert.equal(only(deployments).metadata.name, name);
});

test('instances are divided over differing variants, at least one each', () => {
  const { plan, objectsOf } = planned(TWO_FORMS);
  const unit = differing(only(plan.units));
  const divided = (instances: number) => replicas(objectsOf({ ...unit, instances }));
  assert.deepEqual([1, 2, 3, 5].map(divided), [
    [1, 1],
    [1, 1],
    [2, 1],
    [3, 2],
  ]);
});

test('a variant without a machine has no pod, and its share goes to the others', () => {
  const { plan, objectsOf } = planned({ ...TWO_FORMS, machines: [MACHINE] });
  assert.deepEqual(replicas(objectsOf(differing(only(plan.units)))), [5, 0]);
});

test('Deployments of one unit select different pods, and its budget selects all of them', () => {
  const { plan, objectsOf } = planned(TWO_FORMS);
  const { deployments, disruptionBudget } = objectsOf(differing(only(plan.units)));
  const selects = (selector: Readonly<Record<string, string>>) =>
    deployments.filter(({ spec }) =>
      Object.entries(selector).every(([key, value]) => spec.template.metadata.labels[key] === value),
    );
  for (const d of deployments) assert.deepEqual(selects(d.spec.selector.matchLabels), [d]);
  assert.deepEqual(selects(disruptionBudget?.spec.selector.matchLabels ?? {}), deployments);
});

test('there is a budget only where there is more than one instance', () => {
  const of = (minInstances: number) =>
    planned({ functions: { a: { scaling: { minInstances } } } }).objects('a').disruptionBudget;
  assert.equal(of(1), null);
  assert.equal(of(2)?.spec.maxUnavailable, 1);
});

test("what Sinter selects by is not the template's to say", () => {
  const labels = { 'app.kubernetes.io/name': 'mine', team: 'shop' };
  const { objects } = planned({ functions: { a: { template: { metadata: { labels } } } } });
  const pod = only(objects('a').deployments).spec.template.metadata.labels;
  assert.deepEqual([pod['app.kubernetes.io/name'], pod['team']], ['sinter-unit', 'shop']);
});

test('only a unit that pulls an image gets pull secrets and is told of registries', () => {
  const template = { spec: { imagePullSecrets: [{ name: 'one' }, { name: 'two' }] } };
  const functions = { a: { artifacts: [imageArtifact()], template }, b: { template } };
  const { objects } = planned({ functions }, { insecureRegistries: ['registry.example:5000', 'other:80'] });
  const told = (fn: string) =>
    only(objects(fn).deployments).spec.template.spec.containers[0]?.env.filter(({ name }) =>
      /^SINTER_(PULL|INSECURE)/.test(name),
    );
  const pull = (name: string) => ({ secretKeyRef: { name, key: '.dockerconfigjson', optional: true } });
  assert.deepEqual(told('a'), [
    { name: 'SINTER_PULL_1', valueFrom: pull('one') },
    { name: 'SINTER_PULL_2', valueFrom: pull('two') },
    { name: 'SINTER_INSECURE_REGISTRIES', value: 'registry.example:5000,other:80' },
  ]);
  assert.deepEqual(told('b'), []);
});

test('the grace is longer than the longest call', () => {
  const functions = { a: { timeoutSeconds: 30 }, b: { timeoutSeconds: 400 } };
  const { objects } = planned({ functions, edges: ['a>b'], policy: manual('a,b') });
  assert.equal(only(objects('a').deployments).spec.template.spec.terminationGracePeriodSeconds, 415);
});

test('settings change pods, and neither names nor selectors: an upgrade rolls the pods of units that stay', () => {
  const of = (image: string): Deployment =>
    only(planned({ functions: ['a'] }, { image }).objects('a').deployments);
  const [before, after] = [of('sinter:1'), of('sinter:2')];
  assert.notDeepEqual(before.spec.template, after.spec.template);
  assert.deepEqual(
    { ...before, spec: { ...before.spec, template: null } },
    { ...after, spec: { ...after.spec, template: null } },
  );
});

test('the content of a ConfigMap is in the pod and in the name', () => {
  const of = (level: string): UnitObjects =>
    planned({
      functions: { a: { envFrom: [{ configMapRef: { name: 'settings' } }] } },
      others: [configMapManifest('settings', { LEVEL: level })],
    }).objects('a');
  const [info, debug] = [of('info'), of('debug')];
  assert.notEqual(info.name, debug.name);
  const env = only(info.deployments).spec.template.spec.containers[0]?.env;
  assert.deepEqual(env?.at(-1), { name: 'SINTER_FN_A__LEVEL', value: 'info' });
});

test('the same objects come from the same plan, whatever the order in which things were declared', () => {
  const reversed = { ...RICH, others: [...(RICH.others ?? [])].reverse() };
  assert.deepEqual(planned(RICH).objects('front'), planned(reversed).objects('front'));
});

test('the note of a credential reads back from annotations', () => {
  const { metadata } = only(planned({ functions: ['a'] }).objects('a').deployments);
  assert.deepEqual(credentialNote(metadata.annotations ?? {}), CREDENTIAL);
  assert.equal(credentialNote({}), undefined);
});

test('without TLS no pod asks for a certificate that its Secret does not have', () => {
  const plain = { hub: ['nats://sinter-nats.sinter-system.svc:4222'], leaf: null };
  const { objects, world } = planned({ functions: ['a'] }, plain);
  const { name, deployments } = objects('a');
  const asked = only(deployments).spec.template.spec.containers[0]?.env.flatMap(({ valueFrom }) =>
    valueFrom && 'secretKeyRef' in valueFrom
      ? [`${valueFrom.secretKeyRef.name} ${valueFrom.secretKeyRef.key}`]
      : [],
  );
  const there = [tokenSecret(name, 'j', undefined, world.owner), seedSecret(name, 's', world.owner)];
  assert.deepEqual(
    asked,
    there.flatMap((secret) => Object.keys(secret.data).map((key) => `${secret.metadata.name} ${key}`)),
  );
});

test('a renewal is written without the seed', () => {
  const { data } = tokenSecret('u', 'ü', undefined, { namespace: 'shop', name: 'flow', uid: 'u' });
  assert.deepEqual(data, { jwt: Buffer.from('ü').toString('base64') });
});

const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

/** The longest names that the API takes come out of a generator rarely: they are asked for. */
const legalName = fc.oneof(
  fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/),
  fc.constantFrom('a'.repeat(40), `a${'-'.repeat(38)}a`, '0', '9'.repeat(40)),
);

test('legal names of workflows and functions give legal names and label values', () => {
  fc.assert(
    fc.property(legalName, legalName, fc.boolean(), (workflow, fn, differs) => {
      const { plan, world, snapshot } = planned({
        ...TWO_FORMS,
        functions: { [fn]: TWO_FORMS.functions['a' as never] },
      });
      const named = { ...world, owner: { ...world.owner, name: workflow } };
      const renamed = { ...snapshot, workflow: { ...snapshot.workflow, name: workflow } };
      const unit = differs ? differing(only(plan.units)) : { ...only(plan.units), instances: 2 };
      const made = unitObjects(unit, CREDENTIAL, { ...named, snapshot: renamed });
      const objects = [
        ...made.deployments,
        made.disruptionBudget,
        seedSecret(made.name, '', named.owner),
        tokenSecret(made.name, '', '', named.owner),
        workflowNetworkPolicy(named.owner),
      ];
      for (const object of objects.filter((o) => o !== null)) {
        const { name, labels } = object.metadata;
        assert.match(name, DNS_SUBDOMAIN);
        assert.ok(name.length <= 63, name);
        for (const value of Object.values(labels)) assert.match(value, LABEL_VALUE);
        for (const value of Object.values(labels)) assert.ok(value.length <= 63, value);
      }
    }),
    { numRuns: 200 },
  );
});
