/** Runs a WASI command in memory, one instance a call: bytes in on stdin, bytes out on stdout. */
import { readFileSync } from 'node:fs';
import { ConsoleStdout, File, OpenFile, WASI } from '@bjorn3/browser_wasi_shim';
import { root } from './in-memory.ts';

export interface Answer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

declare const compiled: unique symbol;

/** A compiled module, to be handed on. */
export interface Compiled {
  readonly [compiled]: true;
}

interface Import {
  readonly module: string;
  readonly name: string;
}

/** As much of WebAssembly as is used here: its types come with those of browsers, which this project leaves out. */
interface Engine {
  readonly Module: {
    new (bytes: Uint8Array): Compiled;
    readonly imports: (module: Compiled) => readonly Import[];
  };
  readonly Instance: new (module: Compiled, imports: object) => Parameters<WASI['start']>[0];
}

const engine = (globalThis as unknown as { readonly WebAssembly: Engine }).WebAssembly;

export const moduleOf = (name: string): Compiled =>
  new engine.Module(readFileSync(new URL(`wasm/${name}.wasm`, root)));

export const importsOf = (module: Compiled): readonly Import[] => engine.Module.imports(module);

const collector = (): { readonly sink: ConsoleStdout; readonly text: () => string } => {
  const chunks: Uint8Array[] = [];
  const sink = new ConsoleStdout((chunk) => chunks.push(chunk.slice()));
  return { sink, text: () => Buffer.concat(chunks).toString('utf8') };
};

export const runCommand = (module: Compiled, stdin: string): Answer => {
  const out = collector();
  const err = collector();
  const wasi = new WASI([], [], [new OpenFile(new File(Buffer.from(stdin))), out.sink, err.sink]);
  const exitCode = wasi.start(new engine.Instance(module, { wasi_snapshot_preview1: wasi.wasiImport }));
  return { exitCode, stdout: out.text(), stderr: err.text() };
};
