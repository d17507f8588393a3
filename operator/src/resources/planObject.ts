/**
 * The WorkflowPlan object of a plan (D12).
 *
 * Owns: what of a plan is kept in the API: everything that runs, and of the decisions as much as fits. Neighbour: the
 * full record of decisions lies on the bus.
 * Invariants:
 *  1. At most 256 KiB as JSON, and 2,000 decisions; two best alternatives for each.
 *  2. What is left out is said in the last decision.
 */
import type { WorkflowPlanObject } from '../model/nouns.ts';
import { bytesOf as memoryBytesOf, cpuMillisOf } from '../model/quantity.ts';
import { costText, mbText, msText } from '../planner/decide.ts';
import type { Decision, Plan, PlanPrediction, Predicted } from '../planner/plan.ts';
import type { PlanShape, Snapshot } from '../snapshot/snapshot.ts';
import { planHash, planName, unitContent } from './hashes.ts';

export const PLAN_BYTES_MAX = 256 * 1024;
const DECISIONS_MAX = 2000;
/** Longest texts that the API takes. */
const MAX = { about: 256, choice: 256, name: 128, value: 256, message: 1024, inputs: 32 };

type ApiDecision = WorkflowPlanObject['spec']['decisions'][number];

/** The manifest of a plan; without status, which is the operator's to report. */
export function workflowPlanObject(plan: Plan, snapshot: Snapshot): WorkflowPlanObject {
  const { namespace, workflow } = plan;
  const withDecisions = (decisions: readonly ApiDecision[]): WorkflowPlanObject => ({
    apiVersion: 'sinter.dev/v1alpha1',
    kind: 'WorkflowPlan',
    metadata: { name: planName(workflow, planHash(plan, snapshot)), namespace },
    spec: {
      workflowRef: { name: workflow },
      units: plan.units.map((unit) => unitContent(unit, snapshot)),
      channels: plan.channels,
      ...(plan.prediction ? { prediction: apiPrediction(plan.prediction) } : {}),
      decisions,
    },
  });
  const spare = PLAN_BYTES_MAX - bytesOf(withDecisions([]));
  return withDecisions(fitted(plan.decisions, spare));
}

/** What the next plan may depend on of this one. */
export const planShape = ({ metadata, spec }: WorkflowPlanObject): PlanShape => ({
  hash: metadata.name.slice(spec.workflowRef.name.length + 1),
  units: spec.units.map(({ functions, variants, resources: { cpu, memory } }) => ({
    functions,
    variants,
    resources: { cpuMillis: cpuMillisOf(cpu), memoryBytes: memoryBytesOf(memory) },
  })),
});

type ApiPrediction = NonNullable<WorkflowPlanObject['spec']['prediction']>;

const apiPrediction = ({ entries, ...whole }: PlanPrediction): ApiPrediction => ({
  ...predictedTexts(whole),
  entries: entries.map((e) => ({ function: e.function, latency: msText(e.latencyMs) })),
});

const predictedTexts = ({ latencyMs, memoryBytes, cost }: Predicted) => ({
  latency: msText(latencyMs),
  memory: mbText(memoryBytes),
  cost: costText(cost),
});

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/** How much is said of each decision, from everything on down: alternatives, inputs, length of the message. */
const DETAILS = [
  { alternatives: 2, inputs: MAX.inputs, message: MAX.message },
  { alternatives: 2, inputs: 0, message: MAX.message },
  { alternatives: 1, inputs: 0, message: 120 },
  { alternatives: 0, inputs: 0, message: 60 },
] as const;

type Detail = (typeof DETAILS)[number];

/** All decisions with as much detail as fits; where even the least does not, those that matter most. */
function fitted(decisions: readonly Decision[], spareBytes: number): readonly ApiDecision[] {
  for (const detail of DETAILS) {
    const all = decisions.map((d) => apiDecision(d, detail));
    if (all.length <= DECISIONS_MAX && bytesOf(all) <= spareBytes) return all;
  }
  return firstThatFit(decisions, spareBytes);
}

/** What people ask for first is kept first: why together or apart, then how calls travel, then the rest. */
const FIRST: readonly Decision['kind'][] = ['Policy', 'Rollout', 'Fusion', 'Channel', 'Size', 'Runtime'];

function firstThatFit(decisions: readonly Decision[], spareBytes: number): readonly ApiDecision[] {
  const least = DETAILS[DETAILS.length - 1] ?? DETAILS[0];
  const kept: ApiDecision[] = [];
  let bytes = 2 + bytesOf(leftOut(decisions.length));
  const rank = ({ kind }: Decision): number => (FIRST.includes(kind) ? FIRST.indexOf(kind) : FIRST.length);
  const ranked = [...decisions].sort((a, b) => rank(a) - rank(b));
  for (const one of ranked.slice(0, DECISIONS_MAX - 1).map((d) => apiDecision(d, least))) {
    bytes += bytesOf(one) + 1;
    if (bytes > spareBytes) break;
    kept.push(one);
  }
  return [...kept, leftOut(decisions.length - kept.length)];
}

const leftOut = (count: number): ApiDecision => ({
  about: 'decisions',
  kind: 'Size',
  choice: `${count} left out`,
  reason: 'PlanTooLarge',
  message: 'a plan is at most 256 KiB; the full record of decisions is on the bus',
  inputs: [],
  alternatives: [],
});

function apiDecision(d: Decision, detail: Detail): ApiDecision {
  return {
    about: cut(d.about, MAX.about),
    kind: d.kind,
    choice: cut(d.choice, MAX.choice),
    reason: d.reason,
    message: cut(d.message, detail.message),
    inputs: d.inputs.slice(0, detail.inputs).map(({ name, value, source, samples }) => ({
      name: cut(name, MAX.name),
      value: cut(value, MAX.value),
      ...(source === undefined ? {} : { source }),
      ...(samples === undefined ? {} : { samples: Math.round(samples) }),
    })),
    alternatives: d.alternatives.slice(0, detail.alternatives).map((a) => ({
      choice: cut(a.choice, MAX.choice),
      reason: a.reason,
      message: cut(a.message, detail.message),
      ...(a.predicted ? predictedTexts(a.predicted) : {}),
      ...(a.margin === undefined ? {} : { margin: a.margin }),
    })),
    ...(d.margin === '' ? {} : { margin: d.margin }),
  };
}

const cut = (text: string, max: number): string => (text.length <= max ? text : `${text.slice(0, max - 1)}…`);
