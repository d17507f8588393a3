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

export function wasmProblem(bytes: Uint8Array): CodeProblem | undefined {
  if (COMPONENT.every((byte, i) => bytes[i] === byte)) {
    const says = 'is a component, and components come later; build a WASI preview 1 command';
    return { reason: 'NotYet', says };
  }
  const module = moduleOf(bytes);
  if (!module) {
    const says = `is no WASM module that validates (${bytes.length} bytes); build it again`;
    return { reason: 'WasmNotValid', says };
  }
  return importProblem(module) ?? exportProblem(module);
}

/** Validated first: compiling what does not validate throws. */
function moduleOf(bytes: Uint8Array): WebAssembly.Module | undefined {
  const code = new Uint8Array(bytes);
  return WebAssembly.validate(code) ? new WebAssembly.Module(code) : undefined;
}

function importProblem(module: WebAssembly.Module): CodeProblem | undefined {
  const strangers = WebAssembly.Module.imports(module)
    .filter((i) => i.module !== WASI || i.kind !== 'function')
    .map((i) => `${i.module}.${i.name}`);
  if (strangers.length === 0) return undefined;
  const shown = strangers.slice(0, 5).join(', ');
  const says = `imports ${shown}${strangers.length > 5 ? ' …' : ''}; only functions of ${WASI} are there: build for wasm32-wasip1`;
  return { reason: 'WasmImportUnknown', says };
}

function exportProblem(module: WebAssembly.Module): CodeProblem | undefined {
  const exports = WebAssembly.Module.exports(module);
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
