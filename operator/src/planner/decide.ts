/** Building decisions: what is not said is empty, so that a decision always has the same fields (same bytes out). */
import type { Decision, DecisionAlternative, DecisionInput } from './plan.ts';

type Brief = Omit<Decision, 'inputs' | 'alternatives' | 'margin'> &
  Partial<Pick<Decision, 'inputs' | 'alternatives' | 'margin'>>;

export const decision = ({ inputs = [], alternatives = [], margin = '', ...rest }: Brief): Decision => ({
  about: rest.about,
  kind: rest.kind,
  choice: rest.choice,
  reason: rest.reason,
  message: rest.message,
  inputs,
  alternatives,
  margin,
});

export const input = (name: string, value: string, source?: string): DecisionInput => ({
  name,
  value,
  ...(source === undefined ? {} : { source }),
});

export const alternative = (choice: string, reason: string, message: string): DecisionAlternative => ({
  choice,
  reason,
  message,
});

/** `ingest → count`, as decisions and messages name an edge. */
export const edgeLabel = (from: string, to: string): string => `${from} → ${to}`;

/** `a`, `a and b`, `a, b and c`; from the sixth on `and 7 more`. */
export function listText(names: readonly string[]): string {
  const shown = names.length > 6 ? [...names.slice(0, 5), `${names.length - 5} more`] : names;
  if (shown.length <= 1) return shown[0] ?? 'none';
  return `${shown.slice(0, -1).join(', ')} and ${shown[shown.length - 1] ?? ''}`;
}

/** A unit, as decisions name it: by its first function, because names are made later, from the plan. */
export const unitLabel = (unit: { readonly functions: readonly string[] }): string =>
  `unit ${unit.functions[0] ?? ''}`;
