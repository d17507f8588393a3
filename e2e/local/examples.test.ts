/**
 * Every example on this machine under its own load, in little time: each call gets the answer that its functions give by
 * themselves, and all that was sent is worked off.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { figuresOf, play, reportLines } from '../../bench/src/play.ts';
import { readProfile, timetableOf } from '../../bench/src/profile.ts';
import { handlersIn, parsed, runCall } from '../../examples/test/inMemory.ts';
import type { Run } from '../../examples/test/inMemory.ts';
import { workflowOf } from '../../examples/test/manifests.ts';
import { readManifests } from '../../operator/src/local/manifests.ts';
import { countBy, eventually, withLab } from './harness.ts';

/** Each load is shortened to this; its rates stay. */
const SECONDS = 3;
const LOADS = [
  { example: 'traffic', load: 'bursty' },
  { example: 'tree', load: 'steady' },
  { example: 'web-shop', load: 'bursty' },
  { example: 'web-shop', load: 'everything' },
] as const;

type RunOf = (call: string, body: string) => Promise<Run>;

/** What a call of the profile comes to without a bus; the same call is run once. */
async function inMemory(folder: URL): Promise<RunOf> {
  const { calls } = readProfile(fileURLToPath(folder));
  const entries = new Map(workflowOf(folder).triggers.map(({ to, http }) => [http.path, to]));
  const handlers = await handlersIn(folder);
  const runs = new Map<string, Promise<Run>>();
  return (call, body) => {
    const key = `${call} ${body}`;
    const entry = entries.get(calls[call]?.path ?? '') ?? '';
    const run = runs.get(key) ?? runCall(handlers, entry, parsed(body));
    runs.set(key, run);
    return run;
  };
}

/** How often each of these functions ran. */
const executionsOf = (runs: readonly Run[]): Readonly<Record<string, number>> =>
  countBy(
    runs.flatMap(({ executions }) => executions),
    (execution) => execution.function,
  );

describe('an example under its own load', () => {
  for (const { example, load } of LOADS)
    it(`${example}, ${load}`, async (context) => {
      const folder = new URL(`../../examples/${example}/`, import.meta.url);
      const { objects } = await readManifests([fileURLToPath(folder)]);
      const timetable = timetableOf(readProfile(fileURLToPath(folder)), load, SECONDS);
      const runOf = await inMemory(folder);
      await withLab({ machines: 0 }, async (lab) => {
        await lab.apply(objects);
        const played = await play({ gateway: lab.run.gateway.url, timetable });
        for (const line of reportLines(figuresOf(played))) context.diagnostic(line);
        assert.equal(played.length, timetable.dueMs.length * timetable.visit(0).length);
        const runs = await Promise.all(played.map(({ call, body }) => runOf(call, body)));
        for (const [i, { call, body, status, text }] of played.entries())
          assert.deepEqual([status, parsed(text)], [200, runs[i]?.output], `${call} ${body}`);
        const expected = executionsOf(runs);
        // A plan may change meanwhile: a function has then run in two forms.
        const counted = (): Record<string, number> => {
          const sums: Record<string, number> = {};
          for (const { function: name, count } of lab.run.figures(example, example).functions)
            sums[name] = (sums[name] ?? 0) + count;
          return sums;
        };
        const same = (): boolean => Object.entries(expected).every(([name, n]) => counted()[name] === n);
        await eventually('every function ran as often as it was called', same, 60_000, () => [
          expected,
          counted(),
        ]);
      });
    });
});
