/**
 * Records of routes and entries as they are read: taken only where their shape is what the way in relies on, so that a
 * record of another version, or a broken one, is reported and leaves the last good one in force.
 */
import { isSpoken } from '@sinter/contract';
import type { EntryRecord, EntryTrigger, RouteRecord } from '@sinter/contract';

const decoder = new TextDecoder();
type Fields = Readonly<Record<string, unknown>>;

const isObject = (v: unknown): v is Fields => typeof v === 'object' && v !== null && !Array.isArray(v);
const isList = (v: unknown, of: (item: unknown) => boolean): boolean => Array.isArray(v) && v.every(of);
const isText = (v: unknown): boolean => typeof v === 'string';

/** Throws an Error that says what is wrong. */
export function readRouteRecord(bytes: Uint8Array): RouteRecord {
  const r = parse(bytes);
  demand(Number.isInteger(r['generation']), 'generation is no whole number');
  demand(isText(r['current']), 'current is no text');
  demand(r['candidate'] === undefined || isText(r['candidate']), 'candidate is no text');
  demand(isList(r['draining'], isText), 'draining is no list of texts');
  const { revisions } = r;
  demand(isObject(revisions) && Object.values(revisions).every(isRevision), 'a revision is not complete');
  return r as unknown as RouteRecord;
}

/** Throws an Error that says what is wrong. */
export function readEntryRecord(bytes: Uint8Array): EntryRecord {
  const e = parse(bytes);
  demand(e['expose'] === 'Triggers' || e['expose'] === 'All', 'expose is neither Triggers nor All');
  demand(isList(e['functions'], isText), 'functions is no list of texts');
  demand(isList(e['triggers'], isTrigger), 'a trigger is not complete');
  const entry = e as unknown as EntryRecord;
  return { ...entry, triggers: entry.triggers.map(shutUnknown) };
}

function parse(bytes: Uint8Array): Fields {
  const value: unknown = JSON.parse(decoder.decode(bytes));
  if (!isObject(value)) throw new Error('it is no object');
  if (!isSpoken(Number(value['version'])))
    throw new Error(`its contract version '${String(value['version'])}' is not spoken here`);
  return value;
}

function demand(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

const isRevision = (v: unknown): boolean => isObject(v) && isList(v['units'], isUnit);
const isUnit = (v: unknown): boolean => isObject(v) && isList(v['functions'], isFunction);
const isFunction = (v: unknown): boolean =>
  isObject(v) && isText(v['name']) && typeof v['timeoutSeconds'] === 'number' && v['timeoutSeconds'] > 0;

const isTrigger = (v: unknown): boolean =>
  isObject(v) &&
  isText(v['name']) &&
  isText(v['to']) &&
  isText(v['path']) &&
  isList(v['hosts'], isText) &&
  isList(v['methods'], isText) &&
  isAuth(v['auth']);

/** An auth of a kind that is not known here is taken, and shut by `shutUnknown`: it must not read as an open door. */
function isAuth(v: unknown): boolean {
  if (!isObject(v)) return false;
  switch (v['type']) {
    case 'Key':
      return isList(v['sha256'], isText);
    case 'Jwt':
      return isText(v['issuer']) && isList(v['audiences'], isText);
    default:
      return isText(v['type']);
  }
}

const KINDS: ReadonlySet<unknown> = new Set(['None', 'Key', 'Jwt']);

/** A trigger whose auth a later version knows has no key here: nobody comes in, and the rest of the record holds. */
const shutUnknown = (trigger: EntryTrigger): EntryTrigger =>
  KINDS.has(trigger.auth.type) ? trigger : { ...trigger, auth: { type: 'Key', sha256: [] } };
