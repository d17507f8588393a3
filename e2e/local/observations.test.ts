/**
 * What is measured of real processes, as a plan sees it: functions of which it is known what they do, under steady load, in
 * processes of their own, in one, and by hosts of the contract's first days.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { readSnapshot } from '../../operator/src/snapshot/index.ts';
import type { Observations } from '../../operator/src/snapshot/index.ts';
import { Load, NAMESPACE, WORKFLOW, app, eventually, failuresOf, withLab } from './harness.ts';
import type { Lab } from './harness.ts';
import { oldHost } from './oldHost.ts';

interface Calling {
  readonly call: (name: string, input: unknown) => Promise<unknown>;
  readonly send: (name: string, input: unknown) => Promise<unknown>;
}

const functions = {
  root: async (_: unknown, ctx: Calling) => {
    await Promise.all([ctx.call('burn', 'x'.repeat(1000)), ctx.call('sleep', null)]);
    await ctx.call('burn', 'x'.repeat(1000));
    await ctx.send('later', 1);
    return 'y'.repeat(500);
  },
  burn: () => {
    const cpuUs = (): number => process.threadCpuUsage().user + process.threadCpuUsage().system;
    const startUs = cpuUs();
    while (cpuUs() - startUs < 5_000);
    return 'done';
  },
  sleep: () => new Promise((resolve) => setTimeout(resolve, 60)),
  later: () => 'ok',
};
const edges = ['root>burn', 'root>sleep', 'root~later'];

async function observed(lab: Lab): Promise<Observations> {
  const state = JSON.parse(await readFile(lab.run.stateFile, 'utf8')) as {
    readonly gateway: { readonly token: string };
    readonly control: { readonly url: string };
  };
  const answer = await fetch(`${state.control.url}/snapshots/${NAMESPACE}/${WORKFLOW}`, {
    headers: { authorization: `Bearer ${state.gateway.token}` },
  });
  const text = await answer.text();
  const read = readSnapshot(text);
  assert.ok(read.ok, `a snapshot: ${text.slice(0, 300)}`);
  return read.snapshot.observations;
}

/** Under four calls a second, until so many executions of the last function in the chain are in the figures. */
async function underLoad(lab: Lab, samples = 40): Promise<Observations> {
  const load = new Load({ perSecond: 4, most: 1_000, one: () => lab.call('/') });
  const enough = async (): Promise<Observations | undefined> => {
    const o = await observed(lab);
    return (o.functions.find((f) => f.function === 'later')?.samples ?? 0) >= samples ? o : undefined;
  };
  const found = await eventually('figures', enough, 120_000, () => load.started);
  assert.deepEqual(failuresOf(await load.stop()), []);
  return found;
}

/** On a machine that does other things at the same time a duration is longer, never shorter. */
const isAbout = (value: number | null | undefined, least: number, most: number, what: string): void => {
  assert.ok(
    value !== null && value !== undefined && value >= least && value <= most,
    `${what}: ${String(value)}`,
  );
};

const by = (o: Observations) => ({
  fn: (name: string) => o.functions.find((f) => f.function === name),
  edge: (to: string) => o.edges.find((e) => e.from === 'root' && e.to === to),
});

describe('what is measured', () => {
  for (const [where, groups] of [
    ['in processes of their own', []],
    ['in one process', ['root,burn,sleep,later']],
  ] as const)
    it(`of functions ${where}`, async () => {
      await withLab({ machines: 1 }, async (lab) => {
        await lab.apply(app({ functions, edges, groups }));
        const o = await underLoad(lab);
        const { fn, edge } = by(o);
        isAbout(fn('burn')?.cpuMs, 4, 9, 'CPU of what computes');
        isAbout(fn('burn')?.waitingMs, 0, 25, 'waiting of what computes');
        isAbout(fn('sleep')?.cpuMs, 0, 4, 'CPU of what waits');
        isAbout(fn('sleep')?.waitingMs, 55, 140, 'waiting of what waits');
        isAbout(fn('root')?.cpuMs, 0, 6, 'CPU of what calls');
        isAbout(fn('root')?.waitingMs, 0, 60, 'waiting of what calls');
        isAbout(fn('burn')?.memoryBytes, 0, 2 ** 26, 'memory');
        isAbout(fn('burn')?.coldStartMs, 20, 30_000, 'start');
        isAbout(edge('burn')?.callsPerExecution, 1.8, 2.2, 'calls');
        isAbout(edge('burn')?.parallel, 0.4, 0.6, 'parallel calls');
        isAbout(edge('sleep')?.parallel, 0.9, 1, 'parallel calls');
        isAbout(edge('burn')?.requestBytes, 1000, 1010, 'request');
        isAbout(edge('burn')?.responseBytes, 4, 20, 'response');
        const channel = groups.length === 0 ? 'Node' : 'InProcess';
        assert.deepEqual(Object.keys(edge('burn')?.overheadMs ?? {}), [channel]);
        isAbout(edge('burn')?.overheadMs[channel], 0, 60, 'overhead');
        isAbout(edge('later')?.overheadMs.Queue, 0, 150, 'overhead of a queue');
        const root = o.roots.find((r) => r.function === 'root');
        isAbout(root?.ratePerSecond, 1.5, 6, 'rate');
        isAbout(root?.meanMs, 65, 1000, 'latency');
        assert.equal(root?.failures, 0);
        assert.equal(o.roots.length, 1, 'what comes along an edge is no root');
        assert.equal(o.units.length, groups.length === 0 ? 4 : 1);
        for (const unit of o.units) isAbout(unit.memoryBytes, 2 ** 24, 2 ** 28, 'memory of a unit');
      });
    });

  it('of hosts of contract version 1: how long they took, how often they called', async () => {
    await using host = await oldHost();
    await withLab({ machines: 1, hostBundle: () => host.bundle }, async (lab) => {
      await lab.apply(app({ functions: { ...functions, burn: () => 'done' }, edges }));
      const o = await underLoad(lab);
      const { fn, edge } = by(o);
      assert.equal(fn('sleep')?.cpuMs, 0);
      isAbout(fn('sleep')?.waitingMs, 55, 140, 'waiting');
      isAbout(fn('root')?.waitingMs, 0, 60, 'waiting of what calls');
      isAbout(edge('burn')?.callsPerExecution, 1.8, 2.2, 'calls');
      isAbout(o.roots.find((r) => r.function === 'root')?.ratePerSecond, 1.5, 6, 'rate');
    });
  });
});
