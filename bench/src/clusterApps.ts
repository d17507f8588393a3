/** What the cluster's benchmark compares: plain Deployments with Services, and the same functions under Sinter. */
import type { KubeObject } from '@sinter/operator/kube/objects';

export const NAMESPACE = 'sinter-bench';
export const PORT = 8080;
const SINTER = 'sinter.dev/v1alpha1';
const TIER_PIN = 'kubernetes.io/hostname';

/** A plain server in Node: parses a JSON body, asks the next one in the chain if there is one, answers. */
const PLAIN = `
const http = require('node:http');
const next = process.env.NEXT;
const agent = new http.Agent({ keepAlive: true });
const ask = (body) => new Promise((resolve, reject) => {
  const req = http.request({ agent, host: next, port: ${String(PORT)}, method: 'POST', headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } }, (res) => {
    const chunks = [];
    res.on('data', (c) => chunks.push(c));
    res.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString('utf8'))));
  });
  req.on('error', reject);
  req.end(body);
});
http.createServer((req, res) => {
  const chunks = [];
  req.on('data', (c) => chunks.push(c));
  req.on('end', async () => {
    let value = chunks.length === 0 ? null : JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (next) value = await ask(JSON.stringify(value));
    res.writeHead(200, { 'content-type': 'application/json' });
    res.end(JSON.stringify(value));
  });
}).listen(${String(PORT)}, '0.0.0.0');
process.on('SIGTERM', () => process.exit(0));
`;

export interface PlainOptions {
  readonly name: string;
  readonly image: string;
  readonly machine: string;
  /** The Service that it asks for every request. */
  readonly next?: string;
}

/** A Deployment of one pod, and its Service, reachable at a port of every machine. */
export function plain({ name, image, machine, next }: PlainOptions): readonly KubeObject[] {
  const labels = { app: name };
  const metadata = { name, namespace: NAMESPACE };
  const container = {
    name: 'plain',
    image,
    imagePullPolicy: 'IfNotPresent',
    command: ['/usr/local/bin/node', '-e', PLAIN],
    env: next === undefined ? [] : [{ name: 'NEXT', value: next }],
    ports: [{ containerPort: PORT }],
    readinessProbe: { httpGet: { path: '/', port: PORT }, periodSeconds: 1 },
  };
  const spec = { nodeSelector: { [TIER_PIN]: machine }, containers: [container], enableServiceLinks: false };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { type: 'NodePort', selector: labels, ports: [{ port: PORT, targetPort: PORT }] },
    },
  ] as unknown as readonly KubeObject[];
}

export interface AppOptions {
  readonly workflow: string;
  readonly machine: string;
  /** In the order in which they call each other. */
  readonly functions: readonly string[];
  readonly grouped?: boolean;
}

/** A chain of functions that hand on what they get, behind `POST /<workflow>`. */
export function app({ workflow, machine, functions, grouped = false }: AppOptions): readonly KubeObject[] {
  const objectOf = (kind: string, name: string, spec: object): KubeObject =>
    ({ apiVersion: SINTER, kind, metadata: { name, namespace: NAMESPACE }, spec }) as unknown as KubeObject;
  const name = (fn: string): string => `${workflow}-${fn}`;
  return [
    ...functions.map((fn, i) => {
      const next = functions[i + 1];
      const source =
        next === undefined
          ? 'export default (input) => input;'
          : `export default (input, ctx) => ctx.call('${name(next)}', input);`;
      return objectOf('Function', name(fn), {
        artifacts: [{ name: 'js', type: 'JavaScript', module: { inline: source } }],
        concurrency: 64,
        template: { spec: { nodeSelector: { [TIER_PIN]: machine } } },
      });
    }),
    objectOf('OptimizationPolicy', workflow, {
      fusion: grouped
        ? { mode: 'Manual', groups: [{ name: 'all', functions: functions.map(name) }] }
        : { mode: 'Off' },
    }),
    objectOf('Workflow', workflow, {
      functions: functions.map((fn) => ({ name: name(fn) })),
      edges: functions
        .slice(1)
        .map((fn, i) => ({ from: name(functions[i] ?? ''), to: name(fn), call: 'Sync' })),
      triggers: [
        {
          name: 'web',
          to: name(functions[0] ?? ''),
          type: 'Http',
          http: { path: `/${workflow}`, methods: ['POST'], auth: { type: 'None' } },
        },
      ],
      policyRef: { name: workflow },
    }),
  ];
}
