/**
 * Figures that stand still while what they measure does.
 *
 * Owns: when a figure that was told before is told anew. More samples of the same distribution move a mean a little all the
 * time; a plan that is made from it should see the same bytes. So a figure stays as it was told until it is off by more than
 * a twentieth, or by more than chance makes of so few samples, or there are twice as many of them; then it is told anew, with
 * three digits.
 */
const TOLERANCE = 0.05;
/** In standard errors of samples whose deviation is about their mean; but of however few samples, half is a difference. */
const CHANCE = 4;
const TOLERANCE_MAX = 0.5;

export interface Telling {
  /** Behind the figure; absent: it is exact. */
  readonly samples?: number;
  /** A difference up to this is none. */
  readonly least?: number;
}

/** What was told, and how many samples were behind it; null: it was exact. */
export type Told = readonly [value: number, samples: number | null];

export class Steady {
  readonly #told: Map<string, Told>;
  #asked = new Set<string>();

  constructor(told: Readonly<Record<string, Told>> = {}) {
    this.#told = new Map(Object.entries(told));
  }

  /** The figure of this name. */
  tell(name: string, value: number, { samples = Infinity, least = 0 }: Telling = {}): number {
    this.#asked.add(name);
    const before = this.#told.get(name);
    const known = before?.[1] ?? Infinity;
    if (before !== undefined && (samples < 2 * known || known === Infinity)) {
      const chance = Math.min(TOLERANCE_MAX, CHANCE / Math.sqrt(Math.max(1, samples)));
      const tolerance = Math.max(TOLERANCE, chance) * Math.abs(before[0]);
      if (Math.abs(value - before[0]) <= Math.max(least, tolerance)) return before[0];
    }
    const told = Number(value.toPrecision(3));
    this.#told.set(name, [told, Number.isFinite(samples) ? Math.round(samples) : null]);
    return told;
  }

  /** Forgets what was not asked for since the last time. */
  forgetOthers(): void {
    for (const name of this.#told.keys()) if (!this.#asked.has(name)) this.#told.delete(name);
    this.#asked = new Set();
  }

  toData(): Readonly<Record<string, Told>> {
    return Object.fromEntries(this.#told);
  }
}
