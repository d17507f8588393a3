/** The example as its reader meets it: applied, called, looked at, changed, applied again, taken away (D4). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXPECTED, readings } from '../../examples/traffic/test/in-memory.ts';
import {
  SINTER_NAMESPACE,
  WITHOUT_SINTER,
  WITHOUT_TESTBED,
  call,
  callGateway,
  condition,
  describeNamespace,
  eventually,
  get,
  kubectl,
  list,
  tryKubectl,
} from './harness.ts';
import type { ClusterObject } from './harness.ts';
import { UNIT_LABEL } from './lab.ts';
import type { PodObject, WorkflowObject } from './lab.ts';

const NAMESPACE = 'traffic';
const EXAMPLE = fileURLToPath(new URL('../../examples/traffic/', import.meta.url));
const IN = ['--namespace', NAMESPACE];
/** Ten processes start, some of them where a process takes seconds. */
const READY_MS = 300_000;
/** Every kind of object that Sinter or the example makes in a namespace. */
const KINDS =
  'workflows,functions,workflowplans,optimizationpolicies,deployments,secrets,poddisruptionbudgets,networkpolicies,configmaps';

interface PlanObject extends ClusterObject {
  readonly spec: {
    readonly units: readonly {
      readonly functions: readonly string[];
      readonly variants: readonly {
        readonly architecture: string;
        readonly artifacts: readonly { readonly function: string; readonly artifact: string }[];
      }[];
    }[];
  };
}

/** On the testbed where its limits fit; elsewhere as it is. */
const HERE = WITHOUT_TESTBED
  ? EXAMPLE
  : fileURLToPath(new URL('../fixtures/traffic-amd64/', import.meta.url));
const ON_ARM64 = fileURLToPath(new URL('../fixtures/traffic-arm64/', import.meta.url));

const applyFrom = (folder: string, ...more: readonly string[]): Promise<string> =>
  kubectl(['apply', '-k', folder, ...more], { limitMs: 120_000 });

const patch = (kind: string, name: string, spec: object): Promise<string> =>
  kubectl(['patch', kind, name, ...IN, '--type=merge', '--patch', JSON.stringify({ spec })]);

/** The plan that runs. */
async function plan(): Promise<PlanObject> {
  const workflow = await get<WorkflowObject>('workflow', 'traffic', NAMESPACE);
  const hash = workflow?.status?.plan?.current ?? '';
  return (
    (await get<PlanObject>('workflowplan', `traffic-${hash}`, NAMESPACE)) ?? assert.fail(`no plan ${hash}`)
  );
}

/** Waits until a plan like this runs alone and every unit serves. */
async function runs(what: string, isIt: (plan: PlanObject) => boolean): Promise<void> {
  await eventually(
    what,
    async () => {
      const status = (await get<WorkflowObject>('workflow', 'traffic', NAMESPACE))?.status?.plan;
      if ((status?.current ?? '') === '' || status?.candidate !== undefined) return false;
      return isIt(await plan());
    },
    READY_MS,
  );
  await condition('workflow', 'traffic', NAMESPACE, 'Ready', 'True', READY_MS);
}

const artifactsOf = ({ spec }: PlanObject, fn: string): readonly string[] =>
  spec.units.flatMap((u) =>
    u.variants.flatMap((v) =>
      v.artifacts.filter((a) => a.function === fn).map((a) => `${v.architecture} ${a.artifact}`),
    ),
  );

/** What the example says that the sender of this reading gets, byte for byte. */
function expectedAnswer(number: number): string {
  const lines = readFileSync(`${EXAMPLE}expected/reading-${String(number)}.jsonl`, 'utf8').split('\n');
  const beginning = '{"function":"ingest","output":';
  const line = lines.find((l) => l.startsWith(beginning)) ?? assert.fail(`no answer to ${String(number)}`);
  return line.slice(beginning.length, -1);
}

/** Answers to these readings, counted from 1; four at a time. */
async function answersTo(numbers: readonly number[]): Promise<readonly string[]> {
  const all = readings();
  const answers: string[] = [];
  for (let i = 0; i < numbers.length; i += 4) {
    const asked = numbers.slice(i, i + 4).map((n) => callGateway('/traffic', all[n - 1]));
    for (const { status, text } of await Promise.all(asked)) answers.push(`${String(status)} ${text}`);
  }
  return answers;
}

const EVERY_EIGHTH = Array.from({ length: 25 }, (_, i) => 8 * i + 1);
const EXPECTED_ANSWERS = EXPECTED.map((n) => `200 ${expectedAnswer(n)}`);

