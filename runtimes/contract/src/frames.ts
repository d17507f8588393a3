/**
 * Frames: what two processes say to each other about a call, as headers and a body (D4).
 *
 * Owns: header names, and the reading and writing of every frame. It knows no NATS client: a header block is anything
 * with `get`, and is written through anything with `set`.
 * Invariants:
 *  1. Every frame carries the contract's version; what does not is not a frame.
 *  2. Durations on the wire are relative (milliseconds left), so that machines need not agree on the time.
 *  3. Unknown headers are ignored (N−1 talks to N).
 */
import { CallError, decodeError, encodeError } from './errors.ts';
import { BYTES_TYPE } from './values.ts';
import type { Payload } from './values.ts';
import { CONTRACT_VERSION, isSpoken } from './version.ts';

export const HEADER = {
  version: 'Sinter-Version',
  frame: 'Sinter-Frame',
  callId: 'Sinter-Call-Id',
  rootId: 'Sinter-Root-Id',
  revision: 'Sinter-Revision',
  caller: 'Sinter-Caller',
  attempt: 'Sinter-Attempt',
  timeoutMs: 'Sinter-Timeout-Ms',
  hops: 'Sinter-Hops',
  key: 'Sinter-Key',
  cancel: 'Sinter-Cancel',
  machine: 'Sinter-Machine',
  instance: 'Sinter-Instance',
  tookMs: 'Sinter-Took-Ms',
  probe: 'Sinter-Probe',
  traceparent: 'traceparent',
  contentType: 'Content-Type',
} as const;

/** The most calls in a chain of calls. */
export const HOPS_LIMIT = 64;

export interface HeaderReader {
  get(name: string): string;
}
export interface HeaderWriter {
  set(name: string, value: string): void;
}

/** What is said of a call besides its payload, on every channel. */
export interface CallHead {
  readonly callId: string;
  /** The call at the entry that this one descends from. */
  readonly rootId: string;
  readonly revision: string;
  /** A function of the graph, or `_gateway`, `_trigger`. */
  readonly caller: string;
  /** 1 for the first; a resend after silence keeps it, a retry by the edge's terms raises it. */
  readonly attempt: number;
  /** Milliseconds left for the callee, counted from when it was sent. */
  readonly timeoutMs: number;
  /** Calls above this one. */
  readonly hops: number;
  readonly key?: string;
  readonly traceparent?: string;
}

export interface Call {
  readonly head: CallHead;
  readonly payload: Payload;
}

/** What a callee answers. `Accepted` and `Alive` are signs of life; one `Result` or `Error` ends the call. */
export type Answer =
  | {
      readonly kind: 'Result';
      readonly payload: Payload;
      readonly machine: string;
      readonly instance: string;
      /** How long the callee had the call, in milliseconds; absent: it does not say. */
      readonly tookMs?: number;
    }
  | { readonly kind: 'Error'; readonly error: CallError; readonly machine: string; readonly instance: string }
  | {
      readonly kind: 'Accepted';
      readonly cancelTo: string;
      readonly machine: string;
      readonly instance: string;
    }
  | { readonly kind: 'Alive'; readonly instance: string };

const isCount = (n: number, least: number): boolean => Number.isSafeInteger(n) && n >= least;
const num = (s: string): number => (s === '' ? NaN : Number(s));

/** Is this header block one of ours, and of a version that is understood here? */
const spoken = (h: HeaderReader): boolean => isSpoken(num(h.get(HEADER.version)));

export function writeCall(h: HeaderWriter, call: Call): void {
  const { head } = call;
  h.set(HEADER.version, String(CONTRACT_VERSION));
  h.set(HEADER.frame, 'Call');
  h.set(HEADER.callId, head.callId);
  h.set(HEADER.rootId, head.rootId);
  h.set(HEADER.revision, head.revision);
  h.set(HEADER.caller, head.caller);
  h.set(HEADER.attempt, String(head.attempt));
  h.set(HEADER.timeoutMs, String(Math.max(0, Math.round(head.timeoutMs))));
  h.set(HEADER.hops, String(head.hops));
  h.set(HEADER.contentType, call.payload.contentType);
  if (head.key !== undefined) h.set(HEADER.key, head.key);
  if (head.traceparent !== undefined) h.set(HEADER.traceparent, head.traceparent);
}

