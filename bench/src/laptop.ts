/**
 * `npm run bench -- laptop`: what the embedded default costs, as ratios to plain Node in the same run.
 *
 * Every figure is taken in rounds, baseline and subject by turns, so that a busy moment of the machine meets both.
 */
import { fork, spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { newId } from '@sinter/contract';
import type { UnitScope } from '@sinter/contract';
import { signUnit } from '@sinter/operator/bus/credentials';
import { HOST_BUNDLE } from '@sinter/operator/local/bundles';
import { Child } from '@sinter/operator/local/child';
import { startLocalRun } from '@sinter/operator/local/main';
import type { RawObject } from '@sinter/operator/local/run';
import { KILOBYTE, echoApp, idleApp } from './apps.ts';
import { closedLoop, openLoop } from './load.ts';
import type { Load, Target } from './load.ts';
import { quantile, shown, summary } from './stats.ts';

type LocalRun = Awaited<ReturnType<typeof startLocalRun>>;

export interface LaptopOptions {
  readonly rounds: number;
  /** Of each load, in seconds. */
  readonly seconds: number;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const judged = (ratio: number, goal: number, atMost: boolean): string =>
  (atMost ? ratio <= goal : ratio >= goal) ? 'met' : 'MISSED';

async function withRun<T>(objects: readonly RawObject[], use: (run: LocalRun) => Promise<T>): Promise<T> {
  const run = await startLocalRun({ machines: 0, onProgress: say, onLog: () => undefined });
  try {
    const { findings, workflows } = await run.apply(objects);
    const problems = [...findings, ...workflows.flatMap((w) => w.findings)].filter(
      (f) => f.severity === 'Error',
    );
    if (problems[0]) throw new Error(problems[0].message);
    return await use(run);
  } finally {
    await run.stop();
  }
}

const portOf = (run: LocalRun): number => Number(new URL(run.gateway.url).port);

export async function laptop(options: LaptopOptions): Promise<void> {
  say(`# laptop, ${String(options.rounds)} rounds; median ± half the quartile distance\n`);
  await startTime(options);
  await memory();
  await inProcess(options);
  await gateway(options);
  say(
    '\nLeft out: TLS, several machines, large payloads, cold caches of the file system. Client, servers and functions',
  );
  say(
    'share the cores of this machine, so a path with more processes looks worse here than with cores of its own.',
  );
}

async function startTime({ rounds }: LaptopOptions): Promise<void> {
  const bare: number[] = [];
  const served: number[] = [];
  await withRun(idleApp(1), async (run) => {
    const fleet = run.parts.deployment('bench', 'bench')?.fleets[0];
    if (!fleet) throw new Error('no unit was started');
    for (let i = 0; i < Math.max(10, rounds * 3); i++) {
      bare.push(await timeOf(['-e', '0']));
      served.push(await timeToServe(run, fleet.scope));
    }
  });
  const ratio = summary(served).median / summary(bare).median;
  say(`node -e 0                         ${shown(summary(bare), 'ms', 1)}`);
  say(`host, exec to serving             ${shown(summary(served), 'ms', 1)}`);
  say(`  ratio ${ratio.toFixed(2)}, goal at most 5: ${judged(ratio, 5, true)}`);
  const mib = statSync(HOST_BUNDLE).size / 1024 ** 2;
  say(`bundle ${mib.toFixed(2)} MiB, goal at most 1: ${judged(mib, 1, true)}\n`);
}

/** From exec to serving: connected, its function loaded, listening, announced. */
async function timeToServe(run: LocalRun, scope: UnitScope): Promise<number> {
  const { namespace, workflow, unit } = scope;
  const [machine] = run.parts.machines;
  const { promise, resolve } = Promise.withResolvers<number>();
  const credential = signUnit(run.parts.keys(), scope, { nowMs: Date.now() });
  const at = performance.now();
  const child = new Child({
    bundle: HOST_BUNDLE,
    bootstrap: {
      ...machine,
      credential,
      instance: newId(10),
      unit: { namespace, workflow, unit },
      functions: scope.functions,
    },
    env: {},
    onLine: ({ message }) => {
      if (message === 'serving') resolve(performance.now() - at);
    },
  });
  try {
    return await promise;
  } finally {
    await child.stop(2_000);
  }
}

async function timeOf(args: readonly string[]): Promise<number> {
  const at = performance.now();
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  await new Promise((resolve) => child.once('exit', resolve));
  return performance.now() - at;
}

async function memory(): Promise<void> {
  for (const count of [1, 5]) {
    const mb = await withRun(idleApp(count), async (run) => {
      await new Promise((resolve) => setTimeout(resolve, 2_000)); // let the start's garbage go
      const pid = run.parts.deployment('bench', 'bench')?.fleets[0]?.pids[0] ?? 0;
      return residentMb(pid);
    });
    say(
      `resident memory of a host with ${String(count)} function${count === 1 ? ' ' : 's'}: ${mb.toFixed(0)} MB`,
    );
  }
  say('');
}

const residentMb = (pid: number): number => {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  return Number(line?.[1] ?? NaN) / 1024;
};

async function inProcess({ rounds }: LaptopOptions): Promise<void> {
  const times = 2_000;
  const inside: number[] = [];
  const http: number[] = [];
  await withPlainServer(async (plain) => {
    await withRun(echoApp(true), async (run) => {
      for (let i = 0; i <= rounds; i++) {
        const us = await timedCalls(run, times);
        const { latenciesMs } = await closedLoop(plain, 1, 0.5);
        if (i === 0) continue; // warm-up
        inside.push(quantile(us, 0.5));
        http.push(quantile(latenciesMs, 0.5) * 1000);
      }
    });
  });
  const ratio = summary(inside).median / summary(http).median;
  say(`loopback HTTP, two Node processes, 1 KB object   ${shown(summary(http), 'µs', 0)}`);
  say(`in-process call through workers, 1 KB object     ${shown(summary(inside), 'µs', 0)}`);
  say(`  ratio ${ratio.toFixed(2)}, goal at most 0.50: ${judged(ratio, 0.5, true)}\n`);
}

async function timedCalls(run: LocalRun, times: number): Promise<readonly number[]> {
  const res = await fetch(`${run.gateway.url}/timed`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ times, value: KILOBYTE }),
  });
  if (!res.ok) throw new Error(await res.text());
  return (await res.json()) as number[];
}

