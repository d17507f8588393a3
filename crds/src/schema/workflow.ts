/**
 * The schema of Workflow: the graph, its ways in, and what is asked of it.
 *
 * Owns: fields, bounds, defaults and descriptions. Neighbour: `../rules/workflow.ts` holds what one field
 * alone cannot say (an edge names functions of the list, a trigger's section matches its type …).
 *
 * Invariant: a field that is allowed only on some edges (`durability`, `deadLetter`, `deferral`) has no
 * default, because the API server could not tell a default from what the user wrote and would refuse it.
 */
import { z } from 'zod';
import {
  atomicList,
  conditions,
  EDGES_MAX,
  FUNCTIONS_MAX,
  HOST_NAME,
  int,
  listMap,
  localRef,
  matching,
  metadata,
  NATS_SUBJECT,
  nameInGraph,
  objectName,
  observedGeneration,
  OPTIONAL_PLAN_HASH,
  S3_EVENT,
  setOf,
  text,
  TIME_ZONE,
  URL_PATH,
} from './parts.ts';

/** Longest time that a call may wait for its start, and that a dead letter is kept: 30 days. */
const MONTH_SECONDS = 2_592_000;

const vertex = z.object({
  name: nameInGraph().describe('The name in the graph.'),
  functionRef: z
    .object({ name: nameInGraph().describe('The name of the Function, in the same namespace.') })
    .optional()
    .describe('The Function; absent: the Function of the same name.'),
  service: z
    .object({
      name: objectName().describe('The name of the Service, in the same namespace.'),
      port: int(1, 65_535).describe('The port of the Service.'),
      path: matching(URL_PATH, 512).default('/').describe('The path to which calls are posted.'),
    })
    .optional()
    .describe('An existing Service instead of a Function: observed, called, deferrable, never fused.'),
});

/** Errors of a call that another attempt may cure. */
const retryable = z.enum([
  'CalleeLost',
  'ConnectionLost',
  'Overloaded',
  'Timeout',
  'FunctionFailed',
  'BusUnavailable',
]);

/**
 * `on` is a trap of YAML 1.1, in which kubectl reads a bare `on` as true. It keeps its name, as the API promises;
 * the description says to quote it, and `validate` says so when it meets a field named `true`.
 */
const retry = z.object({
  attempts: int(1, 100).default(5).describe('How often the call is run at most, the first time included.'),
  on: setOf(retryable, 6)
    .default([])
    .describe(
      'The errors after which it is run again; empty: every one that another attempt may cure. Write the name ' +
        'of this field in quotes: kubectl reads a bare on as true.',
    ),
  backoffSeconds: int(0, 86_400)
    .default(1)
    .describe('The pause before the second attempt; it doubles before each further one.'),
  maxBackoffSeconds: int(0, 86_400).default(60).describe('The longest pause.'),
});

const deferral = z.object({
  startDeadlineSeconds: int(0, MONTH_SECONDS).describe(
    'How long a call may wait for a better moment to start; at least 1.',
  ),
});

const deadLetter = z.object({
  retentionSeconds: int(1, MONTH_SECONDS)
    .default(604_800)
    .describe('How long a call that failed for good is kept.'),
});

const edge = z.object({
  from: nameInGraph().describe('The caller, by its name in the graph.'),
  to: nameInGraph().describe('The callee, by its name in the graph.'),
  call: z
    .enum(['Sync', 'Async'])
    .default('Sync')
    .describe('Sync: the caller waits for the result (ctx.call). Async: it does not (ctx.send).'),
  timeoutSeconds: int(1, 86_400)
    .optional()
    .describe("How long one call along this edge may take; absent: the callee's `timeoutSeconds`."),
  retry: retry
    .optional()
    .describe(
      'When a failed call is run again. Absent: a Sync call is not run again once it was accepted, an ' +
        'Async one is, with the defaults shown.',
    ),
  durability: z
    .enum(['AtLeastOnce', 'LocalFirst', 'BestEffort'])
    .optional()
    .describe(
      'Async only. AtLeastOnce (when absent): accepted by the hub. LocalFirst: accepted on the disk of ' +
        "the caller's machine and forwarded when connected. BestEffort: may be lost.",
    ),
  deferral: deferral.optional().describe('Async only. The call may wait for a better moment.'),
  deadLetter: deadLetter
    .optional()
    .describe('Async only. What happens to a call that failed for good; absent: kept for 7 days.'),
});

const auth = z.object({
  type: z
    .enum(['None', 'Jwt', 'Key'])
    .describe('None: anybody may call. Jwt: a token of an issuer. Key: a key from a Secret.'),
  jwt: z
    .object({
      issuer: text(512).min(1).describe('The `iss` that a token must have, a URL with OpenID discovery.'),
      audiences: setOf(text(512), 16).min(1).describe('A token must have one of these in `aud`.'),
    })
    .optional()
    .describe('Which tokens are accepted, for the type Jwt.'),
  key: z
    .object({
      secretRef: localRef('The name of the Secret, in the same namespace.').describe(
        'The Secret whose values are the accepted keys; several, so that they can be changed in turn.',
      ),
    })
    .optional()
    .describe('Which keys are accepted, for the type Key; sent as `Authorization: Bearer KEY`.'),
});

const method = z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

const httpTrigger = z.object({
  hosts: setOf(matching(HOST_NAME, 253), 16)
    .default([])
    .describe('The host names at which it answers; empty: every host.'),
  path: matching(URL_PATH, 512)
    .default('/')
    .describe('The path at which it answers; one that ends in / answers deeper paths too.'),
  methods: setOf(method, 7).min(1).default(['POST']).describe('The methods that it takes.'),
  auth: auth.describe('Who may call. It must be written, so that nothing is open by oversight.'),
});

