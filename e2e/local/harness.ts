/**
 * Runs on this machine, for scenarios: real processes, the real nats-server, nothing faked.
 *
 * Owns: starting and ending a run whatever the test does, manifests from inline functions, load with a bound in count and
 * time, and waiting for a condition with a bound. It judges nothing: scenarios do.
 * Invariants:
 *  1. A run of the harness keeps its state file in a folder of its own, so that it meets no run of the user.
 *  2. Every wait ends: with what was waited for, or with an error that says what was missing.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Handler } from '../../runtimes/contract/src/index.ts';
import type { Deployment } from '../../operator/src/local/deployment.ts';
import type { Fleet } from '../../operator/src/local/fleet.ts';
import { startLocalRun } from '../../operator/src/local/main.ts';
import type { LocalRunParts, LocalRunSettings } from '../../operator/src/local/main.ts';
import type {
  AppliedWorkflow,
  ApplyReport,
  LocalRun,
  LogRecord,
  RawObject,
} from '../../operator/src/local/run.ts';

export const NAMESPACE = 'lab';
export const WORKFLOW = 'flow';
const API = 'sinter.dev/v1alpha1';
/** Longer than any function of a scenario may take. */
const CALL_LIMIT_MS = 20_000;

/** An HTTP answer of the gateway, or `status` 0 with the reason why there was none. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  /** The problem's code; empty for a result. */
  readonly code: string;
  readonly machine: string;
  readonly ms: number;
}

export type Started = LocalRun & { readonly parts: LocalRunParts };

/** A run, and what scenarios ask of it. */
export class Lab {
  readonly run: Started;
  readonly logs: LogRecord[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1_000 });

  constructor(run: Started, logs: LogRecord[]) {
    this.run = run;
    this.logs = logs;
  }

  /** Applies objects that nothing is wrong with; gives the workflow of the harness, or the only one. */
  async apply(objects: readonly RawObject[]): Promise<AppliedWorkflow> {
    const report = await this.run.apply(objects);
    const wrong = errorsOf(report);
    assert.deepEqual(wrong, [], 'the objects are without fault');
    const [first] = report.workflows;
    assert.ok(first && first.hash !== '', 'a workflow runs');
    return first;
  }

  deployment(namespace = NAMESPACE, workflow = WORKFLOW): Deployment {
    const found = this.run.parts.deployment(namespace, workflow);
    assert.ok(found, `${namespace}/${workflow} is deployed`);
    return found;
  }

  /** The fleet that runs this function under the current plan. */
  fleetOf(fn: string): Fleet {
    const deployment = this.deployment();
    const unit = deployment.current?.units.find((u) => u.scope.functions.includes(fn))?.scope.unit;
    const fleet = deployment.fleets.find((f) => f.scope.unit === unit);
    assert.ok(fleet, `${fn} runs`);
    return fleet;
  }

  /** Process ids of every host, in order. */
  hostPids(): readonly number[] {
    return this.deployment()
      .fleets.flatMap((f) => f.pids)
      .sort((a, b) => a - b);
  }

  /** Calls through the gateway; never rejects, ends after CALL_LIMIT_MS. JSON unless text is given. */
  call(path: string, body: unknown = null, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return post(this.run.gateway.url + path, body, headers, this.#agent);
  }

  close(): void {
    this.#agent.destroy();
  }
}

function post(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>>,
  agent: Agent,
): Promise<Answer> {
  const startedAt = performance.now();
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve) => {
    const done = (answer: Omit<Answer, 'ms'>): void =>
      resolve({ ...answer, ms: performance.now() - startedAt });
    const failed = (cause: Error): void =>
      done({ status: 0, text: cause.message, code: 'NoAnswer', machine: '' });
    const options = {
      method: 'POST',
      agent,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers },
    };
    const req = request(url, options, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.once('error', failed);
      res.once('end', () => {
        const said = Buffer.concat(chunks).toString();
        const status = res.statusCode ?? 0;
        const machine = String(res.headers['sinter-machine'] ?? '');
        done({ status, text: said, code: status < 300 ? '' : codeOf(said), machine });
      });
    });
    req.once('error', failed);
    req.setTimeout(CALL_LIMIT_MS, () =>
      req.destroy(new Error(`no answer within ${String(CALL_LIMIT_MS)} ms`)),
    );
    req.end(text);
  });
}

