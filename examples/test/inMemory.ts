/**
 * Runs an example without a bus: a call goes straight to the module of its name.
 *
 * It owns the routing and the record of what was called. It enforces nothing: an undeclared call goes through and is
 * seen in the record, so that the tests can compare the record with the graph. As on every channel, values pass as
 * JSON text. Sent work runs after its sender, first sent first run.
 */
import { readdirSync } from 'node:fs';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface Context {
  readonly callId: string;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly log: (...words: readonly unknown[]) => void;
  readonly call: (name: string, input: unknown) => Promise<Json>;
  readonly send: (name: string, input: unknown, options?: { readonly key?: string }) => Promise<void>;
}

export type Handler = (input: Json, ctx: Context) => Promise<unknown>;
/** The handlers of an example, by name. */
export type Handlers = ReadonlyMap<string, Handler>;

export interface Execution {
  readonly function: string;
  readonly input: Json;
  readonly output: Json;
}

export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly call: 'Sync' | 'Async';
}

export interface Run {
  /** What the caller gets. */
  readonly output: Json;
  /** Every execution, in the order in which they ended. */
  readonly executions: readonly Execution[];
  readonly calls: readonly Edge[];
  /** Idempotency keys of what was sent. */
  readonly keys: readonly (string | undefined)[];
  /** The functions that had two calls under way at once. */
  readonly overlapping: ReadonlySet<string>;
}

export const parsed = (text: string): Json => JSON.parse(text) as Json;

/** What a channel makes of a value. */
export const throughJson = (value: unknown): Json =>
  value === undefined ? null : parsed(JSON.stringify(value));

const handlerOf = async (file: URL): Promise<Handler> => {
  const module: unknown = await import(file.href);
  const found = (module as { readonly default?: unknown }).default;
  if (typeof found !== 'function') throw new Error(`${file.pathname}: no default export`);
  return found as Handler;
};

/** The modules in `functions/` of an example's folder. */
export const handlersIn = async (example: URL): Promise<Handlers> => {
  const folder = new URL('functions/', example);
  const files = readdirSync(folder).filter((file) => file.endsWith('.mjs'));
  const loaded = files.map(
    async (file) => [file.replace(/\.mjs$/, ''), await handlerOf(new URL(file, folder))] as const,
  );
  return new Map((await Promise.all(loaded)).toSorted(([one], [other]) => (one < other ? -1 : 1)));
};

/** One call of `entry` through the whole graph, until nothing that was sent is left. */
export const runCall = async (
  handlers: Handlers,
  entry: string,
  input: unknown,
  callId = 'call-1',
): Promise<Run> => {
  const executions: Execution[] = [];
  const calls: Edge[] = [];
  const keys: (string | undefined)[] = [];
  const overlapping = new Set<string>();
  const sent: (() => Promise<Json>)[] = [];

  const execute = async (name: string, given: unknown, id: string): Promise<Json> => {
    const handler = handlers.get(name);
    if (handler === undefined) throw new Error(`${name}: no such function`);
    const received = throughJson(given);
    let underWay = 0;
    const ctx: Context = {
      callId: id,
      env: {},
      signal: new AbortController().signal,
      log: () => undefined,
      call: async (to, value) => {
        calls.push({ from: name, to, call: 'Sync' });
        underWay += 1;
        if (underWay > 1) overlapping.add(name);
        const output = await execute(to, value, `${id}/${to}`);
        underWay -= 1;
        return output;
      },
      send: (to, value, options) => {
        calls.push({ from: name, to, call: 'Async' });
        keys.push(options?.key);
        sent.push(() => execute(to, value, `${id}/${to}`));
        return Promise.resolve();
      },
    };
    const output = throughJson(await handler(received, ctx));
    executions.push({ function: name, input: received, output });
    return output;
  };

  const output = await execute(entry, input, callId);
  for (let next = sent.shift(); next !== undefined; next = sent.shift()) await next();
  return { output, executions, calls, keys, overlapping };
};

/** A run as `expected/` keeps it: the output of every execution, a line each. */
export const linesOf = (run: Run): string =>
  run.executions
    .map(({ function: name, output }) => `${JSON.stringify({ function: name, output })}\n`)
    .join('');

/** Why a call of `entry` is refused, or `accepted`. */
export const refusalOf = async (handlers: Handlers, entry: string, input: unknown): Promise<string> => {
  try {
    await runCall(handlers, entry, input);
  } catch (error) {
    if (error instanceof Error) return error.message;
    throw error;
  }
  return 'accepted';
};

const failing = (): never => {
  throw new Error('a clock or chance was asked');
};

/** Runs `work` in a world without a clock and without chance. */
export const withoutClock = async <T>(work: () => Promise<T>): Promise<T> => {
  const { Date: calendar } = globalThis;
  const { random } = Math;
  const now = performance.now.bind(performance);
  class Calendar extends calendar {
    constructor(...given: readonly unknown[]) {
      if (given.length === 0) failing();
      super(given[0] as string);
    }
    static override now = failing;
  }
  globalThis.Date = Calendar as unknown as DateConstructor;
  Math.random = failing;
  performance.now = failing;
  try {
    return await work();
  } finally {
    globalThis.Date = calendar;
    Math.random = random;
    performance.now = now;
  }
};
