/**
 * The form of a snapshot in a file, with a sentence for each field and a default for what a person need not say.
 *
 * Owns: the schema and the JSON Schema made from it (`docs/reference/snapshot.schema.json`). Neighbour: `file.ts` reads
 * a file by it and judges what one field alone cannot say.
 * By hand a graph (`workflow.spec`), figures (`observations`), `machines` and a `policy` are enough.
 */
import { z } from 'zod';
import { architecture, functionSpec, nameInGraph, policySpec, workflowSpec } from '../model/schemas.ts';
import { observationsSchema } from './observations.ts';

/** What a file that says nothing of a function's code is taken to mean: code that is there (the sha256 of nothing). */
export const ASSUMED_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** The end of time in JavaScript. */
const END_MS = 8.64e15;
const MAX = Number.MAX_SAFE_INTEGER;

const atMs = () => z.number().min(0).max(END_MS);
const digest = () => z.string().regex(/^[0-9a-f]{64}$/);
const hash = () => z.string().regex(/^[0-9a-f]{10}$/);
const graphName = (what: string) => nameInGraph().describe(what);
const text = (max: number) => z.string().max(max);

const image = z.object({
  reference: text(1024).describe('The image, by digest.'),
  path: text(512).describe('The path of the module in the image.'),
});

const artifact = z.object({
  name: graphName('The name of the artifact.'),
  type: z.enum(['JavaScript', 'Wasm', 'Container']).default('JavaScript').describe('What it is.'),
  source: z
    .enum(['Inline', 'ConfigMap', 'Image', 'Url', 'Container'])
    .default('Inline')
    .describe('Where its code is.'),
  sha256: digest()
    .nullable()
    .default(ASSUMED_SHA256)
    .describe('Digest of its code; null: it cannot be read, and the artifact cannot run. Absent: it can.'),
  image: image.optional().describe('Where its code is in an image.'),
  component: z.boolean().default(false).describe('A WASM component instead of a command.'),
  architectures: z.array(architecture).default([]).describe('Where it runs; empty: everywhere.'),
});

/** By the fields of the kind that `from` names, as `gather` writes them; by hand it is better left out. */
const environment = z.looseObject({
  from: z
    .enum(['Value', 'ConfigMapKey', 'ConfigMap', 'SecretKey', 'Secret'])
    .describe('What the variables are made of.'),
});

const fn = z.object({
  name: graphName('Its name in the graph.'),
  functionName: nameInGraph().optional().describe('The name of the Function; absent: its name in the graph.'),
  spec: functionSpec
    .omit({ artifacts: true })
    .prefault({})
    .describe('The spec of the Function, without its artifacts.'),
  artifacts: z
    .array(artifact)
    .min(1)
    .prefault([{ name: 'js' }])
    .describe('Its artifacts; absent: one in JavaScript.'),
  environment: z.array(environment).default([]).describe('What its environment is made of.'),
  secrets: z.array(text(253)).default([]).describe('Names of the Secrets that it reads.'),
});

const machine = z.object({
  name: text(253).min(1).describe('The name of the machine.'),
  architecture: architecture.default('amd64').describe('Its architecture.'),
  tier: z.enum(['Edge', 'Cloud']).default('Cloud').describe('Its tier.'),
  cpuMillis: z.int().min(0).max(MAX).optional().describe('Thousandths of a core that units may have.'),
  memoryBytes: z.int().min(0).max(MAX).optional().describe('Bytes of memory that units may have.'),
  busDistanceMs: z.number().min(0).max(60_000).optional().describe('Round trip to the hub in milliseconds.'),
});

const variant = z.object({
  architecture: architecture.describe('The architecture of the machines.'),
  artifacts: z
    .array(
      z.object({
        function: graphName('The function, by its name in the graph.'),
        artifact: graphName('The name of the artifact.'),
        isolation: z.enum(['Worker', 'Shared']).default('Worker').describe('Its thread.'),
      }),
    )
    .max(200)
    .describe('As what each function runs there.'),
});

