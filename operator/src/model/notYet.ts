/**
 * What somebody wrote and comes with a later capability.
 *
 * Owns: the list of what is not here yet, each with the field and with what happens instead. A Notice: it runs
 * otherwise. An Error: nothing of it can run. Only what was written counts, never a default: nobody asked for that.
 * As a capability arrives its line leaves this file.
 */
import { userWrote } from '@sinter/crds';
import { usersOf } from './check.ts';
import { directoryOf, placeIn } from './directory.ts';
import type { Directory } from './directory.ts';
import type { Lookup } from './environment.ts';
import { error, notice } from './finding.ts';
import type { Finding } from './finding.ts';
import { moduleSourceOf, readModule } from './modules.ts';
import { functionNameOf, namespaceOf } from './nouns.ts';
import type {
  AnyPolicyObject,
  Application,
  Artifact,
  ConfigMap,
  Declared,
  FunctionObject,
  WorkflowObject,
} from './nouns.ts';
import { isComponent } from './wasm.ts';

const NOT_YET = 'NotYet';

/** What is here differs a little between a cluster and a run on one machine. */
export type Where = 'Run' | 'Cluster';

/** Every field that was written and comes later, by object, then field. */
export function notYet(application: Application, where: Where = 'Cluster'): readonly Finding[] {
  const directory = directoryOf(application);
  return [
    ...application.functions.flatMap((fn) => functionNotYet(fn, directory)),
    ...application.workflows.flatMap(workflowNotYet),
    ...[...application.policies, ...application.clusterPolicies].flatMap((p) => policyNotYet(p, where)),
  ].sort(byPlace);
}

const byPlace = (a: Finding, b: Finding): number => {
  const [x, y] = [a, b].map((f) => [f.object.kind, f.object.namespace, f.object.name, f.field].join(' '));
  return (x ?? '') < (y ?? '') ? -1 : x === y ? 0 : 1;
};

/** A field with what happens instead; `when` says whether what stands there comes later. */
interface Row<T> {
  readonly field: string;
  readonly when: (object: T) => boolean;
  readonly given: (object: T) => unknown;
  readonly says: string;
}

/** A notice for each row that applies and whose field was written. */
function rowsOf<T extends FunctionObject | AnyPolicyObject>(
  rows: readonly Row<T>[],
  { object, written }: Declared<T>,
): readonly Finding[] {
  return rows
    .filter((row) => userWrote(written, row.field) && row.when(object))
    .map((row) => notice(NOT_YET, placeIn(object, row.field, row.given(object)), row.says));
}

const FUNCTION_ROWS: readonly Row<FunctionObject>[] = [
  {
    field: 'spec.isolation',
    when: (f) => f.spec.isolation === 'Shared',
    given: (f) => f.spec.isolation,
    says: 'comes later; until then the function has a thread of its own (Worker)',
  },
  {
    field: 'spec.scaling.minInstances',
    when: (f) => f.spec.scaling.minInstances === 0,
    given: () => '0',
    says: 'comes later; until then at least one instance runs: write 1 to say so',
  },
  {
    field: 'spec.scaling.instances',
    when: (f) => f.spec.scaling.instances === 0,
    given: () => '0',
    says: 'comes later; until then at least one instance runs: write 1 to say so',
  },
  {
    field: 'spec.scaling.maxInstances',
    when: (f) => f.spec.scaling.mode === 'Auto' && f.spec.scaling.maxInstances > instancesOf(f),
    given: (f) => String(f.spec.scaling.maxInstances),
    says: 'comes later; until then as many instances run as minInstances says, at least one',
  },
  {
    field: 'spec.scaling.idleSeconds',
    when: () => true,
    given: (f) => String(f.spec.scaling.idleSeconds),
    says: 'comes later; until then an instance stays, however long it is idle',
  },
];

const instancesOf = ({ spec }: FunctionObject): number => Math.max(1, spec.scaling.minInstances);

function functionNotYet(fn: Declared<FunctionObject>, directory: Directory): readonly Finding[] {
  const { object } = fn;
  const calls = callsOn(object, directory.workflows);
  const configMaps = (name: string) => directory.configMapNamed(namespaceOf(object), name);
  const later = object.spec.artifacts.map((artifact, i) => ({
    ...laterArtifact(artifact, calls, configMaps),
    artifact,
    i,
  }));
  const instead = later.find((one) => one.says === undefined)?.artifact.name;
  const artifacts = later.flatMap(({ says, field, artifact, i }) => {
    if (says === undefined) return [];
    const place = placeIn(object, `spec.artifacts[${i}]${field}`, artifact.name);
    return [
      instead === undefined
        ? error(NOT_YET, place, `${says}, and the function has nothing else that can run; ${ADD}`)
        : notice(NOT_YET, place, `${says}; until then '${instead}' runs`),
    ];
  });
  return [...rowsOf(FUNCTION_ROWS, fn), ...artifacts];
}

const ADD = 'add a JavaScript artifact with its module in inline or configMap';

/** Is the function a caller in any workflow? */
const callsOn = (fn: FunctionObject, workflows: readonly WorkflowObject[]): boolean =>
  usersOf(fn, workflows).some(({ spec }) =>
    spec.functions.some(
      (vertex) =>
        functionNameOf(vertex) === fn.metadata.name && spec.edges.some((edge) => edge.from === vertex.name),
    ),
  );

