/**
 * Events for people (`kubectl describe`, `kubectl events`).
 *
 * Owns: the Event objects (events.k8s.io/v1), counting repeats into a series, and how many may be told. Neighbour: whoever
 * records decides what is worth telling: one event per change of state or attempt, never "still running".
 * Invariants:
 *  1. Recording never waits and never throws: an event is help, not truth. What is not told is counted.
 *  2. The same event within SERIES_MS is one object whose count rises, written at most once in COUNT_EVERY_MS.
 *  3. One object cannot flood: PER_OBJECT.burst at once, then one in PER_OBJECT.refillMs.
 */
import { pause, systemClock, type Clock } from './clock.ts';
import type { KubeClient } from './client.ts';
import { microTime } from './elector.ts';
import { ApiError, isForbidden, isNotFound, NoAnswer } from './errors.ts';
import { kind, type KubeObject } from './objects.ts';

export interface RecorderOptions {
  readonly client: KubeClient;
  /** e.g. `sinter.dev/workflow`. */
  readonly controller: string;
  /** e.g. the pod's name. */
  readonly instance: string;
  readonly clock?: Clock;
  readonly trouble?: (error: unknown) => void;
}

export interface EventOf {
  readonly regarding: KubeObject;
  readonly related?: KubeObject;
  /** Warning only for what was not expected. */
  readonly type: 'Normal' | 'Warning';
  /** Why, in CamelCase. */
  readonly reason: string;
  /** What the controller did or tried, in CamelCase, e.g. `Plan`, `Apply`. */
  readonly action: string;
  /** For people; cut at 1 KiB. */
  readonly note: string;
}

export interface Recorder {
  record(event: EventOf): void;
  /** Events that were not told: too many, or the server refused them. */
  readonly dropped: number;
  /** Sends what waits, and the last counts. For shutdown. */
  flush(): Promise<void>;
}

export const recorder = (options: RecorderOptions): Recorder => new EventRecorder(options);

interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

/** events.k8s.io/v1, the fields that we write. */
export interface KubeEvent extends KubeObject {
  readonly eventTime: string;
  readonly reportingController: string;
  readonly reportingInstance: string;
  readonly type: string;
  readonly reason: string;
  readonly action: string;
  readonly note: string;
  readonly regarding: ObjectReference;
  readonly related?: ObjectReference;
  readonly series?: { readonly count: number; readonly lastObservedTime: string };
}

export const EVENTS = kind<KubeEvent>('events.k8s.io/v1', 'Event', 'events');

const SERIES_MS = 6 * 60_000;
const COUNT_EVERY_MS = 60_000;
const PER_OBJECT = { burst: 25, refillMs: 60_000 };
const WAITING_MAX = 256;
const SERIES_MAX = 1024;
const OBJECTS_MAX = 1024;
const ATTEMPTS = 3;
const NOTE_MAX_BYTES = 1024;
const WORD_MAX = 128;
const FIELD_MANAGER = 'sinter-events';

/** An event that has been told, and how often it came since. */
interface Series {
  readonly event: KubeEvent;
  count: number;
  lastAtMs: number;
  lastTime: string;
  /** The count that the server knows, and when we told it. */
  toldCount: number;
  toldAtMs: number;
}

