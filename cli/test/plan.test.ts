/** `sinter plan -f`: the example, and every bad input of the API that needs no cluster. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planCommand } from '../src/commands/plan.ts';
import { widthOf } from '../src/text/layout.ts';
import { folderWith, keptTerminal, sinter, TRAFFIC } from './sinter.ts';
import type { KeptTerminal } from './sinter.ts';

interface PlanJson {
  readonly workflows: readonly {
    readonly namespace: string;
    readonly workflow: string;
    readonly hash: string | null;
    readonly plan: {
      readonly spec: { readonly decisions: readonly { readonly reason: string; readonly message: string }[] };
    } | null;
  }[];
  readonly findings: readonly { readonly reason: string; readonly field: string; readonly given: string }[];
  readonly problems: readonly unknown[];
}

async function planned(
  path: string,
  json = false,
  machines = 0,
): Promise<KeptTerminal & { readonly code: number }> {
  const terminal = keptTerminal();
  const code = await planCommand({ paths: [path], machines, json }, terminal);
  return { ...terminal, code };
}

test('the example: units, runtimes, machines, channels, each with its reason, within 100 columns', async () => {
  const { code, out, err } = await planned(TRAFFIC);
  assert.equal(code, 0);
  assert.equal(err.text, '');
  const lines = out.text.split('\n');
  assert.match(lines[0] ?? '', /^traffic\/traffic {2}plan [0-9a-f]{10} {2}policy apart \(PolicyRef\)$/);
  assert.equal(lines[1], '10 functions in 10 units: 10 js; 10 channels: 5 node, 5 queue');
  assert.match(out.text, /^traffic-ingest-[0-9a-f]{10} +ingest +js +OnlyArtifact +machine-1$/m);
  assert.match(out.text, /^ingest → check-working +Sync +node +CalleeOnEveryMachine$/m);
  assert.match(out.text, /^FusionOff +the policy says/m);
  assert.ok(lines.every((line) => line.length <= 100));
});

test('the same from outside, as one JSON object, twice the same bytes', async () => {
  const [first, second] = await Promise.all([
    sinter(['plan', '-f', TRAFFIC, '--json', '--machines', '2']),
    sinter(['plan', '-f', `${TRAFFIC}/kustomization.yaml`, '--machines', '2', '--json']),
  ]);
  assert.equal(first.code, 0);
  assert.equal(first.out, second.out);
  const { workflows, findings, problems } = JSON.parse(first.out) as PlanJson;
  assert.deepEqual([findings, problems], [[], []]);
  const [workflow] = workflows;
  assert.match(workflow?.hash ?? '', /^[0-9a-f]{10}$/);
  const decisions = workflow?.plan?.spec.decisions ?? [];
  assert.ok(decisions.length > 30 && decisions.every((d) => d.reason !== '' && d.message !== ''));
});

test('names of forty letters fit', async () => {
  const long = (letter: string): string => letter.repeat(40);
  const fn = (name: string): string =>
    `apiVersion: sinter.dev/v1alpha1\nkind: Function\nmetadata: { name: ${name}, namespace: ${'n'.repeat(63)} }\n` +
    'spec: { artifacts: [{ name: js, type: JavaScript, module: { inline: "export default (x) => x" } }] }\n---\n';
  const workflow =
    `apiVersion: sinter.dev/v1alpha1\nkind: Workflow\nmetadata: { name: ${long('w')}, namespace: ${'n'.repeat(63)} }\n` +
    `spec: { functions: [{ name: ${long('a')} }, { name: ${long('b')} }], edges: [{ from: ${long('a')}, to: ${long('b')} }] }\n`;
  await using folder = await folderWith({ 'app.yaml': fn(long('a')) + fn(long('b')) + workflow });
  const { code, out, err } = await planned(folder.path);
  assert.equal(code, 0, err.text);
  const tooLong = out.text.split('\n').filter((line) => widthOf(line) > 100);
  assert.deepEqual(tooLong, []);
});

interface Parts {
  readonly fn?: string;
  readonly artifact?: string;
  readonly edges?: string;
  readonly triggers?: string;
  readonly functions?: string;
  readonly more?: string;
  readonly name?: string;
}

/** A good application of two functions, with parts replaced. */
function application(parts: Parts): string {
  const {
    name = 'a',
    fn = '',
    artifact = 'name: js, type: JavaScript, module: { inline: "export default (x) => x" }',
    functions = '{ name: a }, { name: b }',
    edges = '{ from: a, to: b }',
    triggers = '',
    more = '',
  } = parts;
  const head = (kind: string, n: string): string =>
    `apiVersion: sinter.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: ${n} }\n`;
  return [
    `${head('Function', name)}spec:\n  artifacts: [{ ${artifact} }]\n${fn}`,
    `${head('Function', 'b')}spec: { artifacts: [{ name: js, type: JavaScript, module: { inline: "export default (x) => x" } }] }\n`,
    `${head('Workflow', 'w')}spec:\n  functions: [${functions}]\n  edges: [${edges}]\n  triggers: [${triggers}]\n${more}`,
  ].join('---\n');
}

const CONFIG_MAP = '---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: code }\ndata: { b.mjs: "" }\n';
const http = (path: string): string =>
  `{ name: web, to: a, type: Http, http: { path: ${path}, auth: { type: None } } }`;
const SECOND =
  '---\napiVersion: sinter.dev/v1alpha1\nkind: Workflow\nmetadata: { name: z }\nspec: { functions: [{ name: a }], triggers: [' +
  `${http('/x')}] }\n`;

