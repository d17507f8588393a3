/**
 * What no schema can judge: the objects of an application together.
 *
 * Owns: the list of checks, and their order. Neighbours: one file for each kind of check; `notYet.ts` says what is valid
 * and comes later; the planner says what no machine can run.
 * Invariants:
 *  1. It is total: no declared object makes it throw.
 *  2. The order in which objects were given changes nothing.
 */
import { codeFindings } from './code.ts';
import { directoryOf, nameOfObject, placeIn } from './directory.ts';
import type { Directory } from './directory.ts';
import { environmentTooLarge } from './environmentSize.ts';
import { error } from './finding.ts';
import type { Finding, ObjectName } from './finding.ts';
import { syncCycle } from './graph.ts';
import { functionNameOf, namespaceOf } from './nouns.ts';
import type { Application, FunctionObject, WorkflowName, WorkflowObject } from './nouns.ts';
import { groupFindings, policyNotFound } from './policies.ts';
import { policyObjectOf } from './policy.ts';
import { missingFunctions, missingKeys, missingSources } from './references.ts';
import { issuerFindings, pathConflicts, timeFindings } from './triggers.ts';

/** Every finding on an application, by object, then field. */
export function check(application: Application): readonly Finding[] {
  const directory = directoryOf(application);
  const findings = [
    ...application.functions.flatMap(({ object }) => functionFindings(object, directory)),
    ...application.workflows.flatMap(({ object }) => workflowFindings(object, directory)),
    ...pathConflicts(directory.workflows),
    ...[...application.policies, ...application.clusterPolicies].flatMap(({ object }) =>
      groupFindings(object, directory),
    ),
  ];
  return findings.sort(byPlace);
}

const functionFindings = (fn: FunctionObject, directory: Directory): readonly Finding[] => [
  ...codeFindings(fn, directory),
  ...missingSources(fn, directory),
  ...environmentTooLarge(fn, directory),
  ...sharedThoughExternal(fn, directory),
];

const workflowFindings = (workflow: WorkflowObject, directory: Directory): readonly Finding[] => [
  ...missingFunctions(workflow, directory),
  ...missingKeys(workflow, directory),
  ...cycleFindings(workflow),
  ...timeFindings(workflow),
  ...issuerFindings(workflow),
  ...policyNotFound(workflow, directory),
  ...unknownPlan(workflow, directory),
];

function cycleFindings(workflow: WorkflowObject): readonly Finding[] {
  const cycle = syncCycle(workflow.spec.edges);
  if (!cycle) return [];
  const says =
    'is a cycle of Sync edges, in which every function waits for itself; make one of these edges Async';
  return [error('SyncCycle', placeIn(workflow, 'spec.edges', cycle.join(' → ')), says)];
}

/** Somebody else scales it by one number, which cannot hold for two workflows. */
function sharedThoughExternal(fn: FunctionObject, { workflows }: Directory): readonly Finding[] {
  if (fn.spec.scaling.mode !== 'External') return [];
  const users = usersOf(fn, workflows).map((w) => w.metadata.name);
  if (users.length < 2) return [];
  const says = `is for a function in one workflow, and this one is in ${[...users].sort().join(', ')}; declare one Function for each`;
  return [error('ExternalInTwoWorkflows', placeIn(fn, 'spec.scaling.mode', 'External'), says)];
}

/** The workflows that a Function is in. */
export const usersOf = (
  fn: FunctionObject,
  workflows: readonly WorkflowObject[],
): readonly WorkflowObject[] =>
  workflows.filter(
    (w) =>
      namespaceOf(w) === namespaceOf(fn) &&
      w.spec.functions.some((vertex) => functionNameOf(vertex) === fn.metadata.name),
  );

function unknownPlan(workflow: WorkflowObject, { application }: Directory): readonly Finding[] {
  const { hash } = workflow.spec.planRef;
  if (hash === '' || !application.plans) return [];
  const there = application.plans
    .filter((p) => p.namespace === namespaceOf(workflow) && p.workflow === workflow.metadata.name)
    .map((p) => p.hash)
    .sort();
  if (there.includes(hash)) return [];
  const says = `is no plan of this workflow; there ${there.length === 0 ? 'is none' : `are ${there.join(', ')}`}: take one of them, or leave it empty`;
  return [error('PlanNotFound', placeIn(workflow, 'spec.planRef.hash', hash), says)];
}

/** Those findings that a workflow has to follow: its own, its Functions', its policy's. */
export function findingsFor(
  findings: readonly Finding[],
  { namespace, workflow: name }: WorkflowName,
  application: Application,
): readonly Finding[] {
  const workflow = application.workflows
    .map((w) => w.object)
    .find((w) => w.metadata.name === name && namespaceOf(w) === namespace);
  const policy = workflow && policyObjectOf(application, workflow)?.object;
  const concerned = new Set([
    keyOf({ kind: 'Workflow', namespace, name }),
    ...(workflow?.spec.functions ?? []).map((vertex) =>
      keyOf({ kind: 'Function', namespace, name: functionNameOf(vertex) ?? '' }),
    ),
    ...(policy ? [keyOf(nameOfObject(policy))] : []),
  ]);
  return findings.filter((finding) => concerned.has(keyOf(finding.object)));
}

const keyOf = ({ kind, namespace, name }: ObjectName): string => `${kind} ${namespace} ${name}`;

const byPlace = (a: Finding, b: Finding): number => {
  const [x, y] = [a, b].map((f) => `${keyOf(f.object)} ${f.field} ${f.reason}`);
  return (x ?? '') < (y ?? '') ? -1 : x === y ? 0 : 1;
};