class EventRecorder implements Recorder {
  readonly #options: RecorderOptions;
  readonly #clock: Clock;
  readonly #series = new Map<string, Series>();
  readonly #budgets = new Map<string, { left: number; atMs: number }>();
  readonly #waiting = new Map<string, Series>();
  #dropped = 0;
  #serial = 0;
  #sending: Promise<void> | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get dropped(): number {
    return this.#dropped;
  }

  record(event: EventOf): void {
    const key = identityOf(event);
    const now = this.#clock.now();
    const known = this.#series.get(key);
    if (known !== undefined && now - known.lastAtMs < SERIES_MS) this.#again(key, known, now);
    else this.#first(key, event, now);
  }

  async flush(): Promise<void> {
    await this.#sending;
    for (const [key, series] of this.#series) if (series.toldCount < series.count) this.#send(key, series);
    await this.#sending;
  }

  #again(key: string, series: Series, now: number): void {
    series.count += 1;
    series.lastAtMs = now;
    series.lastTime = microTime(this.#clock.date());
    // The second is told at once: from then on people see that it repeats.
    if (series.count === 2 || now - series.toldAtMs >= COUNT_EVERY_MS) this.#send(key, series);
  }

  #first(key: string, event: EventOf, now: number): void {
    if (this.#waiting.size >= WAITING_MAX || !this.#allowed(referenceTo(event.regarding), now)) {
      this.#dropped += 1;
      return;
    }
    const eventTime = microTime(this.#clock.date());
    const made = this.#event(event, eventTime);
    const series = { event: made, count: 1, lastAtMs: now, lastTime: eventTime, toldCount: 0, toldAtMs: now };
    this.#series.delete(key);
    this.#series.set(key, series);
    trimmed(this.#series, SERIES_MAX);
    this.#send(key, series);
  }

  /** A bucket an object. */
  #allowed(regarding: ObjectReference, now: number): boolean {
    const key = `${regarding.kind}/${regarding.namespace ?? ''}/${regarding.name}`;
    const before = this.#budgets.get(key) ?? { left: PER_OBJECT.burst, atMs: now };
    const left = Math.min(PER_OBJECT.burst, before.left + (now - before.atMs) / PER_OBJECT.refillMs);
    this.#budgets.delete(key);
    this.#budgets.set(key, { left: left >= 1 ? left - 1 : left, atMs: now });
    trimmed(this.#budgets, OBJECTS_MAX);
    return left >= 1;
  }

  #event(event: EventOf, eventTime: string): KubeEvent {
    const { regarding, related, type, reason, action, note } = event;
    this.#serial += 1;
    const unique = `${this.#clock.date().getTime().toString(16)}${this.#serial.toString(16)}`;
    const random = Math.floor(this.#clock.random() * 2 ** 32).toString(16);
    return {
      apiVersion: EVENTS.apiVersion,
      kind: EVENTS.kind,
      metadata: {
        name: `${regarding.metadata.name.slice(0, 200)}.${unique}${random}`,
        namespace: regarding.metadata.namespace ?? 'default',
      },
      eventTime,
      reportingController: this.#options.controller,
      reportingInstance: this.#options.instance.slice(0, WORD_MAX),
      type,
      reason: reason.slice(0, WORD_MAX),
      action: action.slice(0, WORD_MAX),
      note: cutAt(note, NOTE_MAX_BYTES),
      regarding: referenceTo(regarding),
      ...(related !== undefined && { related: referenceTo(related) }),
    };
  }

  #send(key: string, series: Series): void {
    this.#waiting.set(key, series);
    this.#sending ??= this.#sendAll().finally(() => (this.#sending = undefined));
  }

  async #sendAll(): Promise<void> {
    for (let next = firstOf(this.#waiting); next !== undefined; next = firstOf(this.#waiting)) {
      const [key, series] = next;
      this.#waiting.delete(key);
      await this.#tell(key, series);
    }
  }

  async #tell(key: string, series: Series): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const { count } = series;
      try {
        await this.#write(series);
        series.toldCount = count;
        series.toldAtMs = this.#clock.now();
        return;
      } catch (error) {
        if (attempt < ATTEMPTS && mayPass(error)) {
          await pause(this.#clock, 1000 * attempt);
          continue;
        }
        this.#giveUp(key, error);
        return;
      }
    }
  }

  async #write({ event, count, lastTime, toldCount }: Series): Promise<void> {
    const { client } = this.#options;
    const series = { count, lastObservedTime: lastTime };
    const whole = count > 1 ? { ...event, series } : event;
    const options = { fieldManager: FIELD_MANAGER };
    if (toldCount === 0) {
      await client.create(EVENTS, whole, options);
      return;
    }
    try {
      await client.merge(EVENTS, event.metadata, { series }, options);
    } catch (error) {
      // Events live for an hour; the series may be older.
      if (!isNotFound(error)) throw error;
      await client.create(EVENTS, whole, options);
    }
  }

  #giveUp(key: string, error: unknown): void {
    this.#dropped += 1;
    this.#series.delete(key);
    // In a namespace that is ending nothing can be made; nobody needs to hear of it.
    if (!isForbidden(error) && !isNotFound(error)) this.#options.trouble?.(error);
  }
}

/** A server that was away or busy; not a refusal, and not the end of our right to write. */
const mayPass = (error: unknown): boolean =>
  error instanceof NoAnswer || (error instanceof ApiError && (error.status >= 500 || error.status === 429));

const referenceTo = ({ apiVersion, kind: name, metadata }: KubeObject): ObjectReference => ({
  apiVersion,
  kind: name,
  namespace: metadata.namespace,
  name: metadata.name,
  uid: metadata.uid,
  resourceVersion: metadata.resourceVersion,
});

function identityOf({ regarding, related, type, reason, action, note }: EventOf): string {
  const of = (object: KubeObject | undefined): unknown =>
    object && [object.kind, object.metadata.namespace, object.metadata.name, object.metadata.uid];
  return JSON.stringify([of(regarding), of(related), type, reason, action, note]);
}

const firstOf = <K, V>(map: ReadonlyMap<K, V>): readonly [K, V] | undefined => map.entries().next().value;

/** Forgets the oldest. */
function trimmed(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}

/** Cut at whole characters, with a sign that something is missing. */
function cutAt(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  const cut = Buffer.from(text).subarray(0, bytes - 3);
  return `${new TextDecoder().decode(cut, { stream: true })}…`;
}
