/**
 * Does a function's environment fit into a process?
 *
 * Owns: the two limits. Without them a process would not start, for a reason that nobody would look for in an environment:
 * Linux takes 128 KiB for one variable with its name, and the variables of a unit are part of one object of the API, which
 * takes 1.5 MiB. Values of Secrets are not known here.
 */
import type { Directory } from './directory.ts';
import { placeIn } from './directory.ts';
import { dataOf, own } from './environment.ts';
import { error } from './finding.ts';
import type { Finding } from './finding.ts';
import { namespaceOf } from './nouns.ts';
import type { FunctionObject } from './nouns.ts';

export const VARIABLE_BYTES_MAX = 120 * 1024;
export const ENVIRONMENT_BYTES_MAX = 512 * 1024;

interface Part {
  /** Where it is declared. */
  readonly field: string;
  readonly name: string;
  readonly bytes: number;
}

const REMEDY = 'mount it as a volume, or fetch it in the function';

export function environmentTooLarge(fn: FunctionObject, directory: Directory): readonly Finding[] {
  const parts = partsOf(fn, directory);
  const large = parts
    .filter(({ bytes }) => bytes > VARIABLE_BYTES_MAX)
    .map(({ field, name, bytes }) => {
      const says = `has ${kib(bytes)}, and a variable may have ${kib(VARIABLE_BYTES_MAX)}; ${REMEDY}`;
      return error('EnvironmentTooLarge', placeIn(fn, field, name), says);
    });
  const all = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  if (large.length > 0 || all <= ENVIRONMENT_BYTES_MAX) return large;
  const says = `is the environment without Secrets, and may have ${kib(ENVIRONMENT_BYTES_MAX)}; ${REMEDY}`;
  return [error('EnvironmentTooLarge', placeIn(fn, 'spec', kib(all)), says)];
}

function partsOf(fn: FunctionObject, directory: Directory): readonly Part[] {
  const mapNamed = (name: string) => directory.configMapNamed(namespaceOf(fn), name);
  const bulk = fn.spec.envFrom.flatMap(({ configMapRef }, i) =>
    configMapRef
      ? dataOf(mapNamed(configMapRef.name)).map(([key, value]) =>
          part(`spec.envFrom[${i}].configMapRef`, key, value),
        )
      : [],
  );
  const single = fn.spec.env.map(({ name, value, valueFrom }, i) => {
    const ref = valueFrom?.configMapKeyRef;
    const text = ref ? own(mapNamed(ref.name)?.data, ref.key) : value;
    return part(`spec.env[${i}]`, name, text ?? '');
  });
  return [...bulk, ...single];
}

const part = (field: string, name: string, value: string): Part => ({
  field,
  name,
  bytes: Buffer.byteLength(value, 'utf8'),
});

const kib = (bytes: number): string => `${String(Math.ceil(bytes / 1024))} KiB`;
