/**
 * Raw objects from manifests as an application, and beside it what the model must never hold: the values of Secrets.
 *
 * Owns: decoding of Secrets. What is valid is `model/`'s to say; values go nowhere but into the environment of a unit and,
 * as digests, to the gateway.
 */
import { readApplication } from '../model/application.ts';
import type { ReadApplication } from '../model/application.ts';
import { DEFAULT_NAMESPACE } from '../model/nouns.ts';
import type { RawObject } from './run.ts';

export interface World extends ReadApplication {
  /** Decoded values of Secrets, by `<namespace>/<name>`. */
  readonly secretValues: ReadonlyMap<string, Readonly<Record<string, string>>>;
}

export function worldOf(objects: readonly RawObject[]): World {
  const secrets = objects.filter((o) => o.kind === 'Secret');
  return {
    ...readApplication(objects),
    secretValues: new Map(secrets.map((raw) => [nameOf(raw), valuesOf(raw)])),
  };
}

const fields = (v: unknown): Readonly<Record<string, unknown>> =>
  typeof v === 'object' && v !== null ? { ...v } : {};
const strings = (v: unknown): readonly (readonly [string, string])[] =>
  Object.entries(fields(v)).flatMap(([key, value]) =>
    typeof value === 'string' ? [[key, value] as const] : [],
  );

function nameOf(raw: RawObject): string {
  const { name, namespace } = fields(raw.metadata);
  return `${typeof namespace === 'string' ? namespace : DEFAULT_NAMESPACE}/${String(name)}`;
}

/** As the API server merges them: `stringData` wins. */
const valuesOf = (raw: RawObject): Readonly<Record<string, string>> =>
  Object.fromEntries([
    ...strings(raw.data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')] as const),
    ...strings(raw.stringData),
  ]);
