/**
 * The command-line tool against a real API server: what would run, what runs and why, as `sinter` and as kubectl's plugin.
 *
 * Where no operator runs, the test writes what one would report: then the server is real and the author of the status is
 * not. Where one runs, its plan must be the one that the tool has said.
 */
import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { folderWith, sinter } from '../../cli/test/sinter.ts';
import type { Ended, Folder } from '../../cli/test/sinter.ts';
import { attempt } from '../testbed/command.ts';
import {
  RELEASE,
  SINTER_NAMESPACE,
  TARGET,
  eventually,
  gatewayUrl,
  get,
  kubectl,
  withNamespace,
} from './harness.ts';
import type { ClusterObject } from './harness.ts';

const LAUNCHER = fileURLToPath(new URL('../../cli/bin/sinter.mjs', import.meta.url));
const head = (kind: string, name: string): string =>
  `---\napiVersion: sinter.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name} }\n`;
/** Emulated machines take seconds for what others do in milliseconds. */
const PLACEMENT = 'placement: { architectures: [amd64] }';
const fn = (name: string): string =>
  `${head('Function', name)}spec:\n  ${PLACEMENT}\n` +
  `  artifacts: [{ name: js, type: JavaScript, module: { configMap: { name: code, key: ${name}.mjs } } }]\n`;
const code = (each: number): string =>
  '---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: code }\ndata:\n' +
  "  front.mjs: export default (input, ctx) => ctx.call('price', input);\n" +
  `  price.mjs: 'export default ({ n }) => ({ price: n * ${String(each)} });'\n`;
const policy = (fusion: string): string =>
  `${head('OptimizationPolicy', 'default')}spec: { fusion: ${fusion} }\n`;
const APART = "{ mode: 'Off' }";
const TOGETHER = '{ mode: Manual, groups: [{ name: g, functions: [front, price] }] }';
/** Paths are the gateway's, shared by all: each shop has one of its own. */
const workflow = (to: string, path: string): string =>
  `${head('Workflow', 'shop')}spec:\n  functions: [{ name: front }, { name: price }]\n  edges: [{ from: front, to: ${to} }]\n` +
  `  triggers: [{ name: web, to: front, type: Http, http: { path: /${path}, auth: { type: None } } }]\n`;
const filesFor = (path: string): Readonly<Record<string, string>> => ({
  'app/app.yaml': [fn('front'), fn('price'), policy(APART), workflow('price', path), code(2)].join(''),
  'policy.yaml': policy(TOGETHER),
  'code.yaml': code(3),
  'other.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: other }\ndata: { a: b }\n',
  'broken.yaml': workflow('prize', path),
});

/** A shop in a namespace, and the tool as its owner calls it. */
interface Shop {
  readonly namespace: string;
  readonly folder: Folder;
  readonly tool: (words: readonly string[], kubeconfig?: string) => Promise<Ended>;
}

async function withShop(scenario: (shop: Shop) => Promise<void>): Promise<void> {
  await withNamespace('cli', async (namespace) => {
    await using folder = await folderWith(filesFor(namespace));
    const tool = (words: readonly string[], kubeconfig = TARGET.kubeconfig): Promise<Ended> =>
      sinter([...words, '-n', namespace, '--cluster'], { cwd: folder.path, env: { KUBECONFIG: kubeconfig } });
    await scenario({ namespace, folder, tool });
  });
}

interface PlanJson {
  readonly workflows: readonly {
    readonly hash: string;
    readonly plan: { readonly metadata: { readonly name: string }; readonly spec: object };
    readonly current: string | null;
    readonly changes: boolean;
  }[];
}

interface Reported extends ClusterObject {
  readonly status?: { readonly plan?: { readonly current?: string } };
}

const operatorRuns = async (): Promise<boolean> => {
  const found = await get<ClusterObject & { readonly status?: { readonly readyReplicas?: number } }>(
    'deployment',
    `${RELEASE}-operator`,
    SINTER_NAMESPACE,
  );
  return (found?.status?.readyReplicas ?? 0) > 0;
};

