/** The application of the example, and one of them through its whole graph without a bus. */
import { readFileSync } from 'node:fs';
import { handlersIn, parsed, runCall, throughJson } from '../../test/inMemory.ts';
import type { Json, Run } from '../../test/inMemory.ts';

export const root = new URL('../', import.meta.url);
export const handlers = await handlersIn(root);

export const applicationText = readFileSync(new URL('application.json', root), 'utf8');

/** An application that waits for nobody, with some fields replaced; `undefined` takes a field away. */
export const applicationWith = (changes: Readonly<Record<string, unknown>> = {}): Json =>
  throughJson({ ...(parsed(applicationText) as object), waitMs: 0, sieve: 100, ...changes });

export const runApplication = (application: Json, callId = 'call-1'): Promise<Run> =>
  runCall(handlers, 'open-account', application, callId);
