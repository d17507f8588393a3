/**
 * Runs on this machine, for scenarios: real processes, the real nats-server, nothing faked.
 *
 * Owns: starting and ending a run whatever the test does, and waiting for a condition with a bound. It judges nothing:
 * scenarios do. Neighbours: `../application.ts` makes manifests, `../load.ts` load.
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
import { NAMESPACE, WORKFLOW } from '../application.ts';
import type { Answer } from '../load.ts';
import { waiting } from '../waiting.ts';

export * from '../application.ts';
export * from '../load.ts';

/** Longer than any function of a scenario may take. */
const CALL_LIMIT_MS = 20_000;

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

export const eventually = waiting({ limitMs: 15_000, everyMs: 20 });

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