async function gateway({ rounds, seconds }: LaptopOptions): Promise<void> {
  const loads: readonly { readonly name: string; readonly run: (t: Target) => Promise<Load> }[] = [
    { name: 'one connection', run: (t) => closedLoop(t, 1, seconds) },
    { name: 'open loop, 50/s', run: (t) => openLoop(t, 50, seconds) },
    { name: 'open loop, 200/s', run: (t) => openLoop(t, 200, seconds) },
    { name: '16 connections', run: (t) => closedLoop(t, 16, seconds) },
  ];
  await withPlainServer(async (plain) => {
    await withRun(echoApp(false), async (run) => {
      const ours: Target = { ...plain, port: portOf(run), path: '/echo' };
      await closedLoop(ours, 16, 2); // warm-up
      await closedLoop(plain, 16, 2);
      for (const load of loads) await compare(load, plain, ours, rounds);
    });
  });
}

async function compare(
  load: { readonly name: string; readonly run: (t: Target) => Promise<Load> },
  plain: Target,
  ours: Target,
  rounds: number,
): Promise<void> {
  const p50: number[] = [];
  const p99: number[] = [];
  const ratios: number[] = [];
  let failed = 0;
  for (let i = 0; i < rounds; i++) {
    const a = await load.run(plain);
    const b = await load.run(ours);
    failed += a.failed + b.failed;
    p50.push(quantile(b.latenciesMs, 0.5) - quantile(a.latenciesMs, 0.5));
    p99.push(quantile(b.latenciesMs, 0.99) - quantile(a.latenciesMs, 0.99));
    ratios.push(b.latenciesMs.length / b.seconds / (a.latenciesMs.length / a.seconds));
  }
  const [m50, m99, ratio] = [summary(p50), summary(p99), summary(ratios)];
  say(`gateway and bus against plain Node HTTP, ${load.name}, ${String(failed)} failed`);
  if (load.name.startsWith('16')) {
    say(
      `  throughput ratio ${shown(ratio, '', 3)}, goal at least 0.25: ${judged(ratio.median, 0.25, false)}`,
    );
    return;
  }
  say(`  added p50 ${shown(m50, 'ms')}, goal at most 0.5: ${judged(m50.median, 0.5, true)}`);
  say(`  added p99 ${shown(m99, 'ms')}, goal at most 3: ${judged(m99.median, 3, true)}`);
}

async function withPlainServer<T>(use: (target: Target) => Promise<T>): Promise<T> {
  const child = fork(new URL('./plainServer.ts', import.meta.url));
  try {
    const port = await new Promise<number>((resolve, reject) => {
      child.once('message', (message) => {
        resolve(Number(message));
      });
      child.once('exit', () => {
        reject(new Error('the plain server ended'));
      });
    });
    return await use({ port, path: '/', body: Buffer.from(JSON.stringify(KILOBYTE)) });
  } finally {
    child.disconnect();
  }
}
