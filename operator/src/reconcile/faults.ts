/**
 * Points at which a test may end this process: before each write of a roll-out.
 *
 * Owns: the counting. What ends the process is the composition root's; without a fault point each costs a comparison.
 */

/** Called before each write, with its name. */
export type FaultPoint = (name: string) => void | Promise<void>;

export const NO_FAULTS: FaultPoint = () => undefined;

/**
 * `<name>:<n>` ends the process before the n-th write of that name, counted from 1 (`Deployment:2`); `*:<n>` before the n-th
 * write of all. Throws where the text is neither.
 */
export function faultPoint(text: string, end: () => void): FaultPoint {
  if (text === '') return NO_FAULTS;
  const [, wanted, nth] = /^(\*|[A-Za-z]+):([1-9]\d{0,5})$/.exec(text) ?? [];
  if (wanted === undefined) throw new Error(`fault point '${text}' must be like Deployment:2 or *:7`);
  let left = Number(nth);
  return (name) => {
    if (wanted !== '*' && wanted !== name) return;
    left -= 1;
    if (left === 0) end();
  };
}