const cronTrigger = z.object({
  schedule: text(100).describe("Five fields as in cron, like '0 3 * * *', or '@hourly', '@daily' …"),
  timeZone: matching(TIME_ZONE, 64).default('Etc/UTC').describe('The time zone of the schedule.'),
  concurrencyPolicy: z
    .enum(['Allow', 'Forbid', 'Replace'])
    .default('Allow')
    .describe(
      'What happens when the last run still runs. Allow: both run. Forbid: this one is left out. Replace: ' +
        'the last one is cancelled.',
    ),
  startingDeadlineSeconds: int(1, MONTH_SECONDS)
    .optional()
    .describe('How late a missed run may still start; absent: without limit.'),
});

const natsTrigger = z.object({
  subject: matching(NATS_SUBJECT, 255).describe('The subject whose messages become calls.'),
});

const coapTrigger = z.object({
  path: matching(URL_PATH, 255).describe('The path at which it answers.'),
});

const s3Trigger = z.object({
  bucket: text(63).min(3).describe('The bucket.'),
  prefix: text(1024).default('').describe('How the key of an object must start.'),
  suffix: text(1024).default('').describe('How the key of an object must end.'),
  events: setOf(matching(S3_EVENT, 64), 16)
    .min(1)
    .default(['s3:ObjectCreated:*'])
    .describe('The events that become calls.'),
});

const daprTrigger = z.object({
  component: objectName().describe('The name of the Dapr component.'),
  topic: text(255).min(1).optional().describe('The topic, for a pub/sub component.'),
  binding: text(255).min(1).optional().describe('The input binding, for a binding component.'),
});

const cloudEventsTrigger = z.object({
  types: setOf(text(255), 32).default([]).describe('The event types that become calls; empty: every one.'),
});

const trigger = z.object({
  name: nameInGraph().describe('The name of the trigger, unique in the workflow.'),
  to: nameInGraph().describe('The function that is called, by its name in the graph.'),
  type: z
    .enum(['Http', 'Cron', 'Nats', 'Coap', 'Grpc', 'S3', 'Dapr', 'CloudEvents'])
    .describe('What starts a call. The section of the same name says the rest.'),
  http: httpTrigger.optional().describe('An HTTP request, for the type Http.'),
  cron: cronTrigger.optional().describe('A point in time, for the type Cron.'),
  nats: natsTrigger.optional().describe('A message on a NATS subject, for the type Nats.'),
  coap: coapTrigger.optional().describe('A CoAP request, for the type Coap.'),
  grpc: z.object({}).optional().describe('A gRPC call, for the type Grpc; nothing to say, may be left out.'),
  s3: s3Trigger.optional().describe('An event of an S3 bucket, for the type S3.'),
  dapr: daprTrigger.optional().describe('A message or event through Dapr, for the type Dapr.'),
  cloudEvents: cloudEventsTrigger.optional().describe('A CloudEvent over HTTP, for the type CloudEvents.'),
});

export const workflowSpec = z.object({
  suspend: z
    .boolean()
    .default(false)
    .describe('True: triggers start nothing and held calls stay held; calls under way go on.'),
  functions: listMap(vertex, ['name'], FUNCTIONS_MAX).min(1).describe('The vertices of the graph.'),
  edges: listMap(edge, ['from', 'to'], EDGES_MAX)
    .default([])
    .describe('The calls that may happen. Only a declared edge can be called.'),
  triggers: listMap(trigger, ['name'], 50).default([]).describe('What starts calls from outside.'),
  expose: z
    .enum(['Triggers', 'All'])
    .default('Triggers')
    .describe(
      'Triggers: only declared triggers are open. All: every function also answers at ' +
        'POST /call/NAMESPACE/WORKFLOW/FUNCTION.',
    ),
  policyRef: localRef('The name of the policy.')
    .optional()
    .describe("The OptimizationPolicy; absent: the namespace's `default`, else the cluster's."),
  planRef: z
    .object({
      hash: matching(OPTIONAL_PLAN_HASH, 10)
        .default('')
        .describe('The hash of the plan that must run; empty: the policy decides.'),
    })
    .prefault({})
    .describe('Approves, pins or reverts a plan, also from Git.'),
});

const workflowStatus = z.object({
  observedGeneration,
  conditions,
  address: z
    .object({ url: text(2048).optional().describe('The URL of the first HTTP trigger, or of the gateway.') })
    .optional()
    .describe('Where the workflow answers.'),
  plan: z
    .object({
      current: matching(OPTIONAL_PLAN_HASH, 10).optional().describe('The hash of the plan that runs.'),
      candidate: matching(OPTIONAL_PLAN_HASH, 10)
        .optional()
        .describe('The hash of the plan that is being tried.'),
      weightPercent: int(0, 100).optional().describe('The share of root calls that the candidate gets.'),
      draining: atomicList(matching(OPTIONAL_PLAN_HASH, 10), 16)
        .optional()
        .describe('Hashes of replaced plans that still finish calls.'),
    })
    .optional()
    .describe('Which plans are live.'),
  summary: z
    .object({
      units: text(128).optional().describe('For example "3 for 9 functions".'),
      runtimes: text(128).optional().describe('For example "5 js, 3 wasm, 1 container".'),
      channels: text(128).optional().describe('For example "6 in-process, 2 node, 1 remote".'),
    })
    .optional()
    .describe('The current plan in a few words, for the columns of kubectl.'),
});

export const workflowSchema = z.object({
  apiVersion: z.literal('sinter.dev/v1alpha1'),
  kind: z.literal('Workflow'),
  metadata,
  spec: workflowSpec.describe('What the author declares.'),
  status: workflowStatus.optional().describe('What the operator reports.'),
});
