/**
 * Raw objects from manifests as an application: validated, sorted by kind, Secrets decoded.
 *
 * Owns: the step from what was read to what the model takes. It is the laptop's stand-in for the API server's
 * admission: what a CRD would refuse never gets further.
 */
import { validate } from '@sinter/crds';
import type { SinterObject } from '@sinter/crds';
import type { Application, ConfigMap, Declared, Secret } from '../model/nouns.ts';
import { DEFAULT_NAMESPACE } from '../model/nouns.ts';
import { error } from '../model/finding.ts';
import type { Finding } from '../model/finding.ts';
import type { RawObject } from './run.ts';

export interface World {
  readonly application: Application;
  /** Decoded values of Secrets, by `<namespace>/<name>`. */
  readonly secretValues: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly findings: readonly Finding[];
}

const text = (v: unknown): string => (typeof v === 'string' ? v : '');
const fields = (v: unknown): Readonly<Record<string, unknown>> =>
  typeof v === 'object' && v !== null ? (v as Readonly<Record<string, unknown>>) : {};
const strings = (v: unknown): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(fields(v)).map(([key, value]) => [key, text(value)]));

const nameOf = (raw: RawObject): { readonly name: string; readonly namespace: string } => {
  const metadata = fields(raw.metadata);
  return { name: text(metadata.name), namespace: text(metadata.namespace) || DEFAULT_NAMESPACE };
};

export function worldOf(objects: readonly RawObject[]): World {
  const findings: Finding[] = [];
  const declared = objects.filter((o) => text(o.apiVersion).startsWith('sinter.dev/'));
  const valid = declared.flatMap((raw): Declared<SinterObject>[] => {
    const verdict = validate(raw);
    if (verdict.ok) return [{ object: verdict.object, written: verdict.written }];
    const object = { kind: text(raw.kind), ...nameOf(raw) };
    for (const p of verdict.problems)
      findings.push({
        ...error('Invalid', { object, field: p.field, given: p.given }, ''),
        message: p.message,
      });
    return [];
  });
  const ofKind = <K extends SinterObject['kind']>(
    kind: K,
  ): readonly Declared<Extract<SinterObject, { kind: K }>>[] =>
    valid.flatMap(({ object, written }) => (isOfKind(object, kind) ? [{ object, written }] : []));
  const configMaps = objects.filter((o) => o.kind === 'ConfigMap').map(configMapOf);
  const secrets = objects
    .filter((o) => o.kind === 'Secret')
    .map((o) => ({ ...nameOf(o), values: secretValues(o) }));
  return {
    findings,
    secretValues: new Map(secrets.map((s) => [`${s.namespace}/${s.name}`, s.values])),
    application: {
      functions: ofKind('Function'),
      workflows: ofKind('Workflow'),
      policies: ofKind('OptimizationPolicy'),
      clusterPolicies: ofKind('ClusterOptimizationPolicy'),
      configMaps,
      secrets: secrets.map(({ name, namespace, values }): Secret => ({
        metadata: { name, namespace },
        keys: Object.keys(values).sort(),
      })),
    },
  };
}

const isOfKind = <K extends SinterObject['kind']>(
  object: SinterObject,
  kind: K,
): object is Extract<SinterObject, { kind: K }> => object.kind === kind;

const configMapOf = (raw: RawObject): ConfigMap => ({
  metadata: nameOf(raw),
  data: strings(raw.data),
  binaryData: strings(raw.binaryData),
});

function secretValues(raw: RawObject): Readonly<Record<string, string>> {
  const decoded = Object.entries(strings(raw.data)).map(
    ([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')] as const,
  );
  return { ...Object.fromEntries(decoded), ...strings(raw.stringData) };
}
