/**
 * An example as the benchmark of plans runs it: its own functions, graph and load, in a namespace of the benchmark's.
 *
 * Owns: what is changed of the example, and nothing else is: namespace and path; the CPU share of every function; JavaScript
 * alone, so that two plans never differ in what their code is; one machine for all, so that a hop is a hop; the policy.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readManifests } from '@sinter/operator/local/manifests';
import type { RawObject } from '@sinter/operator/local/run';
import { readProfile, timetableOf } from '../profile.ts';
import type { Timetable } from '../profile.ts';

const EXAMPLES = fileURLToPath(new URL('../../../examples', import.meta.url));
const POLICY = 'bench';
const MEMORY = '128Mi';

/** Units by the functions that share them; functions in none are alone. */
export type Groups = readonly (readonly string[])[];
export type PolicySpec = Readonly<Record<string, unknown>>;

export interface SubjectOptions {
  readonly example: string;
  /** What each function may use, in thousandths of a core. */
  readonly cpuMillis: number;
  /** The machine that all of it runs on; absent: wherever. */
  readonly machine?: string | undefined;
}

export interface Subject {
  readonly namespace: string;
  readonly workflow: string;
  readonly functions: readonly string[];
  /** Everything, under this policy. */
  objects(policy: PolicySpec): readonly RawObject[];
  policy(policy: PolicySpec): RawObject;
  timetable(visitsPerSecond: number, seconds: number): Timetable;
  /** The function that a call of the load goes to. */
  entryOf(call: string): string;
}

type Fields = Record<string, unknown>;
const fieldsOf = (of: unknown): Fields => (of ?? {}) as Fields;
const named = (objects: readonly RawObject[], kind: string): readonly RawObject[] =>
  objects.filter((o) => o['kind'] === kind);

export async function subjectOf(options: SubjectOptions): Promise<Subject> {
  const { example } = options;
  const folder = join(EXAMPLES, example);
  const { objects, problems } = await readManifests([folder]);
  if (problems[0]) throw new Error(`${example}: ${problems[0].message}`);
  const namespace = `bench-fusion-${example}`;
  const kept = ['ConfigMap', 'Function', 'Workflow'].flatMap((kind) => named(objects, kind));
  const profile = readProfile(folder);
  const entries = entriesOf(kept);
  return {
    namespace,
    workflow: example,
    functions: named(objects, 'Function')
      .map((fn) => String(fieldsOf(fn['metadata'])['name']))
      .sort(),
    objects: (policy) => [
      policyObject(namespace, policy),
      ...kept.map((object) => changed(object, namespace, options)),
    ],
    policy: (policy) => policyObject(namespace, policy),
    entryOf: (call) => entries.get(profile.calls[call]?.path ?? '') ?? call,
    timetable: (perSecond, seconds) => {
      const steady = profile.loads['steady'];
      if (!steady) throw new Error(`${example}: its load.yaml has no load 'steady'`);
      const loads = { bench: { visit: steady.visit, phases: [{ perSecond, seconds }] } };
      const { dueMs, visit } = timetableOf({ ...profile, loads }, 'bench');
      return {
        dueMs,
        visit: (n) => visit(n).map((request) => ({ ...request, path: pathOf(request.path, namespace) })),
      };
    },
  };
}

/** Names of functions, by the paths that lead to them. */
const entriesOf = (objects: readonly RawObject[]): ReadonlyMap<string, string> =>
  new Map(
    named(objects, 'Workflow')
      .flatMap((workflow) => fieldsOf(workflow['spec'])['triggers'] as readonly Fields[])
      .map((trigger) => [String(fieldsOf(trigger['http'])['path']), String(trigger['to'])]),
  );

const pathOf = (path: string, namespace: string): string => `/${namespace}${path}`;

const policyObject = (namespace: string, spec: PolicySpec): RawObject => ({
  apiVersion: 'sinter.dev/v1alpha1',
  kind: 'OptimizationPolicy',
  metadata: { name: POLICY, namespace },
  spec,
});

function changed(object: RawObject, namespace: string, options: SubjectOptions): RawObject {
  const metadata = { ...fieldsOf(object['metadata']), namespace };
  const spec = fieldsOf(object['spec']);
  if (object['kind'] === 'Function') return { ...object, metadata, spec: changedFunction(spec, options) };
  if (object['kind'] === 'Workflow') return { ...object, metadata, spec: changedWorkflow(spec, namespace) };
  return { ...object, metadata };
}

function changedFunction(spec: Fields, { cpuMillis, machine }: SubjectOptions): Fields {
  const artifacts = spec['artifacts'] as readonly Fields[];
  const cpu = `${String(cpuMillis)}m`;
  return {
    ...spec,
    artifacts: artifacts.filter((a) => a['type'] === 'JavaScript'),
    // What is asked for is little, so that two plans find room beside each other.
    resources: { requests: { cpu: '50m', memory: '32Mi' }, limits: { cpu, memory: MEMORY } },
    placement: { architectures: ['amd64'] },
    ...(machine === undefined
      ? {}
      : { template: { spec: { nodeSelector: { 'kubernetes.io/hostname': machine } } } }),
  };
}

function changedWorkflow(spec: Fields, namespace: string): Fields {
  const triggers = spec['triggers'] as readonly Fields[];
  return {
    ...spec,
    policyRef: { name: POLICY },
    triggers: triggers.map((trigger) => {
      const http = fieldsOf(trigger['http']);
      return { ...trigger, http: { ...http, path: pathOf(String(http['path']), namespace) } };
    }),
  };
}

/** These groups and no others, at once. */
export const forced = (groups: Groups, price: PolicySpec): PolicySpec => ({
  price,
  fusion: {
    mode: 'Manual',
    groups: groups
      .filter((group) => group.length > 1)
      .map((functions, i) => ({ name: `group-${String(i)}`, functions })),
  },
  rollout: { onRegression: 'Ignore', cooldownSeconds: 0 },
});
