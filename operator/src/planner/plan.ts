/**
 * A plan: what should run for one workflow, and every decision that led there.
 *
 * Owns: the form. It has no names and no hashes: `resources/` makes those, so that a name never decides anything.
 * Invariants:
 *  1. Every function of the graph is in exactly one unit.
 *  2. Every list has an order of its own: units by their first function, functions callers before callees,
 *     channels by (from, to).
 *  3. A plan with an Error among its findings is not to be applied: what runs stays.
 */
import type { Architecture, CallKind, ChannelKind, Durability, Tier } from '../model/nouns.ts';
import type { Finding } from '../model/finding.ts';

export interface Plan {
  readonly namespace: string;
  readonly workflow: string;
  readonly units: readonly PlanUnit[];
  readonly channels: readonly PlanChannel[];
  readonly decisions: readonly Decision[];
  readonly findings: readonly Finding[];
  /** Why it is this plan and no other, in one word. */
  readonly outcome: Outcome;
  /** What it would come to, said before it ran; absent: nothing is measured. */
  readonly prediction?: PlanPrediction;
  /** The same for what runs; absent also where nothing runs. */
  readonly baseline?: PlanPrediction;
}

export type Outcome =
  | 'PolicyOff'
  | 'PolicyObserves'
  | 'AsAsked'
  | 'NoObservations'
  | 'NoLoad'
  | 'UnderTrial'
  | 'CoolingDown'
  | 'NothingBetter'
  | 'GainTooSmall'
  | 'GainWithinNoise'
  | 'LostBefore'
  | 'BetterFound'
  | 'NextStep'
  | 'LastStep';

/** What the cost model says of a plan. */
export interface Predicted {
  /** Mean over the root calls that somebody waits for. */
  readonly latencyMs: number;
  /** Of all processes. */
  readonly memoryBytes: number;
  /** Per root call, by the policy's prices. */
  readonly cost: number;
}

export interface PlanPrediction extends Predicted {
  /** By entry, in the order of their names. */
  readonly entries: readonly { readonly function: string; readonly latencyMs: number }[];
}

export interface PlanUnit {
  /** By their names in the graph, callers before callees. */
  readonly functions: readonly string[];
  /** What one instance may use at most. */
  readonly resources: PlanResources;
  /** One for each architecture that the unit may run on, by architecture. */
  readonly variants: readonly PlanVariant[];
  readonly placement: PlanPlacement;
  readonly instances: number;
}

export interface PlanResources {
  readonly cpuMillis: number;
  /** For its functions; what the process itself needs comes on top. */
  readonly memoryBytes: number;
}

export interface PlanVariant {
  readonly architecture: Architecture;
  /** In the order of the unit's functions. */
  readonly artifacts: readonly PlanArtifact[];
}

export interface PlanArtifact {
  readonly function: string;
  /** The artifact's name in the Function. */
  readonly artifact: string;
  readonly isolation: 'Worker' | 'Shared';
}

/** Where a unit may run; both sorted. */
export interface PlanPlacement {
  readonly tiers: readonly Tier[];
  readonly architectures: readonly Architecture[];
}

export interface PlanChannel {
  readonly from: string;
  readonly to: string;
  readonly channel: ChannelKind;
  readonly terms: PlanTerms;
}

/** The terms of an edge as they hold under the plan; nothing is left to a default. */
export interface PlanTerms {
  readonly call: CallKind;
  readonly timeoutSeconds: number;
  /** In all, the first included. */
  readonly attempts: number;
  /** Present where there is more than one attempt; sorted. */
  readonly on?: readonly RetryableCode[];
  readonly backoffSeconds?: number;
  readonly maxBackoffSeconds?: number;
  /** Async only. */
  readonly durability?: Durability;
  /** Async only. */
  readonly deadLetterRetentionSeconds?: number;
}

export type RetryableCode =
  'CalleeLost' | 'ConnectionLost' | 'Overloaded' | 'Timeout' | 'FunctionFailed' | 'BusUnavailable';

export type DecisionKind =
  'Policy' | 'Rollout' | 'Fusion' | 'Runtime' | 'Isolation' | 'Channel' | 'Size' | 'Placement';

export interface Decision {
  /** A function, a pair ("ingest → count"), a unit, the workflow. */
  readonly about: string;
  readonly kind: DecisionKind;
  readonly choice: string;
  /** The fact that decided, one word in PascalCase. */
  readonly reason: string;
  readonly message: string;
  readonly inputs: readonly DecisionInput[];
  /** Best first. */
  readonly alternatives: readonly DecisionAlternative[];
  /** By how much the choice is better than the next; empty where nothing was measured. */
  readonly margin: string;
}

export interface DecisionInput {
  readonly name: string;
  readonly value: string;
  readonly source?: string;
  /** How many samples stand behind it. */
  readonly samples?: number;
}

export interface DecisionAlternative {
  readonly choice: string;
  readonly reason: string;
  readonly message: string;
  /** What the plan would come to with it. */
  readonly predicted?: Predicted;
  /** By how much it would be worse for the objective ("12 %"); below nothing where it would be better. */
  readonly margin?: string;
}
