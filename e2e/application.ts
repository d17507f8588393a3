/**
 * Small applications from inline functions, for scenarios on a laptop and on a cluster: what `kubectl apply` would be given.
 *
 * Owns: the manifests. It judges and applies nothing.
 */
import type { Handler } from '../runtimes/contract/src/index.ts';
import type { RawObject } from '../operator/src/local/run.ts';

export const NAMESPACE = 'lab';
export const WORKFLOW = 'flow';
const API = 'sinter.dev/v1alpha1';

/** A function of an application: its handler, as code or as text, and what its Function says besides. */
export type Code = Handler | string;
export interface FunctionOptions {
  readonly code: Code;
  readonly spec?: RawObject;
}

export interface AppOptions {
  readonly functions: Readonly<Record<string, Code | FunctionOptions>>;
  /** `a>b` is a Sync edge, `a~b` an Async one. */
  readonly edges?: readonly (string | RawObject)[];
  /** Groups of functions, `a,b`; none: every function alone. */
  readonly groups?: readonly string[];
  /** The function behind `POST /`, without auth; the first one where it is not given. */
  readonly entry?: string;
  readonly workflow?: RawObject;
  readonly name?: string;
  readonly path?: string;
  readonly namespace?: string;
}

/** An application of one workflow: what `kubectl apply` would be given. */
export function app(options: AppOptions): readonly RawObject[] {
  const { namespace = NAMESPACE, name = WORKFLOW, functions } = options;
  const objectOf = (kind: string, objectName: string, spec: RawObject): RawObject => ({
    apiVersion: API,
    kind,
    metadata: { name: objectName, namespace },
    spec,
  });
  const entry = options.entry ?? Object.keys(functions)[0] ?? '';
  return [
    ...Object.entries(functions).map(([fn, given]) => {
      const { code, spec = {} } = typeof given === 'object' ? given : { code: given };
      const artifacts = [{ name: 'js', type: 'JavaScript', module: { inline: moduleOf(code) } }];
      return objectOf('Function', fn, { artifacts, ...spec });
    }),
    objectOf('Workflow', name, {
      functions: Object.keys(functions).map((fn) => ({ name: fn })),
      edges: (options.edges ?? []).map((edge) => (typeof edge === 'string' ? edgeOf(edge) : edge)),
      triggers: [httpTrigger(entry, options.path ?? '/')],
      policyRef: { name: `${name}-policy` },
      ...options.workflow,
    }),
    objectOf('OptimizationPolicy', `${name}-policy`, { fusion: fusionOf(options.groups ?? []) }),
  ];
}

export const httpTrigger = (to: string, path: string): RawObject => ({
  name: 'web',
  to,
  type: 'Http',
  http: { path, methods: ['POST'], auth: { type: 'None' } },
});

/** A handler's source as a module: it may use nothing from around it. */
export const moduleOf = (code: Code): string =>
  typeof code === 'string' ? code : `export default ${code.toString()};\n`;

export function edgeOf(text: string, terms: RawObject = {}): RawObject {
  const [from = '', to = ''] = text.split(/[>~]/);
  return { from, to, call: text.includes('>') ? 'Sync' : 'Async', ...terms };
}

const fusionOf = (groups: readonly string[]): RawObject =>
  groups.length === 0
    ? { mode: 'Off' }
    : {
        mode: 'Manual',
        groups: groups.map((g, i) => ({ name: `g${String(i)}`, functions: g.split(',') })),
      };
