/**
 * Many workflows at once: how long until all serve, and what that costs the API server and the operator; at rest, nothing.
 *
 * SINTER_SCALE_WORKFLOWS: how many workflows of four functions, each one unit; 20 where it is not given, 50 for the full size.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { app } from '../application.ts';
import { countBy, quantile } from '../load.ts';
import { auditEntries } from '../testbed/cluster.ts';
import type { AuditEntry } from '../testbed/cluster.ts';
import {
  RELEASE,
  SINTER_NAMESPACE,
  WITHOUT_SINTER,
  WITHOUT_TESTBED,
  apply,
  callGateway,
  eventually,
  kubectl,
  list,
  withNamespace,
} from './harness.ts';
import type { ClusterObject, Condition, Manifest } from './harness.ts';
import { UNIT_LABEL } from './lab.ts';
import type { PodObject } from './lab.ts';

const WORKFLOWS = Number(process.env['SINTER_SCALE_WORKFLOWS'] ?? '20');
const FUNCTIONS = ['a', 'b', 'c', 'd'];
const ALL_READY_MS = 540_000;
const REST_MS = 30_000;
const OPERATOR_USER = `system:serviceaccount:${SINTER_NAMESPACE}:${RELEASE}-operator`;
/** Of a core, at rest. The goal is one hundredth; a machine that others use too is not measured against it. */
const MOST_AT_REST = 0.1;
const MOST_BYTES = 400 * 2 ** 20;
const MIB = 2 ** 20;

interface Usage {
  readonly atMs: number;
  readonly cpuSeconds: number;
  readonly workingSetBytes: number;
}

interface Summary {
  readonly pods: readonly {
    readonly podRef: { readonly name: string };
    readonly cpu?: { readonly time: string; readonly usageCoreNanoSeconds?: number };
    readonly memory?: { readonly workingSetBytes?: number };
  }[];
}

interface Workflow extends ClusterObject {
  readonly status?: { readonly conditions?: readonly Condition[] };
}

/** One workflow of four functions that call each other in a row, in one unit. */
function workflow(namespace: string, i: number): readonly Manifest[] {
  const name = `w${String(i)}`;
  const names = FUNCTIONS.map((letter) => `${name}-${letter}`);
  const spec = {
    placement: { architectures: ['amd64'] },
    resources: { requests: { cpu: '1m', memory: '1Mi' } },
  };
  const codeOf = (next: string | undefined): string =>
    next === undefined
      ? `export default () => '${name}';`
      : `export default (input, ctx) => ctx.call('${next}', input);`;
  return app({
    namespace,
    name,
    path: `/${namespace}/${name}`,
    functions: Object.fromEntries(names.map((fn, n) => [fn, { code: codeOf(names[n + 1]), spec }])),
    edges: names.slice(1).map((to, n) => `${names[n] ?? ''}>${to}`),
    groups: [names.join(',')],
  });
}

/** What the operator's pod uses, as its machine last measured it. */
async function usage(): Promise<Usage> {
  const [pod] = await list<PodObject>('pods', SINTER_NAMESPACE, 'app.kubernetes.io/component=operator');
  assert.ok(pod, 'the operator runs');
  const stats = `/api/v1/nodes/${pod.spec.nodeName ?? ''}/proxy/stats/summary`;
  const { pods } = JSON.parse(await kubectl(['get', '--raw', stats])) as Summary;
  const found = pods.find((p) => p.podRef.name === pod.metadata.name);
  return {
    atMs: Date.parse(found?.cpu?.time ?? ''),
    cpuSeconds: (found?.cpu?.usageCoreNanoSeconds ?? 0) / 1e9,
    workingSetBytes: found?.memory?.workingSetBytes ?? 0,
  };
}

/** A measurement that was made at this time or later. */
const usageFrom = (ms: number): Promise<Usage> =>
  eventually('the machine has measured again', async () => {
    const now = await usage();
    return now.atMs >= ms && now;
  });

const READS = new Set(['get', 'list', 'watch']);

/** What the operator wrote in this namespace since then. */
async function writesSince(since: Date, namespace: string): Promise<readonly AuditEntry[]> {
  const entries = await auditEntries({ since, user: OPERATOR_USER });
  return entries.filter((e) => !READS.has(e.verb) && e.objectRef?.namespace === namespace);
}

