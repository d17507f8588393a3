/**
 * Conditions of a status: what is true of an object, when it last changed, and of which generation it speaks.
 *
 * Owns: lastTransitionTime, which changes only when a condition's status does, and the order of conditions. Pure.
 */
import type { Condition } from '@sinter/crds';
import type { Finding } from '../model/finding.ts';
import { isError, objectLabel } from '../model/finding.ts';

/** A condition before it has a time. */
export interface Fact {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  /** Never empty. */
  readonly reason: string;
  readonly message: string;
}

const MESSAGE_MAX = 2048;
const FINDINGS_SHOWN = 3;

/** `before`: conditions as they stand on the object; `now`: RFC 3339. */
export const conditionsOf = (
  facts: readonly Fact[],
  before: readonly Condition[],
  observedGeneration: number,
  now: string,
): readonly Condition[] =>
  facts.map(({ type, status, reason, message }) => {
    const old = before.find((c) => c.type === type);
    const lastTransitionTime = old?.status === status ? old.lastTransitionTime : now;
    return { type, status, observedGeneration, lastTransitionTime, reason, message: cut(message) };
  });

const cut = (text: string): string =>
  text.length <= MESSAGE_MAX ? text : `${text.slice(0, MESSAGE_MAX - 1)}…`;

/** The conditions on a stored object, whatever else stands there. */
export function storedConditions(status: unknown): readonly Condition[] {
  const { conditions } = fieldsOf(status);
  return Array.isArray(conditions) ? (conditions as readonly Condition[]) : [];
}

export const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};

/** What is wrong, in a few sentences; findings on other objects say on which. `about`: the object that is told. */
export function findingsMessage(findings: readonly Finding[], about: { readonly kind: string }): string {
  const sentences = [...new Set(findings.map((f) => sentence(f, about)))];
  const more = sentences.length - FINDINGS_SHOWN;
  return [...sentences.slice(0, FINDINGS_SHOWN), ...(more > 0 ? [`and ${String(more)} more`] : [])].join(
    '; ',
  );
}

const sentence = (finding: Finding, about: { readonly kind: string }): string =>
  finding.object.kind === about.kind ? finding.message : `${objectLabel(finding.object)}: ${finding.message}`;

export const errorsOf = (findings: readonly Finding[]): readonly Finding[] => findings.filter(isError);

/** What was written and is followed otherwise; absent where there is nothing of that kind. */
export function notYetFacts(findings: readonly Finding[], about: { readonly kind: string }): readonly Fact[] {
  const later = findings.filter((f) => !isError(f) && f.reason === 'NotYet');
  if (later.length === 0) return [];
  return [{ type: 'NotYet', status: 'True', reason: 'NotYet', message: findingsMessage(later, about) }];
}
