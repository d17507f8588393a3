/** What the main thread and a WASM thread say to each other: one call at a time. */
import type { Payload, WireError } from '@sinter/contract';
import type { Module } from './webAssembly.ts';

export type ToWasm =
  | { readonly kind: 'Module'; readonly module: Module }
  | { readonly kind: 'Run'; readonly id: number; readonly input: Payload };

/** How a call ended. `stderr` is the end of what the program wrote there, `memoryBytes` what its instance had at the end. */
export type FromWasm = { readonly id: number; readonly stderr: string; readonly memoryBytes: number } & (
  | { readonly kind: 'Result'; readonly output: Payload }
  | { readonly kind: 'Failed'; readonly error: WireError }
);
