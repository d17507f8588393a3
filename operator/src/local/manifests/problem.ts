/**
 * What is wrong with a manifest file.
 *
 * Owns: the shape, and how a line of it reads. A finding is about an object, this is about a file: there may be no
 * object yet. Invariant: a message names what was given, what is allowed, and what to do.
 */

export interface ManifestProblem {
  /** Error: nothing of what was read may be applied. Notice: it is read, and a cluster may read it differently. */
  readonly severity: 'Error' | 'Notice';
  /** The fact found, one word in PascalCase; stable, for programs. */
  readonly reason: string;
  /** As the reader was given it, or below that. */
  readonly file: string;
  /** From 1; undefined: the file as a whole. */
  readonly line?: number;
  readonly message: string;
}

/** A place in a file. */
export interface FilePlace {
  readonly file: string;
  readonly line?: number | undefined;
}

const make = (
  severity: ManifestProblem['severity'],
  reason: string,
  { file, line }: FilePlace,
  message: string,
): ManifestProblem => ({ severity, reason, file, ...(line === undefined ? {} : { line }), message });

export const fileError = (reason: string, place: FilePlace, message: string): ManifestProblem =>
  make('Error', reason, place, message);

export const fileNotice = (reason: string, place: FilePlace, message: string): ManifestProblem =>
  make('Notice', reason, place, message);

/** `file:line: message`, as compilers and editors write it. */
export const manifestProblemLine = ({ file, line, message }: ManifestProblem): string =>
  `${file}${line === undefined ? '' : `:${line}`}: ${message}`;
