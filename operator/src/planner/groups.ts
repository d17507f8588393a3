/**
 * Which functions may be a unit, and what that unit would be to the cost model; both in numbers, for searches that ask it a
 * hundred thousand times.
 *
 * Owns: the rules of `rules.ts` once more as arrays (a test compares the two on random groups), the two rules that only a
 * search has, and the size of a group. Neighbours: `rules.ts` gives reasons to users, `cost.ts` reads the unit.
 */
import { canonicalJson } from '../model/canonical.ts';
import { loadOf } from './cost.ts';
import type { UnitFigures } from './cost.ts';
import { architecturesOf, tiersOf } from './facts.ts';
import type { Facts } from './facts.ts';
import { hostCores } from './hostCost.ts';
import { HOST_RESERVED_BYTES } from './priors.ts';
import type { Figures } from './figures.ts';
import { fittedBytes } from './sizes.ts';
import { alikeKey, CREDENTIAL_BYTES, CREDENTIAL_BYTES_MAX, credentialBytes } from './rules.ts';

/** Where more of a unit's cores are in use than this, and asynchronous work is part of it, somebody waits for that work. */
export const STARVING_RHO = 0.8;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Functions by their index in the figures; the first `count` of the list. */
export type Members = ArrayLike<number>;

export class Groups {
  readonly figures: Figures;
  readonly #most: number;
  readonly #alike: Int32Array;
  /** Which environment it asks to share; -1: none. */
  readonly #shares: Int32Array;
  /** Kinds of machines (tier and architecture) that it may run on, as bits; and those of which there are machines. */
  readonly #homes: Int32Array;
  readonly #present: number;
  readonly #largest: readonly { readonly cores: number; readonly bytes: number }[];
  readonly #credentialBytes: Float64Array;
  /** The unit in which a function that nobody has seen run stays. */
  readonly #pinned: Int32Array;
  readonly #current: Int32Array;
  readonly #isReserved: boolean;
  readonly #isLimited: boolean;
  /** Which question a function was a member in last. */
  readonly #askedIn: Int32Array;
  #question = 0;
  readonly #unit: Mutable<UnitFigures> = {
    cores: 1,
    reservedCores: 1,
    reservedBytes: 0,
    usedBytes: 0,
    load: 0,
    instances: 1,
    coldMs: 0,
    idleSeconds: 0,
  };

  constructor(facts: Facts, figures: Figures) {
    const { policy, machines, current } = facts.snapshot;
    const members = [...facts.functions.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const kinds = kindsOf(machines);
    this.figures = figures;
    this.#most = policy.spec.channels.allowed.includes('InProcess') ? policy.spec.fusion.maxFunctions : 1;
    this.#alike = numbered(members, alikeKey);
    this.#shares = numbered(members, (fn) =>
      fn.spec.isolation === 'Shared' ? canonicalJson(fn.environment) : '',
    );
    for (const [i, fn] of members.entries()) if (fn.spec.isolation !== 'Shared') this.#shares[i] = -1;
    this.#homes = Int32Array.from(members, (fn) => homesOf(tiersOf(fn), architecturesOf(fn, facts), kinds));
    this.#present = kinds.reduce((bits, kind, i) => (kind.isPresent ? bits | (1 << i) : bits), 0);
    this.#largest = kinds;
    this.#credentialBytes = Float64Array.from(members, (fn) => credentialBytes(fn, facts));
    this.#current = unitsNow(figures, current?.units ?? []);
    this.#pinned = Int32Array.from(members, (_, i) =>
      figures.known[i] === 1 ? -1 : (this.#current[i] ?? -1),
    );
    this.#askedIn = new Int32Array(figures.names.length);
    this.#isLimited = facts.snapshot.enforcesLimits;
    this.#isReserved = policy.spec.price.model === 'Provisioned';
  }

  /** Whether every rule lets these share a process. One function alone always may. */
  fits(members: Members, count: number): boolean {
    return (
      count < 2 || (count <= this.#most && this.#areAlike(members, count) && this.#haveRoom(members, count))
    );
  }

  #areAlike(members: Members, count: number): boolean {
    const first = members[0] ?? 0;
    let shared = -1;
    let pinned = -1;
    for (let i = 0; i < count; i++) {
      const f = members[i] ?? 0;
      if (this.#alike[f] !== this.#alike[first]) return false;
      const shares = this.#shares[f] ?? -1;
      if (shares >= 0 && shared >= 0 && shares !== shared) return false;
      if (shares >= 0) shared = shares;
      if ((this.#pinned[f] ?? -1) >= 0) pinned = this.#pinned[f] ?? -1;
    }
    if (pinned < 0) return true;
    for (let i = 0; i < count; i++) if (this.#current[members[i] ?? 0] !== pinned) return false;
    return true;
  }

  #haveRoom(members: Members, count: number): boolean {
    const { requestBytes, requestCores } = this.figures;
    let homes = -1;
    let isHomeless = false;
    let bytes = 0;
    let cores = 0;
    let credential = CREDENTIAL_BYTES;
    for (let i = 0; i < count; i++) {
      const f = members[i] ?? 0;
      const own = this.#homes[f] ?? 0;
      homes &= own;
      isHomeless ||= (own & this.#present) === 0;
      bytes += requestBytes[f] ?? 0;
      cores += requestCores[f] ?? 0;
      credential += this.#credentialBytes[f] ?? 0;
    }
    if (homes === 0 || credential > CREDENTIAL_BYTES_MAX) return false;
    const there = homes & this.#present;
    return there === 0 ? isHomeless : this.#isOneLargeEnough(there, bytes, cores);
  }

  /** As the rules do, memory and cores are compared with the largest machine for each. */
  #isOneLargeEnough(homes: number, bytes: number, cores: number): boolean {
    let [mostBytes, mostCores] = [0, 0];
    for (let i = 0; i < this.#largest.length; i++) {
      if ((homes & (1 << i)) === 0) continue;
      mostBytes = Math.max(mostBytes, this.#largest[i]?.bytes ?? 0);
      mostCores = Math.max(mostCores, this.#largest[i]?.cores ?? 0);
    }
    return bytes <= mostBytes && (!this.#isLimited || cores <= mostCores + 1e-9);
  }

  /** Whether work that nobody waits for would keep the cores from what somebody waits for. */
  starves(members: Members, count: number): boolean {
    if (count < 2) return false;
    const { rate, waitedRate } = this.figures;
    let later = 0;
    let isWaited = false;
    for (let i = 0; i < count; i++) {
      const f = members[i] ?? 0;
      const waited = waitedRate[f] ?? 0;
      if ((rate[f] ?? 0) > waited) later += loadOf(this.figures, f) * (1 - waited / (rate[f] ?? 1));
      isWaited ||= waited > 0;
    }
    if (!isWaited || later === 0) return false;
    const { load, cores } = this.unit(members, count);
    return load > STARVING_RHO * cores;
  }

  /** The unit that these would be. The same object each time: it is to be read before the next question. */
  unit(members: Members, count: number): UnitFigures {
    const { figures } = this;
    const unit = this.#unit;
    let [cores, used, limit, load, cold, isKnown, homes] = [0, figures.host.processBytes, 0, 0, 0, true, -1];
    const question = ++this.#question;
    for (let i = 0; i < count; i++) {
      const f = members[i] ?? 0;
      cores += figures.limitCores[f] ?? 0;
      used += figures.memoryBytes[f] ?? 0;
      limit += figures.limitBytes[f] ?? 0;
      load += loadOf(figures, f);
      this.#askedIn[f] = question;
      cold = Math.max(cold, figures.sleeps[f] === 1 ? (figures.coldMs[f] ?? 0) : 0);
      isKnown &&= figures.isMemoryKnown[f] === 1;
      homes &= this.#homes[f] ?? 0;
    }
    const first = members[0] ?? 0;
    unit.cores = Math.min(this.#isLimited ? cores : Infinity, this.#coresOf(homes));
    unit.reservedCores = cores;
    unit.usedBytes = used;
    unit.reservedBytes =
      HOST_RESERVED_BYTES +
      (this.#isReserved && isKnown ? fittedBytes(used - figures.host.processBytes, limit) : limit);
    const isMember = (f: number): boolean => this.#askedIn[f] === question;
    unit.load = load + hostCores(figures.host, figures, members, count, isMember);
    unit.coldMs = cold;
    unit.instances = figures.instances[first] ?? 1;
    unit.idleSeconds = figures.idleSeconds[first] ?? 0;
    return unit;
  }

  /** Of the largest machine that they may run on. */
  #coresOf(homes: number): number {
    let most = 0;
    for (let i = 0; i < this.#largest.length; i++) {
      if ((homes & this.#present & (1 << i)) !== 0) most = Math.max(most, this.#largest[i]?.cores ?? 0);
    }
    return most > 0 ? most : Infinity;
  }
}

/** Equal texts get equal numbers. */
function numbered<T>(list: readonly T[], textOf: (item: T) => string): Int32Array {
  const numbers = new Map<string, number>();
  return Int32Array.from(list, (item) => {
    const text = textOf(item);
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    return number;
  });
}

const TIERS = ['Cloud', 'Edge'] as const;
const ARCHITECTURES = ['amd64', 'arm64', 'arm', 'ppc64le', 'riscv64', 's390x'] as const;

interface MachineKind {
  readonly tier: string;
  readonly architecture: string;
  readonly isPresent: boolean;
  readonly cores: number;
  readonly bytes: number;
}

/** Each tier with each architecture, and the largest machine of that kind. */
function kindsOf(machines: Facts['snapshot']['machines']): readonly MachineKind[] {
  return TIERS.flatMap((tier) =>
    ARCHITECTURES.map((architecture) => {
      const those = machines.filter((m) => m.tier === tier && m.architecture === architecture);
      return {
        tier,
        architecture,
        isPresent: those.length > 0,
        cores: Math.max(0, ...those.map((m) => (m.cpuMillis ?? Infinity) / 1000)),
        bytes: Math.max(0, ...those.map((m) => m.memoryBytes ?? Infinity)),
      };
    }),
  );
}

const homesOf = (
  tiers: readonly string[],
  architectures: readonly string[],
  kinds: readonly MachineKind[],
): number =>
  kinds.reduce(
    (bits, kind, i) =>
      tiers.includes(kind.tier) && architectures.includes(kind.architecture) ? bits | (1 << i) : bits,
    0,
  );

/** The number of the unit that each function runs in now; its own one where it runs in none. */
function unitsNow(figures: Figures, units: readonly { readonly functions: readonly string[] }[]): Int32Array {
  const now = Int32Array.from(figures.names, (_, i) => i);
  for (const { functions } of units) {
    const indices = functions.flatMap((name) => figures.index.get(name) ?? []);
    const number = Math.min(...indices);
    for (const i of indices) now[i] = number;
  }
  return now;
}
