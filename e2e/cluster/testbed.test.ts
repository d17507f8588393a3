/** That the cluster is one on which the other scenarios mean something. Needs no Sinter. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SINTER_IMAGE } from '../testbed/images/catalogue.ts';
import {
  MACHINES,
  REGISTRY_URL,
  addressOf,
  auditEntries,
  cutOff,
  inNetworkOf,
  isCutOff,
  killContainer,
  kubeconfigFor,
  reconnect,
  startApiServer,
  startRegistry,
  stopApiServer,
  stopRegistry,
} from '../testbed/cluster.ts';
import {
  WITHOUT_TESTBED,
  apply,
  call,
  eventually,
  kubectl,
  list,
  rolledOut,
  serviceUrl,
  tryKubectl,
  waitFor,
  withNamespace,
} from './harness.ts';
import type { ClusterObject, Manifest } from './harness.ts';

const PORT = 8080;
const HOST_PORT = 4999;

/** Answers with where it runs, and with the address of the Service whose name is asked for. */
const WEB = `
const { createServer } = require('node:http');
const { lookup } = require('node:dns').promises;
createServer(async (req, res) => {
  const name = new URL(req.url, 'http://web').searchParams.get('lookup');
  const address = name === null ? '' : await lookup(name).then((a) => a.address, (e) => e.code);
  const { arch, version } = process;
  res.end(JSON.stringify({ arch, version, machine: process.env.MACHINE, pid: process.pid, address }));
}).listen(${String(PORT)});
`;

interface Web {
  readonly arch: string;
  readonly version: string;
  readonly machine: string;
  readonly address: string;
}

const web = (kind: 'DaemonSet' | 'Deployment'): Manifest => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        terminationGracePeriodSeconds: 1,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [
          {
            name: 'web',
            image: SINTER_IMAGE,
            command: ['/usr/local/bin/node', '--eval', WEB],
            env: [{ name: 'MACHINE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
            ports: [{ containerPort: PORT, ...(kind === 'DaemonSet' ? { hostPort: HOST_PORT } : {}) }],
            readinessProbe: { httpGet: { path: '/', port: PORT }, periodSeconds: 1, timeoutSeconds: 5 },
            securityContext: {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ['ALL'] },
            },
          },
        ],
      },
    },
  },
});

const SERVICE: Manifest = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: PORT }] },
};

const ask = async (url: string): Promise<Web> => {
  // A Service balances connections, not calls.
  const { status, text } = await call(url, null, { method: 'GET', headers: { connection: 'close' } });
  assert.equal(status, 200, `${url}: ${text}`);
  return JSON.parse(text) as Web;
};

interface Pod extends ClusterObject {
  readonly spec: { readonly nodeName: string };
  readonly status: { readonly containerStatuses: readonly { readonly restartCount: number }[] };
}

interface Node extends ClusterObject {
  readonly status: {
    readonly nodeInfo: { readonly architecture: string };
    readonly conditions: readonly { readonly type: string; readonly status: string }[];
  };
}

const ARCH = { amd64: 'x64', arm64: 'arm64' } as const;

