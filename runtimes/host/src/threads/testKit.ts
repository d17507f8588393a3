/** Builders for the tests of this folder: functions with sensible defaults, and a caller that waits with a bound. */
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { CallError, decodeValue, encodeValue } from '@sinter/contract';
import type { Payload } from '@sinter/contract';
import { startFunction } from './runtime.ts';
import type { FunctionRuntime, FunctionSpec, Invocation, LogLevel, Outgoing } from './runtime.ts';

export const MB = 1024 * 1024;

export interface LogEntry {
  readonly level: LogLevel;
  readonly text: string;
  /** Said by a call, or by the thread. */
  readonly by: 'call' | 'thread';
}

export interface Subject {
  readonly runtime: FunctionRuntime;
  readonly logs: readonly LogEntry[];
  /** Resolves with the first log entry, past or coming, whose text contains this. */
  logged(text: string): Promise<LogEntry>;
  invoke(
    input?: unknown,
    more?: Partial<Invocation> & { readonly outgoing?: Partial<Outgoing> },
  ): Promise<unknown>;
  payload(input: Payload, more?: Partial<Invocation>): Promise<Payload>;
  /** The error with which an invocation ends. */
  failure(
    input?: unknown,
    more?: Partial<Invocation> & { readonly outgoing?: Partial<Outgoing> },
  ): Promise<CallError>;
}

const unexpected = (what: string) => (): never => {
  throw new Error(`no ${what} was expected`);
};

export function subject(t: TestContext, spec: Partial<FunctionSpec>): Subject {
  const logs: LogEntry[] = [];
  const waiting = new Set<() => void>();
  const log = (by: LogEntry['by']) => (level: LogLevel, text: string) => {
    logs.push({ level, text, by });
    for (const look of [...waiting]) look();
  };
  const runtime = startFunction(
    {
      name: 'count',
      type: 'JavaScript',
      module: new Uint8Array(),
      concurrency: 8,
      memoryBytes: 64 * MB,
      env: {},
      ...spec,
    },
    log('thread'),
  );
  t.after(() => runtime.close());
  const payload: Subject['payload'] = (input, more) => {
    const outgoing = { call: unexpected('call'), send: unexpected('send'), log: log('call') };
    return runtime.invoke(
      { callId: 'call-1', timeoutMs: 10_000, signal: new AbortController().signal, ...more, input },
      { ...outgoing, ...(more as { outgoing?: Partial<Outgoing> } | undefined)?.outgoing },
    );
  };
  const invoke: Subject['invoke'] = async (input, more) =>
    decodeValue(await payload(encodeValue(input), more));
  return {
    runtime,
    logs,
    payload,
    invoke,
    failure: (input, more) => failureOf(invoke(input, more)),
    logged: (text) =>
      new Promise((resolve, reject) => {
        const bound = setTimeout(() => {
          reject(new Error(`no log line contains '${text}'; there is ${JSON.stringify(logs)}`));
        }, 10_000);
        const look = (): void => {
          const found = logs.find((entry) => entry.text.includes(text));
          if (found === undefined) return;
          clearTimeout(bound);
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
  };
}

/** The CallError that a promise rejects with; anything else is a failure of the test. */
export async function failureOf(promise: Promise<unknown>): Promise<CallError> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in outcome && outcome.error instanceof CallError) return outcome.error;
  throw new Error(`a CallError was expected, not ${JSON.stringify(outcome)}`, {
    cause: 'error' in outcome ? outcome.error : undefined,
  });
}

/** A JavaScript function: the body of its handler, or a whole module where it says `export`. */
export const js = (t: TestContext, code: string, spec: Partial<FunctionSpec> = {}): Subject =>
  subject(t, {
    module: new TextEncoder().encode(
      code.includes('export ') ? code : `export default async (input, ctx) => {${code}}`,
    ),
    ...spec,
  });

export const probeModule: Uint8Array = readFileSync(new URL('./testModules/probe.wasm', import.meta.url));

/** The test command (`testModules/probe.c`), or another binary. */
export const wasm = (t: TestContext, spec: Partial<FunctionSpec> = {}): Subject =>
  subject(t, { type: 'Wasm', module: probeModule, concurrency: 2, ...spec });

/** A promise that is settled from outside. */
export const gate = <T = void>(): { open: (value: T) => void; opened: Promise<T> } => {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { open: resolve, opened: promise };
};