/** Applies the shop, and sees to it that its plan is reported. */
async function run(shop: Shop): Promise<string> {
  const { namespace, folder, tool } = shop;
  const planned = JSON.parse((await tool(['plan', '-f', 'app', '--json'])).out) as PlanJson;
  const [first] = planned.workflows;
  assert.ok(first);
  await kubectl(['apply', '-n', namespace, '-f', join(folder.path, 'app')]);
  if (!(await operatorRuns())) await report(namespace, first.plan, first.hash);
  const current = await eventually(
    'the plan is current',
    async () => (await get<Reported>('workflow', 'shop', namespace))?.status?.plan?.current || undefined,
  );
  assert.equal(current, first.hash, 'what runs is what was said');
  return current;
}

/** What the operator would write. */
async function report(
  namespace: string,
  plan: PlanJson['workflows'][number]['plan'],
  hash: string,
): Promise<void> {
  await kubectl(['apply', '-n', namespace, '-f', '-'], { input: JSON.stringify(plan) });
  const lastTransitionTime = new Date().toISOString();
  const condition = (type: string, status: string, reason: string, message: string) => ({
    ...{ type, status, reason, message, lastTransitionTime, observedGeneration: 1 },
  });
  const status = {
    plan: { current: hash },
    address: { url: 'http://127.0.0.1:1/shop' },
    conditions: [
      condition('Ready', 'True', 'Serves', 'every unit serves'),
      condition('BusReady', 'False', 'Unreachable', `the bus is not reachable ${'at all '.repeat(20)}`),
    ],
  };
  const patch = JSON.stringify({ status });
  const words = ['workflow', 'shop', '--subresource=status', '--type=merge', '-p', patch];
  await kubectl(['patch', '-n', namespace, ...words]);
  const state = JSON.stringify({ status: { state: 'Current', sequence: 1 } });
  const name = plan.metadata.name;
  await kubectl([
    'patch',
    '-n',
    namespace,
    'workflowplan',
    name,
    '--subresource=status',
    '--type=merge',
    '-p',
    state,
  ]);
}

const narrow = (text: string): void => {
  const wide = text.split('\n').filter((line) => Array.from(line).length > 100);
  assert.deepEqual(wide, []);
};

it('a plan for a cluster: the first, none, and what a changed policy or code comes to', () =>
  withShop(async (shop) => {
    const { namespace, tool } = shop;
    const first = await tool(['plan', '-f', 'app', '--exit-code']);
    assert.equal(first.code, 6, first.err);
    assert.match(first.out, new RegExp(`^${namespace}/shop {2}plan [0-9a-f]{10} {2}policy default `));
    assert.match(first.out, /^change: plan [0-9a-f]{10} is the first$/m);
    assert.match(first.out, /^UNIT +FUNCTION +RUNS AS +REASON +MAY RUN ON$/m);
    narrow(first.out);
    assert.equal(await get('workflow', 'shop', namespace), undefined, 'a plan writes nothing');

    const hash = await run(shop);
    const same = await tool(['plan', '-f', 'app', '--exit-code']);
    assert.equal(same.code, 0, same.out + same.err);
    assert.match(same.out, new RegExp(`^no change: plan ${hash} runs$`, 'm'));

    const grouped = await tool(['plan', '-f', 'policy.yaml', '--exit-code']);
    assert.equal(grouped.code, 6, grouped.err);
    assert.match(grouped.out, new RegExp(`^change: plan ${hash} → [0-9a-f]{10}$`, 'm'));
    assert.match(grouped.out, /^ {2}new {3}shop-front-[0-9a-f]{10}$/m);
    assert.match(grouped.out, /^ {2}gone {2}shop-front-[0-9a-f]{10}, shop-price-[0-9a-f]{10}$/m);
    assert.match(grouped.out, /^ {2}edge {2}front → price: (remote|node) → in-process$/m);

    const changed = await tool(['plan', '-f', 'code.yaml']);
    assert.equal(changed.code, 0, changed.err);
    assert.match(
      changed.out,
      /^ {2}new {3}shop-price-\S+\n {2}kept {2}shop-front-\S+\n {2}gone {2}shop-price-\S+$/m,
    );

    const other = await tool(['plan', '-f', 'other.yaml', '--exit-code']);
    assert.equal(other.code, 0);
    assert.match(other.out, /^no workflow of the cluster is concerned by these manifests$/m);

    const broken = await tool(['plan', '-f', 'broken.yaml', '--exit-code']);
    assert.equal(broken.code, 1);
    assert.match(broken.err, new RegExp(`^error Workflow ${namespace}/shop \\(broken.yaml:\\d+\\)`, 'm'));
    assert.equal(broken.out, '');
  }));

