/** Building decisions: what is not said is empty, so that a decision always has the same fields (same bytes out). */
import type { Decision, DecisionAlternative, DecisionInput, Predicted } from './plan.ts';

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

export const input = (name: string, value: string, source?: string, samples?: number): DecisionInput => ({
  name,
  value,
  ...(source === undefined ? {} : { source }),
  ...(samples === undefined || samples === 0 ? {} : { samples }),
});

export const alternative = (
  choice: string,
  reason: string,
  message: string,
  predicted: Pick<DecisionAlternative, 'predicted' | 'margin'> = {},
): DecisionAlternative => ({ choice, reason, message, ...predicted });

/** What a whole plan comes to, for an alternative in one of its decisions. */
export const predictedOf = ({ latencyMs, memoryBytes, cost }: Predicted): Predicted => ({
  latencyMs,
  memoryBytes,
  cost,
});

/** `ingest → count`, as decisions and messages name an edge. */
export const edgeLabel = (from: string, to: string): string => `${from} → ${to}`;

/** `a`, `a and b`, `a, b and c`; from the sixth on `and 7 more`. */
export function listText(names: readonly string[]): string {
  const shown = names.length > 6 ? [...names.slice(0, 5), `${names.length - 5} more`] : names;
  if (shown.length <= 1) return shown[0] ?? 'none';
  return `${shown.slice(0, -1).join(', ')} and ${shown[shown.length - 1] ?? ''}`;
}

/** `12.3 ms`: three digits, as more say nothing. */
export const msText = (ms: number): string => `${digits(ms)} ms`;

/** `128 MB`. */
export const mbText = (bytes: number): string => `${digits(bytes / 1e6)} MB`;

/** `12 %`, `-0.4 %`: a share in hundredths. */
export const percentText = (share: number): string => `${digits(share * 100)} %`;

/** Money, in the policy's currency. */
export const costText = (cost: number): string => digits(cost);

/** Three digits, without an exponent as far as people like to read them. */
function digits(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const rounded = Number(value.toPrecision(3));
  return Math.abs(rounded) >= 1e-3 ? String(rounded) : rounded.toExponential();
}

/** A unit, as decisions name it: by its first function, because names are made later, from the plan. */
export const unitLabel = (unit: { readonly functions: readonly string[] }): string =>
  `unit ${unit.functions[0] ?? ''}`;
