/** The readings of the example, and one reading through its whole graph without a bus. */
import { readFileSync } from 'node:fs';
import { handlersIn, linesOf, parsed, runCall, throughJson } from '../../test/inMemory.ts';
import type { Handlers, Json, Run } from '../../test/inMemory.ts';

export { linesOf as expectedOf, parsed, throughJson };
export type { Context, Edge, Execution, Handler, Json, Run } from '../../test/inMemory.ts';

export const root = new URL('../', import.meta.url);
export const textOf = (name: string): string => readFileSync(new URL(name, root), 'utf8');

export const loadHandlers = (): Promise<Handlers> => handlersIn(root);

export const readings = (): readonly Json[] =>
  textOf('readings/readings.jsonl').trimEnd().split('\n').map(parsed);

/** A reading that is fine, with some fields replaced; `undefined` takes a field away. */
export const readingWith = (changes: Readonly<Record<string, unknown>> = {}): Json =>
  throughJson({ ...(parsed(textOf('reading.json')) as object), burn: 1, ...changes });

/** One reading through the whole graph, until nothing that was sent is left. */
export const runReading = (handlers: Handlers, reading: Json, callId = 'call-1'): Promise<Run> =>
  runCall(handlers, 'ingest', reading, callId);

/** The readings whose outputs are kept in expected/, by their number. */
export const EXPECTED = [1, 41, 136, 193] as const;
