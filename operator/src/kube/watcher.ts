/**
 * What following a collection means: list it page by page, watch it from there, resume, and start over when the server has
 * forgotten where we were.
 *
 * Owns: the states, and what an answer or a failure leads to. Neighbour: `informer.ts` sends what an effect says and brings
 * back what came of it. Pure: the time and a number drawn at random come with each input. After kube-rs's watcher.
 *
 *        begin            page (more)           page (last)              line
 *   Idle ─────▶ Listing ──────────────▶ Listing ───────────▶ Watching ─────────▶ Watching
 *                  ▲                                          │    ▲                │
 *                  │ wait over, list                 410      │    │ wait over,     │ closed, failed
 *               Waiting ◀─────────────────────────────────────┘ Waiting ◀───────────┘
 *
 * Invariants:
 *  1. A resourceVersion is kept and sent back; it is compared only to see that the server went back behind our place (a restored
 *     etcd), where it would tell us nothing of what is different now.
 *  2. 410 (as status, or as an ERROR in the stream) loses the place, and so do a server that went back, RELIST_FAILURES failures in a
 *     row, and RELIST_MS since the last list; every other failure keeps it.
 *  3. The wait before a next attempt doubles until a watch has stayed up for STABLE_MS, whatever it said meanwhile.
 *  4. Every input leads to exactly one effect: nothing can hang between two states.
 */
import type { KubeObject } from './objects.ts';

export type WatchState =
  | { readonly phase: 'Idle' }
  | {
      readonly phase: 'Listing';
      readonly failures: number;
      /** Of the first page: where the watch begins. */
      readonly resourceVersion?: string;
      readonly continue?: string;
      /** The pages were too slow for the server's memory: all at once now. */
      readonly whole: boolean;
    }
  | {
      readonly phase: 'Watching';
      readonly failures: number;
      readonly resourceVersion: string;
      readonly listedAtMs: number;
      /** When the server accepted the watch; undefined before. */
      readonly openedAtMs?: number;
    }
  | {
      readonly phase: 'Waiting';
      readonly failures: number;
      /** From where to watch; undefined: list anew. */
      readonly place?: Place;
      readonly whole: boolean;
    };

/** Where a watch begins, and when that was listed, or follows from what was. */
interface Place {
  readonly resourceVersion: string;
  readonly listedAtMs: number;
}

export interface Failure {
  readonly gone: boolean;
  readonly retryAfterMs?: number | undefined;
  readonly error: unknown;
}

export type WatchInput<T> =
  | { readonly type: 'begin' }
  | {
      readonly type: 'page';
      readonly items: readonly T[];
      readonly resourceVersion: string;
      readonly continue?: string | undefined;
    }
  | { readonly type: 'opened' }
  | { readonly type: 'line'; readonly line: string }
  /** The server ended the stream as it should. */
  | { readonly type: 'closed' }
  /** A list or watch was refused, or the connection was lost. */
  | { readonly type: 'failed'; readonly failure: Failure }
  | { readonly type: 'waited' };

/** For the store, in this order. */
export type WatchEvent<T> =
  | { readonly type: 'begin' }
  | { readonly type: 'gather'; readonly objects: readonly T[] }
  | { readonly type: 'swap' }
  | { readonly type: 'put'; readonly object: T }
  | { readonly type: 'remove'; readonly object: T }
  /** For people: what went wrong, and how long we wait. */
  | { readonly type: 'trouble'; readonly error: unknown; readonly againInMs: number };

/** What to do now. All but `read` end a stream that is still open. */
export type WatchEffect =
  | { readonly do: 'list'; readonly limit: number; readonly continue?: string | undefined }
  | { readonly do: 'watch'; readonly resourceVersion: string; readonly timeoutSeconds: number }
  /** Take the next line of the open stream. */
  | { readonly do: 'read' }
  | { readonly do: 'wait'; readonly ms: number };

export interface Moment {
  readonly nowMs: number;
  /** In [0, 1). */
  readonly random: number;
}

export interface Step<T> {
  readonly state: WatchState;
  readonly events: readonly WatchEvent<T>[];
  readonly effect: WatchEffect;
}

