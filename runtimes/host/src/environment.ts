/**
 * The environment of functions, as the process is given it: `SINTER_FN_<FUNCTION>__<NAME>`.
 *
 * A unit's functions may give one name different values, so each value carries its function; a DNS label in capitals with
 * `-` as `_` reads back as one function only, because no label holds an underscore. Owns: both directions.
 * Invariant: after `takeEnvironments` none of it is left in `process.env`.
 */
const PREFIX = 'SINTER_FN_';

const token = (fn: string): string => fn.toUpperCase().replaceAll('-', '_');

export const environmentVariable = (fn: string, name: string): string => `${PREFIX}${token(fn)}__${name}`;

/** The environment of each of these functions, taken out of the process's own. */
export function takeEnvironments(
  env: NodeJS.ProcessEnv,
  functions: readonly string[],
): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const found = new Map<string, Record<string, string>>(functions.map((fn) => [fn, {}]));
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || value === undefined) continue;
    for (const fn of functions) {
      const prefix = environmentVariable(fn, '');
      if (variable.startsWith(prefix))
        Object.assign(found.get(fn) ?? {}, { [variable.slice(prefix.length)]: value });
    }
    Reflect.deleteProperty(env, variable);
  }
  return found;
}
