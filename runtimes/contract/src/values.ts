/**
 * Values and payloads: what a function takes and gives, and its form on every channel (D4).
 *
 * Owns: the three kinds (bytes, text, JSON), the one codec that every channel uses, and the limit. Because even a call
 * inside a process goes through this codec, a function cannot tell by its values where its callee runs.
 * Invariants:
 *  1. decode(encode(v)) is what JSON.parse(JSON.stringify(v)) gives; a top-level undefined is null.
 *  2. What JSON would change silently or cannot say is refused with the path to it, never altered.
 *  3. A payload never shares memory with the value that it was made of, unless that value was bytes.
 */
import { CallError } from './errors.ts';

/** Bytes with their content type: what travels. */
export interface Payload {
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

export const BYTES_TYPE = 'application/octet-stream';
export const TEXT_TYPE = 'text/plain';
export const JSON_TYPE = 'application/json';

/** Until claims exist (D5), the most that one call carries on any channel, in bytes. */
export const PAYLOAD_LIMIT_BYTES = 768 * 1024;

export type ValueKind = 'Bytes' | 'Text' | 'Json';

/** The kind of value that a content type stands for; parameters such as a charset do not matter. */
export function kindOf(contentType: string): ValueKind {
  if (contentType === JSON_TYPE) return 'Json';
  const type = (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
  if (type === JSON_TYPE || type.endsWith('+json')) return 'Json';
  return type.startsWith('text/') ? 'Text' : 'Bytes';
}

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const textDecoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** A function's value as a payload. Throws `FunctionFailed` naming the path to what cannot be said, or `PayloadTooLarge`. */
export function encodeValue(value: unknown, what = 'value'): Payload {
  if (value instanceof Uint8Array) return within({ contentType: BYTES_TYPE, bytes: value }, what);
  // UTF-8 has no lone surrogates, JSON has: a string with one travels as JSON.
  if (typeof value === 'string' && value.isWellFormed())
    return within({ contentType: TEXT_TYPE, bytes: encoder.encode(value) }, what);
  const path = unsayable(value, []);
  if (path !== undefined) throw notJson(what, path);
  return within({ contentType: JSON_TYPE, bytes: encoder.encode(stringify(value, what)) }, what);
}

/** A payload as the value that a function sees. Throws `FunctionFailed` where JSON or UTF-8 does not parse. */
export function decodeValue(payload: Payload): unknown {
  switch (kindOf(payload.contentType)) {
    case 'Bytes':
      return payload.bytes;
    case 'Text':
      return textDecoder.decode(payload.bytes);
    case 'Json':
      return parseJson(payload.bytes);
  }
}

/** Refuses a payload over the limit, on every channel alike. */
export function within(payload: Payload, what = 'payload'): Payload {
  const size = payload.bytes.byteLength;
  if (size <= PAYLOAD_LIMIT_BYTES) return payload;
  throw new CallError(
    'PayloadTooLarge',
    `the ${what} has ${String(size)} bytes, at most ${String(PAYLOAD_LIMIT_BYTES)} are allowed: ` +
      `send a reference to where the data lies, or split it`,
  );
}

function parseJson(bytes: Uint8Array): unknown {
  if (bytes.byteLength === 0) return null;
  try {
    return JSON.parse(strictDecoder.decode(bytes));
  } catch (cause) {
    throw new CallError('FunctionFailed', `a payload declared as JSON does not parse: ${String(cause)}`, {
      reason: 'BadPayload',
      cause,
    });
  }
}

function stringify(value: unknown, what: string): string {
  try {
    return value === undefined ? 'null' : JSON.stringify(value);
  } catch (cause) {
    throw new CallError('FunctionFailed', `the ${what} cannot be said in JSON: ${String(cause)}`, {
      reason: 'NotJson',
      cause,
    });
  }
}

const notJson = (what: string, { path, is }: Unsayable): CallError =>
  new CallError(
    'FunctionFailed',
    `the ${what} cannot be said in JSON: ${path === '' ? 'it' : `'${path.replace(/^\./, '')}'`} is ${is}; ` +
      `give what JSON has (null, booleans, finite numbers, strings, lists, plain objects), a string, or a Uint8Array`,
    { reason: 'NotJson' },
  );

interface Unsayable {
  readonly path: string;
  readonly is: string;
}

/** Deeper than this nothing is looked at: the walk, and JSON's own, would end in an overflow of the stack. */
const DEPTH_LIMIT = 200;

/**
 * The first place in a value that JSON would drop, change or refuse. Undefined properties are dropped, as JSON does.
 * `above` holds the objects on the way down, by which a cycle is found.
 */
function unsayable(v: unknown, above: object[]): Unsayable | undefined {
  switch (typeof v) {
    case 'bigint':
      return { path: '', is: 'a BigInt' };
    case 'function':
      return { path: '', is: 'a function' };
    case 'symbol':
      return { path: '', is: 'a symbol' };
    case 'number':
      return Number.isFinite(v) ? undefined : { path: '', is: String(v) };
    case 'object':
      return v === null ? undefined : unsayableObject(v, above);
    default:
      return undefined;
  }
}

function unsayableObject(v: object, above: object[]): Unsayable | undefined {
  if (above.includes(v)) return { path: '', is: 'a cycle' };
  if (above.length >= DEPTH_LIMIT) return { path: '', is: `nested deeper than ${String(DEPTH_LIMIT)}` };
  if ('toJSON' in v && typeof v.toJSON === 'function') return undefined;
  above.push(v);
  const found = Array.isArray(v) ? unsayableItem(v, above) : (strange(v) ?? unsayableProperty(v, above));
  above.pop();
  return found;
}

function unsayableItem(v: readonly unknown[], above: object[]): Unsayable | undefined {
  for (let i = 0; i < v.length; i++) {
    const found = unsayable(v[i], above);
    if (found) return { path: `[${String(i)}]${found.path}`, is: found.is };
  }
  return undefined;
}

function unsayableProperty(v: object, above: object[]): Unsayable | undefined {
  for (const key of Object.keys(v)) {
    const found = unsayable((v as Record<string, unknown>)[key], above);
    if (found) return { path: `.${key}${found.path}`, is: found.is };
  }
  return undefined;
}

/** Objects that JSON would turn into `{}`, or bytes into a map of numbers. */
const STRANGE: readonly [abstract new (...args: never) => object, string][] = [
  [Map, 'a Map'],
  [Set, 'a Set'],
  [Promise, 'a Promise (await it)'],
  [Error, 'an Error (give its message)'],
  [ArrayBuffer, 'an ArrayBuffer (only a Uint8Array by itself is taken as bytes)'],
  [SharedArrayBuffer, 'a SharedArrayBuffer'],
  [WeakMap, 'a WeakMap'],
  [WeakSet, 'a WeakSet'],
];

function strange(v: object): Unsayable | undefined {
  const proto: unknown = Object.getPrototypeOf(v);
  if (proto === Object.prototype || proto === null) return undefined;
  if (ArrayBuffer.isView(v))
    return { path: '', is: `a ${v.constructor.name} (only a Uint8Array by itself is taken as bytes)` };
  const kind = STRANGE.find(([type]) => v instanceof type);
  return kind && { path: '', is: kind[1] };
}
