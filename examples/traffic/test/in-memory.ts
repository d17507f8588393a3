/**
 * Runs the application without a bus: a call goes straight to the module of its name.
 *
 * It owns the routing and the record of what was called. It enforces nothing: an undeclared call goes through and is
 * seen in the record, so that the tests can compare the record with the graph. As on every channel, values pass as
 * JSON text. Sent work runs after its sender, first sent first run.
 */
import { readdirSync, readFileSync } from 'node:fs';

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
  /** What the sender of the reading gets. */
  readonly output: Json;
  /** Every execution, in the order in which they ended. */
  readonly executions: readonly Execution[];
  readonly calls: readonly Edge[];
  /** Idempotency keys of what was sent. */
  readonly keys: readonly (string | undefined)[];
  /** The functions that had two calls under way at once. */
  readonly overlapping: ReadonlySet<string>;
}

export const root = new URL('../', import.meta.url);
export const textOf = (name: string): string => readFileSync(new URL(name, root), 'utf8');
export const parsed = (text: string): Json => JSON.parse(text) as Json;

/** What a channel makes of a value. */
export const throughJson = (value: unknown): Json =>
  value === undefined ? null : parsed(JSON.stringify(value));

const handlerOf = async (file: string): Promise<Handler> => {
  const module: unknown = await import(new URL(`functions/${file}`, root).href);
  const found = (module as { readonly default?: unknown }).default;
  if (typeof found !== 'function') throw new Error(`functions/${file}: no default export`);
  return found as Handler;
};

export const loadHandlers = async (): Promise<ReadonlyMap<string, Handler>> => {
  const files = readdirSync(new URL('functions/', root));
  const loaded = files.map(async (file) => [file.replace(/\.mjs$/, ''), await handlerOf(file)] as const);
  return new Map((await Promise.all(loaded)).toSorted(([one], [other]) => (one < other ? -1 : 1)));
};

export const readings = (): readonly Json[] =>
  textOf('readings/readings.jsonl').trimEnd().split('\n').map(parsed);

/** A reading that is fine, with some fields replaced; `undefined` takes a field away. */
export const readingWith = (changes: Readonly<Record<string, unknown>> = {}): Json =>
  throughJson({ ...(parsed(textOf('reading.json')) as object), burn: 1, ...changes });

/** One reading through the whole graph, until nothing that was sent is left. */
export const runReading = async (
  handlers: ReadonlyMap<string, Handler>,
  reading: Json,
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
    const input = throughJson(given);
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
    const output = throughJson(await handler(input, ctx));
    executions.push({ function: name, input, output });
    return output;
  };

  const output = await execute('ingest', reading, callId);
  for (let next = sent.shift(); next !== undefined; next = sent.shift()) await next();
  return { output, executions, calls, keys, overlapping };
};

/** The readings whose outputs are kept in expected/, by their number. */
export const EXPECTED = [1, 41, 136, 193] as const;

/** What expected/ holds of a run: the output of every execution, a line each. */
export const expectedOf = (run: Run): string =>
  run.executions
    .map(({ function: name, output }) => `${JSON.stringify({ function: name, output })}\n`)
    .join('');