describe('the testbed', { skip: WITHOUT_TESTBED }, () => {
  it('has machines of two architectures and two tiers, all ready', async () => {
    const nodes = await list<Node>('nodes');
    const said = nodes.map(({ metadata: { name, labels }, status }) => ({
      name,
      architecture: status.nodeInfo.architecture,
      label: labels?.['kubernetes.io/arch'],
      tier: labels?.['sinter.dev/tier'],
      ready: status.conditions.find((c) => c.type === 'Ready')?.status,
    }));
    const wanted = MACHINES.map(({ name, architecture, tier }) => ({
      name,
      architecture,
      label: architecture,
      tier,
      ready: 'True',
    }));
    assert.deepEqual(said, wanted);
  });

  it('runs Node 24 on every machine, reached by Service, by host port and by name', async () => {
    await withNamespace('web', async (namespace) => {
      await apply([web('DaemonSet'), SERVICE], namespace);
      await rolledOut('daemonset/web', namespace);
      const service = await serviceUrl(namespace, 'web');
      const name = `web.${namespace}.svc.cluster.local`;
      for (const machine of MACHINES) {
        const found = await ask(`http://${addressOf(machine)}:${String(HOST_PORT)}/?lookup=${name}`);
        assert.equal(found.machine, machine.name);
        assert.equal(found.arch, ARCH[machine.architecture]);
        assert.match(found.version, /^v24\./);
        assert.equal(`http://${found.address}:80`, service, 'the name leads to the Service');
      }
      const served = new Set<string>();
      await eventually('the Service leads to every machine', async () => {
        served.add((await ask(service)).machine);
        return served.size === MACHINES.length;
      });
    });
  });

  it('gives pods volumes of the default class, which keep what is in them', async () => {
    let used = '';
    await withNamespace('volume', async (namespace) => {
      used = namespace;
      await apply([claim, writer], namespace);
      await waitFor('pod/writer', 'jsonpath={.status.phase}=Succeeded', namespace);
      await kubectl(['delete', 'pod', 'writer', '--namespace', namespace]);
      await apply([writer], namespace);
      await waitFor('pod/writer', 'jsonpath={.status.phase}=Succeeded', namespace);
      assert.equal((await kubectl(['logs', 'writer', '--namespace', namespace])).trim(), 'hello hello');
    });
    await eventually('the volume is taken away', async () => {
      const volumes = await list<Volume>('persistentvolumes');
      return !volumes.some((v) => v.spec.claimRef?.namespace === used);
    });
  });

  it('can lose a machine and have it back; what runs there goes on', async () => {
    await withNamespace('cut', async (namespace) => {
      await apply([web('DaemonSet')], namespace);
      await rolledOut('daemonset/web', namespace);
      const url = `http://198.18.0.12:${String(HOST_PORT)}/`;
      await cutOff('n2');
      try {
        assert.equal(await isCutOff('n2'), true);
        assert.equal((await call(url, null, { method: 'GET', limitMs: 2_000 })).code, 'NoAnswer');
        await waitFor('node/n2', 'condition=Ready=Unknown', namespace);
        const [pod] = (await list<PodWithAddress>('pods', namespace)).filter((p) => p.spec.nodeName === 'n2');
        const inside = `http://${pod?.status.podIP ?? ''}:${String(PORT)}/`;
        const script = `fetch('${inside}').then((a) => a.text()).then(console.log)`;
        const said = await inNetworkOf('n2', [process.execPath, '--eval', script]);
        assert.equal((JSON.parse(said) as Web).machine, 'n2');
      } finally {
        await reconnect('n2');
      }
      await waitFor('node/n2', 'condition=Ready', namespace);
      assert.equal((await ask(url)).machine, 'n2');
    });
  });

  it('can lose the API server and have it back; pods go on', async () => {
    await withNamespace('api', async (namespace) => {
      await apply([web('Deployment'), SERVICE], namespace);
      await rolledOut('deployment/web', namespace);
      const url = await serviceUrl(namespace, 'web');
      await stopApiServer();
      try {
        assert.equal((await tryKubectl(['get', 'nodes', '--request-timeout=2s'])).ok, false);
        assert.match((await ask(url)).version, /^v24\./);
      } finally {
        await startApiServer();
      }
      assert.equal((await list('pods', namespace)).length, 1);
    });
  });

  it('can kill a process in a container, on emulated machines too', async () => {
    await withNamespace('kill', async (namespace) => {
      await apply([web('DaemonSet')], namespace);
      await rolledOut('daemonset/web', namespace);
      for (const { name } of MACHINES) {
        const pod = (await list<Pod>('pods', namespace)).find((p) => p.spec.nodeName === name);
        assert.ok(pod);
        await killContainer({ namespace, pod: pod.metadata.name });
        await eventually(`the container on ${name} is started again`, async () => {
          const now = (await list<Pod>('pods', namespace)).find((p) => p.spec.nodeName === name);
          return now?.status.containerStatuses[0]?.restartCount === 1;
        });
      }
    });
  });

  it('says what the API server was asked, and by whom', async () => {
    await withNamespace('audit', async (namespace) => {
      const since = new Date();
      const person = await kubeconfigFor('somebody');
      const refused = await tryKubectl(['get', 'secrets', '--namespace', namespace], { kubeconfig: person });
      assert.match(refused.said, /User "somebody" cannot list resource "secrets"/);
      const rule = { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list'] };
      const rbac = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' };
      await apply(
        [
          {
            apiVersion: 'rbac.authorization.k8s.io/v1',
            kind: 'Role',
            metadata: { name: 'reader' },
            rules: [rule],
          },
          {
            apiVersion: 'rbac.authorization.k8s.io/v1',
            kind: 'RoleBinding',
            metadata: { name: 'reader' },
            roleRef: rbac,
            subjects: [{ kind: 'User', name: 'somebody' }],
          },
        ],
        namespace,
      );
      await kubectl(['get', 'secrets', '--namespace', namespace], { kubeconfig: person });
      const seen = await auditEntries({ since, user: 'somebody', userAgent: 'kubectl/' });
      assert.deepEqual(
        seen.map((e) => [e.verb, e.objectRef?.resource, e.objectRef?.namespace, e.responseStatus?.code]),
        [
          ['list', 'secrets', namespace, 403],
          ['list', 'secrets', namespace, 200],
        ],
      );
    });
  });

  it('has a registry that pods reach by name', async () => {
    await startRegistry();
    try {
      assert.equal((await call(`${REGISTRY_URL}/v2/`, null, { method: 'GET' })).status, 200);
      await withNamespace('registry', async (namespace) => {
        await apply([puller], namespace);
        await waitFor('pod/puller', 'jsonpath={.status.phase}=Succeeded', namespace);
        assert.equal((await kubectl(['logs', 'puller', '--namespace', namespace])).trim(), '200');
      });
    } finally {
      await stopRegistry();
    }
  });
});

interface Volume extends ClusterObject {
  readonly spec: { readonly claimRef?: { readonly namespace: string } };
}

interface PodWithAddress extends Pod {
  readonly status: Pod['status'] & { readonly podIP: string };
}

/** A pod that runs a script once. */
const once = (name: string, script: string, more: object = {}, mounts: readonly object[] = []): Manifest => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    containers: [
      {
        name: 'script',
        image: SINTER_IMAGE,
        command: ['/usr/local/bin/node', '--eval', script],
        volumeMounts: mounts,
      },
    ],
    ...more,
  },
});

const claim: Manifest = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'data' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
};

const writer = once(
  'writer',
  `const fs = require('node:fs');
   fs.appendFileSync('/data/file', 'hello ');
   console.log(fs.readFileSync('/data/file', 'utf8'));`,
  { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] },
  [{ name: 'data', mountPath: '/data' }],
);

const puller = once('puller', "fetch('http://registry.testbed:5000/v2/').then((a) => console.log(a.status))");
