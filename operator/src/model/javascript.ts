/**
 * Is a text an ES module that a host can run as a function?
 *
 * Owns: what can be said without running it (D18): it is lexed, its default export is looked for, and its imports must
 * be Node's own, because a function is one module. Whether the export is a function the host sees at start.
 */
import { isBuiltin } from 'node:module';
import { parse } from 'es-module-lexer/minimal';

export interface CodeProblem {
  readonly reason: string;
  /** Goes on from "<field>: '<given>' ". */
  readonly says: string;
}

export function javascriptProblem(source: string): CodeProblem | undefined {
  const lexed = lex(source);
  if (typeof lexed === 'string') {
    return { reason: 'ModuleNotParsed', says: `is no ES module: ${lexed}; mend the text` };
  }
  if (!lexed.exports.includes('default')) {
    const has = lexed.exports.length === 0 ? 'nothing' : lexed.exports.join(', ');
    const says = `has no default export (it exports ${has}); write \`export default async (input, ctx) => output\``;
    return { reason: 'NoDefaultExport', says };
  }
  const strangers = lexed.imports.filter((name) => !isBuiltin(name));
  if (strangers.length === 0) return undefined;
  const says = `imports ${strangers.join(', ')}, but a function is one module; bundle it into one file, or import only from node:`;
  return { reason: 'ModuleImportsOthers', says };
}

/** Names of exports and of static imports; a text: what the lexer says against it. */
function lex(
  source: string,
): { readonly exports: readonly string[]; readonly imports: readonly string[] } | string {
  try {
    const [imports, exports] = parse(withoutMark(source));
    const fixed = imports.filter((i) => i.d === -1).flatMap((i) => i.n ?? []);
    return { exports: exports.map((e) => e.n), imports: [...new Set(fixed)] };
  } catch (cause) {
    return `it cannot be parsed${placeText(source, cause)}`;
  }
}

/** JavaScript takes a byte order mark for white space; the lexer would overlook what stands behind it. */
const withoutMark = (source: string): string => (source.startsWith('\uFEFF') ? source.slice(1) : source);

/** Line and column, where the lexer says how far it came. */
function placeText(source: string, cause: unknown): string {
  const at = cause instanceof Error && 'idx' in cause ? Number(cause.idx) : NaN;
  if (!Number.isInteger(at)) return '';
  const before = source.slice(0, at).split('\n');
  return ` at line ${before.length}, column ${(before[before.length - 1] ?? '').length + 1}`;
}
