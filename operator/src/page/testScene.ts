/** Scenes for tests: valid by default, each part to be replaced. */
import type { WorkflowPlanObject } from '../model/nouns.ts';
import { NO_OBSERVATIONS } from '../snapshot/observations.ts';
import type { Observations, ObservedEdge, ObservedFunction, ObservedRoot } from '../snapshot/observations.ts';
import type { Scene } from './scene.ts';

export const HASH = '0123456789';

/** `a > b` is sync, `a ~ b` async; groups like `a+b`. */
export function sceneOf(
  edges: readonly string[],
  groups: readonly string[],
  other: Partial<Scene> = {},
): Scene {
  const parsed = edges.map((text) => {
    const [from = '', kind = '', to = ''] = text.split(' ');
    return { from, to, call: kind === '~' ? ('Async' as const) : ('Sync' as const) };
  });
  const units = groups.map((group) => group.split('+'));
  return {
    namespace: 'shop',
    workflow: 'orders',
    atMs: Date.UTC(2026, 0, 2, 3, 4, 5),
    graph: { functions: units.flat(), services: [], edges: parsed, entries: units.flat().slice(0, 1) },
    policy: { name: '', mode: 'Optimize', fusion: 'Auto', objective: 'Balanced', rollout: 'Automatic' },
    current: HASH,
    planRef: '',
    plans: [planObject(HASH, units, parsed)],
    observations: NO_OBSERVATIONS,
    news: [],
    findings: [],
    ...other,
  };
}

export function planObject(
  hash: string,
  units: readonly (readonly string[])[],
  edges: Scene['graph']['edges'],
  status: WorkflowPlanObject['status'] = { sequence: 1, state: 'Current' },
): WorkflowPlanObject {
  const home = (fn: string): number => units.findIndex((unit) => unit.includes(fn));
  return {
    apiVersion: 'sinter.dev/v1alpha1',
    kind: 'WorkflowPlan',
    metadata: { name: `orders-${hash}`, namespace: 'shop' },
    spec: {
      workflowRef: { name: 'orders' },
      units: units.map((functions) => ({
        name: `orders-${functions[0] ?? ''}-${hash}`,
        functions,
        resources: { cpu: '500m', memory: '128Mi' },
        variants: [
          {
            architecture: 'amd64',
            artifacts: functions.map((name) => ({ function: name, artifact: 'js', isolation: 'Worker' })),
          },
        ],
      })),
      channels: edges.map(({ from, to, call }) => ({
        from,
        to,
        channel: call === 'Async' ? 'Queue' : home(from) === home(to) ? 'InProcess' : 'Node',
      })),
      decisions: [],
    },
    status,
  };
}

export const observed = (some: Partial<Observations>): Observations => ({ ...NO_OBSERVATIONS, ...some });

export const root = (name: string, ratePerSecond: number, call: 'Sync' | 'Async' = 'Sync'): ObservedRoot => ({
  function: name,
  call,
  ratePerSecond,
  samples: 100,
  meanMs: 5,
  deviationMs: 1,
  p50Ms: 4,
  p99Ms: 20,
  failures: 0,
});

export const ran = (name: string, cpuMs: number): ObservedFunction => ({
  function: name,
  samples: 100,
  cpuMs,
  cpuDeviationMs: null,
  waitingMs: 0,
  waitingDeviationMs: null,
  memoryBytes: null,
  coldStarts: 0,
  coldStartMs: null,
  failures: 0,
});

export const called = (from: string, to: string, callsPerExecution = 1): ObservedEdge => ({
  from,
  to,
  samples: 100,
  callsPerExecution,
  parallel: 0,
  requestBytes: 240,
  responseBytes: 12,
  overheadMs: { InProcess: 0.07, Node: 0.4, Queue: 2.5 },
});
