/** What the main thread and a WASM thread say to each other: one call at a time. */
import type { Payload, WireError } from '@sinter/contract';
import type { Module } from './webAssembly.ts';

export type ToWasm =
  | { readonly kind: 'Module'; readonly module: Module }
  | { readonly kind: 'Run'; readonly id: number; readonly input: Payload };

/** `stderr` is the end of what the program wrote there. */
export type FromWasm =
  | { readonly kind: 'Result'; readonly id: number; readonly output: Payload; readonly stderr: string }
  | { readonly kind: 'Failed'; readonly id: number; readonly error: WireError; readonly stderr: string };
