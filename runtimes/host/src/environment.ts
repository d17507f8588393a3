/**
 * The environment of functions, taken out of the process's own.
 *
 * Invariant: after `takeEnvironments` nothing of it is left in `process.env`, so that no function sees another's.
 */
import { environmentLayer, environmentVariable } from '@sinter/contract';

export function takeEnvironments(
  env: NodeJS.ProcessEnv,
  functions: readonly string[],
): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const found = new Map<string, Record<string, string>>(functions.map((fn) => [fn, {}]));
  for (const { variable, layer, value } of layered(env)) {
    for (const fn of functions) {
      const prefix = environmentVariable(fn, '', layer);
      if (variable.startsWith(prefix))
        Object.assign(found.get(fn) ?? {}, { [variable.slice(prefix.length)]: value });
    }
    Reflect.deleteProperty(env, variable);
  }
  return found;
}

/** Lower layers first: of one name the highest counts. */
function layered(env: NodeJS.ProcessEnv) {
  const all = Object.entries(env).flatMap(([variable, value = '']) => {
    const layer = environmentLayer(variable);
    return layer === undefined ? [] : [{ variable, layer, value }];
  });
  return all.sort((a, b) => a.layer - b.layer);
}