/** A table of kubectl: for each row its columns by name. Columns are at least two spaces apart. */
function table(text: string): readonly Readonly<Record<string, string>>[] {
  const [head = '', ...rows] = text.trimEnd().split('\n');
  const columns = [...head.matchAll(/\S+(?: \S+)*/g)].map((m) => ({ name: m[0], from: m.index }));
  return rows.map((row) =>
    Object.fromEntries(
      columns.map(({ name, from }, i) => [name, row.slice(from, columns[i + 1]?.from).trim()]),
    ),
  );
}

const shown = async (kind: string, ...more: readonly string[]) =>
  table(await kubectl(['get', kind, ...IN, ...more]));

/** Names of the bus's streams that are this namespace's, asked of the hub itself. */
async function streams(): Promise<readonly string[]> {
  const [hub] = await list<PodObject>('pods', SINTER_NAMESPACE, 'app.kubernetes.io/component=nats-hub');
  const url = `http://${hub?.status.podIP ?? ''}:8222/jsz?accounts=true&streams=true`;
  const { text } = await call(url, null, { method: 'GET' });
  const names = [...text.matchAll(/"name": "((?:A|KV|OBJ)_[^"]+)"/g)].map((m) => m[1] ?? '');
  return names.filter((name) => name.startsWith(`A_${NAMESPACE}_`) || name.endsWith(`-${NAMESPACE}`));
}

const versions = async (): Promise<Readonly<Record<string, string>>> =>
  Object.fromEntries(
    (await list(KINDS, NAMESPACE)).map(({ kind, metadata: m }) => [`${kind} ${m.name}`, m.resourceVersion]),
  );

