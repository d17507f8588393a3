/**
 * The search for the grouping that the cost model likes best: exact for a few functions, local for many.
 *
 * Neighbours: `cost.ts` scores, `groups.ts` says what is allowed and what a unit would be.
 * Invariant: no grouping that comes out breaks a rule.
 */
import type { Found, Question } from './assignment.ts';
import { EXACT_MAX, exactly } from './exact.ts';
import { locally } from './local.ts';

/** The best grouping that is not excluded; undefined: there is none. */
export function best(question: Question): Found | undefined {
  if (question.groups.figures.count > EXACT_MAX) return locally(question);
  const near = locally(question, 0);
  return exactly(question, 1, near ? [near] : [])[0];
}
