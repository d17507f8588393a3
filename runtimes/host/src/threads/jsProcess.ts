/**
 * What `process` is inside a function's thread: its own environment, and no way to end or move the unit (D4).
 *
 * This guards against accidents, not against attacks: the wall is the unit (D11).
 */

const REFUSED: Readonly<Record<string, string>> = {
  exit: 'return from the function, or throw',
  abort: 'return from the function, or throw',
  reallyExit: 'return from the function, or throw',
  kill: 'a function may not send signals to processes',
  chdir: 'the working directory belongs to the whole unit; use absolute paths',
};

export function restrictProcess(env: Readonly<Record<string, string>>): void {
  for (const [name, advice] of Object.entries(REFUSED)) {
    Object.defineProperty(process, name, {
      value: () => {
        throw new Error(`process.${name} is not available in a function: ${advice}`);
      },
      configurable: true,
      writable: true,
    });
  }
  // The entry's address says where the host lies, and is nothing that a function needs.
  process.argv.splice(0, Infinity);
  Object.assign(process.env, env);
}