const unit = z.object({
  functions: z.array(nameInGraph()).min(1).max(200).describe('The functions of the unit.'),
  resources: z
    .object({
      cpuMillis: z.int().min(1).max(MAX).describe('Thousandths of a core of one instance.'),
      memoryBytes: z.int().min(1).max(MAX).describe('Bytes of memory of one instance.'),
    })
    .optional()
    .describe('What one instance may use; absent: not known.'),
  variants: z.array(variant).max(6).optional().describe('As what they run; absent: not known.'),
});

const shape = {
  hash: hash().default('0000000000').describe('The hash of the plan.'),
  units: z.array(unit).max(200).describe('Its units.'),
};

const current = z.object({
  ...shape,
  sinceMs: atMs().optional().describe('Since when it runs, in milliseconds since 1970.'),
});

const ratio = (what: string) => z.number().positive().max(MAX).optional().describe(what);

const measured = z.object({
  beside: hash().describe('The hash of the plan that it was tried beside.'),
  atMs: atMs().describe('When, in milliseconds since 1970.'),
  calls: z.int().min(0).max(MAX).describe('Its own calls.'),
  latencyRatio: ratio('Its median over that of the other plan; absent: not known.'),
  costRatio: ratio('Its cost of a root call over that of the other plan; absent: not known.'),
});

const trials = z.object({
  coolingUntilMs: atMs().nullable().default(null).describe('Until when no other plan may be proposed.'),
  candidate: z.object(shape).nullable().default(null).describe('The plan that is tried at the moment.'),
  lost: z
    .array(
      z.object({
        ...shape,
        untilMs: atMs().describe('Until when it is not proposed again.'),
        reason: text(128).default('Worse').describe('Why it lost, as one word.'),
        measured: measured.optional().describe('What its trial showed; absent: nothing.'),
      }),
    )
    .max(100)
    .default([])
    .describe('Plans that were tried and did not win.'),
});

export const snapshotSchema = z.object({
  workflow: z
    .object({
      namespace: text(63).min(1).default('default').describe('The namespace of the workflow.'),
      name: graphName('The name of the workflow.'),
      spec: workflowSpec.describe('The spec of the Workflow: the graph.'),
    })
    .describe('What is planned.'),
  functions: z
    .array(fn)
    .max(200)
    .optional()
    .describe('The functions of the graph; absent: each with the defaults of the API.'),
  policy: z
    .object({
      source: z
        .enum(['PolicyRef', 'NamespaceDefault', 'ClusterDefault', 'BuiltIn'])
        .default('BuiltIn')
        .describe('Why this policy holds.'),
      name: text(253).default('').describe('The name of the policy; empty: the defaults of the API.'),
      spec: policySpec.prefault({}).describe('The spec of the policy.'),
    })
    .prefault({})
    .describe('What may be decided, and towards what.'),
  machines: z.array(machine).max(10_000).describe('The machines that units may run on.'),
  enforcesLimits: z
    .boolean()
    .default(true)
    .describe(
      'Whether processes are held to their CPU limits: on a cluster they are, on a laptop they are not.',
    ),
  scalesToZero: z
    .boolean()
    .default(false)
    .describe('Whether units end when they are idle, and start again with the next call.'),
  observations: observationsSchema.prefault({}).describe('What was measured.'),
  current: current.nullable().default(null).describe('The plan that runs; null: none does.'),
  trials: trials.prefault({}).describe('What became of other plans.'),
  assumptions: z
    .array(text(512))
    .max(1000)
    .optional()
    .describe('What was assumed where nothing was measured, as sentences; they decide nothing.'),
  nowMs: atMs().default(0).describe('The time of the snapshot, in milliseconds since 1970.'),
});

export type SnapshotFile = z.output<typeof snapshotSchema>;

/** The JSON Schema of a snapshot, as editors and linters read it. */
export function snapshotJsonSchema(): Readonly<Record<string, unknown>> {
  const schema = z.toJSONSchema(snapshotSchema, { target: 'draft-7', io: 'input', reused: 'inline' });
  return { ...schema, title: 'Snapshot (sinter.dev/v1alpha1)' };
}