it('an explanation: conditions, the plan of the status, another by its hash, and names that are not there', () =>
  withShop(async (shop) => {
    const { namespace, tool } = shop;
    const unseen = await tool(['explain', 'shop']);
    assert.equal(unseen.code, 1);
    assert.match(unseen.err, /no Workflow 'shop' in namespace '\S+'; there is none at all/);

    const hash = await run(shop);
    const explained = await tool(['explain', 'shop']);
    assert.equal(explained.code, 0, explained.err);
    assert.match(explained.out, new RegExp(`^${namespace}/shop {2}plan ${hash}$`, 'm'));
    assert.match(explained.out, /^CONDITION +STATUS +REASON +MESSAGE\n/m);
    assert.match(explained.out, /^address {3}http/m);
    assert.match(explained.out, /^edge front → price$/m);
    assert.match(explained.out, /^ {2}Channel: \S+ {2}[A-Z]\w+$/m);
    narrow(explained.out);

    const byHash = await tool(['explain', 'shop', '--plan', hash, '--json']);
    const json = JSON.parse(byHash.out) as {
      readonly hash: string;
      readonly plan: {
        readonly spec: { readonly units: readonly unknown[]; readonly decisions: readonly unknown[] };
      };
      readonly conditions: readonly { readonly type: string }[];
    };
    assert.equal(json.hash, hash);
    assert.ok(json.plan.spec.units.length === 2 && json.plan.spec.decisions.length > 4);
    assert.ok(json.conditions.some((c) => c.type === 'Ready'));
    assert.doesNotMatch(byHash.out, /managedFields/);

    const near = await tool(['explain', 'shpo']);
    assert.match(near.err, /there is no Workflow 'shpo' in namespace '\S+'; did you\s+mean 'shop'\?/);
    const missing = await tool(['explain', 'shop', '--plan', '0000000000']);
    assert.match(missing.err, new RegExp(`there is no plan 0000000000 of Workflow shop; there are ${hash}`));
    assert.deepEqual([near.code, missing.code], [1, 1]);
    const elsewhere = await sinter([
      'explain',
      'shop',
      '--kubeconfig',
      TARGET.kubeconfig,
      '-n',
      'kube-public',
    ]);
    assert.match(elsewhere.err, new RegExp(`one of that name is in\\s+(\\S+ )*${namespace}`));
  }));

it('a call goes to the trigger of its function, at the address that is given or reported', () =>
  withShop(async (shop) => {
    await run(shop);
    const price = await shop.tool(['invoke', 'shop/price', '-d', '{"n":2}']);
    assert.match(
      price.err.replaceAll(/\s+/g, ' '),
      /'price' cannot be called from outside: it has no trigger/,
    );
    const unknown = await shop.tool(['invoke', 'shop/cellar']);
    assert.match(unknown.err, /has no function 'cellar'; it has front, price/);
    assert.deepEqual([price.code, unknown.code], [1, 1]);
    const call = ['invoke', 'shop/front', '-d', '{"n":2}'];
    if (await operatorRuns()) {
      const { code, out, err } = await shop.tool([...call, '--gateway', await gatewayUrl()]);
      assert.deepEqual([code, out], [0, '{"price":4}'], err);
    } else {
      const { code, err } = await shop.tool(call);
      assert.equal(code, 3);
      assert.match(err, /the gateway at http:\/\/127\.0\.0\.1:1 does not answer: [^]*kubectl port-forward/);
    }
  }));

