/**
 * Why a file or folder cannot be used, in words.
 *
 * Owns: the words for the codes of the system; whoever says them adds the path and what to do.
 */
const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'is not there',
  ENOTDIR: 'is not a folder',
  EEXIST: 'is not a folder',
  EACCES: 'may not be used by this user',
  EPERM: 'may not be used by this user',
  EROFS: 'cannot be written to',
  ENOSPC: 'has no room left',
};

export const codeOf = (cause: unknown): string =>
  cause instanceof Error && 'code' in cause ? String(cause.code) : '';

/** Why a folder cannot be used, as a predicate: `is not there`. */
export const whyNot = (cause: unknown): string =>
  WORDS[codeOf(cause)] ?? `cannot be used (${cause instanceof Error ? cause.message : String(cause)})`;
