/**
 * Sums that fade: what is older weighs less.
 *
 * Owns: the arithmetic. Whoever adds says how old things are, by a clock that only grows and may stand still.
 * Invariant: what is added twice as long ago as HALF_LIFE_MS weighs a quarter, in whatever steps it was looked at.
 */
export const HALF_LIFE_MS = 300_000;
/** What was largest is forgotten more slowly: a peak is what has to fit the next time. */
const PEAK_HALF_LIFE_MS = 12 * HALF_LIFE_MS;

/** What is left of a sum after so long. */
const left = (ms: number, halfLifeMs: number): number => 2 ** (-Math.max(0, ms) / halfLifeMs);

/** How many milliseconds of the last `ms` a sum holds that each of them adds one to. */
export const windowMs = (ms: number): number => (HALF_LIFE_MS / Math.LN2) * (1 - left(ms, HALF_LIFE_MS));

/** As it is kept. */
export interface FadingData {
  readonly atMs: number;
  readonly sums: Readonly<Record<string, number>>;
  readonly counts: readonly number[];
  readonly peak: number;
}

/** Named sums, a histogram and a largest value, of one thing that is observed. */
export class Fading<Name extends string> {
  #atMs: number;
  readonly #sums = new Map<Name, number>();
  #counts: number[] = [];
  #peak = 0;

  constructor(atMs: number) {
    this.#atMs = atMs;
  }

  /** Names that are new start from zero; an absent value adds nothing. */
  add(
    atMs: number,
    sums: Readonly<Partial<Record<Name, number | undefined>>>,
    counts: readonly number[] = [],
    peak = 0,
  ): void {
    this.#fade(atMs);
    for (const [name, value] of Object.entries(sums) as [Name, number | undefined][])
      if (value !== undefined) this.#sums.set(name, this.get(name) + value);
    counts.forEach((n, i) => (this.#counts[i] = (this.#counts[i] ?? 0) + n));
    this.#peak = Math.max(this.#peak, peak);
  }

  get(name: Name): number {
    return this.#sums.get(name) ?? 0;
  }

  /** Was anything ever added under this name? */
  has(name: Name): boolean {
    return this.#sums.has(name);
  }

  get counts(): readonly number[] {
    return this.#counts;
  }

  get peak(): number {
    return this.#peak;
  }

  /** Takes up all that another one holds. */
  merge(other: Fading<Name>): void {
    const atMs = Math.max(this.#atMs, other.#atMs);
    other.#fade(atMs);
    this.add(
      atMs,
      Object.fromEntries(other.#sums) as Partial<Record<Name, number>>,
      other.#counts,
      other.#peak,
    );
  }

  /** As it is at this time. */
  at(atMs: number): this {
    this.#fade(atMs);
    return this;
  }

  toData(): FadingData {
    return {
      atMs: Math.round(this.#atMs),
      sums: Object.fromEntries([...this.#sums].map(([name, value]) => [name, shortened(value)])),
      counts: this.#counts.map(shortened),
      peak: this.#peak,
    };
  }

  static from<Name extends string>({ atMs, sums, counts, peak }: FadingData): Fading<Name> {
    const fading = new Fading<Name>(atMs);
    fading.add(atMs, sums as Partial<Record<Name, number>>, counts, peak);
    return fading;
  }

  #fade(atMs: number): void {
    const ms = atMs - this.#atMs;
    if (!(ms > 0)) return;
    this.#atMs = atMs;
    const factor = left(ms, HALF_LIFE_MS);
    for (const [name, value] of this.#sums) this.#sums.set(name, value * factor);
    this.#counts = this.#counts.map((n) => n * factor);
    this.#peak *= left(ms, PEAK_HALF_LIFE_MS);
  }
}

const shortened = (value: number): number => Number(value.toPrecision(6));
