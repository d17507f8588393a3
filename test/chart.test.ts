/**
 * The chart, as Helm renders it: what the house promises of it, for every set of values.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import { parse } from 'yaml';
import { parseConfig, variables } from '../operator/src/config/config.ts';
import { secretNames } from '../operator/src/reconcile/busSecrets.ts';
import { Metrics } from '../operator/src/telemetry/metrics.ts';
import { chartDifferences } from '../scripts/chart.ts';
import {
  CHART,
  NAMESPACE,
  NO_HELM,
  containerOf,
  ofKind,
  one,
  podsOf,
  render,
  renderText,
  runHelm,
  servicesOf,
  template,
} from './chart/helm.ts';
import type { Pod, Rendered, Rule } from './chart/helm.ts';
import { VALUE_SETS } from './chart/valueSets.ts';

test('what is generated for the chart is what is committed', () => {
  assert.deepEqual(chartDifferences(), [], 'run: node scripts/chart.ts');
});

test('helm lint finds nothing', { skip: NO_HELM }, async () => {
  const run = await runHelm(['lint', '--strict', CHART]);
  assert.equal(run.code, 0, run.stdout + run.stderr);
});

for (const [name, values] of Object.entries(VALUE_SETS)) {
  describe(`rendered with ${name}`, { skip: NO_HELM }, () => {
    it('is the same twice', async () => {
      assert.equal(await renderText(values), await renderText(values));
    });

    it('makes pods that the restricted Pod Security level takes, but for the port of the leaves', async () => {
      for (const { owner, pod } of podsOf(await render(values))) expectRestricted(owner, pod);
    });

    it('selects the pods that it makes', async () => {
      const objects = await render(values);
      const pods = podsOf(objects).map(({ pod }) => pod.metadata.labels);
      for (const { what, labels } of selectorsIn(objects))
        assert.ok(
          pods.some((pod) => matches(pod, labels)),
          `${what} selects nothing: ${JSON.stringify(labels)}`,
        );
    });

    it('names only ports that containers have', async () => {
      const objects = await render(values);
      for (const { metadata, spec } of servicesOf(objects)) {
        const owner = podsOf(objects).find(({ pod }) => matches(pod.metadata.labels, spec.selector));
        const names = owner?.pod.spec.containers[0].ports?.map((p) => p.name) ?? [];
        for (const port of spec.ports) assert.ok(names.includes(port.targetPort), metadata.name);
      }
    });

    it('gives no right to everything, and none to read the Secrets of others', async () => {
      for (const role of (await render(values)).filter((o) => o.kind.endsWith('Role')))
        for (const rule of role.rules) expectBounded(role, rule);
    });

    it('has all in the namespace of the release that is in a namespace', async () => {
      const allowed = [NAMESPACE, 'red', 'blue', undefined];
      for (const { kind, metadata } of await render(values)) {
        assert.ok(allowed.includes(metadata.namespace), `${kind} ${metadata.name}`);
        if (kind === 'Deployment' || kind === 'ConfigMap' || kind === 'Service')
          assert.ok(metadata.namespace === NAMESPACE || metadata.name === 'sinter-extra');
      }
    });
  });
}

const VOLUMES = ['configMap', 'secret', 'emptyDir'];

function expectRestricted({ kind, metadata }: Rendered, { spec }: Pod): void {
  const what = `${kind} ${metadata.name}`;
  assert.equal(spec.securityContext.runAsNonRoot, true, what);
  assert.equal(spec.securityContext.seccompProfile.type, 'RuntimeDefault', what);
  for (const forbidden of ['hostNetwork', 'hostPID', 'hostIPC']) assert.ok(!(forbidden in spec), what);
  const types = (spec.volumes ?? []).flatMap((v) => Object.keys(v)).filter((key) => key !== 'name');
  for (const type of types) assert.ok(VOLUMES.includes(type), `${what}: ${type}`);
  for (const { securityContext, resources, ports = [] } of spec.containers) {
    const { allowPrivilegeEscalation, readOnlyRootFilesystem, capabilities } = securityContext;
    assert.deepEqual([allowPrivilegeEscalation, readOnlyRootFilesystem], [false, true], what);
    assert.deepEqual(capabilities, { drop: ['ALL'] }, what);
    assert.ok(resources.requests['memory'] && resources.limits['memory'], what);
    const hostPorts = ports.filter((p) => p.hostPort !== undefined);
    assert.equal(hostPorts.length, kind === 'DaemonSet' ? 1 : 0, what);
  }
}

type Labels = Readonly<Record<string, string>>;

const matches = (labels: Labels, wanted: Labels): boolean =>
  Object.entries(wanted).every(([key, value]) => labels[key] === value);

const named = ({ kind, metadata }: Rendered): string => `${kind} ${metadata.name}`;

function selectorsIn(objects: readonly Rendered[]): readonly { what: string; labels: Labels }[] {
  const selecting = ['Deployment', 'StatefulSet', 'DaemonSet', 'PodDisruptionBudget'];
  return [
    ...servicesOf(objects).map((o) => ({ what: `Service ${o.metadata.name}`, labels: o.spec.selector })),
    ...ofKind(objects, 'NetworkPolicy').map((o) => ({
      what: named(o),
      labels: o.spec.podSelector.matchLabels,
    })),
    ...objects
      .filter((o) => selecting.includes(o.kind))
      .map((o) => ({ what: named(o), labels: o.spec.selector.matchLabels })),
  ];
}

function expectBounded({ kind, metadata }: Rendered, rule: Rule): void {
  const what = `${kind} ${metadata.name}: ${JSON.stringify(rule)}`;
  for (const list of [rule.apiGroups, rule.resources, rule.verbs]) assert.ok(!list.includes('*'), what);
  for (const verb of ['escalate', 'bind', 'impersonate']) assert.ok(!rule.verbs.includes(verb), what);
  const own = kind === 'Role' && metadata.namespace === NAMESPACE;
  if (rule.resources.includes('secrets') && !own)
    // A patch reads too: its errors quote the object, before admission looks at it.
    assert.deepEqual(rule.verbs, ['create', 'update', 'delete'], what);
}

describe('the names that the operator knows', { skip: NO_HELM }, () => {
  it('Secrets of the bus are mounted where the configuration looks for them', async () => {
    const objects = await render();
    for (const [kind, name] of [
      ['StatefulSet', 'sinter-nats-hub'],
      ['DaemonSet', 'sinter-nats-leaf'],
    ] as const) {
      const { volumes, containers } = one(objects, kind, name).spec.template.spec;
      const secrets = new Map(volumes?.map((v) => [v.name, v.secret?.secretName]));
      const at = new Map(containers[0].volumeMounts.map((m) => [m.mountPath, secrets.get(m.name)]));
      assert.equal(at.get('/etc/nats-auth'), name);
      assert.equal(at.get('/etc/nats-tls'), `${name}-tls`);
    }
  });

  it('the gateway takes its credential as units take theirs, and finds the bus nearest first', async () => {
    const container = containerOf(await render(), 'Deployment', 'sinter-gateway');
    const env = new Map(container.env.map((e) => [e.name, e]));
    for (const [variable, key] of [
      ['SINTER_JWT', 'jwt'],
      ['SINTER_SEED', 'seed'],
      ['SINTER_BUS_CA', 'ca.crt'],
    ] as const)
      assert.deepEqual(env.get(variable)?.valueFrom?.secretKeyRef, { name: 'sinter-gateway', key });
    assert.deepEqual(JSON.parse(env.get('SINTER_BOOTSTRAP')?.value ?? ''), {
      servers: ['tls://$(SINTER_HOST_IP):4222', `tls://sinter-nats.${NAMESPACE}.svc:4222`],
      leafServerName: 'sinter-nats-leaf',
      machine: '$(SINTER_MACHINE)',
      instance: '$(SINTER_INSTANCE)',
      host: '0.0.0.0',
      port: 8080,
      lingerMs: 3000,
    });
    // A variable is replaced only where it was defined before.
    const names = [...env.keys()];
    for (const used of ['SINTER_HOST_IP', 'SINTER_MACHINE', 'SINTER_INSTANCE'])
      assert.ok(names.indexOf(used) < names.indexOf('SINTER_BOOTSTRAP'), used);
  });

  it('the gateway is told which issuers it may ask, and whom to trust for it', async () => {
    const bootstrapOf = async (issuers: object) => {
      const objects = await render({ gateway: { issuers } });
      const { env } = containerOf(objects, 'Deployment', 'sinter-gateway');
      const text = env.find((e) => e.name === 'SINTER_BOOTSTRAP')?.value ?? '';
      return JSON.parse(text) as { readonly issuers?: object };
    };
    const given = { hosts: ['*.example.org', 'id.example'], ca: '-----BEGIN CERTIFICATE-----\nAA==\n' };
    assert.deepEqual((await bootstrapOf(given)).issuers, given);
    assert.deepEqual((await bootstrapOf({ hosts: ['id.example'] })).issuers, { hosts: ['id.example'] });
    assert.equal((await bootstrapOf({})).issuers, undefined);
  });

  it('who sees only namespaces gets by a role what a plan rests on besides', async () => {
    const role = one(await render(), 'ClusterRole', 'sinter-system-sinter-plan');
    const rights = role.rules.flatMap((r) => r.resources.map((resource) => `${r.verbs.join()} ${resource}`));
    assert.deepEqual(rights, ['list nodes', 'list clusteroptimizationpolicies']);
    const without = await render({ rbac: { planRole: false } });
    assert.ok(!without.some((o) => o.metadata.name.endsWith('-plan')));
  });

  it('the operator is told of what the values say', async () => {
    const env = await operatorEnv({
      watchNamespaces: ['a', 'b'],
      operator: { insecureRegistries: ['r:5000'] },
      nats: { leaf: { hostPort: 14222 }, hub: { replicas: 3 } },
      defaultPolicy: { spec: { objective: 'Latency' } },
      triggerHosts: { red: ['*.red.example'], '*': ['all.example'] },
    });
    assert.deepEqual(
      { ...env, SINTER_NAMESPACE: undefined, SINTER_POD_NAME: undefined, SINTER_SERVICE_ACCOUNT: undefined },
      {
        SINTER_NAMESPACE: undefined,
        SINTER_POD_NAME: undefined,
        SINTER_SERVICE_ACCOUNT: undefined,
        SINTER_FULLNAME: 'sinter',
        SINTER_IMAGE: 'sinter:0.1.0',
        SINTER_IMAGE_PULL_POLICY: 'IfNotPresent',
        SINTER_NATS_MODE: 'Bundled',
        SINTER_NATS_URLS: 'tls://sinter-nats.sinter-system.svc:4222',
        SINTER_NATS_LEAF: 'true',
        SINTER_NATS_LEAF_PORT: '14222',
        SINTER_LEAF_SERVER_NAME: 'sinter-nats-leaf',
        SINTER_NATS_REPLICAS: '3',
        SINTER_TLS: 'Operator',
        SINTER_CLUSTER_DOMAIN: 'cluster.local',
        SINTER_GATEWAY_URL: 'http://sinter-gateway.sinter-system.svc',
        SINTER_CREDENTIAL_LIFETIME_SECONDS: '2592000',
        SINTER_LEAF_CREDENTIAL_LIFETIME_SECONDS: '31536000',
        SINTER_METRICS_PORT: '8080',
        SINTER_LOG_LEVEL: 'info',
        SINTER_LEADER_ELECTION: 'true',
        SINTER_WATCH_NAMESPACES: 'a,b',
        SINTER_INSECURE_REGISTRIES: 'r:5000',
        SINTER_DEFAULT_POLICY: '{"objective":"Latency"}',
        SINTER_TRIGGER_HOSTS: '{"*":["all.example"],"red":["*.red.example"]}',
      },
    );
  });

  it('and is told of all that it asks for, in words that it takes', async () => {
    const asked = variables.map((v) => v.name).filter((name) => name !== 'SINTER_FAULT_POINT');
    for (const values of Object.values(VALUE_SETS)) {
      const env = await operatorEnv(values);
      const given = {
        SINTER_NAMESPACE: NAMESPACE,
        SINTER_POD_NAME: 'p',
        SINTER_SERVICE_ACCOUNT: 'sinter-operator',
        ...('SINTER_PAGE_KEY' in env ? { SINTER_PAGE_KEY: 'k'.repeat(24) } : {}),
      };
      const settings = { ...env, ...given };
      parseConfig(settings);
      const told = Object.keys(settings).filter((name) => name.startsWith('SINTER_'));
      const isOff = (name: string): boolean =>
        (name === 'SINTER_NATS_SECRET' && env['SINTER_NATS_MODE'] === 'Bundled') ||
        (name.startsWith('SINTER_PAGE_') && !('SINTER_PAGE_KEY' in env));
      assert.deepEqual(told.sort(), asked.filter((name) => !isOff(name)).sort());
    }
  });

  it('Secrets have the names under which the operator makes them', async () => {
    const names = secretNames('sinter');
    const mounted = podsOf(await render()).flatMap(({ pod }) => [
      ...(pod.spec.volumes ?? []).map((v) => v.secret?.secretName),
      ...pod.spec.containers[0].env.map((e) => e.valueFrom?.secretKeyRef?.name),
    ]);
    const used = [...new Set(mounted.filter((name) => name !== undefined))].sort();
    assert.deepEqual(used, [names.gateway, names.hub, names.hubTls, names.leaf, names.leafTls].sort());
  });

  it('with a NATS of the user it gets his addresses, his Secret and no leaves', async () => {
    const env = await operatorEnv(VALUE_SETS['NATS of the user, signing keys'] ?? {});
    assert.equal(env['SINTER_NATS_URLS'], 'tls://a.nats:4222,tls://b.nats:14222');
    assert.equal(env['SINTER_NATS_SECRET'], 'nats-keys');
    assert.equal(env['SINTER_NATS_LEAF'], 'false');
    assert.equal(env['SINTER_NATS_REPLICAS'], '3');
  });

  it('the address of the gateway is what leads to it', async () => {
    const url = async (gateway: object) => (await operatorEnv({ gateway }))['SINTER_GATEWAY_URL'];
    assert.equal(await url({ service: { port: 8080 } }), 'http://sinter-gateway.sinter-system.svc:8080');
    assert.equal(await url({ ingress: { enabled: true, hosts: ['a.example'] } }), 'http://a.example');
    assert.equal(await url({ url: 'https://b.example/x' }), 'https://b.example/x');
    assert.equal(await url({ enabled: false }), '');
  });
});

async function operatorEnv(values: object): Promise<Record<string, string | undefined>> {
  const [operator] = podsOf(await render(values)).filter(({ owner }) => nameOf(owner).endsWith('-operator'));
  const env = operator?.pod.spec.containers[0].env ?? [];
  return Object.fromEntries(env.map((e) => [e.name, e.value]));
}

describe('parts come and go with values', { skip: NO_HELM }, () => {
  it('budgets of disruption only where there is more than one', async () => {
    assert.deepEqual(ofKind(await render(), 'PodDisruptionBudget'), []);
    const names = ofKind(await render(VALUE_SETS['highly available']), 'PodDisruptionBudget').map(nameOf);
    assert.deepEqual(names.sort(), ['sinter-gateway', 'sinter-nats-hub', 'sinter-operator']);
  });

  it('CRDs stay on uninstall, unless they are not to', async () => {
    const kept = (objects: readonly Rendered[]) =>
      ofKind(objects, 'CustomResourceDefinition').map(
        (o) => o.metadata.annotations['helm.sh/resource-policy'],
      );
    assert.deepEqual(kept(await render()), Array(5).fill('keep'));
    assert.deepEqual(kept(await render({ crds: { keep: false } })), Array(5).fill(undefined));
    assert.deepEqual(kept(await render({ crds: { install: false } })), []);
  });

  it('a CRD of the chart is the generated one, and more annotations and labels', async () => {
    for (const crd of ofKind(await render(), 'CustomResourceDefinition')) {
      const file = readFileSync(
        join(CHART, 'files/crds', `sinter.dev_${crd.spec.names.plural}.yaml`),
        'utf8',
      );
      assert.deepEqual(crd.spec, (parse(file) as Rendered).spec);
    }
  });

  it('a change of the configuration of a server restarts it, a new version of the chart does not', async () => {
    const template = async (values: object) =>
      one(await render(values), 'StatefulSet', 'sinter-nats-hub').spec.template;
    const [before, after] = await Promise.all([
      template({}),
      template({ nats: { hub: { maxMemoryStoreBytes: 1 } } }),
    ]);
    assert.notEqual(
      before.metadata.annotations['checksum/config'],
      after.metadata.annotations['checksum/config'],
    );
    assert.ok(!JSON.stringify(before.metadata.labels).includes('0.1.0'));
  });

  it('with namespaces to watch, rights on tenants are in these namespaces only', async () => {
    const objects = await render({ watchNamespaces: ['red'] });
    const cluster = one(objects, 'ClusterRole', 'sinter-system-sinter-operator');
    const resources = cluster.rules.flatMap((r) => r.resources).sort();
    assert.deepEqual(resources, [
      'clusteroptimizationpolicies',
      'clusteroptimizationpolicies/status',
      'nodes',
    ]);
    assert.deepEqual(
      ofKind(objects, 'Role')
        .map((o) => o.metadata.namespace)
        .sort(),
      ['red', NAMESPACE],
    );
  });

  it('every pod of the release is closed by a NetworkPolicy with both directions', async () => {
    for (const values of [{}, VALUE_SETS['highly available'] ?? {}]) {
      const objects = await render(values);
      const policies = ofKind(objects, 'NetworkPolicy');
      for (const { owner, pod } of podsOf(objects)) {
        const own = policies.filter((p) => matches(pod.metadata.labels, p.spec.podSelector.matchLabels));
        assert.equal(own.length, 1, nameOf(owner));
        assert.deepEqual(own[0]?.spec.policyTypes, ['Ingress', 'Egress']);
      }
    }
  });

  it('the port of probes of NATS is open to nobody', async () => {
    const ports = ofKind(await render(), 'NetworkPolicy').flatMap((p) =>
      p.spec.ingress.flatMap((rule) => rule.ports.map(({ port }) => port)),
    );
    assert.ok(ports.includes(4222));
    assert.ok(!ports.includes(8222));
  });

  it('monitoring objects only where they are asked for', async () => {
    const kinds = (await render()).map((o) => o.kind);
    for (const kind of ['ServiceMonitor', 'PrometheusRule', 'Certificate', 'Ingress', 'HTTPRoute'])
      assert.ok(!kinds.includes(kind), kind);
    const objects = await render(VALUE_SETS['highly available']);
    const dashboard = one(objects, 'ConfigMap', 'sinter-dashboard').data['sinter.json'] ?? '';
    assert.equal((JSON.parse(dashboard) as { title: string }).title, 'Sinter');
    for (const { expr, annotations } of one(objects, 'PrometheusRule', 'sinter').spec.groups[0].rules) {
      assert.match(expr, /namespace="sinter-system"/);
      assert.ok(annotations['summary']);
    }
  });
});

test('dashboard and alerts ask only for metrics that the operator has', { skip: NO_HELM }, async () => {
  const objects = await render(VALUE_SETS['highly available']);
  const dashboard = one(objects, 'ConfigMap', 'sinter-dashboard').data['sinter.json'] ?? '';
  const { panels } = JSON.parse(dashboard) as { panels: { targets: { expr: string }[] }[] };
  const alerts = one(objects, 'PrometheusRule', 'sinter').spec.groups[0].rules;
  const expressions = [...panels.flatMap(({ targets }) => targets), ...alerts].map(({ expr }) => expr);
  const metrics = new Metrics();
  metrics.controller('x', () => ({ depth: 0 }) as never);
  const has = new Set(['up', ...metrics.registry.getMetricsAsArray().map(({ name }) => name)]);
  const asked = expressions.flatMap((e) =>
    [...e.matchAll(/([a-z_]{2,})(?=[{[])/g)].map(([, name = '']) => name),
  );
  assert.ok(asked.length >= expressions.length);
  for (const name of asked) assert.ok(has.has(name.replace(/_bucket$/, '')), name);
});

const nameOf = (object: Rendered): string => object.metadata.name;

describe('what is refused, and how', { skip: NO_HELM }, () => {
  const REFUSED: readonly (readonly [string, object, RegExp])[] = [
    ['a typing error', { operater: {} }, /operater/],
    ['a typing error further down', { nats: { hub: { replica: 3 } } }, /\/nats\/hub[\s\S]*replica/],
    ['two hub servers, which are no quorum', { nats: { hub: { replicas: 2 } } }, /nats\/hub\/replicas/],
    ['a mode that is none', { nats: { mode: 'External' } }, /nats\/mode[\s\S]*Bundled/],
    ['a digest that is none', { image: { digest: 'latest' } }, /image\/digest/],
    ['an issuer by URL', { gateway: { issuers: { hosts: ['https://a'] } } }, /gateway\/issuers\/hosts/],
    ['a host that is an address', { triggerHosts: { red: ['https://red.example'] } }, /triggerHosts\/red/],
    ['a number as text', { gateway: { replicas: 'two' } }, /gateway\/replicas/],
    ['no replicas', { gateway: { replicas: 0 } }, /gateway\/replicas[\s\S]*1/],
    ['an address without a scheme', { nats: { external: { urls: ['nats:4222'] } } }, /nats\/external\/urls/],
    [
      'a NATS of the user without address',
      { nats: { mode: 'SigningKey' } },
      /nats\.mode is SigningKey, and nats\.external\.urls is empty: give/,
    ],
    [
      'a NATS of the user without Secret',
      { nats: { mode: 'SharedCredential', external: { urls: ['nats://a'] } } },
      /nats\.external\.secretName is empty: name a Secret in namespace sinter-system/,
    ],
    [
      'a NATS of the user beside the bundled one',
      { nats: { external: { urls: ['nats://a'] } } },
      /nats\.mode is Bundled: set nats\.mode to/,
    ],
    [
      'several operators without a leader',
      { operator: { replicas: 2, leaderElection: false } },
      /operator\.replicas is 2, and operator\.leaderElection is false/,
    ],
    ['a route to nowhere', { gateway: { httpRoute: { enabled: true } } }, /parentRefs is empty/],
    [
      'an end before the drain',
      { gateway: { terminationGracePeriodSeconds: 5 } },
      /must be more than gateway\.drainSeconds, which is 5/,
    ],
    [
      'an account that nobody makes',
      { operator: { serviceAccount: { create: false } } },
      /serviceAccount\.name must be given/,
    ],
  ];
  for (const [what, values, message] of REFUSED)
    it(what, async () => {
      const { code, stderr } = await template(values);
      assert.notEqual(code, 0);
      assert.match(stderr.replaceAll("'", ''), message);
    });

  it('but what Helm gives to a part of another chart is not', async () => {
    assert.equal((await template({ global: { registry: 'x' } })).code, 0);
  });
});
