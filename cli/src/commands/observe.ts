/**
 * `sinter observe FILE`: what spans of services that run tell of them, and what sharing processes, moving or deferring would
 * save, before anything is ported.
 *
 * Owns: opening the file, writing the snapshot, and the order of what is said. Neighbours: `spans/` derives, `savings.ts`
 * compares.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { readSnapshot, snapshotText } from '@sinter/operator/snapshot/index';
import type { Snapshot } from '@sinter/operator/snapshot/index';
import { derive } from '@sinter/operator/spans/index';
import type { Derived, Grain } from '@sinter/operator/spans/index';
import { EXIT, Refusal } from '../exit.ts';
import type { ExitCode } from '../exit.ts';
import { savingsOf } from '../savings.ts';
import type { Terminal } from '../terminal.ts';
import { problemLines } from '../text/findings.ts';
import { observedLines } from '../text/observed.ts';
import { assumptionLines, savingLines } from '../text/savings.ts';

export interface ObserveOptions {
  /** Path of the spans; `-`: standard input. */
  readonly spans: string;
  /** Where the snapshot is to be written; undefined: nowhere. */
  readonly snapshot: string | undefined;
  readonly name: string;
  readonly grain: Grain;
  readonly json: boolean;
}

export async function observeCommand(options: ObserveOptions, terminal: Terminal): Promise<ExitCode> {
  const text = await textOf(options.spans, terminal);
  const derived = derive(text, { workflow: options.name, grain: options.grain });
  if (!derived.ok) return refuse(derived.problems, options, terminal);
  const read = readSnapshot(JSON.stringify(derived.value.snapshot));
  if (!read.ok) return refuse(read.problems, options, terminal);
  if (options.snapshot !== undefined) await write(options.snapshot, snapshotText(read.snapshot));
  report(derived.value, read.snapshot, options, terminal);
  return EXIT.done;
}

async function textOf(path: string, terminal: Terminal): Promise<string> {
  try {
    return path === '-' ? Buffer.from(await terminal.readInput()).toString() : await readFile(path, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    const isLong = code === 'ERR_STRING_TOO_LONG' || code === 'ERR_FS_FILE_TOO_LARGE';
    const what = isLong
      ? 'it is too large: take a shorter stretch of time'
      : 'give a file with OTLP/JSON, or -';
    throw new Refusal(EXIT.refused, `'${path}' cannot be read (${code}); ${what}`, { cause });
  }
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new Refusal(EXIT.refused, `--snapshot: '${path}' cannot be written (${code})`, { cause });
  }
}

type Problems = Extract<ReturnType<typeof derive>, { readonly ok: false }>['problems'];

function refuse(problems: Problems, { spans, json }: ObserveOptions, { out, err }: Terminal): ExitCode {
  const file = spans === '-' ? 'standard input' : spans;
  const shown = problems.map(({ field, given, message }) => ({
    severity: 'Error' as const,
    reason: 'BadSpans',
    file,
    message: `${field === '' ? '' : `${field}: `}${given === '' ? '' : `'${given}' `}${message}`,
  }));
  if (json) out.line(JSON.stringify({ problems: shown }, undefined, 2));
  else for (const problem of shown) for (const line of problemLines(problem, err.colors)) err.line(line);
  return EXIT.refused;
}

function report(
  derived: Derived,
  snapshot: Snapshot,
  options: ObserveOptions,
  { out, command }: Terminal,
): void {
  const savings = savingsOf(snapshot);
  if (options.json) {
    const { spans, traces, functions, assumptions } = derived;
    const file = JSON.parse(snapshotText(snapshot)) as object;
    out.line(
      JSON.stringify({ spans, traces, functions, savings, assumptions, snapshot: file }, undefined, 2),
    );
    return;
  }
  const lines = [
    ...observedLines(derived, snapshot, out.colors),
    '',
    ...(savings
      ? savingLines(savings, snapshot, out.colors)
      : ['nothing can be compared: nothing was measured']),
    ...assumptionLines(derived.assumptions, out.colors),
    ...(options.snapshot === undefined
      ? []
      : ['', `${command} explain --snapshot ${options.snapshot}   # every decision, with its inputs`]),
  ];
  for (const line of lines) out.line(line);
}
