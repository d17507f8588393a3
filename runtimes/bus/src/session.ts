/**
 * The link in use, and its replacement by another without losing a call.
 *
 * Owns: which link is current; moving to a new credential (renewal, D11) or back to the nearest server (D2): open the new
 * link, let those who listen move, wait 250 ms of overlap, let the old link finish what it accepted, close it.
 * Invariants:
 *  1. New calls go over the current link; a call ends on the link on which it began.
 *  2. A move that fails leaves the link in use as it is, and the credential with it.
 *  3. An old link is closed only when nobody says that it is busy and no answer is awaited over it, or after DRAIN_LIMIT_MS.
 *  4. A renewal that is not for the key in use costs no connection: whoever may answer a process may also write to where it
 *     takes its renewals, and could else keep it connecting for good. Nor does one that it has already: it may be told again.
 *  5. Who is shut out is told once: its credential has ended and is refused, or any is refused for SHUT_OUT_MS. A lost
 *     connection alone is never that.
 */
import { Link } from './link.ts';
import type { LinkOptions } from './link.ts';
import { endOf, keyOf } from './signature.ts';
import type { Credential } from './signature.ts';
import { hostAndPort } from './transport.ts';

/** New interest must have reached the hub before the old one goes (D3: measured, 0 of 2,000 lost). */
export const OVERLAP_MS = 250;
/** Longest wait for an old link's calls, in milliseconds: beyond the longest timeout (a day) nothing of it can matter. */
export const DRAIN_LIMIT_MS = 24 * 3600_000 + 60_000;
const POLL_MS = 50;
/** What has not ended by then is long: it is asked for less often. */
const LONG_MS = 10_000;
const LONG_POLL_MS = 1_000;
/** A server that does not answer within this is none to move to. */
const MOVE_LIMIT_MS = 2_000;

/** So long a credential may be refused that has not ended: servers may yet have to be told of it. */
export const SHUT_OUT_MS = 60_000;

/** For a process that gets a new credential by starting anew. */
export interface ShutOut {
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Nothing but another credential helps: `why` is for the log. */
  readonly end: (why: string) => void;
}

export interface SessionOptions extends LinkOptions {
  /** Absent: it tries for good. */
  readonly shutOut?: ShutOut;
}

/** Somebody who works over the session's link. */
export interface Rider {
  /** The current link is now this one; stop taking new work from `from` after the overlap. */
  moved(to: Link, from: Link): Promise<void>;
  /** Work in progress over that link. */
  busy(link: Link): number;
}

export class Session {
  readonly #options: SessionOptions;
  #credential: Credential;
  #current: Link;
  #generation = 0;
  #moving: Promise<void> = Promise.resolve();
  /** Moves asked for and not ended. */
  #moves = 0;
  #refusedSinceMs: number | undefined;
  #isShutOut = false;
  #closed = false;
  readonly #riders = new Set<Rider>();
  readonly #old = new Set<Link>();
  readonly #waiting = new Set<() => void>();

  private constructor(link: Link, options: SessionOptions) {
    this.#current = link;
    this.#options = options;
    this.#credential = options.credential;
    this.#watch(link);
  }

  static async open(options: SessionOptions): Promise<Session> {
    return new Session(await Link.open({ ...options, inbox: `${options.inbox}.0` }), options);
  }

  get link(): Link {
    return this.#current;
  }

