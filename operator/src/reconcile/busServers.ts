/**
 * Keeps every server of the bus up to date: which accounts it goes by, which certificate it shows (D11, decision 0008).
 *
 * Owns: who is told when. `bus/serverAccess.ts` speaks to one server.
 * Invariants:
 *  1. Level-triggered: what a server knows is remembered with its incarnation; a new or restarted one is looked at anew, one
 *     that could not be told is tried again, for ever.
 *  2. Changed accounts are gathered: a change drops pulls under way, so servers are told no sooner than GATHER_MS after the
 *     first change and no more often than every PAUSE_MS. A server that knows nothing yet is told at once.
 */
import { createHash } from 'node:crypto';
import type { Role } from '../bus/auth.ts';
import type { NewCredential } from '../bus/credentials.ts';
import { bringUpToDate } from '../bus/serverAccess.ts';
import type { ServerAddress, ServerState } from '../bus/serverAccess.ts';

export interface BusServer {
  /** Name of its pod. */
  readonly name: string;
  readonly role: Role;
  readonly address: ServerAddress;
  /** Another one after each start of the server. */
  readonly incarnation: string;
}

export type Wanted = Readonly<Record<Role, ServerState>>;

/** A server that is not up to date, and why. */
export interface Behind {
  readonly name: string;
  readonly why: string;
  readonly sinceMs: number;
  /** It is left alone until then. */
  readonly againAtMs: number;
}

export interface ServersReport {
  readonly behind: readonly Behind[];
  /** What was changed: `<server>: <account or certificate>`. */
  readonly changed: readonly string[];
  /** When there is something to do again, in milliseconds from now; absent: nothing until something changes. */
  readonly againAfterMs?: number;
}

const GATHER_MS = 5_000;
const PAUSE_MS = 30_000;
/** Who could not be reached is tried again after this. */
const RETRY_MS = 5_000;
/** Files take up to a minute to reach a server, and each look makes it read all of them. */
const FILES_MS = 15_000;
const AT_ONCE = 8;

interface Goal {
  readonly wanted: Wanted;
  readonly digest: string;
}

export class BusServers {
  readonly #tell: typeof bringUpToDate;
  readonly #known = new Map<string, string>();
  readonly #behind = new Map<string, Behind>();
  #goal: Goal | undefined;
  #next: (Goal & { readonly sinceMs: number }) | undefined;
  #adoptedAtMs = -Infinity;

  constructor(tell: typeof bringUpToDate = bringUpToDate) {
    this.#tell = tell;
  }

  /** One round over all servers that there are. `system` makes a credential of the system account. */
  async round(
    servers: readonly BusServer[],
    wanted: Wanted,
    system: () => NewCredential,
    nowMs: number,
  ): Promise<ServersReport> {
    const waitMs = this.#adopt(wanted, nowMs);
    const goal = this.#goal;
    this.#forget(servers);
    const due = servers.filter((s) => this.#isDue(s, goal, nowMs));
    const changed: string[] = [];
    for (let i = 0; i < due.length; i += AT_ONCE)
      await Promise.all(
        due.slice(i, i + AT_ONCE).map(async (server) => {
          changed.push(...(await this.#tellOne(server, goal, system, nowMs)));
        }),
      );
    const behind = [...this.#behind.values()];
    const again = [
      ...behind.map((b) => Math.max(0, b.againAtMs - nowMs)),
      ...(waitMs === undefined ? [] : [waitMs]),
    ];
    return { behind, changed, ...(again.length > 0 ? { againAfterMs: Math.min(...again) } : {}) };
  }

  #isDue(server: BusServer, goal: Goal | undefined, nowMs: number): boolean {
    if (this.#known.get(server.name) === stampOf(server, goal)) return false;
    return (this.#behind.get(server.name)?.againAtMs ?? -Infinity) <= nowMs;
  }

  /** Goes by what is wanted, or says how long it still gathers. */
  #adopt(wanted: Wanted, nowMs: number): number | undefined {
    const digest = digestOf(wanted);
    if (digest === this.#goal?.digest) {
      this.#next = undefined;
      return undefined;
    }
    this.#next = { wanted, digest, sinceMs: this.#next?.sinceMs ?? nowMs };
    const atMs = Math.max(this.#next.sinceMs + GATHER_MS, this.#adoptedAtMs + PAUSE_MS);
    if (this.#goal && atMs > nowMs) return atMs - nowMs;
    this.#goal = this.#next;
    this.#next = undefined;
    this.#adoptedAtMs = nowMs;
    return undefined;
  }

  #forget(servers: readonly BusServer[]): void {
    const names = new Set(servers.map((s) => s.name));
    for (const map of [this.#known, this.#behind])
      for (const name of [...map.keys()]) if (!names.has(name)) map.delete(name);
  }

  async #tellOne(
    server: BusServer,
    goal: Goal | undefined,
    system: () => NewCredential,
    nowMs: number,
  ): Promise<readonly string[]> {
    const wanted = goal?.wanted[server.role];
    if (!wanted) return [];
    const told = await this.#tell(server.address, wanted, system()).catch(
      (cause: unknown) => ({ kind: 'Unreachable', why: `it cannot be reached: ${String(cause)}` }) as const,
    );
    if (told.kind !== 'Current') {
      const sinceMs = this.#behind.get(server.name)?.sinceMs ?? nowMs;
      const againAtMs = nowMs + (told.kind === 'Waiting' ? FILES_MS : RETRY_MS);
      this.#behind.set(server.name, { name: server.name, why: told.why, sinceMs, againAtMs });
      return [];
    }
    this.#behind.delete(server.name);
    this.#known.set(server.name, stampOf(server, goal));
    return told.changed.map((what) => `${server.name}: ${what}`);
  }
}

const stampOf = (server: BusServer, goal: Goal | undefined): string =>
  `${server.incarnation} ${goal?.digest ?? ''}`;

const digestOf = (wanted: Wanted): string =>
  createHash('sha256').update(JSON.stringify(wanted)).digest('hex');
