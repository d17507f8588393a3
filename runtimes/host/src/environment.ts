/**
 * The environment of functions, taken out of the process's own.
 *
 * Invariant: after `takeEnvironments` nothing of it is left in `process.env`, so that no function sees another's.
 */
import { ENVIRONMENT_PREFIX, environmentVariable } from '@sinter/contract';

export function takeEnvironments(
  env: NodeJS.ProcessEnv,
  functions: readonly string[],
): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const found = new Map<string, Record<string, string>>(functions.map((fn) => [fn, {}]));
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(ENVIRONMENT_PREFIX) || value === undefined) continue;
    for (const fn of functions) {
      const prefix = environmentVariable(fn, '');
      if (variable.startsWith(prefix))
        Object.assign(found.get(fn) ?? {}, { [variable.slice(prefix.length)]: value });
    }
    Reflect.deleteProperty(env, variable);
  }
  return found;
}
