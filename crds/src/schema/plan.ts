/**
 * The schema of WorkflowPlan: what should run, and every decision that led there (D12).
 *
 * Owns: fields, bounds and descriptions. The operator writes it, so there are few defaults: what is not said
 * is not known. Neighbour: `../rules/plan.ts` makes the spec immutable. Numbers that were measured are strings
 * with their unit ("12.4 ms"), because floats in an API object do not survive a round trip byte for byte.
 *
 * Every list of the spec is atomic: it has one writer and never changes, so nothing is ever merged. With keyed
 * lists the server's `self == oldSelf` would take a plan in another order for the same one; and with a key named
 * `function`, a reserved word of CEL, it finds two equal lists different (seen on 1.34).
 */
import { z } from 'zod';
import {
  architecture,
  atomicList,
  conditions,
  EDGES_MAX,
  FUNCTIONS_MAX,
  int,
  matching,
  metadata,
  nameInGraph,
  observedGeneration,
  OPTIONAL_PLAN_HASH,
  quantity,
  text,
} from './parts.ts';

/** A unit's name is `<workflow>-<function>` cut to 40, `-`, 10 hexadecimal digits. */
const unitName = () => matching('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', 63);

const placedArtifact = z.object({
  function: nameInGraph().describe('The function, by its name in the graph.'),
  artifact: nameInGraph().describe('The artifact, by its name in the Function.'),
  isolation: z
    .enum(['Worker', 'Shared'])
    .default('Worker')
    .describe('Worker: a thread of its own. Shared: one thread with others. Nothing for containers.'),
});

const variant = z.object({
  architecture: architecture.describe('The machine architecture.'),
  artifacts: atomicList(placedArtifact, FUNCTIONS_MAX).describe('As what each function runs there.'),
});

const unit = z.object({
  name: unitName().describe(
    'The name, with a hash of the content: an unchanged unit keeps it and is reused.',
  ),
  functions: atomicList(nameInGraph(), FUNCTIONS_MAX)
    .min(1)
    .describe('The functions, by their names in the graph.'),
  resources: z
    .object({
      cpu: quantity().describe('Cores of one instance.'),
      memory: quantity().describe('Bytes of memory of one instance.'),
    })
    .describe('What one instance gets.'),
  variants: atomicList(variant, 6).min(1).describe('One variant for each architecture.'),
});

const terms = z.object({
  call: z.enum(['Sync', 'Async']).describe('Whether the caller waits.'),
  timeoutSeconds: int(1, 86_400).describe('How long one call may take.'),
  attempts: int(1, 100).describe('How often a call is run at most, the first time included.'),
  on: atomicList(text(64), 16).optional().describe('The errors after which it is run again.'),
  backoffSeconds: int(0, 86_400).optional().describe('The pause before the second attempt.'),
  maxBackoffSeconds: int(0, 86_400).optional().describe('The longest pause.'),
  durability: z
    .enum(['AtLeastOnce', 'LocalFirst', 'BestEffort'])
    .optional()
    .describe('How an Async call is kept.'),
  deadLetterRetentionSeconds: int(1, 2_592_000).optional().describe('How long a failed call is kept.'),
  startDeadlineSeconds: int(1, 2_592_000).optional().describe('How long a call may wait for its start.'),
});

const channel = z.object({
  from: nameInGraph().describe('The caller, by its name in the graph.'),
  to: nameInGraph().describe('The callee, by its name in the graph.'),
  channel: z
    .enum(['InProcess', 'Pod', 'Node', 'Remote', 'Queue', 'LocalQueue'])
    .describe("How the edge's calls usually travel."),
  terms: terms.optional().describe('The terms of the edge under this plan; they are part of its hash.'),
});

const input = z.object({
  name: text(128).min(1).describe('What was looked at, for example "count: p50 of a run".'),
  value: text(256).describe('What it was, with its unit.'),
  source: text(128).optional().describe('Where it comes from: an observation, the policy, a prior …'),
  samples: int(0, Number.MAX_SAFE_INTEGER).optional().describe('How many samples stand behind it.'),
});

