/**
 * The operator is killed before each kind of write of a first deploy, a change and a deletion (D1): whoever comes next goes on from
 * what it finds, ends where an operator that lived would have, and callers of what ran before notice nothing.
 *
 * The release's operator pauses meanwhile; in its place stand pods that are started once, elect no leader and die at a point
 * of their own, one after the other in the same roll-out.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { WORKFLOW } from '../application.ts';
import type { AppOptions } from '../application.ts';
import {
  RELEASE,
  SINTER_NAMESPACE,
  WITHOUT_SINTER,
  apply,
  condition,
  eventually,
  get,
  kubectl,
  list,
  rolledOut,
  withNamespace,
} from './harness.ts';
import type { ClusterObject, Manifest } from './harness.ts';
import { UNIT_LABEL, withLab } from './lab.ts';
import type { Lab, PodObject, WorkflowObject } from './lab.ts';

const OPERATOR = `deployment/${RELEASE}-operator`;
const STAND_IN = `${RELEASE}-operator-once`;
const IN = ['--namespace', SINTER_NAMESPACE];
const STEP_MS = 180_000;
const AMD64 = { placement: { architectures: ['amd64'] }, resources: { requests: { cpu: '10m' } } };

/** Each kind of write in the order in which a roll-out comes to it. */
const FIRST = [
  ...['Finalizer:1', 'WorkflowPlan:1', 'NetworkPolicy:1', 'Streams:1', 'Module:1', 'Entry:1', 'Route:1'],
  ...['SeedSecret:1', 'Deployment:2'],
];
/** The route names the candidate, is switched, and forgets what has drained. */
const CHANGE = [
  ...['Route:1', 'SeedSecret:1', 'Deployment:1', 'Route:1', 'Route:2', 'Scale:1', 'DeleteSecret:1'],
  'DeleteDeployment:1',
];
const DELETION = ['Route:1', 'Scale:1', 'Revoke:1', 'RemoveFromBus:1', 'Release:1'];

const functions = (answer: string): AppOptions['functions'] => ({
  root: { code: async (input, ctx) => ctx.call('callee', input), spec: { ...AMD64, concurrency: 64 } },
  callee: { code: `export default () => '${answer}';`, spec: { ...AMD64, concurrency: 64 } },
  late: { code: () => 'late', spec: AMD64 },
});
const edges = ['root>callee', 'root~late'];

interface PodTemplate {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly containers: readonly (Manifest & { readonly env: readonly Manifest[] })[] };
}
interface Deployment extends ClusterObject {
  readonly spec: { readonly template: PodTemplate };
}

const REPLACED = new Set(['SINTER_FAULT_POINT', 'SINTER_LEADER_ELECTION']);

/** Nothing is brought about until the next one is there. */
const noOperator = (): Promise<string> =>
  kubectl(['delete', 'pod', STAND_IN, ...IN, '--ignore-not-found', '--grace-period=1']);

/** An operator that is started once, and dies at this point; empty: lives. */
async function standIn(point: string): Promise<void> {
  await noOperator();
  const known = await get<Deployment>('deployment', `${RELEASE}-operator`, SINTER_NAMESPACE);
  const template = known?.spec.template ?? assert.fail('the chart has an operator');
  const containers = template.spec.containers.map((container) => ({
    ...container,
    env: [
      ...container.env.filter(({ name }) => !REPLACED.has(String(name))),
      { name: 'SINTER_FAULT_POINT', value: point },
      { name: 'SINTER_LEADER_ELECTION', value: 'false' },
    ],
  }));
  const spec = { ...template.spec, containers, restartPolicy: 'Never', terminationGracePeriodSeconds: 1 };
  const metadata = { name: STAND_IN, labels: template.metadata.labels };
  await apply([{ apiVersion: 'v1', kind: 'Pod', metadata, spec }], SINTER_NAMESPACE);
}

const phase = async (): Promise<string> =>
  (await get<PodObject>('pod', STAND_IN, SINTER_NAMESPACE))?.status.phase ?? '';

/** Lets operators die at these points in turn, while what was applied is being brought about. Gives those that were not met. */
async function dieAt(points: readonly string[], isDone: () => Promise<boolean>): Promise<readonly string[]> {
  const missed: string[] = [];
  for (const point of points) {
    await standIn(point);
    const end = await eventually(
      `the operator dies before ${point}`,
      async () => {
        if ((await phase()) === 'Failed') return 'died';
        return (await isDone()) && 'done';
      },
      STEP_MS,
      phase,
    );
    if (end === 'done') missed.push(point);
  }
  return missed;
}

