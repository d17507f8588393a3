/**
 * What is wrong with a snapshot file though each field alone is right: the API's rules for the specs in it, figures of
 * functions that are not in the graph, figures that contradict each other, and clocks that ran backwards.
 *
 * Owns: the sentences. Each names the field, and says what is allowed and what to do.
 */
import { syncCycle } from '../model/graph.ts';
import { validate } from '../model/schemas.ts';
import type { Problem } from '../model/schemas.ts';
import type { SnapshotFile } from './schema.ts';

export const contradictions = (file: SnapshotFile): readonly Problem[] => [
  ...brokenRules(file),
  ...graphProblems(file),
  ...unknownNames(file),
  ...figureProblems(file),
  ...repeated(file.machines, (m) => m.name, 'machines', 'name'),
  ...unitProblems(file),
  ...clockProblems(file),
];

/** The rules that an API server has for Workflow, policy and Function hold here too. */
function brokenRules({ workflow, policy, functions = [] }: SnapshotFile): readonly Problem[] {
  const { name } = workflow;
  return [
    ...ruleProblems('Workflow', name, workflow.spec, 'workflow.spec'),
    ...ruleProblems('OptimizationPolicy', policy.name || 'default', policy.spec, 'policy.spec'),
    ...functions.flatMap((fn, i) =>
      ruleProblems('Function', fn.name, { ...fn.spec, artifacts: SOME_ARTIFACT }, `functions[${i}].spec`),
    ),
  ];
}

/** Stands for the artifacts, which are no part of a spec in a file. */
const SOME_ARTIFACT = [{ name: 'js', type: 'JavaScript', module: { inline: 'export default () => 0;' } }];

function ruleProblems(kind: string, name: string, spec: unknown, at: string): readonly Problem[] {
  const verdict = validate({ apiVersion: 'sinter.dev/v1alpha1', kind, metadata: { name }, spec });
  return verdict.ok ? [] : verdict.problems.map((p) => ({ ...p, field: p.field.replace(/^spec/, at) || at }));
}

function graphProblems({ workflow: { spec }, functions }: SnapshotFile): readonly Problem[] {
  const problems: Problem[] = [];
  const cycle = syncCycle(spec.edges);
  if (cycle) {
    const message = 'must have no cycle of Sync edges: each would wait for the next; make one of them Async';
    problems.push({ field: 'workflow.spec.edges', given: cycle.join(' → '), message });
  }
  if (!functions) return problems;
  const vertices = spec.functions.filter((v) => !v.service).map((v) => v.name);
  return [
    ...problems,
    ...repeated(functions, (fn) => fn.name, 'functions', 'name'),
    ...missing(vertices, functions),
    ...functions.flatMap(({ name }, i) =>
      vertices.includes(name) ? [] : [notInGraph(`functions[${i}].name`, name)],
    ),
  ];
}

const missing = (vertices: readonly string[], functions: readonly { name: string }[]): readonly Problem[] =>
  vertices
    .filter((vertex) => !functions.some((fn) => fn.name === vertex))
    .map((vertex) => ({
      field: 'functions',
      given: vertex,
      message: `is in the graph and not in the list: add {"name": "${vertex}"}, or leave \`functions\` out for defaults`,
    }));

const notInGraph = (field: string, given: string): Problem => ({
  field,
  given,
  message: 'is no function of workflow.spec.functions: correct the name, or remove the figures',
});

function unknownNames({ workflow, observations }: SnapshotFile): readonly Problem[] {
  const known = new Set(workflow.spec.functions.map((f) => f.name));
  const edges = new Set(workflow.spec.edges.map((e) => `${e.from} → ${e.to}`));
  const named = (list: 'roots' | 'functions'): readonly Problem[] =>
    observations[list].flatMap((item, i) =>
      known.has(item.function) ? [] : [notInGraph(`observations.${list}[${i}].function`, item.function)],
    );
  return [
    ...named('roots'),
    ...named('functions'),
    ...observations.edges.flatMap(({ from, to }, i) =>
      edges.has(`${from} → ${to}`) ? [] : [noEdge(`observations.edges[${i}]`, `${from} → ${to}`)],
    ),
    ...observations.units.flatMap((unit, i) =>
      unit.functions.flatMap((name, j) =>
        known.has(name) ? [] : [notInGraph(`observations.units[${i}].functions[${j}]`, name)],
      ),
    ),
  ];
}

const noEdge = (field: string, given: string): Problem => ({
  field,
  given,
  message: 'is no edge of workflow.spec.edges: correct the names, or remove the figures',
});

function figureProblems({ observations: o }: SnapshotFile): readonly Problem[] {
  return [
    ...repeated(o.roots, (r) => `${r.function} ${r.call}`, 'observations.roots', 'function and call'),
    ...repeated(
      o.functions,
      (f) => [f.function, f.artifact ?? '', f.architecture ?? ''].join(' ').trim(),
      'observations.functions',
      'function, artifact and architecture',
    ),
    ...repeated(o.edges, (e) => `${e.from} → ${e.to}`, 'observations.edges', 'from and to'),
    ...o.roots.flatMap(({ p50Ms, p99Ms }, i) =>
      p50Ms !== null && p99Ms !== null && p50Ms > p99Ms
        ? [above(`observations.roots[${i}].p50Ms`, p50Ms, `p99Ms, which is ${p99Ms}`)]
        : [],
    ),
    ...[...o.roots.map(counted('roots')), ...o.functions.map(counted('functions'))].flat(),
  ];
}

const above = (field: string, given: number, limit: string): Problem => ({
  field,
  given: String(given),
  message: `must be at most ${limit}: correct one of the two`,
});

/** Some of the samples failed: never more than there are. */
const counted =
  (list: string) =>
  (item: { readonly samples: number; readonly failures: number }, i: number): readonly Problem[] =>
    item.failures <= item.samples
      ? []
      : [above(`observations.${list}[${i}].failures`, item.failures, `samples, which is ${item.samples}`)];

function repeated<T>(
  list: readonly T[],
  keyOf: (item: T) => string,
  field: string,
  by: string,
): readonly Problem[] {
  const firstAt = new Map<string, number>();
  return list.flatMap((item, i) => {
    const key = keyOf(item);
    const first = firstAt.get(key);
    if (first === undefined) firstAt.set(key, i);
    if (first === undefined) return [];
    const message = `must be unique by ${by}: it is already at ${field}[${first}]; remove one`;
    return [{ field: `${field}[${i}]`, given: key, message }];
  });
}

/** Of a plan that runs each function is in one unit. */
function unitProblems({ current }: SnapshotFile): readonly Problem[] {
  const home = new Map<string, number>();
  return (current?.units ?? []).flatMap((unit, i) =>
    unit.functions.flatMap((name, j) => {
      const first = home.get(name);
      if (first === undefined) home.set(name, i);
      if (first === undefined) return [];
      const message = `is already in current.units[${first}]: a function runs in one unit; remove it`;
      return [{ field: `current.units[${i}].functions[${j}]`, given: name, message }];
    }),
  );
}

/** What has happened cannot lie after now. */
function clockProblems({ nowMs, observations, current }: SnapshotFile): readonly Problem[] {
  const later = (field: string, atMs: number | null | undefined): readonly Problem[] =>
    atMs === null || atMs === undefined || atMs <= nowMs
      ? []
      : [
          {
            field,
            given: String(atMs),
            message: `must not be after nowMs, which is ${nowMs}: a clock ran backwards; correct one of the two`,
          },
        ];
  return [
    ...later('observations.untilMs', observations.untilMs),
    ...later('current.sinceMs', current?.sinceMs),
  ];
}
