/**
 * What the main thread and a function's thread say to each other, over a port of their own.
 *
 * Owns: the messages' form and the passing of bytes. The port is not `parentPort`, so that a function that posts to its
 * parent disturbs nobody.
 * Invariants:
 *  1. Bytes in a message are the message's own: they were copied or made for it, and are transferred, not cloned.
 *  2. `id` names a call within one thread, `seq` a request within one thread; neither is used again.
 */
import type { MessagePort } from 'node:worker_threads';
import type { Payload, WireError } from '@sinter/contract';
import type { LogLevel } from './runtime.ts';

/** What a worker is started with. It holds nothing of the host's: no credential, no addresses (D11). */
export interface WorkerStart {
  readonly port: MessagePort;
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  /** ES module text; absent for WASM, whose compiled module comes as a message. */
  readonly source?: Uint8Array;
}

/** Every thread's first words: ready for calls, or why it never will be. */
export type Greeting = { readonly kind: 'Loaded' } | { readonly kind: 'Refused'; readonly error: WireError };

export type LogMessage = {
  readonly kind: 'Log';
  /** The call that it belongs to, if any. */
  readonly id?: number;
  readonly level: LogLevel;
  readonly text: string;
};

export type ToJs =
  | { readonly kind: 'Call'; readonly id: number; readonly callId: string; readonly input: Payload }
  /** The call was settled without its function: end it. Answered with `Aborted`, which shows that the thread turns. */
  | { readonly kind: 'Abort'; readonly id: number; readonly error: WireError }
  | { readonly kind: 'Answer'; readonly seq: number; readonly output: Payload }
  | { readonly kind: 'Sent'; readonly seq: number; readonly callId: string }
  | { readonly kind: 'Denied'; readonly seq: number; readonly error: WireError };

export type FromJs =
  | { readonly kind: 'Result'; readonly id: number; readonly output: Payload }
  | { readonly kind: 'Failed'; readonly id: number; readonly error: WireError }
  | { readonly kind: 'Aborted'; readonly id: number }
  | {
      readonly kind: 'Ask';
      readonly id: number;
      readonly seq: number;
      readonly callee: string;
      readonly input: Payload;
      readonly timeoutMs: number | undefined;
    }
  | { readonly kind: 'Unask'; readonly id: number; readonly seq: number }
  | {
      readonly kind: 'Send';
      readonly id: number;
      readonly seq: number;
      readonly callee: string;
      readonly input: Payload;
      readonly key: string | undefined;
      readonly startDeadlineMs: number | undefined;
    }
  | LogMessage;

/** A copy that nobody else can see, in a buffer of exactly its size (a view of a larger one would travel with all of it). */
export const copied = (payload: Payload): Payload => ({
  contentType: payload.contentType,
  bytes: new Uint8Array(payload.bytes),
});

/** What to transfer so that the payload's bytes change hands. Only for payloads that were copied or made for it. */
export const transferOf = (payload: Payload): [ArrayBuffer] => [payload.bytes.buffer as ArrayBuffer];

/** Does nothing else lie in this payload's buffer, so that it can be given away whole? */
export const fillsItsBuffer = ({ bytes }: Payload): boolean =>
  bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength;