function codeOf(text: string): string {
  const problem: unknown = JSON.parse(text);
  return typeof problem === 'object' && problem !== null && 'code' in problem ? String(problem.code) : '';
}

export type LabOptions = Partial<Omit<LocalRunSettings, 'onLog' | 'onProgress'>>;

/** Runs a scenario on a run of its own. However it ends, nothing of the run is left. */
export async function withLab<T>(options: LabOptions, scenario: (lab: Lab) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sinter-e2e-'));
  const { XDG_RUNTIME_DIR = '', TMPDIR = tmpdir() } = process.env;
  Object.assign(process.env, { XDG_RUNTIME_DIR: join(folder, 'runtime'), TMPDIR: join(folder, 'tmp') });
  for (const name of ['tmp', 'runtime']) await mkdir(join(folder, name), { mode: 0o700 });
  const logs: LogRecord[] = [];
  try {
    const run = await startLocalRun({
      machines: 0,
      ...options,
      onProgress: () => undefined,
      onLog: (line) => logs.push(line),
    });
    const lab = new Lab(run, logs);
    let result: T;
    try {
      result = await scenario(lab);
    } catch (cause) {
      for (const line of logs.slice(-60)) console.error(`${line.level} ${line.source}: ${line.message}`);
      throw cause;
    } finally {
      lab.close();
      await run.stop();
    }
    assert.deepEqual(await readdir(join(folder, 'tmp')), [], 'the run leaves no temporary file');
    return result;
  } finally {
    Object.assign(process.env, { XDG_RUNTIME_DIR, TMPDIR });
    await rm(folder, { recursive: true, force: true });
  }
}

export const errorsOf = (report: ApplyReport): readonly string[] => [
  ...new Set(
    [...report.findings, ...report.workflows.flatMap((w) => w.findings)]
      .filter((f) => f.severity === 'Error')
      .map((f) => f.message),
  ),
];

/** A function of an application: its handler, as code or as text, and what its Function says besides. */
export type Code = Handler | string;
export interface FunctionOptions {
  readonly code: Code;
  readonly spec?: RawObject;
}

export interface AppOptions {
  readonly functions: Readonly<Record<string, Code | FunctionOptions>>;
  /** `a>b` is a Sync edge, `a~b` an Async one. */
  readonly edges?: readonly (string | RawObject)[];
  /** Groups of functions, `a,b`; none: every function alone. */
  readonly groups?: readonly string[];
  /** The function behind `POST /`, without auth; the first one where it is not given. */
  readonly entry?: string;
  readonly workflow?: RawObject;
  readonly name?: string;
  readonly path?: string;
  readonly namespace?: string;
}

/** An application of one workflow: what `kubectl apply` would be given. */
export function app(options: AppOptions): readonly RawObject[] {
  const { namespace = NAMESPACE, name = WORKFLOW, functions } = options;
  const objectOf = (kind: string, objectName: string, spec: RawObject): RawObject => ({
    apiVersion: API,
    kind,
    metadata: { name: objectName, namespace },
    spec,
  });
  const entry = options.entry ?? Object.keys(functions)[0] ?? '';
  return [
    ...Object.entries(functions).map(([fn, given]) => {
      const { code, spec = {} } = typeof given === 'object' ? given : { code: given };
      const artifacts = [{ name: 'js', type: 'JavaScript', module: { inline: moduleOf(code) } }];
      return objectOf('Function', fn, { artifacts, ...spec });
    }),
    objectOf('Workflow', name, {
      functions: Object.keys(functions).map((fn) => ({ name: fn })),
      edges: (options.edges ?? []).map((edge) => (typeof edge === 'string' ? edgeOf(edge) : edge)),
      triggers: [httpTrigger(entry, options.path ?? '/')],
      policyRef: { name: `${name}-policy` },
      ...options.workflow,
    }),
    objectOf('OptimizationPolicy', `${name}-policy`, { fusion: fusionOf(options.groups ?? []) }),
  ];
}