const isReady = ({ metadata, status }: Workflow): boolean =>
  status?.conditions?.some(
    (c) => c.type === 'Ready' && c.status === 'True' && c.observedGeneration === metadata.generation,
  ) ?? false;

const inSeconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const inMiB = (bytes: number): string => `${(bytes / MIB).toFixed(0)} MiB`;

/** Applies them all and waits until they serve; gives the most memory that the operator was seen to use. */
async function deployAll(t: TestContext, namespace: string): Promise<number> {
  const startedAt = performance.now();
  const objects = Array.from({ length: WORKFLOWS }, (_, i) => workflow(namespace, i)).flat();
  await apply(objects, namespace);
  t.diagnostic(`${String(objects.length)} objects applied in ${inSeconds(performance.now() - startedAt)}`);
  let peak = 0;
  let ready = 0;
  const tookMs: number[] = [];
  await eventually(
    'every workflow serves',
    async () => {
      ready = (await list<Workflow>('workflows', namespace)).filter(isReady).length;
      while (tookMs.length < ready) tookMs.push(performance.now() - startedAt);
      peak = Math.max(peak, (await usage()).workingSetBytes);
      return ready === WORKFLOWS;
    },
    ALL_READY_MS,
    () => `${String(ready)} of ${String(WORKFLOWS)}`,
  );
  t.diagnostic(`Ready: half ${inSeconds(quantile(tookMs, 0.5))}, all ${inSeconds(Math.max(...tookMs))}`);
  return Math.max(peak, (await usageFrom(Date.now())).workingSetBytes);
}

/** Waits for ten seconds without a write. */
const atRest = (namespace: string): Promise<boolean> =>
  eventually('it has come to rest', async () => {
    const since = new Date();
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    return (await writesSince(since, namespace)).length === 0;
  });

async function measureRest(t: TestContext, namespace: string): Promise<void> {
  await atRest(namespace);
  const since = new Date();
  const from = await usageFrom(since.getTime());
  const to = await usageFrom(from.atMs + REST_MS);
  const cores = (to.cpuSeconds - from.cpuSeconds) / ((to.atMs - from.atMs) / 1000);
  t.diagnostic(
    `at rest for ${inSeconds(to.atMs - from.atMs)}: ${(100 * cores).toFixed(2)} % of a core, ${inMiB(to.workingSetBytes)}`,
  );
  const writes = await writesSince(since, namespace);
  assert.deepEqual(
    writes.map((e) => `${e.verb} ${e.requestURI}`),
    [],
  );
  assert.ok(cores < MOST_AT_REST, `${String(cores)} of a core at rest`);
}

const size = `${String(WORKFLOWS)} workflows of ${String(WORKFLOWS * FUNCTIONS.length)} functions`;

describe(size, { skip: WITHOUT_SINTER || WITHOUT_TESTBED }, () => {
  it('are all brought up at once, and then cost nothing', (t) =>
    withNamespace('scale', async (namespace) => {
      const since = new Date();
      const before = await usage();
      const peak = await deployAll(t, namespace);
      await atRest(namespace);
      const writes = await writesSince(since, namespace);
      const kinds = countBy(writes, (e) => `${e.verb} ${e.objectRef?.resource ?? ''}`);
      t.diagnostic(`${String(writes.length)} writes of the operator: ${JSON.stringify(kinds)}`);
      t.diagnostic(`memory of the operator: ${inMiB(before.workingSetBytes)} before, ${inMiB(peak)} at most`);
      assert.ok(peak < MOST_BYTES, 'it stays well below its limit');

      assert.equal((await list('pods', namespace, UNIT_LABEL)).length, WORKFLOWS, 'each is one unit');
      const answers = await Promise.all(
        Array.from({ length: WORKFLOWS }, (_, i) => callGateway(`/${namespace}/w${String(i)}`)),
      );
      assert.deepEqual(
        answers.map((a) => a.text),
        answers.map((_, i) => `w${String(i)}`),
      );
      await measureRest(t, namespace);

      const endedAt = performance.now();
      await kubectl(['delete', 'workflows', '--all', '-n', namespace], { limitMs: ALL_READY_MS });
      t.diagnostic(`all removed in ${inSeconds(performance.now() - endedAt)}`);
    }));
});
