/**
 * A real cluster, for scenarios: kubectl and helm, a namespace for each test, calls to Services, waiting with a bound.
 *
 * Owns: taking away what a test made, however it ends, and telling what the cluster looked like when it failed. It judges
 * nothing: scenarios do. Faults of machines are `../testbed/cluster.ts`.
 * Invariants:
 *  1. A test works in a namespace of its own and finds none of another test's objects there.
 *  2. Every wait ends: with what was waited for, or with an error that says what was missing.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Answer } from '../load.ts';
import { attempt, run } from '../testbed/command.ts';
import { waiting } from '../waiting.ts';
import { RELEASE, SINTER_NAMESPACE, targetOf, withoutTestbed } from './target.ts';

export const TARGET = targetOf(process.env);
/** For `it(…, { skip: WITHOUT_TESTBED }, …)`: the reason, or false. */
export const WITHOUT_TESTBED = withoutTestbed(TARGET);
export { RELEASE, SINTER_NAMESPACE };
export const CHART = fileURLToPath(new URL('../../helm/sinter', import.meta.url));

export type Manifest = Readonly<Record<string, unknown>>;

/** An object of the cluster, of what tests look at. */
export interface ClusterObject {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly generation?: number;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
}

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
}

interface KubectlOptions {
  readonly input?: string;
  readonly limitMs?: number;
  /** Instead of the administrator's. */
  readonly kubeconfig?: string;
}

const LIMIT_MS = 60_000;
/** Emulated machines start a process in seconds. */
export const PATIENCE_MS = 120_000;
const CALL_LIMIT_MS = 30_000;

const kubectlCommand = (args: readonly string[], kubeconfig = TARGET.kubeconfig): readonly string[] => [
  TARGET.kubectl,
  `--kubeconfig=${kubeconfig}`,
  ...args,
];

/** Gives what kubectl wrote. Rejects with what it said. */
export async function kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<string> {
  const { input, limitMs = LIMIT_MS, kubeconfig } = options;
  return await run(kubectlCommand(args, kubeconfig), { limitMs, ...(input === undefined ? {} : { input }) });
}

/** What kubectl says, whether it succeeds or not: for what must be refused. */
export async function tryKubectl(
  args: readonly string[],
  options: KubectlOptions = {},
): Promise<{ readonly ok: boolean; readonly said: string }> {
  const { input, limitMs = LIMIT_MS, kubeconfig } = options;
  const command = kubectlCommand(args, kubeconfig);
  const { code, stdout, stderr } = await attempt(command, {
    limitMs,
    ...(input === undefined ? {} : { input }),
  });
  return { ok: code === 0, said: `${stdout}${stderr}`.trim() };
}

export async function helm(args: readonly string[], limitMs = 300_000): Promise<string> {
  return await run([TARGET.helm, `--kubeconfig=${TARGET.kubeconfig}`, ...args], { limitMs });
}

/** One object; undefined where it is not there. */
export async function get<T extends ClusterObject>(
  kind: string,
  name: string,
  namespace = '',
): Promise<T | undefined> {
  const text = await kubectl([
    'get',
    kind,
    name,
    ...inNamespace(namespace),
    '-o',
    'json',
    '--ignore-not-found',
  ]);
  return text === '' ? undefined : (JSON.parse(text) as T);
}

/** All of a kind in a namespace, or in all; with a label selector where it is given. */
export async function list<T extends ClusterObject>(
  kind: string,
  namespace = '',
  selector = '',
): Promise<readonly T[]> {
  const where = namespace === '' ? ['--all-namespaces'] : inNamespace(namespace);
  const which = selector === '' ? [] : ['--selector', selector];
  const text = await kubectl(['get', kind, ...where, ...which, '-o', 'json']);
  return (JSON.parse(text) as { readonly items: readonly T[] }).items;
}

const inNamespace = (namespace: string): readonly string[] =>
  namespace === '' ? [] : ['--namespace', namespace];

/** Applies as a user does, by server-side apply. Objects without a namespace go into this one. */
export async function apply(manifests: readonly Manifest[], namespace = 'default'): Promise<void> {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests });
  await kubectl(['apply', '--server-side', '--namespace', namespace, '--filename', '-'], { input });
}

/** A namespace for the time of a scenario. When that fails, what is in it is told; then it is taken away. */
export async function withNamespace<T>(
  purpose: string,
  scenario: (namespace: string) => Promise<T>,
  labels: Readonly<Record<string, string>> = {},
): Promise<T> {
  const name = `t-${purpose}-${randomBytes(3).toString('hex')}`;
  await apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }]);
  try {
    return await scenario(name);
  } catch (cause) {
    console.error(await describeNamespace(name));
    throw cause;
  } finally {
    await kubectl(['delete', 'namespace', name, '--ignore-not-found'], { limitMs: PATIENCE_MS });
  }
}

/** Pods, events and the last words of every container: what one would look at first. */
export async function describeNamespace(namespace: string): Promise<string> {
  const parts = await Promise.all(
    [
      ['get', 'all,workflows.sinter.dev,functions.sinter.dev', '-o', 'wide'],
      ['get', 'all', '-o', 'wide'],
      ['get', 'events', '--sort-by=.lastTimestamp'],
    ].map(async (args) => (await tryKubectl([...args, '--namespace', namespace])).said),
  );
  const pods = await list('pods', namespace).catch(() => []);
  const logs = await Promise.all(
    pods.map(async ({ metadata: { name } }) => {
      const { said } = await tryKubectl(['logs', name, '--all-containers', '--tail=15', '-n', namespace]);
      return `logs of ${name}:\n${said}`;
    }),
  );
  return [`namespace ${namespace}:`, ...parts.map((part) => part.slice(-6_000)), ...logs].join('\n');
}

