/**
 * One YAML file as documents, with the line of everything.
 *
 * Owns: how YAML is read. Neighbours: `../manifests.ts` and `kustomization.ts` say what the documents mean.
 *
 * Invariants
 * 1. YAML 1.2 with merge keys (`<<`); a key that stands twice is refused, because one of the two would be lost.
 * 2. kubectl and kustomize read YAML 1.1. Where that gives another value (`on:` is the key `true`, `0644` is 420),
 *    a Notice says so: the file works here and would not work, or mean something else, on a cluster.
 * 3. Bounded: files up to 8 MiB, and the aliases of a document expand at most a hundredfold.
 */
import { readFile, stat } from 'node:fs/promises';
import { isMap, isScalar, LineCounter, parseAllDocuments, visit } from 'yaml';
import type { Document, ParsedNode, Scalar } from 'yaml';
import { fileError, fileNotice } from './problem.ts';
import type { ManifestProblem } from './problem.ts';

/** Largest manifest that is read; an object in a cluster has 1.5 MiB at most. */
export const FILE_BYTES_MAX = 8 * 1024 * 1024;

export interface YamlDocument {
  readonly value: unknown;
  readonly line: number;
  /** The line of a key at the top of the document. */
  lineOf(key: string): number;
}

export interface YamlFile {
  readonly documents: readonly YamlDocument[];
  readonly problems: readonly ManifestProblem[];
}

/** Reads a file; what is wrong with it comes out as problems, and then there are no documents. */
export async function readYaml(file: string): Promise<YamlFile> {
  const text = await textOf(file);
  return typeof text === 'string' ? parseYaml(text, file) : { documents: [], problems: [text] };
}

async function textOf(file: string): Promise<string | ManifestProblem> {
  try {
    const { size } = await stat(file);
    if (size > FILE_BYTES_MAX) {
      const message = `has ${size} bytes; a manifest may have ${FILE_BYTES_MAX} at most: split it`;
      return fileError('FileTooLarge', { file }, message);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch (cause) {
    return fileError('FileUnreadable', { file }, readFailure(cause));
  }
}

/** Why a file could not be read, and what to do. */
export function readFailure(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOENT') return 'is not there; write the path of a file or folder that is';
  if (code === 'EACCES') return 'may not be read; change its permissions';
  if (code === 'EISDIR') return 'is a folder; a file is wanted here';
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'is not UTF-8 text; save it as UTF-8';
  return `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`;
}

/** The same for text that is there already; `file` is what problems call it. */
export function parseYaml(text: string, file: string): YamlFile {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    merge: true,
    version: '1.2',
  });
  const documents = [...parsed].filter(
    (document) => document.errors.length > 0 || !isEmpty(document.contents),
  );
  const problems = documents.flatMap((document) => [
    ...syntaxProblems(document, file, lines),
    ...yaml11Notices(document, file, lines),
  ]);
  if (problems.some(({ severity }) => severity === 'Error')) return { documents: [], problems };
  return withValues(documents, file, lines, problems);
}

const isEmpty = (node: ParsedNode | null): boolean =>
  node === null || (isScalar(node) && node.value === null);

function withValues(
  parsed: readonly Document.Parsed[],
  file: string,
  lines: LineCounter,
  problems: readonly ManifestProblem[],
): YamlFile {
  const documents: YamlDocument[] = [];
  for (const document of parsed) {
    const line = lineAt(document.contents, lines);
    try {
      const value: unknown = document.toJS({ maxAliasCount: 100 });
      documents.push({ value, line, lineOf: (key) => keyLine(document, key, lines) ?? line });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const message = `aliases cannot be followed: ${why}; write the values out`;
      return { documents: [], problems: [...problems, fileError('YamlInvalid', { file, line }, message)] };
    }
  }
  return { documents, problems };
}

const lineAt = (node: ParsedNode | null, lines: LineCounter): number =>
  lines.linePos(node?.range[0] ?? 0).line;

function keyLine(document: Document.Parsed, key: string, lines: LineCounter): number | undefined {
  if (!isMap(document.contents)) return undefined;
  const pair = document.contents.items.find(({ key: k }) => isScalar(k) && k.value === key);
  return pair ? lineAt(pair.key, lines) : undefined;
}

/** Errors, and warnings too: a tag that nobody knows is a value that is not what its author meant. */
function syntaxProblems(document: Document.Parsed, file: string, lines: LineCounter): ManifestProblem[] {
  return [...document.errors, ...document.warnings].map(({ pos, message, code }) => {
    const line = lines.linePos(pos[0]).line;
    if (code === 'DUPLICATE_KEY') {
      return fileError(
        'DuplicateKey',
        { file, line },
        'the key stands twice in this map; keep one of the two',
      );
    }
    return fileError('YamlInvalid', { file, line }, `is not valid YAML here: ${message}`);
  });
}

const TRUE_11 = /^(y|Y|yes|Yes|YES|on|On|ON)$/;
const FALSE_11 = /^(n|N|no|No|NO|off|Off|OFF)$/;
const OCTAL_11 = /^[-+]?0[0-7]+$/;

function yaml11Notices(document: Document.Parsed, file: string, lines: LineCounter): ManifestProblem[] {
  const found: ManifestProblem[] = [];
  visit(document, {
    Scalar: (_, node) => {
      const message = node.type === 'PLAIN' ? yaml11Difference(node) : undefined;
      if (message === undefined) return;
      const line = lines.linePos(node.range?.[0] ?? 0).line;
      found.push(fileNotice('Yaml11', { file, line }, message));
    },
  });
  return found;
}

/** What kubectl makes of an unquoted scalar, where that is not what is read here. */
function yaml11Difference(node: Scalar): string | undefined {
  const source = node.source ?? '';
  if (node.tag !== undefined) return undefined; // `!!str on` is a word for everybody
  if (TRUE_11.test(source) || FALSE_11.test(source)) {
    const value = TRUE_11.test(source) ? 'true' : 'false';
    return `${source} is read as a word here, but as the boolean ${value} by kubectl (YAML 1.1); quote it: '${source}'`;
  }
  if (OCTAL_11.test(source)) {
    const octal = Number.parseInt(source, 8);
    return `${source} is ${Number(source)} here, but octal, that is ${octal}, for kubectl (YAML 1.1); write ${octal}`;
  }
  return undefined;
}
