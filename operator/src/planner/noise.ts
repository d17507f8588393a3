/**
 * How sure the model is of a gain: the figures are means of samples, and other samples would have given other means.
 *
 * Owns: the estimate. Every figure is moved by its standard error times a number drawn from a fixed seed, a few times; how far
 * the gain moves with them is its noise. The same figures are moved for both plans, so what both have in common cancels out.
 */
import { randomFrom } from './assignment.ts';
import type { Facts } from './facts.ts';
import type { Figures } from './figures.ts';
import { Study } from './study.ts';
import type { SizedGroup } from './study.ts';

const DRAWS = 16;
/** Of a mean whose error is a standard normal variable, 95 % lie within so many. */
const DEVIATIONS = 2;

/** By which share of the score the second plan is better than the first; below nothing: it is worse. */
export const gainOf = (before: number, after: number): number => (before > 0 ? 1 - after / before : 0);

/** Two standard deviations of the gain. */
export function noiseOf(
  before: readonly SizedGroup[],
  after: readonly SizedGroup[],
  study: Study,
  facts: Facts,
): number {
  const draw = normalFrom(randomFrom(1));
  const gains = Array.from({ length: DRAWS }, () => {
    const moved = new Study(facts, movedFigures(study.figures, draw));
    return gainOf(moved.predict(before).score, moved.predict(after).score);
  });
  const mean = gains.reduce((all, g) => all + g, 0) / DRAWS;
  const variance = gains.reduce((all, g) => all + (g - mean) ** 2, 0) / (DRAWS - 1);
  return DEVIATIONS * Math.sqrt(variance);
}

function movedFigures(figures: Figures, draw: () => number): Figures {
  const moved = (values: Float64Array, errors: Float64Array): Float64Array =>
    values.map((value, i) => value * Math.max(0, 1 + (errors[i] ?? 0) * draw()));
  return {
    ...figures,
    cpuMs: moved(figures.cpuMs, figures.cpuError),
    waitingMs: moved(figures.waitingMs, figures.waitingError),
    calls: moved(figures.calls, figures.edgeError),
    togetherMs: moved(figures.togetherMs, figures.edgeError),
    apartMs: moved(figures.apartMs, figures.edgeError),
  };
}

/** Standard normal numbers (Box and Muller). */
const normalFrom = (random: () => number) => (): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
