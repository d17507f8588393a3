/**
 * What the cluster has of a workflow's units, as a roll-out sees it.
 *
 * Owns: the reading of Deployments, Pods and Nodes. Pure: stores in, plain data out.
 */
import type { Announcement, InstanceKey, Observation, WorkflowKey } from '@sinter/contract';
import { GATEWAY_CALLER } from '@sinter/contract';
import type { Deployment, Node, Pod } from '../kube/objects.ts';
import { keyOf } from '../kube/objects.ts';
import { heardKey } from '../rollout/index.ts';
import type { PodState, UnitState } from '../rollout/index.ts';
import { deploymentProblem, mainContainer, podProblem } from './problems.ts';
import { unitOf } from './stores.ts';
import type { Stores } from './stores.ts';

/** As much of `Reports` as is needed. */
export interface Heard {
  announcement(key: InstanceKey): Announcement | undefined;
  observation(key: InstanceKey): Observation | undefined;
}

export interface Observed {
  readonly units: readonly UnitState[];
  readonly gateways: readonly string[];
  readonly announcements: ReadonlyMap<string, Announcement>;
  readonly observations: ReadonlyMap<string, Observation>;
}

export function observe(workflow: WorkflowKey, stores: Stores, heard: Heard): Observed {
  const units = unitStates(workflow, stores);
  const gateways = gatewaysWithin(stores);
  const instances: readonly InstanceKey[] = [
    ...gateways.map((instance) => ({ ...workflow, unit: GATEWAY_CALLER, instance })),
    ...units.flatMap((u) => u.pods.map(({ instance }) => ({ ...workflow, unit: u.name, instance }))),
  ];
  const said = <T>(of: (key: InstanceKey) => T | undefined): ReadonlyMap<string, T> =>
    new Map(
      instances.flatMap((key) => {
        const last = of(key);
        return last === undefined ? [] : [[heardKey(key.unit, key.instance), last] as const];
      }),
    );
  return {
    units,
    gateways,
    announcements: said((key) => heard.announcement(key)),
    observations: said((key) => heard.observation(key)),
  };
}

export function unitStates(w: WorkflowKey, stores: Stores): readonly UnitState[] {
  const key = keyOf({ namespace: w.namespace, name: w.workflow });
  const deployments = Map.groupBy(stores.deployments.by('workflow', key), unitOf);
  const budgets = Map.groupBy(stores.disruptionBudgets.by('workflow', key), unitOf);
  const pods = Map.groupBy(stores.pods.by('workflow', key), unitOf);
  const names = new Set([...deployments.keys(), ...budgets.keys(), ...pods.keys()].filter(Boolean));
  return [...names].sort().map((name) => {
    const of = (deployments.get(name) ?? []).filter((d) => d.metadata.deletionTimestamp === undefined);
    const failed = of.map(deploymentProblem).find((p) => p !== undefined);
    return {
      name,
      exists: of.length > 0 || budgets.has(name),
      desired: of.reduce((n, d) => n + replicasOf(d), 0),
      pods: (pods.get(name) ?? [])
        .filter((p) => !hasEnded(p))
        .map((p) => podState(p, stores.nodes.get(nodeOf(p)))),
      ...(failed ? { problem: failed } : {}),
    };
  });
}

const replicasOf = (deployment: Deployment): number => deployment.spec?.replicas ?? 1;

const nodeOf = (pod: Pod): string => pod.spec?.nodeName ?? '';

/** Evicted, or ended for good: its Deployment has another one for it. */
const hasEnded = (pod: Pod): boolean => pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';

export function podState(pod: Pod, node: Node | undefined): PodState {
  const why = podProblem(pod);
  const machine = nodeOf(pod);
  return {
    instance: pod.metadata.name,
    machine,
    reachable: machine === '' || (node !== undefined && isReady(node)),
    running: mainContainer(pod)?.state?.running !== undefined,
    ending: pod.metadata.deletionTimestamp !== undefined,
    ready: pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false,
    ...(why ? { problem: why } : {}),
  };
}

/** A machine that is cut off is one of which nothing has been heard for a while. */
export const isReady = (node: Node): boolean =>
  node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;

export const isGateway = (pod: Pod): boolean =>
  pod.metadata.labels?.['app.kubernetes.io/component'] === 'gateway';

function gatewaysWithin({ busPods, nodes }: Stores): readonly string[] {
  return busPods
    .list()
    .filter(isGateway)
    .filter((pod) => {
      const { running, reachable } = podState(pod, nodes.get(nodeOf(pod)));
      return running && reachable;
    })
    .map((pod) => pod.metadata.name)
    .sort();
}