export const eventually = waiting({ limitMs: PATIENCE_MS, everyMs: 250 });

/** Waits as `kubectl wait` does: `condition=Ready`, `jsonpath={.status.phase}=Running`, `delete`. */
export async function waitFor(
  object: string,
  condition: string,
  namespace: string,
  limitMs = PATIENCE_MS,
): Promise<void> {
  const until = `--timeout=${String(Math.ceil(limitMs / 1000))}s`;
  const args = ['wait', object, `--for=${condition}`, '--namespace', namespace, until];
  await kubectl(args, { limitMs: limitMs + LIMIT_MS });
}

export async function rolledOut(object: string, namespace: string, limitMs = PATIENCE_MS): Promise<void> {
  const until = `--timeout=${String(Math.ceil(limitMs / 1000))}s`;
  await kubectl(['rollout', 'status', object, '--namespace', namespace, until], {
    limitMs: limitMs + LIMIT_MS,
  });
}

interface ServiceObject extends ClusterObject {
  readonly spec: { readonly clusterIP: string; readonly ports: readonly { readonly port: number }[] };
}

/** Where this process reaches a Service: its own address on the testbed, else through a kubectl that passes calls on. */
export async function serviceUrl(namespace: string, name: string): Promise<string> {
  const service = await get<ServiceObject>('service', name, namespace);
  if (!service) throw new Error(`there is no Service ${namespace}/${name}`);
  const port = service.spec.ports[0]?.port ?? 80;
  if (TARGET.kind === 'Testbed') return `http://${service.spec.clusterIP}:${String(port)}`;
  return await forwarded(namespace, name, port);
}

export const gatewayUrl = (): Promise<string> => serviceUrl(SINTER_NAMESPACE, `${RELEASE}-gateway`);

const forwards = new Map<string, Promise<string>>();
const forwarders: ChildProcess[] = [];
process.once('exit', () => {
  for (const child of forwarders) child.kill();
});

function forwarded(namespace: string, name: string, port: number): Promise<string> {
  const key = `${namespace}/${name}:${String(port)}`;
  const known = forwards.get(key) ?? forward(namespace, name, port);
  forwards.set(key, known);
  return known;
}

function forward(namespace: string, name: string, port: number): Promise<string> {
  const args = ['port-forward', '--namespace', namespace, `service/${name}`, `:${String(port)}`];
  const [command = '', ...rest] = kubectlCommand(args);
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  child.unref();
  forwarders.push(child);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      reject(new Error(`kubectl port-forward to ${namespace}/${name} ended with ${String(code)}`));
    });
    child.stdout.on('data', (chunk: Buffer) => {
      const found = /127\.0\.0\.1:(\d+)/.exec(chunk.toString());
      if (found?.[1] !== undefined) resolve(`http://127.0.0.1:${found[1]}`);
    });
  });
}

export interface CallOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly limitMs?: number;
}

/** Calls a URL with JSON, or with text as it is. Rejects never. */
export async function call(url: string, body: unknown = null, options: CallOptions = {}): Promise<Answer> {
  const startedAt = performance.now();
  const { method = 'POST', headers = {}, limitMs = CALL_LIMIT_MS } = options;
  const done = (answer: Omit<Answer, 'ms'>): Answer => ({ ...answer, ms: performance.now() - startedAt });
  try {
    const answer = await fetch(url, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      signal: AbortSignal.timeout(limitMs),
      ...(method === 'GET' ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    const machine = answer.headers.get('sinter-machine') ?? '';
    return done({ status: answer.status, text, code: answer.ok ? '' : codeOf(text), machine });
  } catch (cause) {
    return done({ status: 0, text: reasonOf(cause), code: 'NoAnswer', machine: '' });
  }
}

/** Calls the gateway. */
export async function callGateway(
  path: string,
  body: unknown = null,
  options: CallOptions = {},
): Promise<Answer> {
  return await call((await gatewayUrl()) + path, body, options);
}

function codeOf(text: string): string {
  try {
    const problem: unknown = JSON.parse(text);
    return typeof problem === 'object' && problem !== null && 'code' in problem ? String(problem.code) : '';
  } catch {
    return ''; // not of ours
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? cause.cause.message : cause.message;
}

interface StatusObject extends ClusterObject {
  readonly status?: { readonly conditions?: readonly Condition[] };
}

/** Waits until an object's condition has this status, for the generation that is there; gives the condition. */
export async function condition(
  kind: string,
  name: string,
  namespace: string,
  type: string,
  status: Condition['status'] = 'True',
  limitMs = PATIENCE_MS,
): Promise<Condition> {
  let last: readonly Condition[] = [];
  const met = async (): Promise<Condition | undefined> => {
    const object = await get<StatusObject>(kind, name, namespace);
    last = object?.status?.conditions ?? [];
    const generation = object?.metadata.generation ?? 0;
    return last.find(
      (c) => c.type === type && c.status === status && (c.observedGeneration ?? generation) >= generation,
    );
  };
  return await eventually(`${kind} ${name} is ${type} ${status}`, met, limitMs, () => last);
}

/** For `it(…, { skip: WITHOUT_SINTER }, …)`: the reason, or false. Last, because it asks the cluster. */
export const WITHOUT_SINTER = await whyNoSinter();

async function whyNoSinter(): Promise<string | false> {
  const args = [
    'get',
    'deployments',
    '-n',
    SINTER_NAMESPACE,
    '-l',
    'app.kubernetes.io/part-of=sinter',
    '-o',
    'name',
  ];
  const { ok, said } = await tryKubectl(args);
  if (ok && said.includes('deployment')) return false;
  return `Sinter is not installed in ${SINTER_NAMESPACE} of this cluster: use npm run test:cluster`;
}
