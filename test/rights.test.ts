/**
 * The operator may what it asks for, and nothing else: the rules of the chart against every request in its source.
 *
 * `ASKED` is the list of requests, each with the text that makes it. A request that is not in it is found because the number of
 * call sites is compared; one that is made no more, because its text is gone.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { KINDS } from '../operator/src/kube/objects.ts';
import type { Kind } from '../operator/src/kube/objects.ts';
import { SINTER } from '../operator/src/reconcile/kinds.ts';
import { NAMESPACE, NO_HELM, render } from './chart/helm.ts';
import type { Rendered, Rule } from './chart/helm.ts';

const SOURCE = resolve(import.meta.dirname, '../operator/src');

/** Rights by where they hold: in Sinter's own namespace, anywhere else. */
type Where = 'own' | 'else';

interface Request {
  readonly where: Where;
  /** `group/resource`, the core group without a name. */
  readonly on: readonly string[];
  readonly verbs: readonly string[];
  readonly file: string;
  readonly text: string;
  /** Call sites that the text stands for; default 1. */
  readonly sites?: number;
}

const STATUSES = [
  'functions',
  'workflows',
  'workflowplans',
  'optimizationpolicies',
  'clusteroptimizationpolicies',
];
const status = (plural: string): string => `sinter.dev/${plural}/status`;

const ASKED: readonly Request[] = [
  request(
    'else',
    ['sinter.dev/workflows'],
    'patch',
    'reconcile/workflow.ts',
    'client.merge(SINTER.workflows',
  ),
  request(
    'else',
    ['sinter.dev/workflowplans'],
    'create',
    'reconcile/workflow.ts',
    'client.create(SINTER.plans',
  ),
  request('else', ['sinter.dev/workflowplans'], 'delete', 'reconcile/plan.ts', 'client.delete(SINTER.plans'),
  request('else', [status('workflows')], 'patch', 'reconcile/workflow.ts', 'applyStatus({'),
  request('else', [status('functions')], 'patch', 'reconcile/function.ts', 'applyStatus({'),
  request('else', [status('workflowplans')], 'patch', 'reconcile/plan.ts', 'applyStatus({'),
  request(
    'else',
    [status('optimizationpolicies'), status('clusteroptimizationpolicies')],
    'patch',
    'reconcile/policy.ts',
    'applyStatus({',
  ),
  request(
    'else',
    ['sinter.dev/clusteroptimizationpolicies'],
    'get',
    'main.ts',
    'client.find(SINTER.clusterPolicies',
  ),
  request('else', ['sinter.dev/clusteroptimizationpolicies'], 'create patch', 'main.ts', 'applyObject({'),
  // What owns an object and blocks its own deletion.
  request(
    'else',
    ['sinter.dev/workflows/finalizers'],
    'update',
    'resources/labels.ts',
    'blockOwnerDeletion: true',
    0,
  ),
  request(
    'else',
    ['apps/deployments', 'policy/poddisruptionbudgets', 'networking.k8s.io/networkpolicies'],
    'get',
    'reconcile/units.ts',
    'client.find(kind, desired.metadata',
  ),
  request(
    'else',
    ['apps/deployments', 'policy/poddisruptionbudgets', 'networking.k8s.io/networkpolicies'],
    'create patch',
    'reconcile/units.ts',
    'applyObject<T>({',
  ),
  request('else', ['apps/deployments'], 'patch', 'reconcile/units.ts', 'client.merge(KINDS.deployments'),
  request(
    'else',
    ['apps/deployments'],
    'patch',
    'reconcile/units.ts',
    'client.merge(\n          KINDS.deployments',
  ),
  request('else', ['apps/deployments'], 'delete', 'reconcile/units.ts', 'client.delete(KINDS.deployments'),
  request(
    'else',
    ['policy/poddisruptionbudgets'],
    'delete',
    'reconcile/units.ts',
    'client.delete(KINDS.podDisruptionBudgets',
  ),
  request('else', ['/secrets'], 'create', 'reconcile/units.ts', 'client.create<Secret>(KINDS.secrets'),
  request('else', ['/secrets'], 'update', 'reconcile/units.ts', 'client.replace<Secret>(KINDS.secrets'),
  request('else', ['/secrets'], 'delete', 'reconcile/units.ts', 'client.delete(KINDS.secrets'),
  request('else', ['/configmaps'], 'get', 'reconcile/contents.ts', 'client.find(KINDS.configMaps'),
  request('else', ['events.k8s.io/events'], 'create', 'kube/events.ts', 'client.create(EVENTS', 2),
  request('else', ['events.k8s.io/events'], 'patch', 'kube/events.ts', 'client.merge(EVENTS'),
  // Keys of triggers: granted by tenants, Secret by Secret.
  request('else', [], '', 'reconcile/keys.ts', 'client.find(KINDS.secrets'),
  request('own', ['/secrets'], 'get', 'reconcile/busKube.ts', 'client.find(KINDS.secrets'),
  request('own', ['/secrets'], 'create', 'reconcile/busKube.ts', 'client.create(\n    KINDS.secrets'),
  request('own', ['/secrets'], 'patch', 'reconcile/busKube.ts', 'client.merge(\n    KINDS.secrets'),
  request('own', ['coordination.k8s.io/leases'], 'get', 'kube/elector.ts', 'client.find(KINDS.leases'),
  request('own', ['coordination.k8s.io/leases'], 'create', 'kube/elector.ts', 'client.create(KINDS.leases'),
  request(
    'own',
    ['coordination.k8s.io/leases'],
    'update',
    'kube/elector.ts',
    'client.replace(KINDS.leases',
    2,
  ),
  // What every write and every watch goes through: named above and below by its callers.
  request('else', [], '', 'kube/apply.ts', 'client.apply(kind', 2),
  request('else', [], '', 'kube/informer.ts', 'client.page(kind'),
  request('else', [], '', 'kube/informer.ts', 'client.watch(kind'),
];

