/**
 * Writes what the chart is generated from elsewhere: its CRDs, its values with their schema, and their reference.
 *
 *     node scripts/chart.ts           write the files
 *     node scripts/chart.ts --check   write nothing; exit 1 and name the files that differ
 *
 * Owns: the list of files and their bytes. The CRDs are those of `crds/generated/crds`, byte for byte; the chart's template
 * adds what Helm needs. Files are committed: a chart must hold them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { differencesFrom, generate } from '../crds/src/generatedFiles.ts';
import type { Generated } from '../crds/src/generatedFiles.ts';
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

const generated = (): Generated => ({ files: chartFiles(), folders: [CHART_CRDS] });

/** The files that are missing, different, or of a kind that is gone. */
export const chartDifferences = (): readonly string[] => differencesFrom(generated());

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  process.exitCode = generate(process.argv.slice(2), 'node scripts/chart.ts', generated());
