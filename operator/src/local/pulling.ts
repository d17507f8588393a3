/**
 * With what the units of a run pull images: the pull secrets of their Functions, then what this user has logged in to.
 *
 * Owns: which unit gets which. One without a module from an image gets nothing: code in a unit can read its environment.
 * Of a docker config only `auths` are of use here; credentials that a helper keeps stay with the helper.
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { INSECURE_REGISTRIES, pullVariable } from '@sinter/contract';
import { registryOf } from '../model/images.ts';
import type { ImageModule } from '../model/images.ts';
import type { PlanUnit } from '../planner/plan.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { World } from './world.ts';

const PULL_KEY = '.dockerconfigjson';
/** A registry on this machine is asked as everybody's tools ask it. */
const LOOPBACK = /^(?:localhost|127(?:\.\d+){3})(?::|$)/;

/** The user's own docker config; undefined where there is none. */
export function userDockerConfig(home = homedir()): string | undefined {
  try {
    return readFileSync(join(home, '.docker', 'config.json'), 'utf8');
  } catch {
    return undefined; // nobody has to have one
  }
}

/** Variables for the hosts of a unit. */
export function pullVariables(
  unit: PlanUnit,
  snapshot: Snapshot,
  { secretValues }: World,
  userConfig: string | undefined,
): Readonly<Record<string, string>> {
  const images = imagesOf(unit, snapshot);
  if (images.length === 0) return {};
  const secrets = pullSecretsOf(unit, snapshot).flatMap(
    (name) => secretValues.get(`${snapshot.workflow.namespace}/${name}`)?.[PULL_KEY] ?? [],
  );
  const configs = [...secrets, ...(userConfig === undefined ? [] : [userConfig])];
  const insecure = [...new Set(images.map(registryOf))].filter((registry) => LOOPBACK.test(registry));
  return {
    ...Object.fromEntries(configs.map((config, i) => [pullVariable(i + 1), config])),
    ...(insecure.length > 0 ? { [INSECURE_REGISTRIES]: insecure.join(',') } : {}),
  };
}

/** Images that the unit runs something from, on any architecture. */
const imagesOf = (unit: PlanUnit, snapshot: Snapshot): readonly ImageModule[] =>
  unit.variants
    .flatMap((variant) => variant.artifacts)
    .flatMap(({ function: fn, artifact }) => {
      const found = snapshot.functions.find((f) => f.name === fn);
      return found?.artifacts.find((a) => a.name === artifact)?.image ?? [];
    });

/** Functions with different templates share no unit: the first one's is everybody's. */
const pullSecretsOf = (unit: PlanUnit, snapshot: Snapshot): readonly string[] =>
  snapshot.functions
    .find((f) => f.name === unit.functions[0])
    ?.spec.template.spec.imagePullSecrets.map(({ name }) => name) ?? [];