/** A call, or why this is none. */
export function readCall(
  h: HeaderReader | undefined,
  bytes: Uint8Array,
): Call | { readonly unreadable: string } {
  if (h === undefined || !spoken(h))
    return { unreadable: 'no frame of a contract version that is spoken here' };
  if (h.get(HEADER.frame) !== 'Call')
    return { unreadable: `frame '${h.get(HEADER.frame)}' where a Call was expected` };
  const callId = h.get(HEADER.callId);
  const timeoutMs = num(h.get(HEADER.timeoutMs));
  const hops = num(h.get(HEADER.hops));
  const attempt = num(h.get(HEADER.attempt));
  if (!isCallId(callId))
    return { unreadable: `header ${HEADER.callId} '${callId.slice(0, 80)}' is no call id` };
  if (!isCount(timeoutMs, 0) || !isCount(hops, 0) || !isCount(attempt, 1))
    return {
      unreadable: `a call needs ${HEADER.timeoutMs}, ${HEADER.hops} and ${HEADER.attempt} as whole numbers`,
    };
  const key = h.get(HEADER.key);
  const traceparent = h.get(HEADER.traceparent);
  return {
    head: {
      callId,
      rootId: h.get(HEADER.rootId) || callId,
      revision: h.get(HEADER.revision),
      caller: h.get(HEADER.caller),
      attempt,
      timeoutMs,
      hops,
      ...(key === '' ? {} : { key }),
      ...(traceparent === '' ? {} : { traceparent }),
    },
    payload: { contentType: h.get(HEADER.contentType) || BYTES_TYPE, bytes },
  };
}

/** Writes the head of an answer and gives its body. */
export function writeAnswer(h: HeaderWriter, answer: Answer): Uint8Array {
  h.set(HEADER.version, String(CONTRACT_VERSION));
  h.set(HEADER.frame, answer.kind);
  h.set(HEADER.instance, answer.instance);
  switch (answer.kind) {
    case 'Result':
      h.set(HEADER.machine, answer.machine);
      h.set(HEADER.contentType, answer.payload.contentType);
      if (answer.tookMs !== undefined) h.set(HEADER.tookMs, answer.tookMs.toFixed(3));
      return answer.payload.bytes;
    case 'Error':
      h.set(HEADER.machine, answer.machine);
      return encodeError(answer.error.toWire());
    case 'Accepted':
      h.set(HEADER.machine, answer.machine);
      h.set(HEADER.cancel, answer.cancelTo);
      return EMPTY;
    case 'Alive':
      return EMPTY;
  }
}

/** An answer; undefined where this is none that is understood here (it is then dropped: silence is handled anyway). */
export function readAnswer(h: HeaderReader | undefined, bytes: Uint8Array): Answer | undefined {
  if (h === undefined || !spoken(h)) return undefined;
  const instance = h.get(HEADER.instance);
  const machine = h.get(HEADER.machine);
  switch (h.get(HEADER.frame)) {
    case 'Result': {
      const payload = { contentType: h.get(HEADER.contentType) || BYTES_TYPE, bytes };
      const tookMs = num(h.get(HEADER.tookMs));
      const result = { kind: 'Result', payload, machine, instance } as const;
      return tookMs >= 0 ? { ...result, tookMs } : result;
    }
    case 'Error':
      return { kind: 'Error', error: CallError.fromWire(decodeError(bytes)), machine, instance };
    case 'Accepted':
      return { kind: 'Accepted', cancelTo: h.get(HEADER.cancel), machine, instance };
    case 'Alive':
      return { kind: 'Alive', instance };
    default:
      return undefined;
  }
}

export function writeCancel(h: HeaderWriter, callId: string): void {
  h.set(HEADER.version, String(CONTRACT_VERSION));
  h.set(HEADER.frame, 'Cancel');
  h.set(HEADER.callId, callId);
}

/** The id of the call to cancel; undefined where this is no cancellation. */
export function readCancel(h: HeaderReader | undefined): string | undefined {
  if (h === undefined || !spoken(h) || h.get(HEADER.frame) !== 'Cancel') return undefined;
  return h.get(HEADER.callId);
}

const EMPTY = new Uint8Array(0);

/** One token of a subject: what may stand as a call id. */
export const isCallId = (s: string): boolean => /^[A-Za-z0-9_-]{1,64}$/.test(s);

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** Random bytes are drawn in advance: asking for a few at every call costs more than everything else about an id. */
const POOL = new Uint8Array(8192);
let drawn = POOL.length;

/** A new call id: 20 characters, 100 random bits. */
export function newId(length = 20): string {
  if (drawn + length > POOL.length) {
    crypto.getRandomValues(POOL);
    drawn = 0;
  }
  let id = '';
  for (const end = drawn + length; drawn < end; drawn++) id += ALPHABET[(POOL[drawn] ?? 0) & 31] ?? '';
  return id;
}
