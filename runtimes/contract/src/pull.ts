/**
 * What a host is given to pull images with, as variables of its environment.
 *
 * `SINTER_PULL_<n>`, from 1 on: the docker config (JSON) of a pull secret. Owns: the spelling. Who starts a process writes
 * these, the process takes them out of its environment at once.
 */
const PULL = /^SINTER_PULL_(\d+)$/;

export const pullVariable = (n: number): string => `SINTER_PULL_${String(n)}`;

/** Which pull secret such a variable holds; undefined for any other variable. */
export function pullNumber(variable: string): number | undefined {
  const digits = PULL.exec(variable)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Registries that are asked over plain http: `host:port`, separated by commas. */
export const INSECURE_REGISTRIES = 'SINTER_INSECURE_REGISTRIES';
