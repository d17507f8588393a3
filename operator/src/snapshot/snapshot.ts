/**
 * The frozen world that a plan is made from.
 *
 * Owns: the form of a snapshot: plain data that survives JSON, so that `sinter plan --snapshot` and the operator see
 * the same. Neighbours: `gather.ts` makes one, `planner/` reads one.
 * Invariants:
 *  1. No Secret's value is in it, only names. A module's text is only where its author put it, in the spec of its Function;
 *     in a file (`file.ts`) it is not.
 *  2. Lists are in an order of their own (by name), whatever the order of the objects that it was gathered from.
 */
import type { Architecture, FunctionSpec, Machine, WorkflowSpec } from '../model/nouns.ts';
import type { EnvironmentSource } from '../model/environment.ts';
import type { ImageModule } from '../model/images.ts';
import type { ResolvedPolicy } from '../model/policy.ts';
import type { Observations } from './observations.ts';

export interface Snapshot {
  readonly workflow: SnapshotWorkflow;
  /** One for each vertex with a Function that is there, by name in the graph. */
  readonly functions: readonly SnapshotFunction[];
  readonly policy: ResolvedPolicy;
  /** By name. */
  readonly machines: readonly Machine[];
  /** Whether processes are held to their CPU limits: on a cluster they are, on a laptop they are not. */
  readonly enforcesLimits: boolean;
  /** Whether units end when they are idle, and start again with the next call. */
  readonly scalesToZero: boolean;
  /** What was measured, under the plan that runs. */
  readonly observations: Observations;
  readonly current: CurrentPlan | null;
  /** What became of other plans. */
  readonly trials: Trials;
  /** What was assumed where nothing was measured, as sentences for people; absent: nothing. */
  readonly assumptions?: readonly string[] | undefined;
  readonly nowMs: number;
}

/** A plan that exists: as much of it as the next one may depend on. */
export interface PlanShape {
  readonly hash: string;
  readonly units: readonly UnitShape[];
}

export interface UnitShape {
  /** By their names in the graph. */
  readonly functions: readonly string[];
  /** As what they run; absent: not known. */
  readonly variants?: readonly VariantShape[] | undefined;
  /** What one instance may use; absent: not known. */
  readonly resources?: { readonly cpuMillis: number; readonly memoryBytes: number } | undefined;
}

export interface VariantShape {
  readonly architecture: Architecture;
  readonly artifacts: readonly {
    readonly function: string;
    readonly artifact: string;
    readonly isolation: 'Worker' | 'Shared';
  }[];
}

/** The plan that runs. */
export interface CurrentPlan extends PlanShape {
  /** Since when it is the current one, in milliseconds since 1970; absent: not known. */
  readonly sinceMs?: number | undefined;
}

/** What the roll-out has come to; `rollout/` writes it, the planner goes by it. */
export interface Trials {
  /** Until when no other plan may be proposed (the policy's cool-down), in milliseconds since 1970; null: it may. */
  readonly coolingUntilMs: number | null;
  /** The plan that is tried beside the current one: while it is, the planner keeps to it. */
  readonly candidate: PlanShape | null;
  /** Plans that were tried and did not win: none of them is proposed again before its time. */
  readonly lost: readonly LostPlan[];
}

export interface LostPlan extends PlanShape {
  /** In milliseconds since 1970. */
  readonly untilMs: number;
  /** Why it lost, as one word: the verdict or the fault. */
  readonly reason: string;
  /** Absent: it had no calls that could be compared. */
  readonly measured?: Measured | undefined;
}

/** What a trial showed of a plan, beside another one under the same calls; its own figure over that of the other one. */
export interface Measured {
  /** Hash of the other one. */
  readonly beside: string;
  /** In milliseconds since 1970. */
  readonly atMs: number;
  /** Of the plan itself. */
  readonly calls: number;
  /** Median of root calls; absent: not known. */
  readonly latencyRatio?: number | undefined;
  /** Of a root call; absent: not known. */
  readonly costRatio?: number | undefined;
}

export interface SnapshotWorkflow {
  readonly namespace: string;
  readonly name: string;
  readonly spec: WorkflowSpec;
}

export interface SnapshotFunction {
  /** Its name in the graph. */
  readonly name: string;
  /** The name of the Function. */
  readonly functionName: string;
  readonly spec: FunctionSpec;
  /** By name. */
  readonly artifacts: readonly SnapshotArtifact[];
  /** What its environment is made of; ConfigMaps by digest, Secrets by name. */
  readonly environment: readonly EnvironmentSource[];
  /** Names of the Secrets that it reads, sorted. */
  readonly secrets: readonly string[];
}

export interface SnapshotArtifact {
  readonly name: string;
  readonly type: 'JavaScript' | 'Wasm' | 'Container';
  /** Where its code is: only Inline and ConfigMap can be read and have a digest here. */
  readonly source: 'Inline' | 'ConfigMap' | 'Image' | 'Url' | 'Container';
  /** sha256 (hex) of the module's bytes (UTF-8 of its text); null where it cannot be read here. */
  readonly sha256: string | null;
  /** Where its code is in an image; only for the source Image, and only where it can be pulled. */
  readonly image?: ImageModule | undefined;
  /** A WASM component instead of a WASI command. */
  readonly component: boolean;
  /** Empty: every architecture. */
  readonly architectures: readonly Architecture[];
}
