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
    const original: unknown = Reflect.get(process, name);
    const value = (...args: unknown[]): unknown => {
      if (isNodeItself() && typeof original === 'function') return Reflect.apply(original, process, args);
      throw new Error(`process.${name} is not available in a function: ${advice}`);
    };
    Object.defineProperty(process, name, { value, configurable: true, writable: true });
  }
  // The entry's address says where the host lies, and is nothing that a function needs.
  process.argv.splice(0, Infinity);
  Object.assign(process.env, env);
}

/** Node ends a thread through the same functions, when a function has removed what catches its errors. */
const isNodeItself = (): boolean =>
  /\(node:internal\/(main\/worker_thread|process\/per_thread):/.test(new Error().stack?.split('\n')[3] ?? '');
