/**
 * What the page shows of one workflow at one moment.
 *
 * Owns: the form, the same for a cluster and for a run on one machine, and what is told of declared objects. Whoever serves the
 * page fills it; nothing here is formatted yet. Plain data.
 */
import type { Finding } from '../model/finding.ts';
import { entriesOf } from '../model/graph.ts';
import { functionNameOf } from '../model/nouns.ts';
import type { CallKind, WorkflowName, WorkflowPlanObject, WorkflowSpec } from '../model/nouns.ts';
import type { ResolvedPolicy } from '../model/policy.ts';
import type { Objective, Trial, Verdict } from '../rollout/index.ts';
import type { Observations } from '../snapshot/observations.ts';

export interface Scene extends WorkflowName {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly graph: SceneGraph;
  readonly policy: ScenePolicy;
  /** Hash of the plan that runs; empty: none does. */
  readonly current: string;
  /** Since when, in milliseconds since 1970. */
  readonly sinceMs?: number | undefined;
  /** Hash of the plan that somebody chose; empty: the policy decides. */
  readonly planRef: string;
  /** Every plan that is known, with what became of it, in the order in which they were made. */
  readonly plans: readonly WorkflowPlanObject[];
  readonly observations: Observations;
  /** What is compared at this moment. */
  readonly trial?: SceneTrial | undefined;
  /** What became of plans, oldest first. */
  readonly news: readonly SceneNews[];
  readonly findings: readonly Finding[];
}

export interface SceneGraph {
  readonly functions: readonly string[];
  /** Names of vertices that are somebody else's Services. */
  readonly services: readonly string[];
  readonly edges: readonly { readonly from: string; readonly to: string; readonly call: CallKind }[];
  /** Functions that calls enter by. */
  readonly entries: readonly string[];
}

export interface ScenePolicy {
  /** Empty: the defaults of the API. */
  readonly name: string;
  readonly mode: string;
  readonly fusion: string;
  readonly objective: Objective;
  readonly rollout: string;
}

export interface SceneTrial {
  readonly trial: Trial;
  /** As far as it can be told now. */
  readonly verdict: Verdict;
  readonly reason: string;
  /** Of the objective: logarithms of the ratio of candidate to current; infinite: nothing is known. */
  readonly interval: { readonly low: number; readonly high: number };
}

export interface SceneNews {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly kind: string;
  /** Of the plan that it is about. */
  readonly hash: string;
  readonly message: string;
}

/** Where every function may be called, only those are entries that a trigger names, if any does. */
export function graphIn(spec: WorkflowSpec): SceneGraph {
  const triggered = new Set(spec.triggers.map((t) => t.to));
  const names = (of: 'function' | 'service'): readonly string[] =>
    spec.functions
      .filter((vertex) => (functionNameOf(vertex) === undefined) === (of === 'service'))
      .map((vertex) => vertex.name);
  return {
    functions: names('function'),
    services: names('service'),
    edges: spec.edges.map(({ from, to, call }) => ({ from, to, call })),
    entries: [...(triggered.size > 0 ? triggered : entriesOf(spec))],
  };
}

export const policyIn = ({ name, spec }: ResolvedPolicy): ScenePolicy => ({
  name,
  mode: spec.mode,
  fusion: spec.fusion.mode,
  objective: spec.objective,
  rollout: spec.rollout.mode,
});