/** Serves, as its status tells: no unit is on its way. */
async function isReady(lab: Lab): Promise<boolean> {
  const pods = await lab.pods();
  return pods.length === 3 && pods.every((p) => p.status.containerStatuses?.[0]?.ready === true);
}

/** What is there of a workflow, but for its plans, which are kept. */
async function objects(namespace: string): Promise<readonly string[]> {
  const kinds = 'deployments,secrets,poddisruptionbudgets,networkpolicies';
  return (await list(kinds, namespace)).map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort();
}

async function settled(lab: Lab, pods: number): Promise<string> {
  const hash = await lab.ready(STEP_MS);
  await eventually(
    'units that are no more have gone',
    async () =>
      (await lab.pods()).length === pods && (await list('deployments', lab.namespace)).length === pods,
    STEP_MS,
  );
  return hash;
}

describe('an operator that is killed before each of its writes', { skip: WITHOUT_SINTER }, () => {
  before(async () => {
    await kubectl(['scale', OPERATOR, '--replicas=0', ...IN]);
    await eventually(
      'the operator has ended',
      async () =>
        (await list<PodObject>('pods', SINTER_NAMESPACE, 'app.kubernetes.io/component=operator')).length ===
        0,
    );
  });
  after(async () => {
    await noOperator();
    await kubectl(['scale', OPERATOR, '--replicas=1', ...IN]);
    await rolledOut(OPERATOR, SINTER_NAMESPACE);
  });

  it('brings a first deploy, a change and a deletion to the same end as one that lives', (t) =>
    withLab('points', async (lab) => {
      const version1 = { functions: functions('version 1'), edges };
      const version2 = { functions: functions('version 2'), edges };

      await apply(lab.manifests(version1), lab.namespace);
      report(t, 'first deploy', await dieAt(FIRST, () => isReady(lab)));
      await standIn('');
      const first = await settled(lab, 3);
      assert.equal((await lab.call()).text, 'version 1');

      let second = '';
      const answers = await lab.underLoad(
        async () => {
          await noOperator();
          await apply(lab.manifests(version2), lab.namespace);
          const isDone = async (): Promise<boolean> =>
            (await lab.plan()) !== first && (await list('deployments', lab.namespace)).length === 3;
          report(t, 'change', await dieAt(CHANGE, isDone));
          await standIn('');
          await eventually('the change runs', async () => (await lab.plan()) !== first, STEP_MS);
          second = await settled(lab, 3);
        },
        { perSecond: 20 },
      );
      assert.deepEqual([...new Set(answers.map((a) => a.text))].sort(), ['version 1', 'version 2']);
      t.diagnostic(`change: ${String(answers.length)} calls, none failed`);
      assert.equal((await lab.call()).text, 'version 2');
      const killed = await objects(lab.namespace);

      await withNamespace('lived', async (other) => {
        // What an operator that is not killed makes of the same: but for the names of the namespace, no difference.
        await apply(version2Of(lab, other), other);
        await condition('workflow', WORKFLOW, other, 'Ready', 'True', STEP_MS);
        const workflow = await get<WorkflowObject>('workflow', WORKFLOW, other);
        assert.equal(workflow?.status?.plan?.current, second);
        assert.deepEqual(killed, await objects(other));
      });

      await noOperator();
      await kubectl(['delete', 'workflow', WORKFLOW, '-n', lab.namespace, '--wait=false']);
      const isGone = async (): Promise<boolean> =>
        (await get('workflow', WORKFLOW, lab.namespace)) === undefined;
      report(t, 'deletion', await dieAt(DELETION, isGone));
      await standIn('');
      await eventually('the workflow has gone', isGone, STEP_MS);
      await eventually(
        'with all that it had',
        async () => (await objects(lab.namespace)).length === 0,
        STEP_MS,
      );
      assert.deepEqual(await list('pods', lab.namespace, UNIT_LABEL), []);
      await eventually('its path is free', async () => (await lab.call()).status === 404);
    }));
});

/** The same application elsewhere, on a path of its own. */
const version2Of = (lab: Lab, namespace: string): readonly Manifest[] =>
  lab.manifests({ functions: functions('version 2'), edges }).map((m) => {
    const moved = JSON.stringify(m).replaceAll(lab.namespace, namespace);
    return JSON.parse(moved) as Manifest;
  });

/** A point that is not met shows nothing: most must have been. */
function report(t: TestContext, what: string, missed: readonly string[]): void {
  t.diagnostic(`${what}: not met: ${missed.join(', ') || 'none'}`);
  assert.deepEqual(missed, [], `${what}: every point was met`);
}