describe('the example on a cluster', { skip: WITHOUT_SINTER }, () => {
  let answers: readonly string[] = [];

  before(async () => {
    assert.equal(await get('namespace', NAMESPACE), undefined, `the namespace ${NAMESPACE} is free`);
  });
  after(async () => {
    await kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found'], { limitMs: 180_000 });
  });

  /** With what is wrong in the namespace, where it fails. */
  const step = (name: string, body: (t: TestContext) => Promise<void>, options = {}): void => {
    it(name, options, async (t) => {
      try {
        await body(t);
      } catch (cause) {
        console.error(await describeNamespace(NAMESPACE));
        throw cause;
      }
    });
  };

  step('is applied with one command, and answers as the example says, every function apart', async (t) => {
    const startedAt = performance.now();
    await applyFrom(HERE);
    assert.match(await applyFrom(EXAMPLE, '--dry-run=server'), /workflow.sinter.dev\/traffic/);
    await condition('workflow', 'traffic', NAMESPACE, 'Ready', 'True', READY_MS);
    t.diagnostic(`Ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    assert.equal((await plan()).spec.units.length, 10);
    assert.deepEqual(await answersTo(EXPECTED), EXPECTED_ANSWERS);
    answers = await answersTo(EVERY_EIGHTH);
    assert.deepEqual(
      answers.filter((a) => !a.startsWith('200 ')),
      [],
    );
  });

  step('shows what one needs to know in columns', async () => {
    const [flow] = await shown('workflows', '-o', 'wide');
    assert.deepEqual(Object.keys(flow ?? {}), [
      ...['NAME', 'PLAN', 'UNITS', 'READY', 'REASON', 'AGE', 'RUNTIMES', 'CHANNELS', 'MESSAGE'],
    ]);
    assert.match(flow?.['PLAN'] ?? '', /^[0-9a-f]{10}$/);
    assert.equal(flow?.['UNITS'], '10 for 10 functions');
    assert.equal(flow['READY'], 'True');
    assert.match(flow['RUNTIMES'] ?? '', /^\d+ js(, \d+ wasm)?$/);
    assert.match(flow['CHANNELS'] ?? '', /\d+ (node|remote|queue)/);
    assert.notEqual(flow['MESSAGE'], '');
    assert.deepEqual(
      Object.keys((await shown('workflows'))[0] ?? {}),
      ['NAME', 'PLAN', 'UNITS', 'READY', 'REASON', 'AGE'],
      'without -o wide',
    );

    const functions = await eventually('every function is ready', async () => {
      const rows = await shown('functions');
      return rows.every((r) => r['READY'] === 'True') && rows;
    });
    assert.equal(functions.length, 10);
    const sieve = functions.find((r) => r['NAME'] === 'check-working');
    assert.deepEqual(Object.keys(sieve ?? {}), [
      ...['NAME', 'ARTIFACTS', 'WORKFLOWS', 'UNIT', 'INSTANCES', 'READY', 'REASON'],
    ]);
    assert.match(sieve?.['ARTIFACTS'] ?? '', /js.*wasm/);
    assert.match(sieve?.['UNIT'] ?? '', /check-working/);
    assert.match(sieve?.['INSTANCES'] ?? '', /^[1-9]/);

    const [planned] = await eventually('the plan says that it runs', async () => {
      const rows = await shown('workflowplans');
      return rows.some((r) => r['STATE'] === 'Current') && rows;
    });
    assert.deepEqual(Object.keys(planned ?? {}), ['NAME', 'WORKFLOW', 'SEQUENCE', 'STATE', 'GAIN', 'AGE']);
    assert.equal(planned?.['NAME'], `traffic-${flow['PLAN'] ?? ''}`);
    assert.equal(planned['WORKFLOW'], 'traffic');
  });

  step('tells conditions and what happened when it is described', async () => {
    const said = await eventually('its events are there', async () => {
      const text = await kubectl(['describe', 'workflow', 'traffic', ...IN]);
      return /Normal\s+Serving/.test(text) && text;
    });
    for (const type of ['Ready', 'Progressing', 'PlanCurrent', 'BusReady'])
      assert.match(said, new RegExp(`Type:\\s+${type}\\b`), type);
    for (const reason of ['Planned', 'Started', 'Serving'])
      assert.match(said, new RegExp(`Normal\\s+${reason}\\b`), reason);
  });

  step('applied again, nothing at all is written', async () => {
    const quiet = await eventually('it has come to rest', async () => {
      const before = await versions();
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      return JSON.stringify(await versions()) === JSON.stringify(before) && before;
    });
    assert.ok(Object.keys(quiet).length > 40, String(Object.keys(quiet).length));
    await applyFrom(HERE);
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    assert.deepEqual(await versions(), quiet);
  });

  step('answers the same when functions are grouped, and what was before goes', async () => {
    await patch('workflow', 'traffic', { policyRef: { name: 'grouped' } });
    await runs('five units', ({ spec }) => spec.units.length === 5);
    assert.deepEqual(await answersTo(EXPECTED), EXPECTED_ANSWERS);
    assert.deepEqual(await answersTo(EVERY_EIGHTH), answers);
    await eventually(
      'what was replaced has gone',
      async () => (await list('deployments', NAMESPACE)).length === 5,
      READY_MS,
    );
  });

  step(
    'answers the same as WebAssembly on an arm64 machine',
    async (t) => {
      await applyFrom(ON_ARM64);
      const startedAt = performance.now();
      await runs('everything is for arm64', ({ spec }) =>
        spec.units.every((u) => u.variants.every((v) => v.architecture === 'arm64')),
      );
      t.diagnostic(`Ready on arm64 after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
      assert.deepEqual(artifactsOf(await plan(), 'check-working'), ['arm64 wasm']);
      assert.deepEqual(artifactsOf(await plan(), 'check-sound-accident'), ['arm64 wasm']);
      const pods = await list<PodObject>('pods', NAMESPACE, UNIT_LABEL);
      const living = pods.filter((p) => p.metadata.deletionTimestamp === undefined);
      const machines = new Set(living.map((p) => p.spec.nodeName ?? ''));
      const arm = await list('nodes', '', 'kubernetes.io/arch=arm64');
      assert.equal(
        arm.some((n) => machines.has(n.metadata.name)),
        true,
      );
      assert.deepEqual(await answersTo(EXPECTED), EXPECTED_ANSWERS);
    },
    { skip: WITHOUT_TESTBED },
  );

  step('taken away with one command, leaves nothing, neither in the cluster nor on the bus', async () => {
    if (!WITHOUT_TESTBED) assert.notDeepEqual(await streams(), [], 'the hub holds its streams');
    await kubectl(['delete', '-k', EXAMPLE, '--timeout=180s'], { limitMs: 200_000 });
    const { said } = await tryKubectl(['get', `${KINDS},pods`, ...IN, '--ignore-not-found']);
    assert.match(said, /^(No resources found.*)?$/);
    assert.equal(await get('namespace', NAMESPACE), undefined);
    const gone = async (): Promise<boolean> => (await callGateway('/traffic', readings()[0])).status === 404;
    await eventually('the gateway knows the path no more', gone);
    if (!WITHOUT_TESTBED) assert.deepEqual(await streams(), []);
  });
});
