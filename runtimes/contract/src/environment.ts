/**
 * The environment of functions, as a process is given it: `SINTER_FN_<FUNCTION>__<NAME>`.
 *
 * A unit's functions may give one name different values, so each value carries its function; a DNS label in capitals with
 * `-` as `_` reads back as one function only. Owns: the spelling. Who starts a
 * process writes these, the process takes them out of its environment at once.
 *
 * Layers: a pod takes a whole Secret without that anybody reads it before (`envFrom`), and what stands in a pod itself
 * always wins over that. Where a declared order is another one, the later source is given a higher layer
 * (`SINTER_FN1_<FUNCTION>__<NAME>`): of one name the highest layer counts.
 */
const PREFIX = 'SINTER_FN';
const ANY_PREFIX = /^SINTER_FN(\d*)_/;

export const environmentVariable = (fn: string, name: string, layer = 0): string =>
  `${PREFIX}${layer === 0 ? '' : String(layer)}_${token(fn)}__${name}`;

/** The layer of such a variable; undefined for any other variable. */
export function environmentLayer(variable: string): number | undefined {
  const digits = ANY_PREFIX.exec(variable)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** No token holds `__`, or `a` would be given what belongs to `a--b`: of a run of `-` only the first is a `_`. */
const token = (fn: string): string =>
  fn.toUpperCase().replaceAll(/-+/g, (run) => `_${'d'.repeat(run.length - 1)}`);
