/** The functions by themselves and the manifests around them: right answers, the graph of the papers, refusals that help. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { linesOf, parsed, refusalOf, withoutClock } from '../../test/inMemory.ts';
import type { Json } from '../../test/inMemory.ts';
import { edgeText, testManifests, workflowOf } from '../../test/manifests.ts';
import { applicationText, applicationWith, handlers, root, runApplication } from './tree.ts';

const workflow = workflowOf(root);
const LETTERS: Readonly<Record<string, string>> = {
  'open-account': 'A',
  'check-identity': 'B',
  'make-keys': 'C',
  'check-credit': 'D',
  'check-fraud': 'E',
  'make-card-key': 'F',
  'make-signing-key': 'G',
};

testManifests(root, 'tree', handlers);

test('the graph is exactly the set of calls that the code makes', async () => {
  const { calls, overlapping } = await runApplication(applicationWith());
  assert.deepEqual(calls.map(edgeText).toSorted(), workflow.edges.map(edgeText).toSorted());
  assert.deepEqual([...overlapping], [], 'nobody asks two at once');
});

test('the graph is that of the papers', () => {
  const edges = workflow.edges.map(({ from, to, call }) =>
    [LETTERS[from], call === 'Sync' ? '->' : '~>', LETTERS[to]].join(' '),
  );
  assert.deepEqual(edges.toSorted(), ['A -> B', 'A ~> C', 'B -> D', 'C ~> F', 'C ~> G', 'D -> E']);
});

test('no policy is named: the default one optimises', () => {
  assert.equal(workflow.policyRef, undefined);
});

test('the kept outputs are what the functions answer', async () => {
  const kept = readFileSync(new URL('expected/application.jsonl', root), 'utf8');
  assert.equal(linesOf(await runApplication(parsed(applicationText))), kept);
});

test('the same application gives the same bytes, in another call and without a clock or chance', async () => {
  const once = await runApplication(applicationWith(), 'call-1');
  const again = await withoutClock(() => runApplication(applicationWith(), 'call-2'));
  assert.equal(linesOf(again), linesOf(once));
  assert.equal(new Set([...once.keys, ...again.keys]).size, 6, 'keys name the call and not the applicant');
});

test('three wait, one after the other', async () => {
  const startedAt = performance.now();
  await runApplication(applicationWith({ waitMs: 40 }));
  // A timer may fire up to a millisecond early.
  assert.ok(performance.now() - startedAt >= 3 * 39);
});

test('a call that is given up waits no longer', async () => {
  const aborted = { ...contextOf(), signal: AbortSignal.abort() };
  const waiting = applicationWith({ waitMs: 2_000 });
  for (const name of ['check-identity', 'check-credit', 'check-fraud'])
    await assert.rejects(async () => handlers.get(name)?.(waiting, aborted), { name: 'AbortError' });
});

test('the keys come from all primes up to the size, the signing one from five times as many numbers', async () => {
  const known = [
    [2, 1, 2, 4, 7],
    [100, 25, 97, 95, 499],
    [200_000, 17_984, 199_999, 78_498, 999_983],
  ];
  for (const [sieve, ...counted] of known) {
    const { executions } = await runApplication(applicationWith({ sieve }));
    const made = (name: string): readonly Json[] => {
      const found = executions.find((execution) => execution.function === name);
      const { primes = null, largestPrime = null } = (found?.output ?? {}) as Readonly<Record<string, Json>>;
      return [primes, largestPrime];
    };
    assert.deepEqual(made('make-keys'), counted.slice(0, 2));
    assert.deepEqual(made('make-card-key'), counted.slice(0, 2));
    assert.deepEqual(made('make-signing-key'), counted.slice(2));
  }
});

test('who is unknown, in debt or on the list gets no account', async () => {
  const answers = await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      const { output } = await runApplication(applicationWith({ applicant: `a-${String(i)}`, sieve: 2 }));
      return output as {
        readonly accepted: boolean;
        readonly known: boolean;
        readonly score: number;
        readonly suspicion: number;
      };
    }),
  );
  for (const { accepted, known, score, suspicion } of answers)
    assert.equal(accepted, known && score >= 400 && suspicion < 90);
  assert.ok(answers.some(({ known, accepted }) => !known && !accepted));
  assert.ok(answers.some(({ accepted }) => accepted));
});

const REFUSED: readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
  [{ applicant: undefined }, 'applicant: missing; give 1 to 40 of a-z, 0-9 and -, not starting with -'],
  [{ applicant: 'Ada' }, 'applicant: given "Ada"; give 1 to 40 of a-z, 0-9 and -, not starting with -'],
  [{ waitMs: undefined }, 'waitMs: missing; give a whole number from 0 to 2000'],
  [{ waitMs: -1 }, 'waitMs: given -1; give a whole number from 0 to 2000'],
  [{ sieve: '100' }, 'sieve: given "100"; give a whole number from 2 to 2000000'],
  [{ sieve: 2_000_001 }, 'sieve: given 2000001; give a whole number from 2 to 2000000'],
  [{ sieve: 2.5 }, 'sieve: given 2.5; give a whole number from 2 to 2000000'],
];

test('a bad application is refused by the field, what was given and what to give', async () => {
  const refused = (input: Json): Promise<string> => refusalOf(handlers, 'open-account', input);
  for (const [change, expected] of REFUSED) assert.equal(await refused(applicationWith(change)), expected);
  assert.match(await refused(null), /^applicant: missing; /);
});

test('no function burns or waits beyond the bounds, whoever calls it', async () => {
  for (const [name, handler] of handlers)
    await assert.rejects(
      async () => handler({ applicant: 'a', waitMs: 1e9, sieve: 1e9 }, contextOf()),
      /^Error: (waitMs|sieve): given 1000000000; give a whole number from/,
      name,
    );
});

function contextOf() {
  return {
    callId: 'call-1',
    env: {},
    signal: new AbortController().signal,
    log: () => undefined,
    call: () => Promise.resolve({}),
    send: () => Promise.resolve(),
  };
}
