/**
 * What is kept of a workflow's observations while no operator runs.
 *
 * Owns: the record's form, and the reading of one that somebody else may have written: an older operator, or a newer one.
 * What is not understood is left out; nothing that was kept is worth a failure.
 */
import { z } from 'zod';
import type { WorkflowKey } from '@sinter/contract';
import { Steady } from './steady.ts';
import { Windows } from './windows.ts';
import type { EdgeKey, EntryKey, FunctionKey, ItemData, RateKey, UnitKey } from './windows.ts';

const VERSION = 1;
const COUNTS_MAX = 100;
const ITEMS_MAX = 20_000;

const amount = z.number().min(0).max(1e18);
const item = z.object({
  key: z.record(z.string(), z.string().max(253)),
  fading: z.object({
    atMs: amount,
    sums: z.record(z.string(), z.number().min(-1e18).max(1e18)),
    counts: z.array(amount).max(COUNTS_MAX),
    peak: amount,
  }),
});
const items = z.array(item).max(ITEMS_MAX);

const schema = z.object({
  version: z.literal(VERSION),
  namespace: z.string(),
  workflow: z.string(),
  listenedMs: amount,
  knownMs: amount,
  functions: items,
  edges: items,
  entries: items,
  rates: items,
  units: items,
  told: z.record(z.string(), z.tuple([z.number(), z.number().nullable()])),
});

export type ObservationsRecord = z.infer<typeof schema>;

export const recordOf = (
  { namespace, workflow }: WorkflowKey,
  windows: Windows,
  steady: Steady,
): ObservationsRecord => ({
  version: VERSION,
  namespace,
  workflow,
  listenedMs: Math.round(windows.listenedMs),
  knownMs: Math.round(windows.knownMs),
  functions: [...windows.functions.toData()] as ObservationsRecord['functions'],
  edges: [...windows.edges.toData()] as ObservationsRecord['functions'],
  entries: [...windows.entries.toData()] as ObservationsRecord['functions'],
  rates: [...windows.rates.toData()] as ObservationsRecord['functions'],
  units: [...windows.units.toData()] as ObservationsRecord['functions'],
  told: Object.fromEntries(Object.entries(steady.toData()).map(([name, [value, n]]) => [name, [value, n]])),
});

/** Undefined: it is none of this workflow's, or of another form. */
export function readRecord(
  w: WorkflowKey,
  record: unknown,
): { readonly windows: Windows; readonly steady: Steady } | undefined {
  const read = schema.safeParse(record);
  if (!read.success || read.data.namespace !== w.namespace || read.data.workflow !== w.workflow)
    return undefined;
  const { data } = read;
  const windows = new Windows(data);
  windows.functions.restore(
    data.functions,
    has<FunctionKey>('function', 'artifact', 'architecture', 'revision'),
  );
  windows.edges.restore(data.edges, has<EdgeKey>('from', 'to', 'channel', 'revision'));
  windows.entries.restore(data.entries, has<EntryKey>('function', 'call', 'revision', 'machineClass'));
  windows.rates.restore(data.rates, has<RateKey>('function', 'call'));
  windows.units.restore(data.units, has<UnitKey>('unit'));
  return { windows, steady: new Steady(data.told) };
}

const has =
  <K extends object>(...names: (keyof K & string)[]) =>
  (key: ItemData['key']): key is ItemData['key'] & K =>
    names.length === Object.keys(key).length && names.every((name) => key[name] !== undefined);
