/**
 * A snapshot as a file: what `sinter snapshot` writes and `sinter plan --snapshot` reads, or a person writes by hand.
 *
 * Owns: reading with every mistake named (the field, what was given, what is allowed), and writing. Neighbours: `schema.ts`
 * has the form and its defaults, `judgement.ts` what one field alone cannot say. Pure: the caller opens files.
 * Invariants:
 *  1. What was written is read as it was: the same snapshot, and so the same plan.
 *  2. A file with a mistake gives no snapshot, whatever the mistake.
 */
import { canonicalJson } from '../model/canonical.ts';
import type { WorkflowName } from '../model/nouns.ts';
import { judge } from '../model/schemas.ts';
import type { Problem } from '../model/schemas.ts';
import { freeze } from './freeze.ts';
import { contradictions } from './judgement.ts';
import { inOrder } from './observations.ts';
import { snapshotSchema } from './schema.ts';
import type { SnapshotFile } from './schema.ts';
import type { Snapshot, SnapshotFunction } from './snapshot.ts';

export type SnapshotReading =
  | { readonly ok: true; readonly snapshot: Snapshot }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** The snapshot that a text says. `expected`: the workflow that it must be of. */
export function readSnapshot(text: string, expected?: WorkflowName): SnapshotReading {
  const parsed = parse(text);
  if ('problem' in parsed) return { ok: false, problems: [parsed.problem] };
  const judged = judge(parsed.value, snapshotSchema);
  if (!judged.ok) return judged;
  const file = judged.value;
  const problems = [...strangers(file, expected), ...contradictions(file)];
  return problems.length > 0 ? { ok: false, problems } : { ok: true, snapshot: snapshotOf(file) };
}

/** A snapshot as text, one field a line; the same snapshot gives the same bytes. */
export function snapshotText(snapshot: Snapshot): string {
  const functions = snapshot.functions.map(({ spec: { artifacts: _, ...spec }, ...fn }) => ({ ...fn, spec }));
  const ordered: unknown = JSON.parse(canonicalJson({ ...snapshot, functions }));
  return `${JSON.stringify(ordered, undefined, 2)}\n`;
}

type Parsed = { readonly value: unknown } | { readonly problem: Problem };

function parse(text: string): Parsed {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return { problem: { field: '', given: ending(text), message: whyNoJson(text) } };
  }
}

const ENDING = 40;

/** On one line, as messages quote it. */
const ending = (text: string): string => {
  const flat = text
    .slice(-20 * ENDING)
    .replaceAll(/\s+/g, ' ')
    .trim();
  return text.length <= ENDING ? flat : `…${flat.slice(-ENDING)}`;
};

/** A word that JavaScript knows as a number and JSON does not, outside of any string. */
const NO_NUMBER = /[:[,]\s*(-?(?:NaN|Infinity)|undefined)\b/;

function whyNoJson(text: string): string {
  if (text.trim() === '') return 'is empty: a snapshot is a JSON object; `sinter snapshot` writes one';
  const word = NO_NUMBER.exec(text.replace(/"(?:[^"\\]|\\.)*"/g, '""'))?.[1];
  if (word !== undefined) {
    return `is not JSON: it has ${word}, which is no number there; leave the field out where nothing was measured`;
  }
  if (!text.trimEnd().endsWith('}')) {
    return 'is how it ends, and that is not the end of a JSON object: it is truncated; write it again';
  }
  return 'is how it ends, but it is not JSON: `sinter snapshot` writes one';
}

/** A snapshot of another workflow would give that one's plan. */
function strangers({ workflow }: SnapshotFile, expected: WorkflowName | undefined): readonly Problem[] {
  if (!expected) return [];
  const given = `${workflow.namespace}/${workflow.name}`;
  const wanted = `${expected.namespace}/${expected.workflow}`;
  if (given === wanted) return [];
  const message = `must be '${wanted}': this snapshot is of another workflow; take one of this`;
  return [{ field: 'workflow.name', given, message }];
}

function snapshotOf(file: SnapshotFile): Snapshot {
  const { functions, observations, machines, ...rest } = file;
  return freeze({
    ...rest,
    functions: (functions ?? defaultFunctions(file)).map(functionOf).sort(byName),
    machines: [...machines].sort(byName),
    observations: inOrder(observations),
  });
}

type FileFunction = NonNullable<SnapshotFile['functions']>[number];

/** Every vertex that is no Service, with the defaults of the API. */
function defaultFunctions({ workflow }: SnapshotFile): readonly FileFunction[] {
  const named = workflow.spec.functions
    .filter((vertex) => !vertex.service)
    .map((vertex) => ({ name: vertex.name, functionName: vertex.functionRef?.name }));
  const filled = judge({ functions: named }, snapshotSchema.pick({ functions: true }));
  return filled.ok ? (filled.value.functions ?? []) : [];
}

const functionOf = ({
  functionName,
  spec,
  artifacts,
  environment,
  ...fn
}: FileFunction): SnapshotFunction => ({
  ...fn,
  functionName: functionName ?? fn.name,
  spec: { ...spec, artifacts: [] },
  artifacts: [...artifacts].sort(byName),
  environment: environment as unknown as SnapshotFunction['environment'],
  secrets: [...fn.secrets].sort(),
});

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
