/** Where and as what functions run changes no answer (D4): byte for byte, on every reading that the example ships. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readManifests } from '../../operator/src/local/manifests.ts';
import type { RawObject } from '../../operator/src/local/run.ts';
import { eventually, withLab } from './harness.ts';
import type { Lab } from './harness.ts';

const example = new URL('../../examples/traffic/', import.meta.url);
const READINGS = 25;
const readings = readFileSync(new URL('readings/readings.jsonl', example), 'utf8')
  .trim()
  .split('\n')
  .filter((_, i) => i % (200 / READINGS) === 0);
const { objects } = await readManifests([example.pathname]);

type Prefer = 'JavaScript' | 'Wasm';
const FORMS = (['apart', 'grouped'] as const).flatMap((policy) =>
  (['JavaScript', 'Wasm'] as const).map((prefer) => ({ policy, prefer })),
);

/** The example under this policy, with what it prefers as runtime. */
const inForm = (policy: string, prefer: Prefer): readonly RawObject[] =>
  objects.map((o) => {
    if (o['kind'] === 'Workflow')
      return { ...o, spec: { ...(o['spec'] as object), policyRef: { name: policy } } };
    if (o['kind'] !== 'OptimizationPolicy') return o;
    return { ...o, spec: { ...(o['spec'] as object), runtime: { prefer } } };
  });

/** Answers to all readings, eight at a time. */
async function answersOf(lab: Lab): Promise<readonly string[]> {
  const answers: string[] = [];
  for (let i = 0; i < readings.length; i += 8) {
    const some = await Promise.all(readings.slice(i, i + 8).map((r) => lab.call('/traffic', r)));
    for (const { status, text } of some) answers.push(`${String(status)} ${text}`);
  }
  return answers;
}

/** Every function has worked off what these readings make of it: the async ones too. */
const settled = (lab: Lab): Promise<true> =>
  eventually(
    'every function ran for every reading',
    () => {
      const { functions } = lab.run.figures('traffic', 'traffic');
      // A unit that was replaced still does the work that it had asked for: a function may have run in two forms.
      const runs = (fn: string): number =>
        functions.filter((f) => f.function === fn).reduce((n, f) => n + f.count, 0);
      return (
        ['ingest', 'check-working', 'check-air', 'detect-jam', 'check-sound-accident'].every(
          (fn) => runs(fn) === READINGS,
        ) &&
        runs('adjust-signs') === 2 * READINGS &&
        (true as const)
      );
    },
    20_000,
    () => lab.run.figures('traffic', 'traffic').functions.map((f) => [f.function, f.count]),
  );

describe('the same input gives the same output', () => {
  const expected: { first?: readonly string[] } = {};
  for (const machines of [0, 2])
    it(`apart and grouped, JavaScript and WASM, ${machines === 0 ? 'one machine' : 'two machines'}`, () =>
      withLab({ machines }, async (lab) => {
        for (const { policy, prefer } of FORMS) {
          const { plan } = await lab.apply(inForm(policy, prefer));
          assert.equal(plan?.units.length, policy === 'apart' ? 10 : 5);
          lab.run.resetFigures();
          const answers = await answersOf(lab);
          expected.first ??= answers;
          assert.deepEqual(
            answers.filter((a) => !a.startsWith('200 ')),
            [],
            `${policy}, ${prefer}: all answered`,
          );
          assert.deepEqual(answers, expected.first, `${policy}, ${prefer}`);
          await settled(lab);
          const { functions } = lab.run.figures('traffic', 'traffic');
          const sieve = functions.find((f) => f.function === 'check-working');
          assert.equal(sieve?.artifact, prefer === 'Wasm' ? 'wasm' : 'js');
          assert.deepEqual(
            functions.filter((f) => f.failures > 0),
            [],
          );
        }
      }));
});
