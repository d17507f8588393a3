/**
 * The keys of one issuer, and when they are asked for again.
 *
 * Owns: the times. What a key is, and how it is fetched, is not known here.
 *
 *   nothing yet ──asked for──▶ fetch, everybody waits for the one fetch
 *   younger than 5 min         used as they are
 *   older                      used, and fetched anew beside that
 *   older than 10 min          fetched anew first: a key that the issuer took away opens nothing for longer
 *   the fetch fails            what is there stays in use, up to 24 h after it was fetched; then nothing is
 *   a token's key is unknown   fetched anew, unless that was done within 10 s
 *
 * Invariants:
 *  1. However many ask, at most one fetch is under way, and none begins within 10 s of the last one that succeeded, or
 *     within 2 s of one that failed.
 *  2. Who waits, waits for one fetch.
 */
import type { Clock } from '@sinter/bus';

const RENEW_MS = 5 * 60_000;
const OLD_MS = 10 * 60_000;
const KEEP_MS = 24 * 3_600_000;
export const COOL_DOWN_MS = 10_000;
export const AGAIN_MS = 2_000;
/** A failure that goes on is told once in this time. */
const TELL_MS = 60_000;

/** The keys cannot be had now. What stands in the way is told to the log, not to who asks. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

export interface IssuerKeysOptions<T> {
  readonly fetch: () => Promise<T>;
  readonly clock: Clock;
  readonly onProblem: (problem: string) => void;
}

export class IssuerKeys<T> {
  readonly #options: IssuerKeysOptions<T>;
  #keys: { readonly value: T; readonly atMs: number } | undefined;
  #fetching: Promise<void> | undefined;
  /** When the last fetch failed; undefined: it did not. */
  #failedAtMs: number | undefined;
  #toldAtMs = -Infinity;

  constructor(options: IssuerKeysOptions<T>) {
    this.#options = options;
  }

  /** The keys to go by. Rejects with Unavailable. */
  async current(): Promise<T> {
    const age = this.#age();
    if (age > RENEW_MS) this.#fetch();
    // While the issuer does not answer, nobody waits for it who can be served without.
    if (age > KEEP_MS || (age > OLD_MS && this.#failedAtMs === undefined)) await this.#fetching;
    if (!this.#keys || this.#age() > KEEP_MS) throw new Unavailable();
    return this.#keys.value;
  }

  /**
   * Keys that are newer than these, which did not have the wanted one; undefined: the issuer was asked just now and has
   * none. Rejects with Unavailable where that cannot be told.
   */
  async newerThan(keys: T): Promise<T | undefined> {
    if (this.#keys && this.#keys.value !== keys) return this.#keys.value;
    if (this.#failedAtMs !== undefined || this.#age() >= COOL_DOWN_MS) this.#fetch();
    await this.#fetching;
    if (this.#failedAtMs !== undefined) throw new Unavailable();
    return this.#keys?.value === keys ? undefined : this.#keys?.value;
  }

  #age(): number {
    return this.#keys ? this.#options.clock.now() - this.#keys.atMs : Infinity;
  }

  /** Begins a fetch, unless one is under way or it is too soon. It never rejects. */
  #fetch(): void {
    const { clock } = this.#options;
    if (this.#fetching) return;
    if (this.#failedAtMs !== undefined && clock.now() - this.#failedAtMs < AGAIN_MS) return;
    this.#fetching = this.#take().finally(() => {
      this.#fetching = undefined;
    });
  }

  async #take(): Promise<void> {
    const { fetch, clock } = this.#options;
    try {
      this.#keys = { value: await fetch(), atMs: clock.now() };
      this.#failedAtMs = undefined;
      this.#toldAtMs = -Infinity;
    } catch (cause) {
      this.#failedAtMs = clock.now();
      this.#tell(cause instanceof Error ? cause.message : String(cause));
    }
  }

  #tell(problem: string): void {
    const now = this.#options.clock.now();
    if (now - this.#toldAtMs < TELL_MS) return;
    this.#toldAtMs = now;
    const kept = this.#age() <= KEEP_MS ? 'the keys that are known stay in use' : 'nobody comes in by it';
    this.#options.onProblem(`keys of an issuer were not read: ${problem}; ${kept}`);
  }
}
