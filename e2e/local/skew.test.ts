/**
 * Hosts of contract version 1, as they stood when it was first whole (`e2e/fixtures`), beside what is built now: under an
 * operator and a gateway of today old and new hosts call each other, change places and are renewed without a failed call.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { Load, app, countBy, eventually, failuresOf, withLab } from './harness.ts';
import type { Lab } from './harness.ts';
import { oldHost } from './oldHost.ts';

const functions = {
  root: async (input: unknown, ctx: { call: (name: string, input: unknown) => Promise<unknown> }) =>
    `root ${String(await ctx.call('middle', input))}`,
  middle: async (input: unknown, ctx: Sending) => {
    await ctx.send('later', input);
    return `middle ${String(await ctx.call('leaf', input))}`;
  },
  leaf: (input: unknown) => `leaf ${String(input)}`,
  later: (input: unknown) => input,
};
interface Sending {
  readonly call: (name: string, input: unknown) => Promise<unknown>;
  readonly send: (name: string, input: unknown) => Promise<unknown>;
}
const edges = ['root>middle', 'middle>leaf', 'middle~later'];

const executed = (lab: Lab, fn: string): number =>
  lab.run
    .figures('lab', 'flow')
    .functions.filter((f) => f.function === fn)
    .reduce((n, f) => n + f.count, 0);

const runningOld = async (lab: Lab, bundle: string): Promise<readonly string[]> => {
  const lines = await Promise.all(
    lab.hostPids().map((pid) => readFile(`/proc/${String(pid)}/cmdline`, 'utf8')),
  );
  return lines.filter((line) => line.includes(bundle));
};

const OLD: Readonly<Record<string, readonly string[]>> = {
  'every host': ['root', 'middle', 'leaf', 'later'],
  'callers alone': ['root', 'middle'],
  'callees alone': ['leaf', 'later'],
};

describe('hosts of contract version 1', () => {
  for (const [which, old] of Object.entries(OLD))
    it(`${which}: sync and async calls, groups that change and renewals, without a failed call`, async () => {
      await using host = await oldHost();
      const hostBundle = (fns: readonly string[]): string | undefined =>
        fns.some((fn) => old.includes(fn)) ? host.bundle : undefined;
      await withLab({ machines: 1, hostBundle }, async (lab) => {
        await lab.apply(app({ functions, edges }));
        assert.equal((await runningOld(lab, host.bundle)).length, old.length);
        const load = new Load({ perSecond: 50, most: 2_500, one: (i) => lab.call('/', String(i)) });
        await lab.apply(app({ functions, edges, groups: ['root,middle', 'leaf,later'] }));
        await lab.run.parts.renewCredentials();
        await lab.apply(app({ functions, edges }));
        const until = load.started + 100;
        await eventually('load goes on', () => load.started >= until);
        const answers = await load.stop();
        assert.deepEqual(failuresOf(answers), []);
        const forms = countBy(answers, (a) => a.text.replace(/\d+/, 'N'));
        assert.deepEqual(Object.keys(forms), ['root middle leaf N']);
        await eventually(
          'all async work has run',
          () => executed(lab, 'later') >= answers.length,
          20_000,
          () => [executed(lab, 'later'), answers.length],
        );
      });
    });
});
