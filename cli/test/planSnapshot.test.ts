/** `sinter plan --snapshot`: offline, what the operator would make in the world of a snapshot, and every bad file in words. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { readManifests } from '@sinter/operator/local/manifests';
import { readApplication } from '@sinter/operator/model/index';
import { propose } from '@sinter/operator/resources/index';
import { snapshotText } from '@sinter/operator/snapshot/index';
import { planSnapshot } from '../src/commands/planSnapshot.ts';
import { Refusal } from '../src/exit.ts';
import { widthOf } from '../src/text/layout.ts';
import { folderWith, keptTerminal, sinter, TRAFFIC } from './sinter.ts';
import type { KeptTerminal } from './sinter.ts';

const MACHINE = { name: 'm', architecture: 'arm64', tier: 'Edge' } as const;
const RUNS = {
  hash: '0123456789',
  units: [{ functions: ['ingest'] }, { functions: ['check-air', 'detect-jam'] }],
};

/** What the operator would make of the example now. */
async function operatorMade(current: typeof RUNS | null) {
  const { application } = readApplication((await readManifests([TRAFFIC])).objects);
  const workflow = { namespace: 'traffic', workflow: 'traffic' };
  const made = propose({ application, workflow, machines: [MACHINE], current, nowMs: 1_700_000_000_000 });
  assert.ok(made?.named);
  return { text: snapshotText(made.snapshot), named: made.named };
}

type Options = Partial<Parameters<typeof planSnapshot>[0]>;

async function planned(
  text: string,
  options: Options = {},
): Promise<KeptTerminal & { readonly code: number }> {
  const terminal = keptTerminal(text);
  const all = { snapshot: '-', paths: [], namespace: undefined, exitCode: false, json: false, ...options };
  return { ...terminal, code: await planSnapshot(all, terminal) };
}

interface PlanJson {
  readonly workflows: readonly {
    readonly hash: string;
    readonly plan: unknown;
    readonly current: string | null;
    readonly changes: boolean;
    readonly change: { readonly units: Readonly<Record<string, readonly unknown[]>> };
  }[];
  readonly problems: readonly { readonly reason: string; readonly message: string }[];
}

test('with manifests and without, the plan is byte for byte what the operator makes', async () => {
  const { text, named } = await operatorMade(RUNS);
  for (const paths of [[TRAFFIC], []]) {
    const { code, out } = await planned(text, { paths, json: true });
    assert.equal(code, 0);
    const [workflow] = (JSON.parse(out.text) as PlanJson).workflows;
    assert.equal(JSON.stringify(workflow?.plan), JSON.stringify(named.object));
    assert.deepEqual([workflow?.hash, workflow?.current, workflow?.changes], [named.hash, RUNS.hash, true]);
    assert.deepEqual(workflow?.change.units['gone'], [['check-air', 'detect-jam']]);
  }
});

test('as text: the plan, and what of it is a change; --exit-code tells it to programs', async () => {
  const { text, named } = await operatorMade(RUNS);
  const { code, out } = await planned(text, { paths: [TRAFFIC], exitCode: true });
  assert.equal(code, 6);
  const lines = out.text.split('\n');
  assert.ok(lines.includes(`change: plan 0123456789 → ${named.hash}`), out.text);
  assert.ok(lines.includes('  gone  check-air + detect-jam'), out.text);
  assert.match(out.text, /^ {2}kept {2}traffic-ingest-/m);
  assert.ok(lines.every((line) => widthOf(line) <= 100));
  const same = await operatorMade({ ...RUNS, hash: named.hash });
  const unchanged = await planned(same.text, { exitCode: true });
  assert.equal(unchanged.code, 0);
  assert.match(unchanged.out.text, new RegExp(`^no change: plan ${named.hash} runs$`, 'm'));
});

test('a snapshot that a person has written is enough', async () => {
  const text = JSON.stringify({
    workflow: {
      name: 'shop',
      spec: { functions: [{ name: 'web' }, { name: 'cart' }], edges: [{ from: 'web', to: 'cart' }] },
    },
    machines: [MACHINE],
    observations: { functions: [{ function: 'cart', cpuMs: 3 }] },
  });
  const { code, out, err } = await planned(text);
  assert.equal(code, 0, err.text);
  assert.match(out.text, /change: plan [0-9a-f]{10} is the first/);
});

/** What is wrong with the file → what is said of it. */
const BAD: Readonly<Record<string, readonly [(text: string) => string, RegExp]>> = {
  truncated: [(text) => text.slice(0, 1_000), /truncated/],
  empty: [() => '', /is empty/],
  'no JSON': [() => 'kind: Snapshot', /is not|truncated/],
  'with NaN': [(text) => text.replace('"windowSeconds": 0', '"windowSeconds": NaN'), /NaN/],
  'with a negative duration': [
    (text) => text.replace('"functions": []', '"functions": [{"function":"ingest","cpuMs":-1}]'),
    /observations\.functions\[0\]\.cpuMs: '-1'/,
  ],
};

for (const [what, [spoil, says]] of Object.entries(BAD))
  test(`a file that is ${what} is refused in words, as text and as JSON`, async () => {
    const { text } = await operatorMade(RUNS);
    assert.notEqual(spoil(text), text);
    const { code, out, err } = await planned(spoil(text));
    assert.deepEqual([code, out.text], [1, '']);
    assert.match(err.text, /^error standard input \(BadSnapshot\)$/m);
    assert.match(err.text.replaceAll(/\s+/g, ' '), says);
    const json = JSON.parse((await planned(spoil(text), { json: true })).out.text) as PlanJson;
    assert.deepEqual([json.workflows, json.problems[0]?.reason], [[], 'BadSnapshot']);
  });

test('a snapshot of another workflow, and one that is not there, are refused with what to do', async () => {
  const { text } = await operatorMade(RUNS);
  const other = text.replace('"name": "traffic"', '"name": "other"');
  await assert.rejects(
    planned(other, { paths: [TRAFFIC] }),
    (cause) =>
      cause instanceof Refusal &&
      /standard input is of workflow traffic\/other, which is not in/.test(cause.message),
  );
  await using folder = await folderWith({ 's.json': text });
  const path = join(folder.path, 's.json');
  const fromOutside = await sinter(['plan', '-f', TRAFFIC, '--snapshot', path, '--json']);
  assert.deepEqual([fromOutside.code, fromOutside.err], [0, '']);
  assert.equal(fromOutside.out, (await planned(text, { paths: [TRAFFIC], json: true })).out.text);
  const missing = await sinter(['plan', '--snapshot', `${path}.no`]);
  assert.equal(missing.code, 1);
  assert.match(missing.err, /^error: --snapshot: '.*s\.json\.no' cannot be read \(ENOENT\)/);
});

test('what cannot go together is a usage error', async () => {
  for (const words of [
    ['plan'],
    ['plan', '--snapshot', 'x', '--machines', '1'],
    ['plan', '--snapshot', 'x', '--cluster'],
    ['approve', 'traffic', '0123456789', '--any'],
    ['approve'],
    ['revert'],
    ['snapshot'],
  ]) {
    const { code, err } = await sinter(words);
    assert.equal(code, 2, words.join(' '));
    assert.match(err, /^error: /);
  }
});
