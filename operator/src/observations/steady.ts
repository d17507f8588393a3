/**
 * Figures that stand still while what they measure does.
 *
 * Owns: when a figure that was told before is told anew. More samples of the same distribution move a mean a little all the
 * time; a plan that is made from it should see the same bytes. So a figure stays as it was told until it is off by more than
 * a tenth, or by more than chance makes of so few samples; then it is told with two digits.
 */
const TOLERANCE = 0.1;
/** In standard errors of samples whose deviation is about their mean; but of whatever samples, half is a difference. */
const CHANCE = 2;
const TOLERANCE_MAX = 0.5;

export interface Telling {
  /** Behind the figure; absent: it is exact. */
  readonly samples?: number;
  /** A difference up to this is none. */
  readonly least?: number;
}

export class Steady {
  readonly #told: Map<string, number>;
  #asked = new Set<string>();

  constructor(told: Readonly<Record<string, number>> = {}) {
    this.#told = new Map(Object.entries(told));
  }

  /** The figure of this name. */
  tell(name: string, value: number, { samples = Infinity, least = 0 }: Telling = {}): number {
    this.#asked.add(name);
    const before = this.#told.get(name);
    const chance = Math.min(TOLERANCE_MAX, CHANCE / Math.sqrt(Math.max(1, samples)));
    const tolerance = Math.max(TOLERANCE, chance);
    if (before !== undefined && Math.abs(value - before) <= Math.max(least, tolerance * Math.abs(before)))
      return before;
    const told = Number(value.toPrecision(2));
    this.#told.set(name, told);
    return told;
  }

  /** Forgets what was not asked for since the last time. */
  forgetOthers(): void {
    for (const name of this.#told.keys()) if (!this.#asked.has(name)) this.#told.delete(name);
    this.#asked = new Set();
  }

  toData(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#told);
  }
}