const alternative = z.object({
  choice: text(256).min(1).describe('What else could have been chosen.'),
  reason: text(128).min(1).describe('Why it was not, as one word: the name of the rule or of the fact.'),
  message: text(1024).optional().describe('Why it was not, as a sentence.'),
  latency: text(64).optional().describe('What a root call was predicted to take with it, on average.'),
  memory: text(64).optional().describe('The memory that was predicted with it, of all processes.'),
  cost: text(64)
    .optional()
    .describe("What a root call was predicted to cost with it, by the policy's prices."),
  margin: text(64).optional().describe('By how much it would have been worse.'),
});

const decision = z.object({
  about: text(256).min(1).describe('A function, an edge ("ingest → count") or a unit.'),
  kind: z
    .enum([
      'Fusion',
      'Runtime',
      'Placement',
      'Channel',
      'Size',
      'Isolation',
      'Deferral',
      'Scaling',
      'Rollout',
      'Policy',
    ])
    .describe('What was decided.'),
  choice: text(256).min(1).describe('What was chosen.'),
  reason: text(128).min(1).describe('Why, as one word in CamelCase.'),
  message: text(1024).describe('Why, as a sentence.'),
  inputs: atomicList(input, 32).default([]).describe('What was known.'),
  alternatives: atomicList(alternative, 8).default([]).describe('The best of what was not chosen.'),
  margin: text(64)
    .optional()
    .describe('By how much the choice was better than the next, for example "31 %".'),
});

const prediction = z.object({
  latency: text(64).describe('What a root call takes on average, over all entries.'),
  memory: text(64).describe('Memory of all processes.'),
  cost: text(64).describe("What a root call costs, by the policy's prices."),
  entries: atomicList(
    z.object({
      function: nameInGraph().describe('The entry, by its name in the graph.'),
      latency: text(64).describe('What a root call takes that comes in by it.'),
    }),
    FUNCTIONS_MAX,
  )
    .default([])
    .describe('By entry.'),
});

export const planSpec = z.object({
  workflowRef: z
    .object({ name: nameInGraph().describe('The name of the Workflow, in the same namespace.') })
    .describe('The workflow that the plan is for.'),
  units: atomicList(unit, FUNCTIONS_MAX).describe('What is deployed.'),
  channels: atomicList(channel, EDGES_MAX).default([]).describe('How each edge travels.'),
  prediction: prediction
    .optional()
    .describe(
      'What the cost model promised before the plan ran; absent: nothing was measured. Not part of the hash.',
    ),
  decisions: atomicList(decision, 2000)
    .default([])
    .describe('Each choice with its reason; not part of the hash.'),
});

const figures = z.object({
  rootP50: text(64).optional().describe('Half of the root calls were faster.'),
  rootP99: text(64).optional().describe('99 % of the root calls were faster.'),
  costPerCall: text(64).optional().describe("By the policy's prices."),
  errors: text(64).optional().describe('Share of root calls that failed.'),
  calls: int(0, Number.MAX_SAFE_INTEGER).optional().describe('How many root calls were measured.'),
});

const planStatus = z.object({
  observedGeneration,
  conditions,
  sequence: int(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('The how-manieth plan of its workflow it is; only for people, the hash tells plans apart.'),
  state: z
    .enum(['Proposed', 'Candidate', 'Current', 'Draining', 'Retired'])
    .optional()
    .describe('Proposed: waits for approval. Candidate: tried. Current. Draining: finishes calls. Retired.'),
  gain: text(64).optional().describe('How much better than the plan before, promised or measured.'),
  comparison: z
    .object({
      baseline: matching(OPTIONAL_PLAN_HASH, 10).optional().describe('The plan it is compared with.'),
      objective: z.enum(['Latency', 'Cost', 'Balanced']).optional().describe('What is compared.'),
      verdict: z
        .enum(['Pending', 'Better', 'Worse', 'Undecided'])
        .optional()
        .describe('What came out; Undecided: the current plan stays.'),
      message: text(1024).optional().describe('What came out, as a sentence.'),
      current: figures.optional().describe('The plan before.'),
      candidate: figures.optional().describe('This plan.'),
    })
    .optional()
    .describe('How it does beside the plan before.'),
});

export const workflowPlanSchema = z.object({
  apiVersion: z.literal('sinter.dev/v1alpha1'),
  kind: z.literal('WorkflowPlan'),
  metadata,
  spec: planSpec.describe('What should run. Immutable.'),
  status: planStatus.optional().describe('What became of it.'),
});
