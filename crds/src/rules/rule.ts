/**
 * One rule of the API, said twice: in CEL for the API server and in TypeScript for a machine without one.
 *
 * Owns: the shape of a rule. Neighbours: the files beside this one hold the tables; `../crd.ts` writes the CEL
 * into the CRD, `../validate.ts` runs the predicates; the parity test holds the two together.
 *
 * Invariants
 * 1. `rule` is one line and cheap: at full size of every list it stays under the API server's budget.
 * 2. `find` is total on objects that passed the schema and returns nothing exactly where `rule` is true.
 * 3. The first finding's `given` is what the CEL expression `given` evaluates to.
 */
import type { Path } from '../problem.ts';
import type { KindName } from '../types.ts';

/** A place below the rule's path where it is broken, and what was given there. */
export interface Finding {
  readonly at: Path;
  readonly given: string;
}

export interface Rule {
  /** The fact found when it is broken, like `EdgeToUnknownFunction`; for tests and documents. */
  readonly name: string;
  readonly kinds: readonly KindName[];
  /** Where it is evaluated, like `spec.edges[]`; empty: on the object itself. */
  readonly path: string;
  /** The CEL rule; `self` is the value at `path`. */
  readonly rule: string;
  /** A CEL expression for the value that is wrong, as a string. */
  readonly given: string;
  /** What is allowed and what to do, starting with "must"; it follows the given value in quotes. */
  readonly message: string;
  /** Whether it compares with the stored object (`oldSelf`); such a rule is skipped on create. */
  readonly transition: boolean;
  readonly find: (self: unknown, oldSelf: unknown) => readonly Finding[];
}

interface RuleText<Self> {
  readonly name: string;
  readonly rule: string;
  readonly given: string;
  readonly message: string;
  readonly transition?: true;
  readonly find: (self: Self, oldSelf: Self) => readonly Finding[];
}

/** The rules that hold at one path. `Self` is the type of the value there, after defaulting. */
export function rulesAt<Self>(
  kinds: readonly KindName[],
  path: string,
  rules: readonly RuleText<Self>[],
): readonly Rule[] {
  return rules.map(({ find, ...rule }) => ({
    ...rule,
    kinds,
    path,
    transition: rule.transition ?? false,
    find: (self, oldSelf) => find(self as Self, oldSelf as Self),
  }));
}

/** No finding when `holds`, else one at the place. */
export function must(holds: boolean, given: string | number, ...at: Path): readonly Finding[] {
  return holds ? [] : [{ at, given: String(given) }];
}

/** A CEL string literal. */
export function celString(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/**
 * The CEL expression behind the API server's message: the given value in quotes, then what must be.
 *
 * By `replace` and not by `+`: the server prices a concatenation by the size of its parts and knows no size for
 * `string(7)` or for the first item of a filtered list, so it would refuse the CRD as too expensive. It prices
 * `replace` by the text that is searched.
 */
export function messageExpression(rule: Rule): string {
  return `${celString(`'{given}' ${rule.message}`)}.replace('{given}', ${rule.given})`;
}