export const httpTrigger = (to: string, path: string): RawObject => ({
  name: 'web',
  to,
  type: 'Http',
  http: { path, methods: ['POST'], auth: { type: 'None' } },
});

/** A handler's source as a module: it may use nothing from around it. */
export const moduleOf = (code: Code): string =>
  typeof code === 'string' ? code : `export default ${code.toString()};\n`;

export function edgeOf(text: string, terms: RawObject = {}): RawObject {
  const [from = '', to = ''] = text.split(/[>~]/);
  return { from, to, call: text.includes('>') ? 'Sync' : 'Async', ...terms };
}

const fusionOf = (groups: readonly string[]): RawObject =>
  groups.length === 0
    ? { mode: 'Off' }
    : {
        mode: 'Manual',
        groups: groups.map((g, i) => ({ name: `g${String(i)}`, functions: g.split(',') })),
      };

export interface LoadOptions {
  readonly perSecond: number;
  /** No call is started after so many. */
  readonly most: number;
  readonly one: (i: number) => Promise<Answer>;
}

/** Calls at a steady rate, whatever the answers do, until it is stopped. */
export class Load {
  readonly #answers: Promise<Answer>[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = performance.now();

  constructor({ perSecond, most, one }: LoadOptions) {
    this.#timer = setInterval(
      () => {
        const due = Math.min(most, ((performance.now() - this.#startedAt) / 1_000) * perSecond);
        while (this.#answers.length < due) this.#answers.push(one(this.#answers.length));
      },
      Math.min(20, 1_000 / perSecond),
    );
  }

  get started(): number {
    return this.#answers.length;
  }

  /** Starts no more and gives all answers. */
  async stop(): Promise<readonly Answer[]> {
    clearInterval(this.#timer);
    return await Promise.all(this.#answers);
  }
}

/** Answers that are no result, each kind once, with how often it came: empty when all is well. */
export function failuresOf(answers: readonly Answer[]): readonly string[] {
  const kinds = new Map<string, number>();
  for (const a of answers.filter(({ status }) => status !== 200)) {
    const kind = `${String(a.status)} ${a.code}: ${a.text.slice(0, 300)}`.replace(/"callId":"[^"]*"/, '');
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return [...kinds].map(([kind, n]) => `${String(n)} × ${kind}`);
}

export const quantile = (values: readonly number[], q: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? 0;

export const countBy = <T>(
  items: readonly T[],
  key: (item: T) => string,
): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const item of items) counts[key(item)] = (counts[key(item)] ?? 0) + 1;
  return counts;
};

/** Waits until the condition gives something; throws with `what` and what `else` says when it does not in time. */
export async function eventually<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs = 15_000,
  seen: () => unknown = () => '',
): Promise<T> {
  const until = performance.now() + limitMs;
  for (;;) {
    const found = await condition();
    if (found !== undefined && found !== false) return found;
    if (performance.now() >= until)
      throw new Error(`not within ${String(limitMs)} ms: ${what} ${JSON.stringify(seen())}`);
    await pause(20);
  }
}

/** Lets load go on for so long. Never to wait for something: that is `eventually`. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Is there a process with this id that is not just waiting to be buried? */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // ESRCH: all processes of a test are the tester's own
  }
}

/** Takes down what functions report: `POST` with any text. */
export interface Sink {
  readonly url: string;
  readonly lines: readonly string[];
  stop(): Promise<void>;
}

export async function startSink(): Promise<Sink> {
  const lines: string[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      lines.push(Buffer.concat(chunks).toString());
      res.end('ok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${String(port)}/`, lines, stop };
}