/** As client-go's reflector. */
const FIRST_WAIT_MS = 800;
const LONGEST_WAIT_MS = 30_000;
export const STABLE_MS = 10_000;
/** Two minutes and more. What is wrong with a place cannot always be told from what is wrong with a server: it is given up then. */
export const RELIST_FAILURES = 10;
/** A watch that lacks something, for whatever reason, lacks it for so long at most; half as much is added at random. */
export const RELIST_MS = 3_600_000;
const TIMEOUT_SECONDS = 290;
/** Up to so much is added at random, so that the watches of many operators do not all come back at once. */
const TIMEOUT_JITTER_SECONDS = 30;

export const idle: WatchState = { phase: 'Idle' };

/** Throws for an input that the state cannot have asked for: a bug of the driver. */
export function step<T extends KubeObject>(
  state: WatchState,
  input: WatchInput<T>,
  at: Moment,
  pageSize = 500,
): Step<T> {
  if (input.type === 'failed' && state.phase !== 'Idle') return failed(state, input.failure, at);
  switch (state.phase) {
    case 'Idle':
      if (input.type === 'begin') return listing(0, false, pageSize);
      break;
    case 'Waiting':
      if (input.type === 'waited') return resumed(state, at, pageSize);
      break;
    case 'Listing':
      if (input.type === 'page') return paged(state, input, at, pageSize);
      break;
    case 'Watching':
      return watching(state, input, at, pageSize);
  }
  throw new Error(`a watch that is ${state.phase} cannot take '${input.type}'`);
}

type Listing = Extract<WatchState, { phase: 'Listing' }>;
type Watching = Extract<WatchState, { phase: 'Watching' }>;
type Waiting = Extract<WatchState, { phase: 'Waiting' }>;

const limitOf = (whole: boolean, pageSize: number): number => (whole ? 0 : pageSize);

function listing<T>(failures: number, whole: boolean, pageSize: number): Step<T> {
  return {
    state: { phase: 'Listing', failures, whole },
    events: [{ type: 'begin' }],
    effect: { do: 'list', limit: limitOf(whole, pageSize) },
  };
}

function resumed<T>({ place, failures, whole }: Waiting, at: Moment, pageSize: number): Step<T> {
  return place === undefined ? listing(failures, whole, pageSize) : watch(place, failures, [], at);
}

function paged<T>(
  { failures, whole, resourceVersion: first }: Listing,
  page: Extract<WatchInput<T>, { type: 'page' }>,
  at: Moment,
  pageSize: number,
): Step<T> {
  const resourceVersion = first ?? page.resourceVersion;
  const gather: WatchEvent<T> = { type: 'gather', objects: page.items };
  if (page.continue === undefined)
    return watch({ resourceVersion, listedAtMs: at.nowMs }, failures, [gather, { type: 'swap' }], at);
  return {
    state: { phase: 'Listing', failures, whole, resourceVersion, continue: page.continue },
    events: [gather],
    effect: { do: 'list', limit: limitOf(whole, pageSize), continue: page.continue },
  };
}

function watch<T>(
  { resourceVersion, listedAtMs }: Place,
  failures: number,
  events: readonly WatchEvent<T>[],
  at: Moment,
): Step<T> {
  const timeoutSeconds = TIMEOUT_SECONDS + Math.floor(TIMEOUT_JITTER_SECONDS * at.random);
  return {
    state: { phase: 'Watching', failures, resourceVersion, listedAtMs },
    events,
    effect: { do: 'watch', resourceVersion, timeoutSeconds },
  };
}

function watching<T extends KubeObject>(
  state: Watching,
  input: WatchInput<T>,
  at: Moment,
  pageSize: number,
): Step<T> {
  switch (input.type) {
    case 'opened':
      return { state: { ...state, openedAtMs: at.nowMs }, events: [], effect: { do: 'read' } };
    case 'line':
      return lineRead(state, input.line, at);
    case 'closed':
      // Every few minutes the server ends a watch on purpose; one that ends at once, again and again, does not work.
      if (!stayedUp(state, at))
        return failed(state, { gone: false, error: new Error('the watch was closed at once') }, at);
      return isOld(state, at) ? listing(0, false, pageSize) : watch(state, 0, [], at);
    default:
      throw new Error(`an open watch cannot take '${input.type}'`);
  }
}