/** Sentence → manifests, reason, field, and what the message must say of what was given and is allowed. */
const bad: Readonly<Record<string, readonly [Parts, string, RegExp, RegExp]>> = {
  'an edge to a function that is not in the list': [
    { edges: '{ from: a, to: c }' },
    'Invalid',
    /^spec\.edges\[0\]/,
    /'c'.*spec\.functions|'c'.*list/,
  ],
  'a duplicate edge': [
    { edges: '{ from: a, to: b }, { from: a, to: b, call: Async }' },
    'Invalid',
    /^spec\.edges\[1\]/,
    /'a → b' must be unique/,
  ],
  'a sync cycle': [
    { edges: '{ from: a, to: b }, { from: b, to: a }' },
    'SyncCycle',
    /^spec\.edges/,
    /a.*b.*a/,
  ],
  'a module with two sources': [
    {
      artifact:
        'name: js, type: JavaScript, module: { inline: x, url: { href: "https://x.example/a", sha256: "' +
        '0'.repeat(64) +
        '" } }',
    },
    'Invalid',
    /^spec\.artifacts\[0\]\.module/,
    /exactly one/,
  ],
  'a container without architectures': [
    { artifact: 'name: c, type: Container, container: { image: "x.example/a", contract: Http }' },
    'Invalid',
    /architectures/,
    /architectures/,
  ],
  'a deferral on a Sync edge': [
    { edges: '{ from: a, to: b, call: Sync, deferral: { startDeadlineSeconds: 5 } }' },
    'Invalid',
    /^spec\.edges\[0\]/,
    /Async/,
  ],
  'a start deadline of zero': [
    { edges: '{ from: a, to: b, call: Async, deferral: { startDeadlineSeconds: 0 } }' },
    'Invalid',
    /startDeadlineSeconds/,
    /'?0'?.*(at least|greater|1)/,
  ],
  'a cron that cannot be parsed': [
    { triggers: '{ name: n, to: a, type: Cron, cron: { schedule: "0 25 * * *" } }' },
    '*',
    /schedule/,
    /0 25 \* \* \*/,
  ],
  'a time zone that is not there': [
    { triggers: '{ name: n, to: a, type: Cron, cron: { schedule: "0 3 * * *", timeZone: Europe/Nowhere } }' },
    '*',
    /timeZone/,
    /Europe\/Nowhere/,
  ],
  'a trigger without auth': [
    { triggers: '{ name: t, to: a, type: Http, http: { path: /x } }' },
    'Invalid',
    /auth/,
    /must be set/,
  ],
  'two workflows with the same path': [{ triggers: http('/x'), more: SECOND }, 'PathConflict', /path/, /\/x/],
  'a Function that is not there': [
    { functions: '{ name: a }, { name: b }, { name: c }' },
    '*',
    /^spec\.functions\[2\]/,
    /'?c'?/,
  ],
  'a ConfigMap that is not there': [
    { artifact: 'name: js, type: JavaScript, module: { configMap: { name: code, key: a.mjs } }' },
    '*',
    /configMap/,
    /code/,
  ],
  'a ConfigMap key that is not there': [
    {
      artifact: 'name: js, type: JavaScript, module: { configMap: { name: code, key: a.mjs } }',
      more: CONFIG_MAP,
    },
    '*',
    /configMap\.key/,
    /a\.mjs.*b\.mjs/s,
  ],
  'a WASM module that does not validate': [
    { artifact: 'name: w, type: Wasm, module: { inline: AGFzbQEAAAD/ }' },
    '*',
    /module/,
    /WASM|WebAssembly/,
  ],
  'a handler without a default export': [
    { artifact: 'name: js, type: JavaScript, module: { inline: "export const a = 1" }' },
    '*',
    /module/,
    /default/,
  ],
  'a name with a dot': [{ name: 'a.b' }, 'Invalid', /^metadata\.name/, /'a\.b'.*no dots/s],
  'a field that is not there': [{ fn: '  timeout: 5\n' }, 'Invalid', /timeout/, /timeoutSeconds/],
};

for (const [sentence, [parts, reason, field, says]] of Object.entries(bad)) {
  test(`refused with field, given and allowed: ${sentence}`, async () => {
    await using folder = await folderWith({ 'app.yaml': application(parts) });
    const json = await planned(folder.path, true);
    assert.equal(json.code, 1, json.out.text);
    const { findings, workflows } = JSON.parse(json.out.text) as PlanJson;
    assert.ok(workflows.every((w) => w.plan === null));
    const found = findings.find((f) => field.test(f.field) && (reason === '*' || f.reason === reason));
    assert.ok(found, JSON.stringify(findings, undefined, 1));
    const { code, err } = await planned(folder.path);
    assert.equal(code, 1);
    assert.match(err.text.replaceAll(/\s+/g, ' '), says);
    assert.ok(
      err.text.split('\n').every((line) => line.length <= 100),
      err.text,
    );
  });
}

test('a refusal names the file and line of the object', async () => {
  await using folder = await folderWith({ 'app.yaml': application({ edges: '{ from: a, to: c }' }) });
  const { err } = await planned(folder.path);
  assert.match(err.text, /Workflow default\/w \([^)]*app\.yaml:\d+\)/);
});

test('what comes later is a Notice: it is said, and planned all the same', async () => {
  await using folder = await folderWith({
    'app.yaml': application({
      edges: '{ from: a, to: b, call: Async, deferral: { startDeadlineSeconds: 60 } }',
    }),
  });
  const { code, out, err } = await planned(folder.path);
  assert.equal(code, 0);
  assert.match(err.text, /^notice .*\(NotYet\)\n {2}spec\.edges\[0\]\.deferral/m);
  assert.match(out.text, /a → b +Async +queue/);
});

test('manifests without a Workflow are refused', async () => {
  await using folder = await folderWith({
    'a.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n',
  });
  await assert.rejects(planned(folder.path), /there is no Workflow/);
});
