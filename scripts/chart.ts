/**
 * Writes what the chart is generated from elsewhere: its CRDs, its values with their schema, and their reference.
 *
 *     node scripts/chart.ts           write the files
 *     node scripts/chart.ts --check   write nothing; exit 1 and name the files that differ
 *
 * Owns: the list of files and their bytes. The CRDs are those of `crds/generated/crds`, byte for byte; the chart's template
 * adds what Helm needs. Files are committed: a chart must hold them.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { referenceOf, schemaOf, yamlOf } from './chart/render.ts';

const ROOT = join(import.meta.dirname, '..');
const CRDS = 'crds/generated/crds';
const CHART_CRDS = 'helm/sinter/files/crds';

/** Every generated file: path from the root of the repository → content. */
export function chartFiles(): ReadonlyMap<string, string> {
  const crds = readdirSync(join(ROOT, CRDS)).sort();
  return new Map([
    ...crds.map((name) => [`${CHART_CRDS}/${name}`, readFileSync(join(ROOT, CRDS, name), 'utf8')] as const),
    ['helm/sinter/values.yaml', yamlOf()],
    ['helm/sinter/values.schema.json', schemaOf()],
    ['docs/reference/values.md', referenceOf()],
  ]);
}

/** The files that are missing, different, or of a kind that is gone. */
export function chartDifferences(): readonly string[] {
  const wanted = chartFiles();
  const different = [...wanted].filter(([path, text]) => read(path) !== text).map(([path]) => path);
  return [...different, ...leftovers(wanted)].sort();
}

const leftovers = (wanted: ReadonlyMap<string, string>): string[] =>
  present(CHART_CRDS)
    .map((name) => `${CHART_CRDS}/${name}`)
    .filter((path) => !wanted.has(path));

function present(folder: string): string[] {
  try {
    return readdirSync(join(ROOT, folder));
  } catch (cause) {
    if (isMissing(cause)) return [];
    throw cause;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(join(ROOT, path), 'utf8');
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw cause;
  }
}

const isMissing = (cause: unknown): boolean =>
  cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';

function write(): void {
  const wanted = chartFiles();
  for (const path of leftovers(wanted)) rmSync(join(ROOT, path));
  for (const [path, text] of wanted) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), text);
  }
}

function main(): void {
  if (!process.argv.includes('--check')) {
    write();
    return;
  }
  const different = chartDifferences();
  for (const path of different) process.stdout.write(`differs: ${path}\n`);
  process.exitCode = different.length === 0 ? 0 : 1;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) main();
