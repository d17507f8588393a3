/**
 * `npm run bench -- builds FOLDER`: host and gateway as they are built now, beside an earlier build of them.
 *
 * FOLDER holds `host/main.js` and `gateway/main.js`: `runtimes/host/dist` and `runtimes/gateway/dist` of another checkout.
 * Both builds run at the same time and are loaded by turns, now one first and now the other; each round gives one ratio, so
 * that a busy moment of the machine meets both. Beside calls per second stands the CPU time that host and gateway used for a
 * call: what else the machine does hardly changes it.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { newId } from '@sinter/contract';
import { signGateway } from '@sinter/operator/bus/credentials';
import { GATEWAY_BUNDLE, HOST_BUNDLE } from '@sinter/operator/local/bundles';
import { Child } from '@sinter/operator/local/child';
import { startLocalRun } from '@sinter/operator/local/main';
import { KILOBYTE, echoApp } from './apps.ts';
import { closedLoop } from './load.ts';
import { shown, summary } from './stats.ts';

type LocalRun = Awaited<ReturnType<typeof startLocalRun>>;

export interface BuildsOptions {
  readonly rounds: number;
  /** Of each load, in seconds. */
  readonly seconds: number;
  /** The folder of the other build. */
  readonly other: string;
}

interface Build {
  readonly host: string;
  readonly gateway: string;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const BODY = Buffer.from(JSON.stringify(KILOBYTE));
const CALLS_IN_PROCESS = 4_000;

/** Loads one build. */
type Measure = (
  port: number,
  seconds: number,
) => Promise<{ readonly calls: number; readonly seconds: number }>;

interface Sample {
  readonly perSecond: number;
  readonly cpuUs: number;
}

const MEASURES: Readonly<Record<string, Measure>> = {
  'calls in the process': async (port) => {
    const body = Buffer.from(JSON.stringify({ times: CALLS_IN_PROCESS, value: KILOBYTE }));
    const res = await fetch(`http://127.0.0.1:${String(port)}/timed`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    if (!res.ok) throw new Error(await res.text());
    const us = (await res.json()) as readonly number[];
    return { calls: us.length, seconds: us.reduce((a, b) => a + b, 0) / 1e6 };
  },
  'by the gateway, 16 at once': async (port, seconds) => {
    const load = await closedLoop({ port, path: '/echo', body: BODY }, 16, seconds);
    if (load.failed > 0) throw new Error(`${String(load.failed)} calls failed`);
    return { calls: load.latenciesMs.length, seconds: load.seconds };
  },
};

export async function builds({ rounds, seconds, other }: BuildsOptions): Promise<void> {
  say(`# this build beside ${other}, ${String(rounds)} rounds; median ± half the quartile distance\n`);
  await withBuild({ host: join(other, 'host/main.js'), gateway: join(other, 'gateway/main.js') }, (before) =>
    withBuild({ host: HOST_BUNDLE, gateway: GATEWAY_BUNDLE }, async (now) => {
      for (const [name, measure] of Object.entries(MEASURES))
        await compare(name, [before, now], (build) => sampled(build, measure, seconds), rounds);
    }),
  );
  say(
    '\nLeft out: TLS, several machines, functions that take their time (what a call costs weighs less there).',
  );
}

async function sampled({ port, pids }: Running, measure: Measure, seconds: number): Promise<Sample> {
  const before = cpuSeconds(pids);
  const load = await measure(port, seconds);
  return {
    perSecond: load.calls / load.seconds,
    cpuUs: (1e6 * (cpuSeconds(pids) - before)) / load.calls,
  };
}

/** Of all threads of these processes. */
const cpuSeconds = (pids: readonly number[]): number =>
  pids
    .flatMap((pid) => readdirSync(`/proc/${String(pid)}/task`).map((task) => [pid, task] as const))
    .map(([pid, task]) => readFileSync(`/proc/${String(pid)}/task/${task}/schedstat`, 'utf8'))
    .reduce((sum, line) => sum + Number(line.split(' ')[0]) / 1e9, 0);

async function compare(
  name: string,
  [before, now]: readonly [Running, Running],
  sample: (build: Running) => Promise<Sample>,
  rounds: number,
): Promise<void> {
  const pairs: (readonly [Sample, Sample])[] = [];
  for (let i = 0; i <= rounds; i++) {
    const first = await sample(i % 2 === 0 ? before : now);
    const second = await sample(i % 2 === 0 ? now : before);
    if (i > 0) pairs.push(i % 2 === 0 ? [first, second] : [second, first]); // the first round warms up
  }
  say(name);
  tell('calls per second', pairs, (s) => s.perSecond);
  tell('CPU time of a call, µs', pairs, (s) => s.cpuUs);
}

function tell(what: string, pairs: readonly (readonly [Sample, Sample])[], of: (s: Sample) => number): void {
  const [before, now] = [pairs.map(([a]) => of(a)), pairs.map(([, b]) => of(b))];
  const ratios = pairs.map(([a, b]) => of(b) / of(a));
  say(
    `  ${what.padEnd(24)} before ${shown(summary(before), '', 0)}  now ${shown(summary(now), '', 0)}` +
      `  now / before ${shown(summary(ratios), '', 3)}`,
  );
}

/** A build that runs. */
interface Running {
  readonly port: number;
  /** Of its hosts and its gateway. */
  readonly pids: readonly number[];
}

/** Runs `use` with a gateway of this build, behind which hosts of it serve. */
async function withBuild<T>(build: Build, use: (build: Running) => Promise<T>): Promise<T> {
  const hostBundle = (): string => build.host;
  const run = await startLocalRun({
    machines: 0,
    hostBundle,
    onProgress: () => undefined,
    onLog: () => undefined,
  });
  try {
    await run.apply(echoApp(true));
    const gateway = await startGateway(run, build.gateway);
    try {
      const hosts = run.parts.deployment('bench', 'bench')?.fleets.flatMap((fleet) => fleet.pids) ?? [];
      return await use({ port: gateway.port, pids: [...hosts, gateway.child.pid ?? 0] });
    } finally {
      await gateway.child.stop(1_000);
    }
  } finally {
    await run.stop();
  }
}

async function startGateway(
  run: LocalRun,
  bundle: string,
): Promise<{ readonly port: number; readonly child: Child }> {
  const [machine] = run.parts.machines;
  const { promise, resolve } = Promise.withResolvers<number>();
  const child = new Child({
    bundle,
    bootstrap: {
      ...machine,
      credential: signGateway(run.parts.keys(), { nowMs: Date.now() }),
      instance: newId(10),
    },
    env: {},
    onLine: ({ listening }) => {
      if (typeof listening === 'object' && listening !== null && 'port' in listening)
        resolve(Number(listening.port));
    },
  });
  return { port: await promise, child };
}