const stayedUp = (state: Watching, at: Moment): boolean =>
  state.openedAtMs !== undefined && at.nowMs - state.openedAtMs >= STABLE_MS;

const isOld = ({ listedAtMs }: Watching, { nowMs, random }: Moment): boolean =>
  nowMs - listedAtMs >= RELIST_MS * (1 + random / 2);

/** A line is what `?watch` sends: an event with an object, or a Status. */
interface Line<T> {
  readonly type: unknown;
  readonly object: T & { readonly code?: unknown; readonly message?: unknown };
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

function lineRead<T extends KubeObject>(state: Watching, text: string, at: Moment): Step<T> {
  const line = parsed<T>(text);
  if (line?.type === 'ERROR') return failed(state, inStream(line.object), at);
  const event = line === undefined ? undefined : eventOf(line.type, line.object);
  const resourceVersion = event === undefined ? undefined : line?.object.metadata.resourceVersion;
  if (event === undefined || resourceVersion === undefined) return failed(state, malformed(text), at);
  if (isBefore(resourceVersion, state.resourceVersion)) return failed(state, wentBack(resourceVersion), at);
  const events = event === 'bookmark' ? [] : [event];
  return { state: { ...state, resourceVersion }, events, effect: { do: 'read' } };
}

function parsed<T>(text: string): Line<T> | undefined {
  try {
    const line = JSON.parse(text) as Partial<Line<T>> | null;
    return isObject(line?.object) ? { type: line.type, object: line.object } : undefined;
  } catch {
    return undefined; // Said as a failure of the watch.
  }
}

function eventOf<T extends KubeObject>(type: unknown, object: T): WatchEvent<T> | 'bookmark' | undefined {
  // What has no metadata is no object, whatever the type says.
  if (!isObject((object as Partial<T>).metadata)) return undefined;
  if (type === 'ADDED' || type === 'MODIFIED') return { type: 'put', object };
  if (type === 'DELETED') return { type: 'remove', object };
  return type === 'BOOKMARK' ? 'bookmark' : undefined;
}

const NUMBER = /^[1-9][0-9]{0,18}$/;

/** False for versions that are no numbers: nothing is known of their order. */
const isBefore = (version: string, place: string): boolean =>
  NUMBER.test(version) && NUMBER.test(place) && BigInt(version) < BigInt(place);

const wentBack = (version: string): Failure => ({
  gone: true,
  error: new Error(
    `the server is back at version ${version}, as if restored from a copy: all is listed anew`,
  ),
});

const malformed = (text: string): Failure => ({
  gone: false,
  error: new Error(`a line of the watch that is no event: ${text.slice(0, 200)}`),
});

const inStream = ({ code, message }: { readonly code?: unknown; readonly message?: unknown }): Failure => ({
  gone: code === 410,
  error: new Error(`the watch said ${String(code)}: ${String(message)}`),
});

function failed<T>(state: Exclude<WatchState, { phase: 'Idle' }>, failure: Failure, at: Moment): Step<T> {
  const failures = state.phase === 'Watching' && stayedUp(state, at) ? 0 : state.failures;
  const backoffMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures) * (0.5 + 0.5 * at.random);
  const ms = Math.max(backoffMs, failure.retryAfterMs ?? 0);
  return {
    state: { phase: 'Waiting', failures: failures + 1, ...placeAfter(state, failure, failures + 1) },
    events: [{ type: 'trouble', error: failure.error, againInMs: ms }],
    effect: { do: 'wait', ms },
  };
}

const placeOf = ({ resourceVersion, listedAtMs }: Watching): Place => ({ resourceVersion, listedAtMs });

/** Where to go on after the wait. A list of several pages that the server forgot midway is asked for whole. */
function placeAfter(
  state: Exclude<WatchState, { phase: 'Idle' }>,
  { gone }: Failure,
  failures: number,
): { readonly whole: boolean; readonly place?: Place } {
  if (state.phase === 'Listing') return { whole: state.whole || (gone && state.continue !== undefined) };
  const place = state.phase === 'Watching' ? placeOf(state) : state.place;
  if (gone || place === undefined || failures >= RELIST_FAILURES) return { whole: false };
  return { whole: false, place };
}
