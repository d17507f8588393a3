/**
 * A WASM function's module: is it one that runs here, and how much memory may it take.
 *
 * Owns: compiling, the checks that need the binary, and the memory limit. The limit is written into the module itself: the
 * declared maximum of its memory is lowered before compiling, so that the engine refuses growth, where watching from
 * outside would come too late. A program then sees its allocation fail.
 * Layout (WebAssembly core specification, 5.5): 8 bytes of header, then sections `id, size, content`; section 5 is a list
 * of memories `flags, minimum[, maximum]`, all numbers LEB128, in pages of 64 KiB.
 */
import { CallError } from '@sinter/contract';
import { engine } from './webAssembly.ts';
import type { Module } from './webAssembly.ts';

export const PAGE_BYTES = 64 * 1024;
const MEMORY_SECTION = 5;
const HAS_MAXIMUM = 1;
const MAGIC = [0x00, 0x61, 0x73, 0x6d] as const;
const COMPONENT_VERSION = [0x0d, 0x00, 0x01, 0x00] as const;
const WASI = 'wasi_snapshot_preview1';
const MB = 1024 * 1024;

/** Compiles a WASI preview 1 command for at most `memoryBytes`. Rejects with `FunctionFailed`, reason `LoadFailed`. */
export async function compileCommand(name: string, binary: Uint8Array, memoryBytes: number): Promise<Module> {
  try {
    const module = await engine.compile(withMemoryLimit(binary, memoryBytes));
    checkShape(module);
    return module;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `function '${name}' could not be loaded: ${why}`;
    throw new CallError('FunctionFailed', message, { reason: 'LoadFailed', function: name, cause });
  }
}

function checkShape(module: Module): void {
  const stranger = engine.Module.imports(module).find((i) => i.module !== WASI || i.kind !== 'function');
  if (stranger !== undefined)
    throw new Error(
      `it imports '${stranger.module}.${stranger.name}' (${stranger.kind}); ` +
        `only functions of ${WASI} are there: build for wasm32-wasip1`,
    );
  const kinds = new Map<string, string>();
  for (const e of engine.Module.exports(module)) kinds.set(e.name, e.kind);
  if (kinds.get('_start') !== 'function' || kinds.get('memory') !== 'memory')
    throw new Error(
      `it does not export the function '_start' and the memory 'memory'; ` +
        `build it as a WASI command (with a main), not as a library`,
    );
}

/**
 * The module with the maximum of its memory lowered to the limit; a copy, whose buffer holds nothing else. Throws where
 * the module asks for more at the start, has several memories, or is no module.
 */
export function withMemoryLimit(binary: Uint8Array, memoryBytes: number): Uint8Array<ArrayBuffer> {
  checkHeader(binary);
  const section = findMemorySection(binary);
  if (section === undefined) return new Uint8Array(binary);
  const content = limitedMemory(binary.subarray(section.contentAt, section.endAt), memoryBytes);
  return joined([
    binary.subarray(0, section.startAt),
    Uint8Array.of(MEMORY_SECTION, ...leb128(content.length)),
    content,
    binary.subarray(section.endAt),
  ]);
}

function checkHeader(binary: Uint8Array): void {
  if (!MAGIC.every((byte, i) => binary[i] === byte))
    throw new Error(`its ${String(binary.byteLength)} bytes are no WebAssembly module`);
  if (COMPONENT_VERSION.every((byte, i) => binary[MAGIC.length + i] === byte))
    throw new Error('it is a component, and components come later; build a WASI preview 1 command');
}

interface Section {
  readonly startAt: number;
  readonly contentAt: number;
  readonly endAt: number;
}

/** What is cut off or otherwise no list of sections is left to the compiler, whose message is better. */
function findMemorySection(binary: Uint8Array): Section | undefined {
  for (let at = 8; at < binary.length;) {
    const size = readLeb128(binary, at + 1);
    const endAt = size.nextAt + size.value;
    if (binary[at] === MEMORY_SECTION && endAt <= binary.length)
      return { startAt: at, contentAt: size.nextAt, endAt };
    at = endAt;
  }
  return undefined;
}

function limitedMemory(content: Uint8Array, memoryBytes: number): Uint8Array {
  const count = readLeb128(content, 0);
  if (count.value !== 1) throw new Error(`it has ${String(count.value)} memories, one is allowed`);
  const flags = content[count.nextAt] ?? 0;
  const minimum = readLeb128(content, count.nextAt + 1);
  const hasMaximum = (flags & HAS_MAXIMUM) !== 0;
  const maximum = hasMaximum ? readLeb128(content, minimum.nextAt).value : Infinity;
  const limit = Math.floor(memoryBytes / PAGE_BYTES);
  if (minimum.value > limit)
    throw new Error(
      `it needs ${mib(minimum.value * PAGE_BYTES)} of memory at the start, and its limit is ${mib(memoryBytes)}: ` +
        `raise resources.limits.memory of the function`,
    );
  const lowered = Math.min(maximum, limit);
  return Uint8Array.of(1, flags | HAS_MAXIMUM, ...leb128(minimum.value), ...leb128(lowered));
}

const mib = (bytes: number): string => `${String(Math.round((bytes / MB) * 10) / 10)} MiB`;

interface Leb128 {
  readonly value: number;
  readonly nextAt: number;
}

/** An unsigned number of up to 35 bits (a memory of 64-bit addresses within any limit is far below that). */
export function readLeb128(bytes: Uint8Array, at: number): Leb128 {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[at + i] ?? 0;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, nextAt: at + i + 1 };
  }
  throw new Error('a number in it is longer than a number may be');
}

export function leb128(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 0x80;
    rest = Math.floor(rest / 0x80);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return bytes;
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
