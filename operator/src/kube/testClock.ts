/**
 * A clock that stands still until a test moves it, and the patience of tests that wait for real sockets.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from './clock.ts';

interface Timer {
  readonly dueAtMs: number;
  readonly then: () => void;
}

export class ManualClock implements Clock {
  readonly #timers = new Set<Timer>();
  readonly #epochMs: number;
  #nowMs = 0;
  /** What `random` gives. */
  chance = 0;

  constructor(epoch = '2026-01-01T00:00:00Z') {
    this.#epochMs = Date.parse(epoch);
  }

  now(): number {
    return this.#nowMs;
  }

  date(): Date {
    return new Date(this.#epochMs + this.#nowMs);
  }

  random(): number {
    return this.chance;
  }

  after(ms: number, then: () => void): () => void {
    const timer = { dueAtMs: this.#nowMs + Math.max(0, ms), then };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Waits that are pending, from now, the shortest first. */
  get pendingMs(): readonly number[] {
    return [...this.#timers].map(({ dueAtMs }) => dueAtMs - this.#nowMs).sort((a, b) => a - b);
  }

  /** Moves on; what is due fires in order, at its own time. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let next = this.#due(untilMs); next !== undefined; next = this.#due(untilMs)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueAtMs);
      next.then();
    }
    this.#nowMs = untilMs;
  }

  /** Moves on from one timer to the next, and lets everything else run in between. */
  async run(ms: number): Promise<void> {
    await settle();
    const untilMs = this.#nowMs + ms;
    for (let next = this.#due(untilMs); next !== undefined; next = this.#due(untilMs)) {
      this.advance(Math.max(0, next.dueAtMs - this.#nowMs));
      await settle();
    }
    this.advance(untilMs - this.#nowMs);
    await settle();
  }

  #due(untilMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers)
      if (timer.dueAtMs <= untilMs && (first === undefined || timer.dueAtMs < first.dueAtMs)) first = timer;
    return first;
  }
}

/** Lets promises that are ready go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
}

/** Waits for something that real sockets bring; generous, because the machine may be busy. */
export async function until<T>(what: () => T | undefined | false, limitMs = 30_000): Promise<T> {
  const endAtMs = performance.now() + limitMs;
  for (;;) {
    const found = what();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endAtMs) throw new Error(`waited ${limitMs} ms in vain for: ${what.toString()}`);
    await sleep(2);
  }
}
