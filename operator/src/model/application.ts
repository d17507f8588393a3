/**
 * From manifests to an application.
 *
 * Owns: sorting objects by kind, giving each a namespace, and turning what the API would refuse into findings. The
 * judgement of single objects is `@sinter/crds`'; `check.ts` judges them together.
 */
import { GROUP, problemLine, validate } from '@sinter/crds';
import type { Problem } from '@sinter/crds';
import { DEFAULT_NAMESPACE } from './nouns.ts';
import type { Application, ConfigMap, Declared, Secret } from './nouns.ts';
import type { Finding, ObjectName } from './finding.ts';
import { error, notice } from './finding.ts';

export interface ReadApplication {
  readonly application: Application;
  /** What could not be taken in. */
  readonly findings: readonly Finding[];
}

type Fields = Readonly<Record<string, unknown>>;
/** What fills up while manifests are read. */
type Taken = Mutable<Required<Omit<Application, 'plans' | 'secretsUnknown'>>>;
type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? U[] : T[K] };

/** Kinds that belong to no namespace. */
const CLUSTER_KINDS: ReadonlySet<unknown> = new Set(['ClusterOptimizationPolicy']);

/**
 * The application that these manifests declare. An object without a namespace gets `namespace`. What cannot be taken in
 * (invalid, declared twice, of no kind that Sinter reads) is a finding and left out.
 */
export function readApplication(
  manifests: readonly unknown[],
  namespace = DEFAULT_NAMESPACE,
): ReadApplication {
  const application: Taken = {
    functions: [],
    workflows: [],
    policies: [],
    clusterPolicies: [],
    configMaps: [],
    secrets: [],
    refusedFunctions: [],
  };
  const seen = new Set<string>();
  const findings = manifests.flatMap((manifest) => {
    const raw = withNamespace(manifest, namespace);
    const name = nameOf(raw);
    const key = `${name.kind} ${name.namespace} ${name.name}`;
    if (seen.has(key)) {
      const says = 'is declared twice; keep one of the two manifests';
      return [error('DeclaredTwice', { object: name, field: 'metadata.name', given: name.name }, says)];
    }
    seen.add(key);
    return take(raw, name, application);
  });
  return { application, findings };
}

function take(raw: unknown, name: ObjectName, into: Taken): readonly Finding[] {
  if (name.kind === 'ConfigMap' || name.kind === 'Secret') return takeCore(raw, name, into);
  if (name.kind === 'Namespace') return [];
  if (isOthers(raw)) {
    const says = 'is none of the kinds that Sinter reads; it is left out here, only a cluster knows it';
    return [notice('LeftOut', { object: name, field: 'kind', given: name.kind }, says)];
  }
  const verdict = validate(raw);
  if (!verdict.ok) {
    if (name.kind === 'Function') into.refusedFunctions.push({ namespace: name.namespace, name: name.name });
    return verdict.problems.map((problem) => refused(problem, name));
  }
  const { object, written } = verdict;
  switch (object.kind) {
    case 'Function':
      into.functions.push({ object, written } satisfies Declared<typeof object>);
      return [];
    case 'Workflow':
      into.workflows.push({ object, written });
      return [];
    case 'OptimizationPolicy':
      into.policies.push({ object, written });
      return [];
    case 'ClusterOptimizationPolicy':
      into.clusterPolicies.push({ object, written });
      return [];
    case 'WorkflowPlan':
      return [
        error(
          'PlanDeclared',
          { object: name, field: 'kind', given: object.kind },
          'is written by Sinter itself; to choose a plan, write its hash into spec.planRef.hash of the Workflow',
        ),
      ];
  }
}

/** An object of another API group, such as a Deployment beside the application. */
function isOthers(raw: unknown): boolean {
  const version = fieldsOf(raw)['apiVersion'];
  return typeof version === 'string' && version !== '' && !version.startsWith(`${GROUP}/`);
}

const refused = ({ field, given, message }: Problem, object: ObjectName): Finding => ({
  severity: 'Error',
  reason: 'Invalid',
  object,
  field,
  given,
  message: problemLine({ field, given, message }),
});

function takeCore(
  raw: unknown,
  name: ObjectName,
  into: { configMaps: ConfigMap[]; secrets: Secret[] },
): readonly Finding[] {
  const fields = fieldsOf(raw);
  const metadata = {
    name: name.name,
    namespace: name.namespace,
    ...textField(fieldsOf(fields['metadata']), 'creationTimestamp'),
  };
  const wrong = ['data', 'binaryData', 'stringData'].filter((field) => !isTexts(fields[field]));
  if (name.name === '' || wrong.length > 0) {
    const field = wrong[0] ?? 'metadata.name';
    const says = wrong[0] ? 'must be a map of strings; quote numbers and booleans' : 'must be there';
    return [error('Invalid', { object: name, field }, says)];
  }
  if (name.kind === 'Secret') into.secrets.push({ metadata, keys: secretKeys(fields) });
  else into.configMaps.push({ metadata, ...texts(fields, 'data'), ...texts(fields, 'binaryData') });
  return [];
}

/** The keys of a Secret, sorted; its values stay behind. */
const secretKeys = (fields: Fields): readonly string[] =>
  [...new Set(['data', 'stringData'].flatMap((field) => Object.keys(fieldsOf(fields[field]))))].sort();

const isTexts = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (typeof value === 'object' &&
    !Array.isArray(value) &&
    Object.values(value).every((v) => typeof v === 'string'));

const texts = (fields: Fields, field: 'data' | 'binaryData') => ({
  [field]: fieldsOf(fields[field]) as Readonly<Record<string, string>>,
});

const textField = (fields: Fields, field: string): Fields =>
  typeof fields[field] === 'string' ? { [field]: fields[field] } : {};

function withNamespace(manifest: unknown, namespace: string): unknown {
  const fields = fieldsOf(manifest);
  const metadata = fieldsOf(fields['metadata']);
  const given = metadata['namespace'];
  if (CLUSTER_KINDS.has(fields['kind']) || (given !== undefined && given !== null && given !== ''))
    return manifest;
  if (Object.keys(fields).length === 0) return manifest;
  return { ...fields, metadata: { ...metadata, namespace } };
}

function nameOf(raw: unknown): ObjectName {
  const fields = fieldsOf(raw);
  const metadata = fieldsOf(fields['metadata']);
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return { kind: text(fields['kind']), namespace: text(metadata['namespace']), name: text(metadata['name']) };
}

const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
