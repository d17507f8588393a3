/**
 * Are these bytes a WASM module that a host can run as a function: a WASI preview 1 command?
 *
 * Owns: what can be said without running it (D18): it validates, imports nothing but WASI preview 1, and exports
 * `_start` and `memory`.
 */
import type { CodeProblem } from './javascript.ts';

const WASI = 'wasi_snapshot_preview1';
/** `\0asm`, version 0x0d, layer 1: the header of a component. */
const COMPONENT = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];

/** As much of Node's global as is used here; TypeScript declares it with the DOM only. */
interface Compiler {
  validate(bytes: Uint8Array): boolean;
  readonly Module: {
    new (bytes: Uint8Array): object;
    imports(
      module: object,
    ): readonly { readonly module: string; readonly name: string; readonly kind: string }[];
    exports(module: object): readonly { readonly name: string; readonly kind: string }[];
  };
}

const compiler = (globalThis as unknown as { readonly WebAssembly: Compiler }).WebAssembly;

/** Components are valid and come later; whoever looks at an artifact asks this first. */
export const isComponent = (bytes: Uint8Array): boolean => COMPONENT.every((byte, i) => bytes[i] === byte);

export function wasmProblem(bytes: Uint8Array): CodeProblem | undefined {
  if (!compiler.validate(bytes)) {
    const says = `is no WASM module that validates (${bytes.length} bytes); build it again`;
    return { reason: 'WasmNotValid', says };
  }
  const module = new compiler.Module(bytes);
  return importProblem(module) ?? exportProblem(module);
}

function importProblem(module: object): CodeProblem | undefined {
  const strangers = compiler.Module.imports(module)
    .filter((i) => i.module !== WASI || i.kind !== 'function')
    .map((i) => `${i.module}.${i.name}`);
  if (strangers.length === 0) return undefined;
  const shown = strangers.slice(0, 5).join(', ');
  const says = `imports ${shown}${strangers.length > 5 ? ' …' : ''}; only functions of ${WASI} are there: build for wasm32-wasip1`;
  return { reason: 'WasmImportUnknown', says };
}

function exportProblem(module: object): CodeProblem | undefined {
  const exports = compiler.Module.exports(module);
  const has = (name: string, kind: string): boolean =>
    exports.some((e) => e.name === name && e.kind === kind);
  const missing = [
    ...(has('_start', 'function') ? [] : ["the function '_start'"]),
    ...(has('memory', 'memory') ? [] : ["the memory 'memory'"]),
  ];
  if (missing.length === 0) return undefined;
  const says = `does not export ${missing.join(' and ')}; build it as a WASI command (with a main), not as a library`;
  return { reason: 'WasmNotACommand', says };
}