  /** When the credential in use ends, in milliseconds since 1970; undefined: never. */
  get credentialEndsAtMs(): number | undefined {
    return endOf(this.#credential.jwt);
  }

  add(rider: Rider): void {
    this.#riders.add(rider);
  }

  /** Moves to a new credential for the same key; one that the server refuses changes nothing. */
  renew(jwt: string): Promise<void> {
    if (keyOf(jwt) !== keyOf(this.#credential.jwt))
      return Promise.reject(new Error('the renewed credential is not for the key of this process'));
    return this.#enqueue(async () => {
      if (jwt !== this.#credential.jwt) await this.#move({ ...this.#credential, jwt });
    });
  }

  /** Moves back to the nearest server where that is reachable and not the one in use. */
  async nearest(): Promise<void> {
    const first = this.#options.servers[0];
    if (first === undefined || this.#options.servers.length < 2 || this.#isAt(first)) return;
    await this.#enqueue(async () => {
      if (!this.#isAt(first)) await this.#move(this.#credential, first);
    });
  }

  /** Waits until the link is up, at most so long; says whether it is. A link that is replaced meanwhile counts too. */
  async whenUp(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.#current.up) return true;
    return await new Promise<boolean>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        this.#waiting.delete(done);
        resolve(this.#current.up);
      };
      const timer = setTimeout(done, timeoutMs);
      signal?.addEventListener('abort', done, { once: true });
      this.#waiting.add(done);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#current, ...this.#old].map((link) => link.close()));
    this.#wake();
  }

  /** One move at a time, in the order asked for. */
  #enqueue(move: () => Promise<void>): Promise<void> {
    this.#moves += 1;
    const moved = this.#moving.then(move).finally(() => {
      this.#moves -= 1;
    });
    // The next move does not care how this one ended; who asked for it does.
    this.#moving = moved.catch(() => undefined);
    return moved;
  }

  async #move(credential: Credential, only?: string): Promise<void> {
    if (this.#closed) return;
    this.#generation += 1;
    const inbox = `${this.#options.inbox}.${String(this.#generation)}`;
    const to = await Link.open({ ...this.#options, credential, inbox }, MOVE_LIMIT_MS, only);
    if (this.#isClosed()) {
      await to.close();
      return;
    }
    const from = this.#current;
    this.#credential = credential;
    this.#current = to;
    this.#refusedSinceMs = undefined;
    this.#old.add(from);
    this.#watch(to);
    this.#wake();
    const moved = await Promise.allSettled([...this.#riders].map((rider) => rider.moved(to, from)));
    for (const m of moved)
      if (m.status === 'rejected')
        this.#options.onProblem?.(`not all moved to the new link: ${String(m.reason)}`);
    void this.#retire(from);
  }

  async #retire(link: Link): Promise<void> {
    let pollMs = POLL_MS;
    for (let waited = 0; waited < DRAIN_LIMIT_MS && !this.#closed && link.up; waited += pollMs) {
      if (link.awaited === 0 && [...this.#riders].every((rider) => rider.busy(link) === 0)) break;
      pollMs = waited < LONG_MS ? POLL_MS : LONG_POLL_MS;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
    if (link.up) await link.flush().catch(() => undefined);
    await link.close();
    this.#old.delete(link);
  }

  #watch(link: Link): void {
    link.onUp(() => {
      if (link !== this.#current) return;
      this.#refusedSinceMs = undefined;
      this.#wake();
    });
    link.onRefused(() => {
      if (link === this.#current) this.#judgeRefusal();
    });
  }

  /** At each refusal; the link goes on trying, so another one comes. A move under way may bring the credential that helps. */
  #judgeRefusal(): void {
    const { shutOut } = this.#options;
    if (!shutOut || this.#isShutOut || this.#closed || this.#moves > 0) return;
    const nowMs = shutOut.wallClock();
    this.#refusedSinceMs ??= nowMs;
    const endsAtMs = this.credentialEndsAtMs ?? Infinity;
    if (nowMs < endsAtMs && nowMs - this.#refusedSinceMs < SHUT_OUT_MS) return;
    this.#isShutOut = true;
    const why = nowMs < endsAtMs ? 'is refused by the bus' : `ended at ${new Date(endsAtMs).toISOString()}`;
    shutOut.end(
      `the credential of this process ${why}: it ends, to start anew with the one that is kept for it`,
    );
  }

  #wake(): void {
    for (const waiting of [...this.#waiting]) waiting();
  }

  #isAt(server: string): boolean {
    return hostAndPort(server) === hostAndPort(this.#current.server);
  }

  /** As a call, because it may have changed during a wait. */
  #isClosed(): boolean {
    return this.#closed;
  }
}