function request(
  where: Where,
  on: readonly string[],
  verbs: string,
  file: string,
  text: string,
  sites = 1,
): Request {
  return { where, on, verbs: verbs.split(' '), file, text, sites };
}

const sourceOf = (file: string): string => readFileSync(join(SOURCE, file), 'utf8');

/** What the stores follow: read from their source, as `list` and `watch`. */
function followed(): readonly string[] {
  const kinds: Readonly<Record<string, Readonly<Record<string, Kind>>>> = { KINDS, SINTER };
  return [...sourceOf('reconcile/stores.ts').matchAll(/\bwatch\((KINDS|SINTER)\.(\w+)/g)].map(
    ([, list = '', name = '']) => {
      const found = kinds[list]?.[name];
      assert.ok(found, name);
      return resourceOf(found);
    },
  );
}

function resourceOf({
  apiVersion,
  plural,
}: {
  readonly apiVersion: string;
  readonly plural: string;
}): string {
  const [group = '', version] = apiVersion.split('/');
  return `${version === undefined ? '' : group}/${plural}`;
}

const rightsAsked = (where: Where): readonly string[] =>
  ASKED.filter((one) => one.where === where).flatMap(({ on, verbs }) =>
    on.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}`)),
  );

const rightsOf = (rules: readonly Rule[]): readonly string[] =>
  rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`)),
    ),
  );

const sorted = (rights: readonly string[]): readonly string[] => [...new Set(rights)].sort();

describe('the rights of the operator', { skip: NO_HELM }, () => {
  const rulesOf = (objects: readonly Rendered[], kind: string, name: string, namespace?: string) =>
    objects
      .filter((o) => o.kind === kind && o.metadata.name === name && o.metadata.namespace === namespace)
      .flatMap((o) => o.rules);
  const follows = followed().flatMap((resource) => [`list ${resource}`, `watch ${resource}`]);

  it('outside its own namespace are what it asks for', async () => {
    const rules = rulesOf(await render(), 'ClusterRole', `${NAMESPACE}-sinter-operator`);
    assert.deepEqual(sorted(rightsOf(rules)), sorted([...rightsAsked('else'), ...follows]));
  });

  it('are no others where namespaces are listed', async () => {
    const objects = await render({ watchNamespaces: ['red'] });
    const rules = [
      ...rulesOf(objects, 'ClusterRole', `${NAMESPACE}-sinter-operator`),
      ...rulesOf(objects, 'Role', `${NAMESPACE}-sinter-tenant`, 'red'),
    ];
    assert.deepEqual(sorted(rightsOf(rules)), sorted([...rightsAsked('else'), ...follows]));
  });

  it('in its own namespace are what it asks for', async () => {
    const rules = rulesOf(await render(), 'Role', 'sinter-operator', NAMESPACE);
    assert.deepEqual(sorted(rightsOf(rules)), sorted([...rightsAsked('own'), 'list /pods', 'watch /pods']));
  });
});

describe('the list of requests', () => {
  it('has only what the source has', () => {
    for (const { file, text, sites } of ASKED)
      assert.ok(sourceOf(file).split(text).length - 1 >= Math.max(1, sites ?? 1), `${file} has no '${text}'`);
  });

  it('has all that the source has', async () => {
    const CALL =
      /\b[cC]lient\s*\.(?:get|find|list|page|create|replace|apply|merge|delete|request|watch)[(<]|\bapply(?:Object|Status)(?:<T>)?\(\{/g;
    const found = new Map<string, number>();
    for await (const path of glob(join(SOURCE, '{main.ts,{kube,reconcile,telemetry,config}/**/*.ts}'))) {
      const file = relative(SOURCE, path);
      const calls = [...readFileSync(path, 'utf8').matchAll(CALL)].length;
      if (!/\.test\.ts$|\/test\w+\.ts$/.test(file) && calls > 0) found.set(file, calls);
    }
    const listed = new Map<string, number>();
    for (const { file, sites = 1 } of ASKED) if (sites > 0) listed.set(file, (listed.get(file) ?? 0) + sites);
    assert.deepEqual([...found].sort(), [...listed].sort());
  });

  it('names a status for every kind of Sinter', () => {
    const plurals = Object.values(SINTER).map((kind) => kind.plural);
    assert.deepEqual(STATUSES.toSorted(), plurals.sort());
    for (const plural of plurals) assert.ok(rightsAsked('else').includes(`patch ${status(plural)}`), plural);
  });
});