/** What of an artifact comes later; `says` undefined: it can run now. */
function laterArtifact(
  artifact: Artifact,
  calls: boolean,
  configMaps: Lookup<ConfigMap>,
): { readonly says?: string; readonly field: string } {
  switch (moduleSourceOf(artifact)) {
    case 'Container':
      return { field: '.type', says: 'is a container, which comes later' };
    case 'Url':
      return { field: '.module.url', says: 'takes its module from a URL, which comes later' };
    default:
      break;
  }
  if (artifact.type !== 'Wasm') return { field: '' };
  const reading = readModule(artifact, configMaps);
  if (reading.is === 'Read' && isComponent(reading.bytes)) {
    return { field: '.module', says: 'is a WASM component, which comes later' };
  }
  if (calls)
    return { field: '.type', says: 'is WASM of a function with edges of its own, which comes later' };
  return { field: '' };
}

function workflowNotYet({ object }: Declared<WorkflowObject>): readonly Finding[] {
  return [...servicesNotYet(object), ...edgesNotYet(object), ...triggersNotYet(object)];
}

function servicesNotYet(workflow: WorkflowObject): readonly Finding[] {
  const { functions, edges, triggers } = workflow.spec;
  return functions.flatMap((vertex, i) => {
    if (!vertex.service) return [];
    const place = placeIn(workflow, `spec.functions[${i}].service`, vertex.service.name);
    const called = edges.some((e) => e.to === vertex.name) || triggers.some((t) => t.to === vertex.name);
    return [
      called
        ? error(
            NOT_YET,
            place,
            `is a Service as a function, which comes later, and '${vertex.name}' is called; ${WRAP}`,
          )
        : notice(NOT_YET, place, `is a Service as a function, which comes later; until then it is left out`),
    ];
  });
}

const WRAP = 'until then call it from the code of a function';

function edgesNotYet(workflow: WorkflowObject): readonly Finding[] {
  return workflow.spec.edges.flatMap(({ from, to, deferral, durability }, i) => {
    const field = `spec.edges[${i}]`;
    const label = `${from} → ${to}`;
    const held = 'may wait for its start, which comes later; until then it starts at once';
    const local = 'is LocalFirst, which comes later; until then it is AtLeastOnce: accepted by the hub';
    return [
      ...(deferral ? [notice(NOT_YET, placeIn(workflow, `${field}.deferral`, label), held)] : []),
      ...(durability === 'LocalFirst'
        ? [notice(NOT_YET, placeIn(workflow, `${field}.durability`, label), local)]
        : []),
    ];
  });
}

function triggersNotYet(workflow: WorkflowObject): readonly Finding[] {
  return workflow.spec.triggers.flatMap(({ name, type }, i) => {
    if (type === 'Http') return [];
    const says = `is the type of trigger '${name}' and comes later; until then it starts no call: use type Http`;
    return [notice(NOT_YET, placeIn(workflow, `spec.triggers[${i}].type`, type), says)];
  });
}

type PolicyRow = Row<AnyPolicyObject>;

const AT_ONCE = 'comes later on one machine; until then new code replaces the old at once';
const NOTHING_HELD = 'comes later; until then no call is held, and each starts at once';

/** A row for a field whose value does not matter: whatever stands there comes later. */
const later = (field: string, says: string): PolicyRow => ({
  field: `spec.${field}`,
  when: () => true,
  given: (policy) => valueAt(policy.spec, field),
  says,
});

const valueAt = (root: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((value, key) => (isFields(value) ? value[key] : undefined), root);

const isFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** A run takes new code at once. */
const RUN_ROWS: readonly PolicyRow[] = [later('rollout.onRegression', AT_ONCE)];

const POLICY_ROWS: readonly PolicyRow[] = [
  {
    field: 'spec.runtime.prefer',
    when: (p) => p.spec.runtime.prefer === 'Container',
    given: (p) => p.spec.runtime.prefer,
    says: 'comes later; until then JavaScript or WASM runs, as if Auto were written',
  },
  {
    field: 'spec.channels.allowed',
    when: (p) => !['Node', 'Remote'].every((c) => p.spec.channels.allowed.some((allowed) => allowed === c)),
    given: (p) => p.spec.channels.allowed.join(', '),
    says: 'bounds placement only later; until then calls between units travel as placement makes it (Node or Remote)',
  },
  {
    ...later('deferral.mode', NOTHING_HELD),
    when: (p) => p.spec.deferral.mode === 'Auto',
  },
  later('deferral.busyAbovePercent', NOTHING_HELD),
  later('deferral.idleBelowPercent', NOTHING_HELD),
  {
    field: 'spec.scaling.standIns.instances',
    when: (p) => p.spec.scaling.standIns.instances > 0,
    given: (p) => String(p.spec.scaling.standIns.instances),
    says: 'comes later; until then there are no warm hosts, and a unit serves when it has started',
  },
];

const policyNotYet = (policy: Declared<AnyPolicyObject>, where: Where): readonly Finding[] =>
  rowsOf(where === 'Run' ? [...RUN_ROWS, ...POLICY_ROWS] : POLICY_ROWS, policy);
