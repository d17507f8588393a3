/**
 * The schema of OptimizationPolicy and ClusterOptimizationPolicy: what Sinter may decide, and towards what.
 *
 * Owns: fields, bounds, defaults and descriptions; both kinds have one spec. Neighbour: `../rules/policy.ts`.
 * The list of manual groups is kept small because the rule against overlaps compares each pair.
 */
import { z } from 'zod';
import {
  conditions,
  DECIMAL,
  DNS_LABEL,
  int,
  listMap,
  matching,
  metadata,
  NAME_MAX,
  nameInGraph,
  observedGeneration,
  OPTIONAL_DNS_LABEL,
  setOf,
  spelledOut,
} from './parts.ts';

const decimal = () => matching(DECIMAL, 32);

const price = z.object({
  model: z
    .enum(['BusyTime', 'Provisioned'])
    .default('BusyTime')
    .describe(
      'BusyTime: what is used while a call runs is paid. Provisioned: what is reserved is paid, busy or idle.',
    ),
  gigabyteSecond: decimal()
    .default('0.0000166667')
    .describe('The price of one GB of memory for one second, a decimal number as a string.'),
  cpuSecond: decimal()
    .default('0')
    .describe('The price of one core for one second, a decimal number as a string.'),
});

const group = z.object({
  workflow: matching(OPTIONAL_DNS_LABEL, NAME_MAX)
    .default('')
    .describe('The workflow that the group belongs to; empty: every workflow under this policy.'),
  name: matching(DNS_LABEL, NAME_MAX).describe('The name of the group, unique in the workflow.'),
  functions: setOf(nameInGraph(), 32)
    .min(1)
    .describe('Functions that share a process, by their names in the graph.'),
});

const fusion = z.object({
  mode: z
    .enum(['Auto', 'Off', 'Manual'])
    .default('Auto')
    .describe('Auto: the planner groups functions. Off: every function alone. Manual: `groups` says it.'),
  strategy: z
    .enum(['Search', 'Fusionize'])
    .default('Search')
    .describe(
      'Search: over the cost model. Fusionize: the published optimiser, as a baseline (Fusionize++, 2023).',
    ),
  maxFunctions: int(1, 200).default(20).describe('Most functions in one group.'),
  groups: listMap(group, ['workflow', 'name'], 32)
    .default([])
    .describe('Groups by hand, for the mode Manual. Functions in no group stay alone.'),
});

const deferral = z.object({
  mode: z
    .enum(['Auto', 'Off'])
    .default('Auto')
    .describe('Auto: held calls are released at a good moment. Off: nothing is held.'),
  busyAbovePercent: int(1, 100)
    .default(90)
    .describe('From this load on a machine is busy and gets no held call early.'),
  idleBelowPercent: int(0, 99)
    .default(60)
    .describe('Below this load a machine is idle and gets held calls early.'),
});

export const policySpec = z.object({
  mode: z
    .enum(['Optimize', 'Observe', 'Off'])
    .default('Optimize')
    .describe('Optimize: plan and apply. Observe: plan and explain, change nothing. Off: keep what runs.'),
  objective: z
    .enum(['Latency', 'Cost', 'Balanced'])
    .default('Balanced')
    .describe('What a plan is judged by.'),
  price: price.prefault({}).describe('What resources cost; only ratios matter, the currency is yours.'),
  fusion: spelledOut(fusion).describe('Which functions share a process.'),
  runtime: z
    .object({
      prefer: z
        .enum(['Auto', 'Wasm', 'JavaScript', 'Container'])
        .default('Auto')
        .describe('The type of artifact to take where a function has it; Auto: the planner chooses.'),
    })
    .prefault({})
    .describe('As what functions run.'),
  channels: z
    .object({
      allowed: setOf(z.enum(['InProcess', 'Pod', 'Node', 'Remote']), 4)
        .min(1)
        .default(['InProcess', 'Pod', 'Node', 'Remote'])
        .describe('The channels that grouping and placement may make; single calls may spill further.'),
    })
    .prefault({})
    .describe('Which ways calls may take.'),
  deferral: spelledOut(deferral).describe('When work that may wait is released.'),
  scaling: z
    .object({
      standIns: z
        .object({
          instances: int(0, 100).default(0).describe('Warm generic hosts per namespace; 0: none.'),
        })
        .prefault({})
        .describe('Warm hosts that serve a unit until its own pods are ready.'),
    })
    .prefault({})
    .describe('How fast functions wake.'),
  rollout: z
    .object({
      mode: z
        .enum(['Automatic', 'Manual'])
        .default('Automatic')
        .describe(
          "Automatic: a better plan is tried and taken. Manual: it waits for a Workflow's `planRef`.",
        ),
      minimumGainPercent: int(0, 100).default(5).describe('A plan that promises less is not tried.'),
      maximumDurationSeconds: int(1, 604_800)
        .default(3600)
        .describe('How long a candidate may be compared before the current plan stays.'),
      cooldownSeconds: int(0, 604_800).default(120).describe('Shortest time between two changes of plan.'),
      onRegression: z
        .enum(['Hold', 'Revert', 'Ignore'])
        .default('Hold')
        .describe('What happens when code that the user changed does worse: stop there, go back, or go on.'),
    })
    .prefault({})
    .describe('How a plan replaces another.'),
});

const policyStatus = z.object({ observedGeneration, conditions });

export const optimizationPolicySchema = z.object({
  apiVersion: z.literal('sinter.dev/v1alpha1'),
  kind: z.literal('OptimizationPolicy'),
  metadata,
  spec: policySpec.prefault({}).describe('What is asked for.'),
  status: policyStatus.optional().describe('What the operator reports.'),
});

export const clusterOptimizationPolicySchema = z.object({
  apiVersion: z.literal('sinter.dev/v1alpha1'),
  kind: z.literal('ClusterOptimizationPolicy'),
  metadata,
  spec: policySpec.prefault({}).describe('What is asked for.'),
  status: policyStatus.optional().describe('What the operator reports.'),
});
