/**
 * The environment of functions, as a process is given it: `SINTER_FN_<FUNCTION>__<NAME>`.
 *
 * A unit's functions may give one name different values, so each value carries its function; a DNS label in capitals with
 * `-` as `_` reads back as one function only. Owns: the spelling. Who starts a
 * process writes these, the process takes them out of its environment at once.
 */
export const ENVIRONMENT_PREFIX = 'SINTER_FN_';

export const environmentVariable = (fn: string, name: string): string =>
  `${ENVIRONMENT_PREFIX}${token(fn)}__${name}`;

/** No token holds `__`, or `a` would be given what belongs to `a--b`: of a run of `-` only the first is a `_`. */
const token = (fn: string): string =>
  fn.toUpperCase().replaceAll(/-+/g, (run) => `_${'d'.repeat(run.length - 1)}`);
