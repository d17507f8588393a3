/** Valid objects as a user would write them, with room for one change: `aWorkflow({edges: [...]})`. */

type Json = Readonly<Record<string, unknown>>;

const object = (kind: string, name: string, spec: Json): Json => ({
  apiVersion: 'sinter.dev/v1alpha1',
  kind,
  metadata: { name, ...(kind === 'ClusterOptimizationPolicy' ? {} : { namespace: 'traffic' }) },
  spec,
});

export const inlineModule = { inline: 'export default (input) => input;' };
export const javascript = { name: 'js', type: 'JavaScript', module: inlineModule };
export const container = {
  name: 'native',
  type: 'Container',
  container: { image: 'registry.example/count-cars:1', architectures: ['amd64'], contract: 'Stdio' },
};

export const aFunction = (spec: Json = {}, name = 'count-cars'): Json =>
  object('Function', name, { artifacts: [javascript], ...spec });

/** A function whose one container has these fields changed. */
export const aContainer = (change: Json): Json =>
  aFunction({ artifacts: [{ ...container, container: { ...container.container, ...change } }] });

export const aTemplate = (spec: Json): Json => aFunction({ template: { spec } });

export const aWorkflow = (spec: Json = {}, name = 'traffic'): Json =>
  object('Workflow', name, {
    functions: [{ name: 'ingest' }, { name: 'count' }, { name: 'archive' }],
    ...spec,
  });

/** A workflow with one edge, ingest → count, with these fields. */
export const anEdge = (change: Json): Json =>
  aWorkflow({ edges: [{ from: 'ingest', to: 'count', ...change }] });

export const http = { path: '/traffic', auth: { type: 'None' } };

/** A workflow with one trigger to ingest, with these fields. */
export const aTrigger = (change: Json): Json =>
  aWorkflow({ triggers: [{ name: 'web', to: 'ingest', ...change }] });

export const aCron = (schedule: string, more: Json = {}): Json =>
  aTrigger({ type: 'Cron', cron: { schedule, ...more } });

export const aPolicy = (spec: Json = {}, name = 'balanced'): Json => object('OptimizationPolicy', name, spec);
export const aClusterPolicy = (spec: Json = {}, name = 'default'): Json =>
  object('ClusterOptimizationPolicy', name, spec);

export const groups = (...list: readonly Json[]): Json =>
  aPolicy({ fusion: { mode: 'Manual', groups: list } });

export const unit = {
  name: 'traffic-ingest-7c1e02ab9f',
  functions: ['ingest', 'count'],
  resources: { cpu: '500m', memory: '256Mi' },
  variants: [
    {
      architecture: 'amd64',
      artifacts: [
        { function: 'ingest', artifact: 'js' },
        { function: 'count', artifact: 'wasm', isolation: 'Worker' },
      ],
    },
  ],
};

export const aPlan = (spec: Json = {}, name = 'traffic-5f3a9c21d4'): Json =>
  object('WorkflowPlan', name, { workflowRef: { name: 'traffic' }, units: [unit], ...spec });
