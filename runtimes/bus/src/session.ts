/**
 * The link in use, and its replacement by another without losing a call.
 *
 * Owns: which link is current; moving to a new credential (renewal, D11) or back to the nearest server (D2): open the new
 * link, let those who listen move, wait 250 ms of overlap, let the old link finish what it accepted, close it.
 * Invariants:
 *  1. New calls go over the current link; a call ends on the link on which it began.
 *  2. An old link is closed only when nobody says that it is busy, or after DRAIN_LIMIT_MS.
 */
import { Link } from './link.ts';
import type { Credential, LinkOptions } from './link.ts';

/** New interest must have reached the hub before the old one goes (D3: measured, 0 of 2,000 lost). */
export const OVERLAP_MS = 250;
/** Longest wait for an old link's calls, in milliseconds: beyond the longest timeout nothing of it can matter. */
const DRAIN_LIMIT_MS = 15 * 60_000;
const POLL_MS = 50;

/** Somebody who works over the session's link. */
export interface Rider {
  /** The current link is now this one; stop taking new work from `from` after the overlap. */
  moved(to: Link, from: Link): Promise<void>;
  /** Work in progress over that link. */
  busy(link: Link): number;
}

export class Session {
  readonly #options: LinkOptions;
  #credential: Credential;
  #current: Link;
  #generation = 0;
  #moving: Promise<void> = Promise.resolve();
  #closed = false;
  readonly #riders = new Set<Rider>();
  readonly #old = new Set<Link>();

  private constructor(link: Link, options: LinkOptions) {
    this.#current = link;
    this.#options = options;
    this.#credential = options.credential;
  }

  static async open(options: LinkOptions): Promise<Session> {
    return new Session(await Link.open({ ...options, inbox: `${options.inbox}.0` }), options);
  }

  get link(): Link {
    return this.#current;
  }

  add(rider: Rider): void {
    this.#riders.add(rider);
  }

  /** Moves to a new credential for the same key. */
  renew(jwt: string): Promise<void> {
    this.#credential = { ...this.#credential, jwt };
    return this.#enqueue(() => this.#move(this.#options.servers));
  }

  /** Moves back to the nearest server where that is reachable and not the one in use. */
  nearest(): Promise<void> {
    const first = this.#options.servers[0];
    if (first === undefined || this.#options.servers.length < 2) return Promise.resolve();
    if (first.endsWith(this.#current.server)) return Promise.resolve();
    return this.#enqueue(() => this.#move([first]));
  }

  /** Waits until the link is up, at most so long; says whether it is. */
  async whenUp(timeoutMs: number): Promise<boolean> {
    const link = this.#current;
    if (link.up) return true;
    return await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => {
        off();
        resolve(this.#current.up);
      }, timeoutMs);
      const off = link.onUp(() => {
        clearTimeout(timer);
        off();
        resolve(true);
      });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#current, ...this.#old].map((link) => link.close()));
  }

  /** One move at a time, in the order asked for. */
  #enqueue(move: () => Promise<void>): Promise<void> {
    this.#moving = this.#moving.then(move, move);
    return this.#moving;
  }

  async #move(servers: readonly string[]): Promise<void> {
    if (this.#closed) return;
    const from = this.#current;
    this.#generation += 1;
    const inbox = `${this.#options.inbox}.${String(this.#generation)}`;
    const to = await Link.open({ ...this.#options, servers, credential: this.#credential, inbox }, 2_000);
    this.#current = to;
    this.#old.add(from);
    await Promise.all([...this.#riders].map((rider) => rider.moved(to, from)));
    void this.#retire(from);
  }

  async #retire(link: Link): Promise<void> {
    for (let waited = 0; waited < DRAIN_LIMIT_MS && !this.#closed && link.up; waited += POLL_MS) {
      if ([...this.#riders].every((rider) => rider.busy(link) === 0)) break;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    if (link.up) await link.flush().catch(() => undefined);
    await link.close();
    this.#old.delete(link);
  }
}
