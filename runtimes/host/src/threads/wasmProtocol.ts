/** What the main thread and a WASM thread say to each other: one call at a time. */
import type { Payload, WireError } from '@sinter/contract';
import type { Module } from './webAssembly.ts';

export type ToWasm =
  | { readonly kind: 'Module'; readonly module: Module }
  | { readonly kind: 'Run'; readonly id: number; readonly input: Payload };

interface Ended {
  readonly id: number;
  /** The end of what the program wrote there. */
  readonly stderr: string;
  /** What its instance had at the end. */
  readonly memoryBytes: number;
  /** For how long it had blocked its thread to sleep. */
  readonly sleptMs: number;
}

/** How a call ended. */
export type FromWasm = Ended &
  (
    | { readonly kind: 'Result'; readonly output: Payload }
    | { readonly kind: 'Failed'; readonly error: WireError }
  );
