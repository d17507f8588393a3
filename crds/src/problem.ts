/**
 * What is wrong with an object, in the wording of Kubernetes: which field, what was given, what is allowed and
 * what to do. Owns the shape, the path syntax and how a given value is shown. Neighbours: `issues.ts` and
 * `walk.ts` find problems in shape, `rules/` in meaning.
 */

export interface Problem {
  /** Path in Kubernetes' style, like `spec.edges[0].to`; empty for the object itself. */
  readonly field: string;
  /** What was given, as JSON; a string without quotes; empty when nothing was. At most 120 characters. */
  readonly given: string;
  /** What is allowed and what to do. */
  readonly message: string;
}

export type Path = readonly (string | number)[];

const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;
const SHOWN_MAX = 120;

/** `['spec', 'edges', 0, 'to']` → `spec.edges[0].to`; keys that are no words go into brackets. */
export function fieldPath(path: Path): string {
  let out = '';
  for (const part of path) {
    if (typeof part === 'number') out += `[${part}]`;
    else if (PLAIN_KEY.test(part)) out += out === '' ? part : `.${part}`;
    else out += `[${part}]`;
  }
  return out;
}

/** A value as a message shows it, cut to 120 characters. */
export function shown(value: unknown): string {
  if (value === undefined) return '';
  const whole = typeof value === 'string' ? value : jsonOf(value);
  return whole.length <= SHOWN_MAX ? whole : `${whole.slice(0, SHOWN_MAX - 1)}…`;
}

/** JSON says nothing of functions and symbols, although its type in TypeScript does not admit it. */
function jsonOf(value: unknown): string {
  const json = JSON.stringify(value, bigintsAsText) as string | undefined;
  return json ?? typeof value;
}

const bigintsAsText = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? `${value}` : value;

/** The value at a path, or undefined where the path leads nowhere. */
export function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) {
    if (value === null || typeof value !== 'object') return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/** One line per problem, as a person reads it. */
export function problemLine(problem: Problem): string {
  const place = problem.field === '' ? '' : `${problem.field}: `;
  return problem.given === ''
    ? `${place}${problem.message}`
    : `${place}'${problem.given}' ${problem.message}`;
}

/** The candidate nearest to what was given, when it is near enough to be a slip of the hand. */
export function didYouMean(given: string, candidates: readonly string[]): string | undefined {
  const allowed = given.length < 4 ? 1 : Math.max(2, Math.floor(given.length / 3));
  let best: string | undefined;
  let bestDistance = allowed + 1;
  for (const candidate of candidates) {
    const distance = editDistance(given.toLowerCase(), candidate.toLowerCase(), allowed);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Levenshtein distance, where anything above `limit` may be returned as `limit + 1`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? limit + 1;
}
