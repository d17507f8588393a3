/** The table of rules: every rule of every kind, in the order in which they are reported. */
import type { KindName } from '../types.ts';
import type { Rule } from './rule.ts';

export const RULES: readonly Rule[] = [];

/** The rules of a kind. */
export function rulesOf(kind: KindName): readonly Rule[] {
  return RULES.filter((rule) => rule.kinds.includes(kind));
}
