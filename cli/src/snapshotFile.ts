/**
 * A snapshot that is given by its path: what is in it, or what is wrong with it as problems of that file.
 *
 * Owns: opening it, and the words where that fails. What a snapshot is, is `snapshot/`'s affair.
 */
import { readFile } from 'node:fs/promises';
import type { ManifestProblem } from '@sinter/operator/local/manifests';
import { readSnapshot } from '@sinter/operator/snapshot/index';
import type { Snapshot } from '@sinter/operator/snapshot/index';
import { EXIT, Refusal } from './exit.ts';
import type { Terminal } from './terminal.ts';

export type SnapshotFileReading =
  | { readonly ok: true; readonly snapshot: Snapshot }
  | { readonly ok: false; readonly problems: readonly ManifestProblem[] };

/** `-`: standard input. Rejects with a Refusal where the file cannot be opened. */
export async function readSnapshotFile(path: string, terminal: Terminal): Promise<SnapshotFileReading> {
  const read = readSnapshot(await textOf(path, terminal));
  if (read.ok) return read;
  return { ok: false, problems: read.problems.map((p) => problemIn(nameOf(path), p)) };
}

async function textOf(path: string, terminal: Terminal): Promise<string> {
  if (path === '-') return Buffer.from(await terminal.readInput()).toString();
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    const message = `--snapshot: '${path}' cannot be read (${why}); 'sinter snapshot WORKFLOW > ${path}' writes one`;
    throw new Refusal(EXIT.refused, message, { cause });
  }
}

export const nameOf = (path: string): string => (path === '-' ? 'standard input' : path);

const problemIn = (
  file: string,
  { field, given, message }: { readonly field: string; readonly given: string; readonly message: string },
): ManifestProblem => ({
  severity: 'Error',
  reason: 'BadSnapshot',
  file,
  message: `${field === '' ? '' : `${field}: `}${given === '' ? '' : `'${given}' `}${message}`,
});