it('as a plugin of kubectl the tool means the cluster, and calls itself so', () =>
  withShop(async (shop) => {
    const hash = await run(shop);
    await shop.folder.write('bin/.keep', '');
    const bin = join(shop.folder.path, 'bin');
    await symlink(LAUNCHER, join(bin, 'kubectl-sinter'));
    const env = {
      ...process.env,
      KUBECONFIG: TARGET.kubeconfig,
      PATH: [bin, dirname(TARGET.kubectl), process.env['PATH'] ?? ''].join(delimiter),
    };
    const plugin = (words: readonly string[]) =>
      attempt([TARGET.kubectl, 'sinter', ...words], { limitMs: 60_000, env });
    const explained = await plugin(['explain', 'shop', '-n', shop.namespace]);
    assert.equal(explained.code, 0, explained.stderr);
    assert.ok(explained.stdout.startsWith(`${shop.namespace}/shop  plan ${hash}`), explained.stdout);
    const plan = await plugin([
      'plan',
      '-n',
      shop.namespace,
      '-f',
      join(shop.folder.path, 'app'),
      '--exit-code',
    ]);
    assert.equal(plan.code, 0, plan.stderr);
    assert.match((await plugin(['help', 'explain'])).stdout, /^Usage: kubectl sinter explain/);
  }));

it('who may not is told what, and who is not known is told so', () =>
  withShop(async ({ namespace, folder, tool }) => {
    await kubectl(['create', 'serviceaccount', 'guest', '-n', namespace]);
    const token = (await kubectl(['create', 'token', 'guest', '-n', namespace])).trim();
    const view = await kubectl(['config', 'view', '--raw', '--flatten', '--minify', '-o', 'json']);
    const config = JSON.parse(view) as Readonly<Record<string, unknown>>;
    const as = async (name: string, user: object): Promise<string> => {
      const users = [{ name: 'u', user }];
      const [first] = config['contexts'] as readonly { readonly name: string; readonly context: object }[];
      const contexts = [{ name: first?.name, context: { ...first?.context, user: 'u' } }];
      await folder.write(name, JSON.stringify({ ...config, users, contexts }));
      return join(folder.path, name);
    };
    const guest = await as('guest.json', { token });
    const stranger = await as('stranger.json', { token: 'none' });

    const unknown = await tool(['explain', 'shop'], stranger);
    assert.match(
      unknown.err.replaceAll(/\s+/g, ' '),
      /does not know this user .*log in again, or choose another/,
    );
    const refused = await tool(['explain', 'shop'], guest);
    assert.match(
      refused.err.replaceAll(/\s+/g, ' '),
      /this user may not do that \(workflows\.sinter\.dev "shop" is forbidden: User \S+ cannot get .*\); ask who runs/,
    );
    assert.deepEqual([unknown.code, refused.code], [1, 1]);
    narrow(unknown.err + refused.err);

    const own = ['workflows', 'workflowplans', 'functions', 'optimizationpolicies'].map(
      (r) => `${r}.sinter.dev`,
    );
    await allow(namespace, 'role', ['get', 'list'], [...own, 'configmaps']);
    const empty = await tool(['explain', 'shop'], guest);
    assert.match(empty.err, /there is no Workflow 'shop'/);
    const plan = await tool(['plan', '-f', 'app'], guest);
    assert.match(
      plan.err.replaceAll(/\s+/g, ' '),
      /may not do that \((nodes|clusteroptimizationpolicies\S*) is forbidden/,
    );
    assert.equal(plan.code, 1);

    const shared = `${namespace}-plan`;
    try {
      await allow(namespace, 'clusterrole', ['list'], ['nodes', 'clusteroptimizationpolicies.sinter.dev']);
      const may = await tool(['plan', '-f', 'app', '--exit-code'], guest);
      assert.equal(may.code, 6, may.err);
    } finally {
      await kubectl(['delete', 'clusterrole,clusterrolebinding', shared, '--ignore-not-found']);
    }
  }));

/** Gives the guest a Role in the namespace, or a ClusterRole that is named by it. */
async function allow(
  namespace: string,
  kind: 'role' | 'clusterrole',
  verbs: readonly string[],
  resources: readonly string[],
): Promise<void> {
  const name = kind === 'role' ? 'reader' : `${namespace}-plan`;
  const where = kind === 'role' ? ['-n', namespace] : [];
  const rule = [`--verb=${verbs.join(',')}`, `--resource=${resources.join(',')}`];
  await kubectl(['create', kind, name, ...where, ...rule]);
  const bind = [`${kind}binding`, name, `--${kind}=${name}`, `--serviceaccount=${namespace}:guest`];
  await kubectl(['create', ...bind, ...where]);
}
